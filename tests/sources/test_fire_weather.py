"""Fire weather as published: names, days, longitudes."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from firesat.bands import check
from firesat.errors import SourceError
from firesat.sources.fire_weather import CemsFireWeather
from tests.sources.gribs import grib_message
from tests.sources.small import ONE, first_block, made_scenes

CEMS = CemsFireWeather()
NUMBERS = {"fwi": 260540, "ffmc": 260541, "dmc": 260542, "dc": 260543, "isi": 260544, "bui": 260545}
NOON = np.datetime64("2023-07-01T12", "h")


def test_grib_names_become_ours_and_longitudes_start_at_minus_180(tmp_path: Path) -> None:
    with (tmp_path / "a.grib").open("wb") as file:
        for value, number in enumerate(NUMBERS.values()):
            field = np.full((6, 8), 10.0 + value)
            file.write(grib_message(field, NOON, parameter=number, edition=2))
    dataset = CEMS.read(tmp_path / "a.grib")
    assert {name: float(dataset[name].max()) for name in NUMBERS} == {
        name: pytest.approx(10.0 + value) for value, name in enumerate(NUMBERS)
    }
    assert dataset["x"].values[0] == pytest.approx(-95.0)
    for name in NUMBERS:
        check(dataset[name], name)


def test_netcdf_of_longitudes_to_360_reads_alike(tmp_path: Path) -> None:
    data = xr.Dataset(
        {"fwinx": (("valid_time", "latitude", "longitude"), np.arange(12.0).reshape(2, 2, 3))},
        coords={
            "valid_time": np.array(["2023-07-01T12", "2023-07-02T12"], dtype="datetime64[s]"),
            "latitude": [55.0, 54.75],
            "longitude": [264.5, 264.75, 265.0],
        },
    )
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    dataset = CEMS.read(tmp_path / "a.nc")
    np.testing.assert_allclose(dataset["x"].values, [-95.5, -95.25, -95.0])
    assert dataset["fwi"].values[1, 0].tolist() == [6, 7, 8]
    assert dataset.odc.geobox.crs.epsg == 4326


def test_days_that_were_not_delivered_are_missing() -> None:
    block = first_block(CEMS)
    ((scene, dataset),) = made_scenes(CEMS, block)
    layer = CEMS.compose([(scene, dataset.isel(time=[0, 2]))], block)
    there = np.isfinite(layer["fwi"].values).any(axis=(1, 2))
    assert there.tolist() == [True, False, True, False]
    available = layer["available_time"].values
    assert np.isnat(available).tolist() == [False, True, False, True]
    assert available[0] == np.datetime64("2023-07-04T00:00:00")


def test_requests_go_month_by_month_with_the_store_s_words() -> None:
    days = np.datetime64("2023-06-29") + np.arange(4) * ONE
    june, july = CEMS.search(first_block(CEMS, days))
    assert june.request["day"] == ["29", "30"]
    assert july.request["day"] == ["01", "02"]
    assert july.request["system_version"] == ["4_1"]
    assert july.request["variable"][3] == "initial_fire_spread_index"
    north, west, south, east = july.request["area"]
    assert (north * 4).is_integer()
    assert south < 54.5 < north
    assert west < -94.7 < east
    assert july.available == np.datetime64("2023-07-05T00:00:00")
    assert june.id != july.id


def test_the_store_s_words_are_a_setting() -> None:
    source = CemsFireWeather(
        variables={"fwi": "fire_weather_index", "dsr": "fire_daily_severity_rating"}
    )
    assert [each.name for each in source.layout.variables] == ["fwi", "dsr"]
    (scene,) = source.search(first_block(source))
    assert scene.request["variable"] == ["fire_weather_index", "fire_daily_severity_rating"]


def test_other_weather_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.grib").write_bytes(grib_message(np.full((6, 8), 280.0), NOON))
    with pytest.raises(SourceError, match=r"a\.grib holds t2m"):
        CEMS.read(tmp_path / "a.grib")
