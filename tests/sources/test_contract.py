"""What every source promises: each file of configs/sources is tested by being there."""

from dataclasses import is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from firesat.bands import BANDS
from firesat.cube import create_cube
from firesat.grid import LEVELS
from firesat.project import read_yaml
from firesat.sources.base import Source
from firesat.window import Window, reference_time
from tests.sources.build import build_source
from tests.sources.small import DAYS, GRID, ONE, first_block, made_scenes, source_end

CONFIGS = sorted((Path(__file__).parents[2] / "configs/sources").glob("*.yaml"))
PROVIDERS = {
    "sentinelhub", "cdse", "cds", "ewds", "nasa", "firms", "nrcan", "eccc", "ecmwf", "static", "",
}  # fmt: skip


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem, scope="module")
def source(request: pytest.FixtureRequest) -> Source:
    return build_source(read_yaml(request.param))


@pytest.fixture(scope="module")
def full(source: Source) -> xr.Dataset:
    block = first_block(source)
    return source.compose(made_scenes(source, block), block)


def test_there_is_a_config_for_every_provider(tmp_path: Path) -> None:
    assert {build_source(read_yaml(path)).provider for path in CONFIGS} == PROVIDERS


def test_it_is_a_frozen_value_that_the_sandbox_can_point_elsewhere(source: Source) -> None:
    assert is_dataclass(source)
    moved = replace(source, base_url="http://127.0.0.1:1")
    assert moved.base_url == "http://127.0.0.1:1"
    assert moved.layout == source.layout  # an address never enters the cube


def test_its_layout_is_one_that_the_cube_holds(source: Source, tmp_path: Path) -> None:
    layout = source.layout
    assert layout.level in LEVELS
    assert layout.steps >= 1
    for variable in layout.variables:
        for name in variable.bands or (variable.name,):
            assert name in BANDS
    cube = create_cube(tmp_path / "cube.zarr", GRID)
    assert cube.add_group(layout, source.times(DAYS))


def test_it_states_latency_licence_and_provider(source: Source) -> None:
    attrs = source.layout.attrs
    assert float(attrs["latency_hours"]) >= 0
    assert attrs["licence"]
    assert attrs["source"]
    assert source.provider in PROVIDERS


def test_its_times_ascend_and_cover_the_days(source: Source) -> None:
    times = source.times(DAYS)
    assert times.dtype == np.dtype("datetime64[D]")
    assert (np.diff(times) > np.timedelta64(0, "D")).all()
    assert times[0] <= DAYS[0]
    np.testing.assert_array_equal(source.times(DAYS), times)


def test_a_full_block_is_written_and_an_empty_one_is_not(
    source: Source, full: xr.Dataset, tmp_path: Path
) -> None:
    block = first_block(source)
    cube = create_cube(tmp_path / "cube.zarr", GRID)
    cube.add_group(source.layout, source.times(DAYS))
    assert cube.write_block(source.layout, block, full)
    empty = source.compose([], block)
    assert not cube.write_block(source.layout, block, empty)
    assert np.isnat(empty["available_time"].values).all()


def test_nothing_outside_the_region_is_filled(source: Source, full: xr.Dataset) -> None:
    block = first_block(source)
    inside = block.region.shape[0] * block.region.shape[1]
    for variable in source.layout.variables:
        values = full[variable.name].values
        assert values.dtype.kind == "f"
        assert values.shape[-2:] == tuple(block.geobox.shape)
        assert np.isfinite(values.reshape(-1, *values.shape[-2:])[0]).sum() <= inside


def test_a_layer_is_available_no_earlier_than_its_end_and_latency(
    source: Source, full: xr.Dataset
) -> None:
    available = full["available_time"].values
    latency = np.timedelta64(round(float(source.layout.attrs["latency_hours"]) * 3600), "s")
    assert not np.isnat(available).any()
    assert available[-1] >= source_end(source, first_block(source)) + latency


def test_no_forecast_admits_a_layer_before_it_was_available(
    source: Source, full: xr.Dataset
) -> None:
    available, times = full["available_time"].values, full["time"].values
    window = Window(history=400)
    for issue in np.datetime64("2023-06-20") + np.arange(0, 90, 3) * ONE:
        admitted = window.admits(times, available, str(issue))
        assert (available[admitted] <= reference_time(str(issue))).all()
        if source.layout.group != "static":
            assert (times[admitted] < reference_time(str(issue))).all()
