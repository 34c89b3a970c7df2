"""What an ingest plans, and what it refuses to mix."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firesat.blocks import Layout, Variable, beside, count, cut
from firesat.errors import CubeError
from firesat.grid import Grid
from firesat.jobs.ingest import config_hash, identity, plan, settings_of
from firesat.jobs.ingest.identity import PROCESSING
from firesat.manifest import Manifest, Receipt
from firesat.project import CubeSettings, Project
from firesat.sources.base import Source
from firesat.sources.era5 import Era5Land
from firesat.sources.fire_weather import CemsFireWeather
from firesat.sources.fires import Hotspots
from firesat.sources.granules import Sentinel2Granules
from firesat.sources.modis import Modis
from firesat.sources.sentinel2 import Sentinel2
from firesat.sources.settings import IngestSettings
from firesat.sources.static import Static
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


CHANGES: list[tuple[Source, dict[str, Any]]] = [
    (Sentinel2(), {"level": 20, "resolution": 20}),
    (Sentinel2(), {"resolution": 20}),
    (Sentinel2(), {"max_cloud": 80.0}),
    (Sentinel2(), {"latency_hours": 6.0}),
    (Sentinel2(), {"day_start": 0}),
    (Sentinel2Granules(), {"max_cloud": 80.0}),
    (Sentinel2Granules(), {"latency_hours": 6.0}),
    (Sentinel2Granules(), {"day_start": 0}),
    (Modis(), {"version": "006"}),
    (Modis(), {"latency_hours": 12.0}),
    (Era5Land(), {"data_format": "netcdf"}),
    (Era5Land(), {"latency_hours": 24.0}),
    (Era5Land(), {"day_start": 0}),
    (CemsFireWeather(), {"dataset_type": "intermediate_dataset"}),
    (CemsFireWeather(), {"system_version": "4_2"}),
    (CemsFireWeather(), {"grid": "0.5/0.5"}),
    (CemsFireWeather(), {"latency_hours": 0.0}),
    (Hotspots(), {"latency_hours": 0.0}),
    (Hotspots(), {"day_start": 0}),
    (Static(), {"valid_from": "2010-01-01"}),
]


@pytest.mark.parametrize(("source", "change"), CHANGES, ids=[f"R1-{n + 1}" for n in range(20)])
def test_no_change_that_shapes_blocks_is_mixed_in(
    tmp_path: Path, source: Any, change: dict[str, Any]
) -> None:
    path, group = tmp_path / "a.zarr", source.layout.group
    manifest = Manifest(path.with_suffix(".ledger"))
    key, kept = f"{group}/0/0/0", config_hash(source)
    manifest.groups.keep_settings(group, kept, settings_of(source))
    manifest.add([Receipt(key=key, group=group, status="done", config=kept)])
    name, value = list(change.items())[-1]
    plan(project(path, replace(source, base_url="http://127.0.0.1")))
    with pytest.raises(CubeError, match=f"{name}: {getattr(source, name)} there, {value} now"):
        plan(project(path, replace(source, **change)))


def test_a_plan_for_another_region_than_the_cube_s_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    make(path, [Made()])
    x0, y0, x1, y1 = GRID.extent
    moved = replace(project(path, Made()), grid=Grid(region=(x0, y0, x1 + 10_000, y1)))
    with pytest.raises(CubeError, match=r"a\.zarr lies elsewhere than the config says \(extent"):
        plan(moved)


def test_blocks_of_an_older_processing_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, source = tmp_path / "a.zarr", Made()
    make(path, [source])
    manifest = Manifest(path.with_suffix(".ledger"))
    older = {name: text for name, text in settings_of(source).items() if name != "processing"}
    manifest.groups.keep_settings("optical", config_hash(source), older)
    monkeypatch.setattr(identity, "PROCESSING", PROCESSING + 1)
    with pytest.raises(CubeError, match=rf"processing: nothing there, {PROCESSING + 1} now"):
        plan(project(path, source))


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
