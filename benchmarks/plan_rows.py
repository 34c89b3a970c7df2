"""Planning against a manifest of a million blocks that are all done."""

import shutil
from pathlib import Path

import numpy as np

from benchmarks.timing import Timing, interleaved
from firesat.blocks import Layout, Variable, count, cut
from firesat.grid import Grid
from firesat.manifest import Manifest, Receipt

LEDGER = Path("/dev/shm/firesat-plan/a.ledger")
LAYOUT = Layout(group="sentinel2", level=100, variables=(Variable(name="clear"),))
GRID = Grid(region=(-500_000.0, 0.0, 500_000.0, 500_000.0))  # 10 x 5 tiles
DAYS = np.datetime64("2000-01-01") + np.arange(20_000)
MILLION = 1_000_000


def fill(ledger: Path) -> None:
    """Vouch for every block."""
    manifest = Manifest(ledger)
    rows = (
        Receipt(key=f"sentinel2/{step:04d}/{row}/{column}", group="sentinel2", status="done",
                checksum="0" * 64, config="abc", available=["2021-05-01T12:00:00"],
                items=["S2A_MSIL1C_20210501T190911_N0500_R056_T10UEU_20230206T010101"])
        for step in range(20_000) for row in range(5) for column in range(10)
    )  # fmt: skip
    pack = []
    for receipt in rows:
        pack.append(receipt)
        if len(pack) == 50_000:
            manifest.add(pack)
            pack.clear()
    manifest.add(pack)


def planned(ledger: Path) -> tuple[int, int]:
    """How many blocks are missing, of how many, as the planner asks it."""
    manifest = Manifest(ledger)
    configs = manifest.configs("sentinel2")
    if configs != {"abc"}:
        raise ValueError(f"settings {configs}")
    finished = manifest.finished("sentinel2") | manifest.unfolded("sentinel2")
    missing = list(cut(LAYOUT, GRID, DAYS, without=finished))
    return len(missing), count(LAYOUT, GRID, DAYS)


def plan() -> list[Timing]:
    """A plan in which nothing is missing."""
    shutil.rmtree(LEDGER.parent, ignore_errors=True)
    LEDGER.parent.mkdir(parents=True)
    fill(LEDGER)
    answer = planned(LEDGER)
    timings = interleaved({"plan of 1 M blocks, all done": lambda: planned(LEDGER)})
    shutil.rmtree(LEDGER.parent)
    note = "" if answer == (0, MILLION) else f"(DIFFERENT ANSWER {answer})"
    return [Timing(**{**vars(timings[0]), "note": note})]
