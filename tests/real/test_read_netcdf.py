"""Real NetCDF weather: calendars, units and names as different services write them."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from firesat.sources._daily import DayTable
from firesat.sources._weather import open_weather, relative_humidity
from firesat.sources.era5 import Era5Land
from firesat.sources.era5_single_levels import Era5SingleLevels

CELL = "era5/tas_pr_20180101-20180108.nc"
BASIN = "era5/tas_pr_LSJ_20140520-20180615.nc"
CITIES = "era5/daily_surface_cancities_1990-1993.nc"


def unpacked(variable: h5py.Dataset) -> np.ndarray:
    """Numbers of a file times its scale plus its offset."""
    factor, offset = (
        variable.attrs.get(k, [v])[0] for k, v in (("scale_factor", 1), ("add_offset", 0))
    )
    return variable[:].astype("float64").ravel() * factor + offset


@pytest.mark.parametrize("name", [CELL, BASIN])
def test_hours_since_1900_become_utc_and_names_become_ecmwf_s(real_data: Path, name: str) -> None:
    with h5py.File(real_data / name) as raw:
        hours = raw["time"][:].astype("int64")
        assert raw["time"].attrs["units"].startswith(b"hours since 1900-01-01")
        temperature, rain = unpacked(raw["tas"]), unpacked(raw["pr"])
    dataset = open_weather(real_data / name)
    wanted = np.datetime64("1900-01-01T00", "h") + hours
    np.testing.assert_array_equal(dataset["time"].values.astype("datetime64[h]"), wanted)
    assert dataset["t2m"].attrs["units"] == "K"
    assert dataset["tp"].attrs["units"] == "m"
    np.testing.assert_allclose(dataset["t2m"].values.ravel(), temperature, rtol=1e-6)
    np.testing.assert_allclose(dataset["tp"].values.ravel(), rain, rtol=1e-6, atol=1e-9)


def test_era5_land_reads_a_series_in_its_own_units(real_data: Path) -> None:
    with h5py.File(real_data / CELL) as raw:
        metres = unpacked(raw["pr"])
    dataset = Era5Land().read(real_data / CELL)
    assert dataset["tp"].attrs["units"] == "mm"
    np.testing.assert_allclose(dataset["tp"].values.ravel(), 1000 * metres, rtol=1e-5, atol=1e-6)


def test_fractions_and_fluxes_of_the_cities_are_converted(real_data: Path) -> None:
    with h5py.File(real_data / CITIES) as raw:
        fraction, flux, winds = raw["hurs"][:], raw["pr"][:], raw["sfcWind"][:]
        assert raw["pr"].attrs["units"] in ("kg m-2 s-1", b"kg m-2 s-1")
    dataset = open_weather(real_data / CITIES)
    assert dataset["rh"].attrs["units"] == "%"
    np.testing.assert_allclose(dataset["rh"].values, 100 * fraction, rtol=1e-5)
    np.testing.assert_allclose(dataset["tp"].values, flux * 86_400 / 1000, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(dataset["ws"].values, winds, rtol=1e-6)
    assert dataset["time"].values[0] == np.datetime64("1990-01-01")
    assert dataset.sizes["time"] == 1461


def test_humidity_over_water_agrees_with_the_file_s_own(real_data: Path) -> None:
    dataset = open_weather(real_data / CITIES)
    ours = relative_humidity(dataset["t2m"].values, dataset["d2m"].values)
    # The file's is Sonntag's formula over water: another fit of the same physics.
    assert np.abs(ours - dataset["rh"].values).max() < 0.5
    assert np.median(np.abs(ours - dataset["rh"].values)) < 0.1


def test_wind_speed_is_the_length_of_its_components(real_data: Path) -> None:
    dataset = Era5Land().read(real_data / CITIES)
    raw = open_weather(real_data / CITIES)
    np.testing.assert_allclose(dataset["ws"].values, raw["ws"].values, atol=1e-3)


def test_a_basin_s_days_of_rain_are_its_single_hours_added_up(real_data: Path) -> None:
    with h5py.File(real_data / BASIN) as raw:
        hours = np.datetime64("1900-01-01T00", "h") + raw["time"][:].astype("int64")
        rain = 1000 * unpacked(raw["pr"])
    read = Era5SingleLevels().read(real_data / BASIN)
    days = np.arange(np.datetime64("2014-06-01"), np.datetime64("2018-06-01"))
    table = DayTable(days, (1, 1), range(24), 12, 17, hourly_rain=True)
    found = table.take([read.expand_dims(("y", "x"), axis=(1, 2))])
    for name, end in (("tp", 36), ("tp_noon", 17)):
        ends = np.searchsorted(hours, days.astype("datetime64[h]") + np.timedelta64(end, "h"))
        wanted = [rain[last - 23 : last + 1].sum() for last in ends]
        np.testing.assert_allclose(found[name][:, 0, 0], wanted, rtol=1e-4, atol=1e-3)
    # About a metre falls there in a year; sums since midnight would come to a dozen times as much.
    assert 700 < found["tp"].sum() / 4 < 1300
