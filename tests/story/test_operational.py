"""A forecast of today, end to end: late analyses, forecast weather, and nothing of tomorrow."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from firesat.cube import open_cube
from firesat.cube.calendar import cube_calendar
from tests.story.conftest import ROOT, firesat

NOW = "2023-07-01T12:00:00"  # ingest.as_of of the config
CONFIG = str(ROOT / "configs" / "operational.yaml")

pytestmark = [pytest.mark.story, pytest.mark.exhaustive, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands leave behind."""
    folder = tmp_path_factory.mktemp("operational")
    for command in (["ingest"], ["sample"], ["audit"], ["train", "fit"], ["predict"]):
        done = firesat(*command, "--config", CONFIG, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder / "out" / "operational"


def test_nothing_in_the_cube_was_published_after_now(out: Path) -> None:
    for name, steps in cube_calendar(out / "cube.zarr").items():
        if name in ("labels", "nbac"):
            assert max(step.last for step in steps) == "2023-05-13T00:00:00"  # of the year before
        assert all(step.last <= NOW for step in steps), name


def test_yesterday_s_hotspots_are_in_hand(out: Path) -> None:
    group = open_cube(out / "cube.zarr", "hotspots")
    known = group["available_time"].values
    assert known[~np.isnat(known)].max() == np.datetime64(NOW)
    last = group["time"].values[(~np.isnat(known)).any(axis=(1, 2))].max()
    assert last == np.datetime64("2023-06-30")


def test_forecast_weather_covers_what_the_analysis_does_not(out: Path) -> None:
    known = open_cube(out / "cube.zarr", "era5_land")["available_time"].values.ravel()
    days = open_cube(out / "cube.zarr", "era5_land")["time"].values
    last = days[~np.isnat(known)].max()
    assert np.datetime64(NOW) - last > np.timedelta64(5, "D")
    runs = {step.day: step for step in cube_calendar(out / "cube.zarr")["nwp_ecmwf"]}
    assert runs["2023-07-01"].there == 1


def test_the_audit_finds_no_leak_and_the_horizon_is_forecast(out: Path) -> None:
    done = firesat("audit", "--config", CONFIG, "--json", cwd=out.parents[1])
    told = json.loads(done.stdout)
    checks = {check["name"]: check for check in told["checks"]}
    assert all(check["leaks"] == [] for check in checks.values())
    assert "regime operational" in json.dumps(checks["horizon"])


def test_a_map_of_today_comes_out(out: Path) -> None:
    (path,) = (out / "forecast").glob("*.tif")
    with rasterio.open(path) as raster:
        chance = raster.read(1, masked=True)
        assert raster.crs.to_epsg() == 3979
    assert chance.count() > 0.4 * chance.size  # the rest is water or has burned
    assert 0 < float(chance.min()) <= float(chance.max()) < 1
