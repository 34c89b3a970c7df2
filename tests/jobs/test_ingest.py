"""What an ingest plans, and what it refuses to mix."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firesat.blocks import Layout, Variable, beside, count, cut
from firesat.errors import CubeError
from firesat.grid import Grid
from firesat.jobs.ingest import config_hash, plan, settings_of
from firesat.manifest import Manifest
from firesat.project import CubeSettings, Project
from firesat.sources.base import Source
from firesat.sources.settings import IngestSettings
from firesat.window import Period
from tests.cube.small import DAYS, GRID, Made, make


def project(path: Path, source: Source) -> Project:
    return Project(
        cube=CubeSettings(path=path, periods=[Period(start=str(DAYS[0]), end=str(DAYS[-1]))]),
        grid=GRID,
        ingest=IngestSettings(sources=[source]),
    )


def test_a_plan_counts_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    (group,) = plan(project(path, Made()))
    assert (group.total, len(group.missing)) == (3, 3)
    assert not path.exists()
    make(path, [Made()])
    (group,) = plan(project(path, Made()))
    assert group.summary["missing"] == 0
    assert group.total == 3


def test_changed_settings_are_refused_with_their_difference(tmp_path: Path) -> None:
    path, source = tmp_path / "a.zarr", Made(seed=4)
    make(path, [source])
    with pytest.raises(CubeError, match=f"config {config_hash(source)}, now"):
        plan(project(path, Made()))  # of a cube whose settings nobody kept
    Manifest(path.with_suffix(".ledger")).groups.keep_settings(
        "optical", config_hash(source), settings_of(source)
    )
    with pytest.raises(CubeError, match=r"\(seed: 4 there, 0 now\): take another cube.path"):
        plan(project(path, Made()))
    assert not list(plan(project(path, replace(source, base_url="http://127.0.0.1")))[0].missing)


def test_blocks_are_counted_as_they_are_cut() -> None:
    grid = Grid(region=(90_000.0, 620_000.0, 110_000.0, 640_000.0))
    days = np.datetime64("2021-05-01") + np.arange(7)
    layout = Layout(group="g", level=1000, variables=(Variable(name="x"),), steps=3)
    keys = [block.key for block in cut(layout, grid, days)]
    assert count(layout, grid, days) == len(keys) == 6
    left = [block.key for block in cut(layout, grid, days, without=set(keys[:5]))]
    assert left == keys[5:] == ["g/0002/0/1"]
    assert count(replace(layout, whole_box=True), grid, days) == 3
    assert beside(layout, "final").group == "g_final"
