"""``firesat sample``: choose chips from the cube and write them."""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from firesat.chipstore import write_chips
from firesat.errors import SampleError
from firesat.samples import Plan, Progress, Reader, SampleSettings
from firesat.sampling import STRATA, draw, keep_fires_whole
from firesat.scaling import Batch, Moments

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SampleReport:
    """What was taken.

    Parameters
    ----------
    path : Path
        The store.
    regime : str
        Which weather the chips hold.
    missing : tuple of str
        Groups that the inputs ask for and the cube lacks: the chips hold nothing of them.
    taken, frame : dict of dict of int
        Split to stratum to chips taken, and to chips there were.
    dropped : int
        Training chips left out of the frame because a fire of theirs burns in another split.
    prevalence : dict of float
        Split to the share of cells at risk that burn in a window, estimated for the whole frame.
    burning_cells : dict of int
        Split to cells with label 1 in the chips taken; one cell counts in each chip it lies in.
    fires : dict of int
        Split to the number of fires in the chips taken.
    """

    path: Path
    regime: str
    missing: tuple[str, ...]
    taken: dict[str, dict[str, int]]
    frame: dict[str, dict[str, int]]
    dropped: int
    prevalence: dict[str, float]
    burning_cells: dict[str, int]
    fires: dict[str, int]


def silent(done: int, total: int, text: str) -> None:
    """Report no progress.

    Parameters
    ----------
    done, total : int
        Steps.
    text : str
        What is being done.
    """


def sample(settings: SampleSettings, cube_path: Path, progress: Progress = silent) -> SampleReport:
    """Draw chips from a cube and write them, with the scaler of the training chips.

    Parameters
    ----------
    settings : SampleSettings
        Which chips.
    cube_path : Path
        A cube with labels.
    progress : callable
        Called with (done, total, text).

    Returns
    -------
    SampleReport
        What was taken of what there was.

    Raises
    ------
    SampleError
        If a split has no chips, or nothing burns in the training periods.
    """
    reader = Reader(cube_path, settings.inputs)
    if reader.missing:
        log.warning("%s has no %s: the chips lack it", cube_path, ", ".join(reader.missing))
    plan = Plan(reader, settings)
    frame = plan.frame(progress)
    whole = keep_fires_whole(frame)
    chosen = _draw(whole, settings)
    table = _table(chosen, plan)
    tally = _Tally(settings)

    def finished() -> pd.DataFrame:
        return pd.concat([table, pd.DataFrame(tally.cells)], axis=1)

    chips = tally.count(plan.chips(chosen, progress), table["split"].tolist())
    write_chips(settings.path, finished, chips, len(table), tally.attrs)
    log.info("%d chips in %s", len(table), settings.path)
    report = _report(settings, whole, finished(), dropped=len(frame) - len(whole))
    return replace(report, missing=reader.missing)


def _draw(frame: pd.DataFrame, settings: SampleSettings) -> pd.DataFrame:
    """The chips to take, in the order in which they are read."""
    wanted = {split: settings.wanted(split) for split in settings.splits}
    chosen = draw(frame, wanted, settings.seed)
    train = chosen["split"] == "train"
    if not (chosen.loc[train, "stratum"] == "positive").any():
        raise SampleError("nothing burns in the training periods: choose others, or more of them")
    order = ["split", "panel", "reference_day", "row", "col"]
    return chosen.sort_values(order, kind="stable").reset_index(drop=True)


class _Tally:
    """What is learned of the chips while they pass on their way to the disk."""

    def __init__(self, settings: SampleSettings) -> None:
        self._settings = settings
        self._moments = Moments(settings.inputs.names)
        self.cells: list[dict[str, int]] = []

    def count(self, chips: Iterator[Batch], splits: list[str]) -> Iterator[Batch]:
        """Count cells of all chips, and take the moments of those for training."""
        for chip, split in zip(chips, splits, strict=True):
            if split == "train":
                self._moments.add(chip)
            burning = int(chip["label"].any(axis=0).sum())
            at_risk = int(chip["valid"].all(axis=0).sum())
            self.cells.append({"burning": burning, "at_risk": at_risk})
            yield chip

    def attrs(self) -> dict[str, Any]:
        """What the store says of itself."""
        inputs = self._settings.inputs
        return {
            "inputs": inputs.record,
            "regime": inputs.regime,
            "names": {field: list(names) for field, names in inputs.names.items()},
            "channels": asdict(inputs.channels(self._settings.chip)),
            "scaler": self._moments.scaler().record,
            "seed": self._settings.seed,
            "stride": self._settings.stride,
            "issue_step": self._settings.issue_step,
        }


def _table(chosen: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """One row per chip."""
    fires = chosen["fires"]
    return plan.places(chosen).assign(
        reference_time=pd.to_datetime(chosen["reference_day"] + "T12:00", utc=True),
        split=chosen["split"],
        stratum=chosen["stratum"],
        pi=chosen["pi"],
        frame_size=chosen["frame_size"],
        fire_id=[ids[0] if ids else 0 for ids in fires],
        fires=fires,
    )


def _report(
    settings: SampleSettings, frame: pd.DataFrame, table: pd.DataFrame, *, dropped: int
) -> SampleReport:
    """Count what was taken."""
    parts = {split: table[table["split"] == split] for split in settings.splits}
    return SampleReport(
        path=settings.path,
        regime=settings.inputs.regime,
        missing=(),
        taken={split: _by_stratum(part) for split, part in parts.items()},
        frame={split: _by_stratum(frame[frame["split"] == split]) for split in parts},
        dropped=dropped,
        prevalence={split: prevalence(part) for split, part in parts.items()},
        burning_cells={split: int(part["burning"].sum()) for split, part in parts.items()},
        fires={split: _fires(part) for split, part in parts.items()},
    )


def _by_stratum(chips: pd.DataFrame) -> dict[str, int]:
    """Chips of each stratum."""
    return {stratum: int((chips["stratum"] == stratum).sum()) for stratum in STRATA}


def _fires(chips: pd.DataFrame) -> int:
    """Different fires, a number being used anew each year."""
    years = chips["reference_time"].dt.year
    return len({(y, f) for y, ids in zip(years, chips["fires"], strict=True) for f in ids})


def prevalence(chips: pd.DataFrame) -> float:
    """Estimate the share of cells at risk that burn in a window, over the whole frame.

    Parameters
    ----------
    chips : pd.DataFrame
        Rows of a split, with `pi`, `burning` and `at_risk`.

    Returns
    -------
    float
        Ratio of the Horvitz-Thompson sums; 0 where nothing is at risk.
    """
    burning = float((chips["burning"] / chips["pi"]).sum())
    at_risk = float((chips["at_risk"] / chips["pi"]).sum())
    return burning / at_risk if at_risk else 0.0
