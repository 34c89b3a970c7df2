"""What is there of each day, and since when."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from firesat.blocks import Layout, Variable
from firesat.cli.main import main
from firesat.cube import create_cube, cube_info
from firesat.cube.calendar import Step, cube_calendar
from firesat.errors import CubeError
from firesat.grid import Grid
from firesat.land import touches_land
from firesat.manifest import Receipt
from tests.cube.small import GRID

DAYS = np.arange(np.datetime64("2021-05-03"), np.datetime64("2021-05-09"))
LAYOUT = Layout(group="optical", level=1000, variables=(Variable(name="red"),), steps=3)
TWO_TILES = Grid(region=(90_000.0, 620_000.0, 110_000.0, 640_000.0))


@pytest.fixture
def cube(tmp_path: Path) -> Path:
    """Two tiles, two blocks of three days each: done, empty, failed, and one not asked for."""
    cube = create_cube(tmp_path / "a.zarr", TWO_TILES)
    first, second, third, _ = cube.add_group(LAYOUT, DAYS)
    known = ["2021-05-04T12:00:00", "", "2021-05-06T00:00:00"]
    cube.manifest().add([
        Receipt(key=first.key, group="optical", status="done", available=known),
        Receipt(key=second.key, group="optical", status="empty"),
        Receipt(key=third.key, group="optical", status="failed", reason="gone"),
    ])  # fmt: skip
    return cube.path


def test_every_step_is_counted(cube: Path) -> None:
    steps = cube_calendar(cube)["optical"]
    assert [step.day for step in steps] == DAYS.astype(str).tolist()
    assert [(s.there, s.nothing, s.failed, s.missing) for s in steps] == [
        (1, 1, 0, 0), (0, 2, 0, 0), (1, 1, 0, 0), (0, 0, 1, 1), (0, 0, 1, 1), (0, 0, 1, 1),
    ]  # fmt: skip
    assert "".join(step.mark for step in steps) == "#-#!!!"
    assert (steps[0].first, steps[0].last) == ("2021-05-04T12:00:00",) * 2
    assert (steps[1].first, steps[1].last) == ("", "")


def test_the_first_and_the_last_moment_of_several_blocks_are_kept() -> None:
    step = Step(day="2021-05-03", blocks=4)
    for moment in ("2021-05-05", "2021-05-04", "2021-05-06"):
        step.count(Receipt(key="a/0/0/0", group="a", status="done"), moment)
    assert (step.first, step.last, step.mark) == ("2021-05-04", "2021-05-06", "+")


def test_the_command_draws_them_under_their_day_of_the_month(
    cube: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cube", "info", str(cube), "--days"]) == 0
    drawn = capsys.readouterr().out.splitlines()
    assert "  2021-05    #-#!!!                         known 1.0, 1.2, 1.5 days later" in drawn
    assert main(["cube", "info", str(cube), "--days", "--json", "--groups", "optical"]) == 0
    told = json.loads(capsys.readouterr().out)["days"]["optical"]
    assert told[0] == {"day": "2021-05-03", "blocks": 2, "there": 1, "nothing": 1, "failed": 0,
                       "first": "2021-05-04T12:00:00", "last": "2021-05-04T12:00:00"}  # fmt: skip


def test_composites_have_a_row_for_each_year(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cube = create_cube(tmp_path / "a.zarr", GRID)
    cube.add_group(LAYOUT, np.array(["2021-05-01", "2021-05-17", "2022-05-01"], "datetime64[D]"))
    assert main(["cube", "info", str(cube.path), "--days"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["  2021  ??", "  2022  ?"]


def test_what_is_not_there_is_said(cube: Path) -> None:
    with pytest.raises(CubeError, match="has no group weather: it has optical"):
        cube_calendar(cube, ["weather"])
    shutil.rmtree(cube.with_suffix(".ledger"))
    with pytest.raises(CubeError, match="there is no ledger"):
        cube_calendar(cube)


def test_tiles_of_the_sea_are_not_waited_for(tmp_path: Path) -> None:
    whole = Grid()
    path = create_cube(tmp_path / "a.zarr", whole).path
    land = len(whole.tiles())
    create_cube(path, whole).add_group(LAYOUT, DAYS[:3])
    assert cube_info(path)["groups"]["optical"]["blocks"] == {"total": land}
    assert cube_calendar(path)["optical"][0].missing == land
    everywhere = [[x, y, x + 1e5, y + 1e5] for x in np.arange(-26e5, 31e5, 1e5)
                  for y in np.arange(-9e5, 40e5, 1e5)]  # fmt: skip
    assert 1000 < land == touches_land(np.array(everywhere), whole.crs).sum() < len(everywhere)
