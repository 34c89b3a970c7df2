"""A disk that refuses: the job stops at once and says so in one line; a rerun finishes the cube.

The counter loop refuses the 1st, 2nd, 3rd ... call and all after it, until the job passes.
"""

import errno
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firesat.cube import create_cube, cube_hash
from firesat.errors import StoreError
from firesat.jobs.ingest import Outcome, Unwatched, ingest
from firesat.manifest import Manifest
from firesat.project import CubeSettings, Project
from firesat.sources.settings import IngestSettings
from firesat.store import Holder
from firesat.window import Period
from tests.cube.faults import Shim, as_process, fails_at
from tests.cube.small import DAYS, GRID, OPTICAL, Made, check_readable, make, sources

CODES = ("ENOSPC", "EIO", "EACCES", "EMFILE", "EROFS", "EDQUOT")


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("whole") / "a.zarr"
    make(path, sources())
    return cube_hash(path)


@pytest.fixture(scope="module")
def dead() -> Holder:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here = Holder.here()
    return Holder(host=here.host, machine=here.machine, pid=gone.pid, started=0.0)


def refused_at(
    number: int, code: str, path: Path, dead: Holder, patch: pytest.MonkeyPatch
) -> str | None:
    """Run the job with calls refused from one on; what it says."""
    fault = fails_at(number, getattr(errno, code), lasting=True)
    with as_process(dead, patch), Shim(root=path.parent, before=fault).under(patch):
        try:
            make(path, sources())
        except StoreError as error:
            return str(error)
    return None


def loop(
    code: str, start: int, step: int, folder: Path, wanted: str, dead: Holder,
    patch: pytest.MonkeyPatch,
) -> int:  # fmt: skip
    for count, number in enumerate(itertools.count(start, step)):
        path = folder / str(number) / "a.zarr"
        path.parent.mkdir()
        said = refused_at(number, code, path, dead, patch)
        if said is not None:
            assert str(path.parent) in said
            assert "\n" not in said
            assert "run the command again" in said
        check_readable(path, sources())
        make(path, sources())
        assert cube_hash(path) == wanted
        if said is None:
            return count
    raise AssertionError


@pytest.mark.parametrize(("start", "code"), list(enumerate(CODES[:3], start=1)))
def test_a_disk_that_refuses_now_and_then_stops_the_job_in_one_line(
    memory: Path, wanted: str, dead: Holder, monkeypatch: pytest.MonkeyPatch, code: str, start: int
) -> None:
    assert loop(code, start, 80, memory, wanted, dead, monkeypatch) >= 2


@pytest.mark.exhaustive
@pytest.mark.parametrize("code", CODES)
def test_a_disk_that_refuses_any_call_stops_the_job_in_one_line(
    memory: Path, wanted: str, dead: Holder, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """Every call, every error: complete for this job."""
    assert loop(code, 1, 1, memory, wanted, dead, monkeypatch) > 150


def test_a_full_disk_says_how_many_bytes_are_needed(
    memory: Path, dead: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = None
    for number in itertools.count(1):
        path = memory / str(number) / "a.zarr"
        path.parent.mkdir()
        said = refused_at(number, "ENOSPC", path, dead, monkeypatch)
        if said and "it needs" in said:
            break
    assert said is not None
    assert "bytes" in said
    assert "free some" in said


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of a few kilobytes, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=60k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def grow(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def fill(disk: Path, kilobytes: int, wanted: str, dead: Holder, patch: pytest.MonkeyPatch) -> bool:
    """Run the job on a disk too small for it, then on one that is large enough."""
    grow(disk, f"{kilobytes}k")
    path = disk / "a.zarr"
    said = ""
    with as_process(dead, patch):
        try:
            make(path, sources())
        except StoreError as error:
            said = str(error)
    assert "\n" not in said
    grow(disk, "8m")
    check_readable(path, sources())
    make(path, sources())
    assert cube_hash(path) == wanted
    return bool(said)


@pytest.mark.parametrize("kilobytes", [64, 112, 160])
def test_a_real_full_disk_loses_nothing(
    small_disk: Path, wanted: str, dead: Holder, monkeypatch: pytest.MonkeyPatch, kilobytes: int
) -> None:
    assert fill(small_disk, kilobytes, wanted, dead, monkeypatch)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kilobytes", range(52, 212, 8))
def test_a_real_disk_full_at_any_stage_loses_nothing(
    small_disk: Path, wanted: str, dead: Holder, monkeypatch: pytest.MonkeyPatch, kilobytes: int
) -> None:
    fill(small_disk, kilobytes, wanted, dead, monkeypatch)


def test_a_real_read_only_disk_is_refused_and_can_be_read(
    small_disk: Path, wanted: str, monkeypatch: pytest.MonkeyPatch, dead: Holder
) -> None:
    path = small_disk / "a.zarr"
    grow(small_disk, "8m")
    make(path, sources())
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreError, match="mount it for writing"):
        make(path, sources())
    assert cube_hash(path) == wanted
    assert Manifest(path.with_suffix(".ledger")).counts()["optical"] == {"done": 3}


def project(path: Path) -> Project:
    return Project(
        cube=CubeSettings(path=path, periods=[Period(start=str(DAYS[0]), end=str(DAYS[-1]))]),
        grid=GRID,
        ingest=IngestSettings(sources=[Made()], workers=1),
    )


@pytest.mark.slow
def test_an_ingest_stops_at_once_and_a_rerun_goes_on(tmp_path: Path) -> None:
    """A real ingest with its worker process; a file stands where the blocks' folder should be."""
    path = tmp_path / "a.zarr"
    ended: list[Outcome] = []

    class Watcher(Unwatched):
        def ended(self, outcome: Outcome) -> None:
            ended.append(outcome)

    create_cube(path, GRID).add_group(OPTICAL, DAYS)
    obstacle = path / "optical/reflectance/c"
    obstacle.write_text("in the way")
    with pytest.raises(StoreError, match="reflectance/c/0 cannot be made: Not a directory"):
        ingest(project(path), Watcher())
    assert not ended
    obstacle.unlink()
    make(path, [Made()])
    assert check_readable(path, [Made()]) == 6
