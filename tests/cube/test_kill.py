"""A process that dies at any moment leaves a cube that reads, and a rerun that finishes it.

The counter loop dies before the 1st, 2nd, 3rd ... call of the operating system until the job
passes, so for this job and these calls it is exhaustive. The real kills are a sample: 0 failures in
n bound their rate at 3/n with 95 % confidence.
"""

import itertools
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from firesat.cube import cube_hash
from firesat.manifest import Manifest
from firesat.store import Holder
from tests.cube.faults import Killed, Shim, as_process, dies_at
from tests.cube.small import check_readable, make, sources

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("whole") / "a.zarr"
    make(path, sources())
    return cube_hash(path)


@pytest.fixture(scope="module")
def dead() -> Holder:
    """A process of this machine that has ended."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here = Holder.here()
    return Holder(host=here.host, machine=here.machine, pid=gone.pid, started=0.0)


def receipts(path: Path) -> set[str]:
    """Keys of the blocks that somebody vouches for."""
    ledger = path.with_suffix(".ledger")
    if not ledger.exists():
        return set()
    manifest = Manifest(ledger)
    return {row.key for row in (*manifest.rows(), *manifest.loose())}


def survive(path: Path, wanted: str) -> None:
    """A reader sees no torn block; a rerun makes what is missing, that alone, and the same cube."""
    check_readable(path, sources())
    kept = receipts(path)
    again = sources()
    make(path, again)
    fetched = {key for source in again for key in source.fetched}
    assert not fetched & kept
    assert fetched | kept == {f"optical/000{n}/0/0" for n in range(3)} | {
        f"weather/000{n}/0/0" for n in range(2)
    }
    assert cube_hash(path) == wanted
    parts = path.with_suffix(".ledger") / "parts"
    assert not list(parts.iterdir())


def die_at(number: int, path: Path, dead: Holder, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run the job under a name that is dead and die before a call; whether it did."""
    shim = Shim(root=path.parent, before=dies_at(number))
    with as_process(dead, monkeypatch), shim.under(monkeypatch):
        try:
            make(path, sources())
        except Killed:
            return True
    return False


def loop(
    step: int, start: int, folder: Path, wanted: str, dead: Holder, patch: pytest.MonkeyPatch
) -> int:
    """Die before every `step`-th call until the job passes; how often it died."""
    for count, number in enumerate(itertools.count(start, step)):
        path = folder / str(number) / "a.zarr"
        path.parent.mkdir()
        died = die_at(number, path, dead, patch)
        survive(path, wanted)
        if not died:
            return count
    raise AssertionError


def test_death_at_some_calls_loses_nothing(
    memory: Path, wanted: str, dead: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call in forty, from a start that differs by date: the exhaustive form takes all."""
    start = 1 + int(time.time() // 86_400) % 40
    assert loop(40, start, memory, wanted, dead, monkeypatch) >= 4


@pytest.mark.exhaustive
def test_death_at_any_call_loses_nothing(
    memory: Path, wanted: str, dead: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call once: for this job the proof is complete, save for death inside SQLite."""
    assert loop(1, 1, memory, wanted, dead, monkeypatch) > 150


CHILD = """
import os, sys
from pathlib import Path
import pytest
from tests.cube.faults import Shim
from tests.cube.small import make, sources

def before(number, name):
    if number >= int(sys.argv[2]):
        os._exit(9)

path = Path(sys.argv[1])
with pytest.MonkeyPatch.context() as patch, Shim(root=path.parent, before=before).under(patch):
    make(path, sources())
"""


def child(path: Path, number: int) -> "subprocess.Popen[bytes]":
    path.parent.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-c", CHILD, str(path), str(number)], cwd=ROOT)


@pytest.mark.parametrize("number", [120])
def test_a_real_process_that_exits_at_a_call_loses_nothing(
    memory: Path, wanted: str, number: int
) -> None:
    path = memory / "x" / "a.zarr"
    assert child(path, number).wait() == 9
    survive(path, wanted)


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(50))
def test_kill_9_at_a_random_moment_loses_nothing(memory: Path, wanted: str, seed: int) -> None:
    """50 kills at random moments of a real process, SQLite's commits included, under a reader that
    looks all the while: 0 in 50 bounds the rate below 6 %."""
    path = memory / "x" / "a.zarr"
    process = child(path, 10_000)
    deadline = time.monotonic() + 60
    while not (path / "zarr.json").exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    end = time.monotonic() + np.random.default_rng(seed).uniform(0, 0.4)
    while time.monotonic() < end:
        check_readable(path, sources())
    process.send_signal(signal.SIGKILL)
    process.wait()
    survive(path, wanted)


def test_a_rerun_of_a_finished_job_does_nothing(tmp_path: Path, wanted: str) -> None:
    path = tmp_path / "a.zarr"
    make(path, sources())
    before = {p: p.stat().st_mtime_ns for p in path.rglob("*") if p.is_file()}
    again = sources()
    make(path, again)
    assert not any(source.fetched for source in again)
    assert {p: p.stat().st_mtime_ns for p in path.rglob("*") if p.is_file()} == before
    assert not list((path.with_suffix(".ledger") / "receipts").iterdir())
