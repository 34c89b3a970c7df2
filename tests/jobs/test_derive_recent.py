"""The latest clear looks, kept up to date as scenes arrive: always those of a fresh start."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from firesat.bands import SENTINEL2_BANDS
from firesat.cli.main import main
from firesat.composite import Looks, decoded, recent_looks
from firesat.cube import Cube, create_cube, cube_hash, open_cube
from firesat.errors import ConfigError, CubeError
from firesat.grid import Grid
from firesat.jobs.derive import derive, plan_derive
from firesat.jobs.derive.looks import to_state
from firesat.manifest import Receipt
from firesat.sources.settings import RecentSettings
from firesat.window import Window
from tests.tiny_cube import layouts

GROUP = "sentinel2_recent"
REGION = (-20_000.0, 660_000.0, 20_000.0, 680_000.0)  # over the border of two tiles
LEVEL = 10_000  # a tile is 10 x 10 cells
FIRST, DAYS = np.datetime64("2023-07-01", "D"), 12
RULES = RecentSettings(looks=2, history=5)


def quiet(ended: int, total: int, text: str) -> None:
    assert 0 < ended <= total


@dataclass(frozen=True)
class Arrival:
    """A scene of one tile comes, or comes anew; seed 0 = an empty day."""

    day: int
    tile: int
    seed: int
    late: int = 0  # days later than usual
    stream: str = "final"


LAYOUT = replace(layouts()["sentinel2"], level=LEVEL)
AXIS = FIRST + np.arange(DAYS) * np.timedelta64(1, "D")


def make(path: Path) -> Cube:
    cube = create_cube(path, Grid(region=REGION))
    cube.add_group(LAYOUT, AXIS)
    return cube


def arrive(cube: Cube, what: Arrival) -> None:
    """Write a block as ingest does, and vouch for it."""
    block = cube.add_group(LAYOUT, AXIS)[2 * what.day + what.tile]
    usual = AXIS[what.day].astype("datetime64[s]") + np.timedelta64(30 + 24 * what.late, "h")
    receipt = Receipt(
        key=block.key, group="sentinel2", status="empty", stream=what.stream, available=[""]
    )
    if what.seed:
        rng = np.random.default_rng([what.seed, what.day, what.tile])
        shape = block.geobox.shape
        numbers = rng.integers(1, 9000, (1, 13, *shape)) * 1e-4
        numbers[:, :, rng.random(shape) < 0.1] = np.nan
        clear = rng.choice([0.0, 0.4, 0.5, 1.0, np.nan], (1, *shape))
        layer = xr.Dataset(
            {
                "reflectance": (("time", "band", "y", "x"), numbers),
                "clear": (("time", "y", "x"), clear),
            }
        )
        written = cube.write_block(LAYOUT, block, layer)
        receipt = replace(receipt, status="done", checksum=written.checksum, available=[str(usual)])
    manifest = cube.manifest()
    manifest.add([receipt])
    cube.record_times([receipt], LAYOUT)


def fresh(path: Path, day: np.datetime64, rules: RecentSettings) -> Looks:
    window = Window(history=rules.history)
    dataset = open_cube(path, "sentinel2")
    return recent_looks(dataset, str(day), window=window, looks=rules.looks)


def stored(path: Path, day: np.datetime64, looks: int = 2) -> Looks:
    """A state, never seen in tiles where it is not available."""
    dataset = open_cube(path, GROUP, packed=True).sel(time=day)
    numbers = dataset["looks"].values.copy()
    side = 100_000 // LEVEL
    for tile, known in enumerate(dataset["available_time"].values[0]):
        if np.isnat(known):
            numbers[:, :, tile * side : (tile + 1) * side] = 65535
    return decoded(to_state(numbers, looks))


def agrees(path: Path, day: np.datetime64, rules: RecentSettings = RULES) -> bool:
    ours, wanted = stored(path, day, rules.looks), fresh(path, day, rules)
    return (
        ours.age.tobytes() == wanted.age.tobytes()
        and np.array_equal(ours.reflectance, wanted.reflectance, equal_nan=True)
        and ours.reflectance.dtype == wanted.reflectance.dtype
    )


def made(cube: Cube) -> set[np.datetime64]:
    return {FIRST + np.timedelta64(row.index[0], "D") for row in cube.manifest().rows(GROUP)}


ARRIVALS = st.builds(
    Arrival,
    day=st.integers(0, DAYS - 1),
    tile=st.integers(0, 1),
    seed=st.integers(0, 3),
    late=st.sampled_from([0, 0, 0, 2, 6]),
    stream=st.sampled_from(["nrt", "final"]),
)
RUNS = st.lists(
    st.tuples(
        st.lists(ARRIVALS, min_size=2, max_size=8),
        st.sets(st.integers(0, DAYS - 1), max_size=2),
    ),
    min_size=2,
    max_size=3,
)


def check_history(folder: Path, runs: list[tuple[list[Arrival], set[int]]]) -> None:
    """However scenes arrive between runs, states are those of a fresh start, file by file."""
    shutil.rmtree(folder, ignore_errors=True)
    cube = make(folder / "grown.zarr")
    for arrivals, days in runs:
        for what in arrivals:
            arrive(cube, what)
        rules = replace(RULES, days=[str(AXIS[day]) for day in sorted(days)])
        derive(cube.path, [GROUP], quiet, recent=rules)
        assert all(agrees(cube.path, day) for day in made(cube))
        again = derive(cube.path, [GROUP], quiet, recent=rules)
        assert (again.ended, again.read[GROUP]) == (0, 0)
    whole = folder / "whole.zarr"
    shutil.copytree(cube.path, whole)
    shutil.rmtree(whole / GROUP)
    ledger = Cube(whole, cube.grid).manifest()
    ledger.add(cube.manifest().rows("sentinel2"))
    asked = replace(RULES, days=[str(day) for day in made(cube)])
    if asked.days:
        derive(whole, [GROUP], quiet, recent=asked)
        assert cube_hash(whole) == cube_hash(cube.path)


@given(runs=RUNS)
@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=[Phase.generate],  # to shrink a failure takes minutes
)
def test_states_are_those_of_a_fresh_start_however_scenes_arrive(
    tmp_path: Path, runs: list[tuple[list[Arrival], set[int]]]
) -> None:
    check_history(tmp_path / "history", runs)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)  # two seconds each, many times that beside other work
@given(runs=RUNS)
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=[Phase.generate],
)
def test_many_histories_end_as_fresh_starts(
    tmp_path: Path, runs: list[tuple[list[Arrival], set[int]]]
) -> None:
    check_history(tmp_path / "history", runs)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of the first tile on days 0 to 6, and the state of day 8."""
    path = tmp_path_factory.mktemp("recent") / "grown.zarr"
    cube = make(path)
    for day in range(7):
        arrive(cube, Arrival(day=day, tile=0, seed=1))
    report = derive(path, [GROUP], quiet, recent=replace(RULES, days=[str(AXIS[8])]))
    assert report.counts[GROUP] == {"done": 1, "unchanged": 0}
    assert report.read[GROUP] == 4  # days 3 to 6 are at most five days old
    return path


def copy(cube: Path, folder: Path) -> Cube:
    shutil.copytree(cube.with_suffix(".ledger"), (folder / cube.name).with_suffix(".ledger"))
    return Cube(Path(shutil.copytree(cube, folder / cube.name)), Grid(region=REGION))


def test_only_new_scenes_are_read(grown: Path, tmp_path: Path) -> None:
    cube = copy(grown, tmp_path)
    arrive(cube, Arrival(day=7, tile=0, seed=1))
    rules = replace(RULES, days=[str(AXIS[8]), str(AXIS[9])])
    planned = plan_derive(cube.path, [GROUP], recent=rules)
    assert planned[GROUP] == {"missing": 2, "unchanged": 0, "to_read": 1}
    lines: list[str] = []
    report = derive(cube.path, [GROUP], lambda *args: lines.append(args[2]), recent=rules)
    assert report.counts[GROUP] == {"done": 2, "unchanged": 0}
    assert report.read[GROUP] == 1
    assert lines == [
        f"{GROUP}/0008/0/0 done: 1 scenes folded in, 4 there before",
        f"{GROUP}/0009/0/0 done: 0 scenes folded in, 4 there before",
    ]
    assert agrees(cube.path, AXIS[8])
    assert agrees(cube.path, AXIS[9])


def test_a_changed_scene_is_taken_out_again(grown: Path, tmp_path: Path) -> None:
    cube = copy(grown, tmp_path)
    rules = replace(RULES, days=[str(AXIS[8])])
    arrive(cube, Arrival(day=5, tile=0, seed=2, stream="final"))
    assert derive(cube.path, [GROUP], quiet, recent=rules).read[GROUP] == 4
    assert agrees(cube.path, AXIS[8])


def test_a_scene_that_turns_out_late_is_taken_out_again(grown: Path, tmp_path: Path) -> None:
    cube = copy(grown, tmp_path)
    rules = replace(RULES, days=[str(AXIS[8])])
    arrive(cube, Arrival(day=6, tile=0, seed=1, late=4))
    assert derive(cube.path, [GROUP], quiet, recent=rules).read[GROUP] == 3
    assert agrees(cube.path, AXIS[8])


def test_without_days_the_state_of_the_newest_scene_is_kept(tmp_path: Path) -> None:
    cube = make(tmp_path / "newest.zarr")
    for day in (0, 3):
        arrive(cube, Arrival(day=day, tile=1, seed=1))
        derive(cube.path, [GROUP], quiet, recent=RULES)
    # in hand from 06 UTC of the next day on
    assert {str(day) for day in made(cube)} == {"2023-07-02", "2023-07-05"}


def test_a_file_that_nobody_vouches_for_is_not_gone_on_from(grown: Path, tmp_path: Path) -> None:
    cube = copy(grown, tmp_path)
    (shard,) = (cube.path / GROUP / "looks" / "c").rglob("0/0/0")
    shard.write_bytes(shard.read_bytes()[:-3] + b"bad")
    arrive(cube, Arrival(day=6, tile=0, seed=3))
    report = derive(cube.path, [GROUP], quiet, recent=replace(RULES, days=[str(AXIS[8])]))
    assert report.read[GROUP] == 4
    assert agrees(cube.path, AXIS[8])


def test_a_look_that_is_gone_leaves_nothing_behind(tmp_path: Path) -> None:
    cube = make(tmp_path / "gone.zarr")
    rules = replace(RULES, days=[str(AXIS[3])])
    arrive(cube, Arrival(day=1, tile=0, seed=1))
    derive(cube.path, [GROUP], quiet, recent=rules)
    arrive(cube, Arrival(day=1, tile=0, seed=0))  # the day is empty after all
    assert derive(cube.path, [GROUP], quiet, recent=rules).counts[GROUP]["empty"] == 1
    assert np.isnat(open_cube(cube.path, GROUP)["available_time"].values).all()
    assert not [file for file in (cube.path / GROUP / "looks" / "c").rglob("*") if file.is_file()]
    assert derive(cube.path, [GROUP], quiet, recent=rules).ended == 0


def test_other_rules_are_refused(grown: Path) -> None:
    with pytest.raises(CubeError, match="history_days 5, now 6"):
        derive(grown, [GROUP], quiet, recent=replace(RULES, history=6))
    with pytest.raises(CubeError, match="made with other settings"):
        derive(grown, [GROUP], quiet, recent=replace(RULES, looks=3))
    with pytest.raises(ConfigError, match="2023-08-01 is none of the cube's days"):
        derive(grown, [GROUP], quiet, recent=replace(RULES, days=["2023-08-01"]))


# Killed -------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from firesat.jobs.derive import derive
from firesat.sources.settings import RecentSettings
real, (path, day, last), calls = os.rename, sys.argv[1:], []
def rename(a, b):
    calls.append(str(b))
    if len(calls) == int(last):
        os.kill(os.getpid(), signal.SIGKILL)
    real(a, b)
os.rename = rename
derive(Path(path), ["sentinel2_recent"], lambda *_: None,
       recent=RecentSettings(looks=2, history=5, days=[day]))
print("\\n".join(calls))
"""


def killed(cube: Cube, number: int) -> subprocess.CompletedProcess[str]:
    """Derive in a process that dies when it is about to give the n-th file its name."""
    command = [sys.executable, "-c", KILLED, str(cube.path), str(AXIS[8]), str(number)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


def check_killed(grown: Path, folder: Path, number: int) -> None:
    cube = copy(grown, folder)
    before = stored(cube.path, AXIS[8]).reflectance.tobytes()
    arrive(cube, Arrival(day=5, tile=0, seed=2))
    wanted = fresh(cube.path, AXIS[8], RULES).reflectance
    assert killed(cube, number).returncode == -signal.SIGKILL
    found = stored(cube.path, AXIS[8]).reflectance
    assert found.tobytes() == before or np.array_equal(found, wanted, equal_nan=True)
    derive(cube.path, [GROUP], quiet, recent=replace(RULES, days=[str(AXIS[8])]))
    assert agrees(cube.path, AXIS[8])


def files_named(grown: Path, folder: Path) -> list[str]:
    """What an update gives names to, in its order."""
    cube = copy(grown, folder)
    arrive(cube, Arrival(day=5, tile=0, seed=2))
    return killed(cube, 0).stdout.split()


def test_a_kill_leaves_the_old_state_or_the_new_one(grown: Path, tmp_path: Path) -> None:
    names = files_named(grown, tmp_path / "whole")
    states = [number for number, name in enumerate(names, start=1) if "/looks/c/" in name]
    assert len(states) == 1  # looks and ages are one file
    for number in (states[0], states[0] + 1):
        check_killed(grown, tmp_path / str(number), number)


@pytest.mark.exhaustive
def test_a_kill_at_any_name_leaves_the_old_state_or_the_new_one(
    grown: Path, tmp_path: Path
) -> None:
    for number in range(1, len(files_named(grown, tmp_path / "whole")) + 1):
        check_killed(grown, tmp_path / str(number), number)


# The command --------------------------------------------------------------------------------------


def test_the_command_says_what_it_would_read_and_what_it_read(
    grown: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cube = copy(grown, tmp_path)
    config = tmp_path / "project.yaml"
    config.write_text(
        f"""
grid: {{ region: {list(REGION)} }}
cube:
  path: {cube.path}
  periods: [{{ start: 2023-07-01, end: 2023-07-12 }}]
ingest:
  derive: [{GROUP}]
  recent: {{ looks: 2, history: 5, days: [2023-07-09, 2023-07-10] }}
"""
    )
    for option, key, number in (("--dry-run", "to_read", 0), ("--json", "read", 0)):
        assert main(["derive", "--config", str(config), option, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["groups"][GROUP]
        assert found["unchanged"] == 1
        assert found[key] == number  # both days' scenes are in the state of the first
    assert agrees(cube.path, AXIS[9])


def test_a_state_is_usable_on_its_issue_day(grown: Path) -> None:
    known = open_cube(grown, GROUP)["available_time"].sel(time=AXIS[8]).values
    assert known[0, 0] == np.datetime64("2023-07-09T12:00:00")
    assert np.isnat(known[0, 1])
    names = open_cube(grown, GROUP)["looks"].attrs["band_names"]
    assert names[:14] == [*(f"{name}_1" for name in SENTINEL2_BANDS), "age_1"]
