"""Sentinel-2 on finer cells: smaller blocks, the same pictures, through a whole ingest."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from firesat.blocks import count, cut
from firesat.cube import open_cube
from firesat.errors import CubeError, SampleError
from firesat.grid import Grid, geobox
from firesat.jobs.derive import derive
from firesat.jobs.ingest import Unwatched, ingest
from firesat.project import CubeSettings, Project
from firesat.samples import Inputs
from firesat.samples.opened import Opened
from firesat.sandbox.observe import sentinel2
from firesat.sandbox.servers.sentinel_hub import SentinelHub
from firesat.sandbox.world import World
from firesat.sources.sentinel2 import Sentinel2
from firesat.sources.settings import IngestSettings, RecentSettings
from firesat.window import Period
from tests.sources.data_space import GRID, REGION, make_world, running

DAYS = np.array(["2021-07-04"], dtype="datetime64[D]")
SIDES = {100: 100_000, 20: 50_000, 10: 25_000}
BOX = (0.0, 600_000.0, 100_000.0, 700_000.0)


@pytest.mark.parametrize("level", [100, 20, 10])
def test_a_tile_is_cut_into_blocks_that_fill_it(level: int) -> None:
    layout = Sentinel2(level=level).layout
    blocks = list(cut(layout, Grid(region=BOX), DAYS))
    parts = 100_000 // SIDES[level]
    assert len(blocks) == parts**2 == count(layout, Grid(region=BOX), DAYS)
    assert {block.index[1:] for block in blocks} == {
        (row, column) for row in range(parts) for column in range(parts)
    }
    for block in blocks:
        _, row, column = block.index
        box = block.geobox.boundingbox
        assert (box.left, box.top) == (SIDES[level] * column, 700_000 - SIDES[level] * row)
        assert block.geobox.shape == (SIDES[level] // level,) * 2


def test_blocks_that_the_region_does_not_reach_are_not_fetched() -> None:
    grid = Grid(region=(40_000.0, 660_000.0, 60_000.0, 670_000.0))
    found = {block.index: block.extent for block in cut(Sentinel2(level=20).layout, grid, DAYS)}
    assert found == {
        (0, 0, 0): (40_000.0, 660_000.0, 50_000.0, 670_000.0),
        (0, 0, 1): (50_000.0, 660_000.0, 60_000.0, 670_000.0),
    }


def project_of(folder: Path, url: str, level: int) -> Project:
    source = Sentinel2(
        base_url=url, max_cloud=100, attempts=2, pause=0.05, level=level, latency_hours=6
    )
    quotas = {"sentinelhub": {"requests_per_minute": 1e6, "units_per_minute": 1e6}}
    period = Period(start=str(DAYS[0]), end=str(DAYS[0]))
    return Project(
        cube=CubeSettings(path=folder / f"{level}.zarr", periods=[period]),
        grid=GRID,
        ingest=IngestSettings(sources=[source], workers=1, quotas=quotas),
    )


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def cubes(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A cube at 20 m, and one at 100 m averaged from the same pixels."""
    folder, made = tmp_path_factory.mktemp("levels"), {}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SH_CLIENT_ID", "SH_CLIENT_SECRET"):
            patch.setenv(name, "sandbox")
        patch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        with running([SentinelHub(world, "sandbox")]) as url:
            address = url.replace("cdse/v1", "sentinelhub")
            for level in (20, 100):
                project = project_of(folder, address, level)
                (source,) = project.ingest.sources
                ingesting = replace(project.ingest, sources=[replace(source, resolution=20)])
                report = ingest(replace(project, ingest=ingesting), Unwatched())
                assert report.complete
                assert report.counts["sentinel2"]["done"] == 1
                made[level] = project.cube.path
    return made


def region_of(path: Path, group: str = "sentinel2") -> xr.Dataset:
    x0, y0, x1, y1 = REGION
    return open_cube(path, group).sel(x=slice(x0, x1), y=slice(y1, y0)).isel(time=0)


def test_the_cube_holds_20_m_and_their_means_are_its_100_m(cubes: dict[int, Path]) -> None:
    fine, coarse = region_of(cubes[20]), region_of(cubes[100])
    assert fine["reflectance"].shape == (13, 500, 500)
    whole = open_cube(cubes[20], "sentinel2")
    assert whole.attrs["firesat_layout"]["side"] == 50_000
    assert whole.sizes["tile_y"] == whole.sizes["tile_x"] == 2
    assert np.isfinite(fine["clear"]).mean() > 0.99
    pairs = fine["reflectance"].values.reshape(13, 100, 5, 100, 5)
    means, other = pairs.mean(axis=(2, 4)), coarse["reflectance"].values
    same = np.isfinite(means) & np.isfinite(other)
    assert same.mean() > 0.95
    assert np.abs(means - other)[same].mean() < 2e-3
    assert abs((means - other)[same].mean()) < 1e-4


def test_only_the_block_of_the_region_is_available(cubes: dict[int, Path]) -> None:
    known = ~np.isnat(open_cube(cubes[20], "sentinel2")["available_time"].values[0])
    assert known.tolist() == [[False, False], [True, False]]


def test_20_m_are_what_the_made_satellite_saw(cubes: dict[int, Path], world: World) -> None:
    start = datetime(2021, 7, 4, tzinfo=UTC)
    (pass_,) = sentinel2.acquisitions(world, start, start.replace(hour=23))
    truth, _ = sentinel2.reflectance(world, pass_)
    near = truth.repeat(5, axis=1).repeat(5, axis=2)
    found = region_of(cubes[20])["reflectance"].values
    seen = np.isfinite(found)
    assert np.corrcoef(near[seen], found[seen])[0, 1] > 0.97


def test_recent_looks_have_the_level_of_their_scenes(cubes: dict[int, Path]) -> None:
    rules = RecentSettings(looks=1, history=3, days=["2021-07-05"])
    derive(cubes[20], ["sentinel2_recent"], lambda *_: None, recent=rules)
    with pytest.raises(CubeError, match="made with"):
        derive(cubes[20], ["sentinel2_recent"], lambda *_: None, recent=replace(rules, history=9))
    looks = open_cube(cubes[20], "sentinel2_recent").sel(time="2021-07-05")
    x0, y0, x1, y1 = REGION
    age = looks["looks"].sel(x=slice(x0, x1), y=slice(y1, y0)).values[13]
    clear = region_of(cubes[20])["clear"].values >= 0.5
    assert (age[clear] == 1).mean() > 0.99
    assert np.isnan(age[~clear]).all()


def test_chips_are_not_made_from_other_levels(cubes: dict[int, Path]) -> None:
    cells = geobox(REGION, "EPSG:3979", 100)
    with pytest.raises(SampleError, match="cells of 20 m, chips are made from 100 m"):
        _ = Opened(cubes[20], Inputs(), cells).sentinel2
