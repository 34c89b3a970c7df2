"""Litter, duff and snow: equilibrium, lags and memory."""

from dataclasses import replace

import numpy as np
import pytest

from firesat.sandbox.law.moisture import (
    DEEP,
    DUFF,
    FINE,
    equilibrium,
    first_moisture,
    moisture_day,
    saturation,
)
from firesat.sandbox.law.place import Place
from firesat.sandbox.law.vegetation import site_field
from firesat.sandbox.law.weather import WeatherDay
from firesat.sandbox.world import World

PLACE = Place(region=(0.0, 620_000.0, 20_000.0, 640_000.0), crs="EPSG:3979")


@pytest.fixture
def fine_day(small_world: World) -> WeatherDay:
    """A warm, dry day without wind or rain."""
    day = small_world.seasons[0].weather_day(90)
    even = np.ones((24, *PLACE.weather_shape), dtype=np.float16)
    return replace(
        day,
        temperature=22 * even,
        dewpoint=8 * even,
        u=2 * even,
        v=0 * even,
        rain=0 * even,
    )


def state(fine: float, duff: float, deep: float) -> np.ndarray:
    out = first_moisture(PLACE)
    out[FINE], out[DUFF], out[DEEP] = fine, duff, deep
    return out


NO_SNOW = np.zeros(PLACE.weather_shape, dtype=np.float32)


@pytest.mark.parametrize("function", [equilibrium, equilibrium.py_func])
def test_equilibrium_is_simards(function: object) -> None:
    # 70 F: 2.22749 + 0.160107 * 50 - 0.014784 * 70; 50 F and 90 %; 70 F and 5 %
    assert function(21.1111111, 50.0) == pytest.approx(9.1980, abs=1e-3)
    expected = 21.0606 + 0.005565 * 8100 - 0.00035 * 90 * 50 - 0.483199 * 90
    assert function(10.0, 90.0) == pytest.approx(expected, abs=1e-3)
    assert function(21.1111111, 5.0) == pytest.approx(0.03229 + 1.405365 - 0.2023, abs=1e-3)


def test_saturation_pressure_is_boltons() -> None:
    assert saturation(np.float32(0.0)) == pytest.approx(6.112)
    assert saturation(np.float32(20.0)) == pytest.approx(23.37, abs=0.05)


def test_litter_nears_its_equilibrium_and_the_dry_site_leads(fine_day: WeatherDay) -> None:
    out = moisture_day(PLACE, state(30, 0.5, 0.5), NO_SNOW, fine_day)
    humidity = 100 * saturation(np.float32(8)) / saturation(np.float32(22))
    rest = equilibrium(22.0, float(humidity))
    assert out.litter[-1, 1].mean() == pytest.approx(rest, abs=0.4)
    assert (out.litter[3, 2] < out.litter[3, 0]).all()
    assert (np.diff(out.litter[:, 1], axis=0) <= 1e-4).all()


def test_duff_remembers_what_litter_forgets(fine_day: WeatherDay) -> None:
    wet, dry = (
        moisture_day(PLACE, state(fine, duff, 0.5), NO_SNOW, fine_day).after
        for fine, duff in ((80, 0.9), (10, 0.3))
    )
    assert abs(wet[FINE] - dry[FINE]).max() < 2
    assert (wet[DUFF] - dry[DUFF]).min() > 0.5


def test_rain_wets_all_layers(fine_day: WeatherDay) -> None:
    rainy = replace(fine_day, rain=np.full_like(fine_day.rain, 1.5))
    before = state(8, 0.3, 0.3)
    after = moisture_day(PLACE, before, NO_SNOW, rainy).after
    assert (after[FINE] > 60).all()
    assert (after[DUFF] > 0.9).all()
    assert (after[DEEP] > before[DEEP]).all()
    assert (before[FINE] == 8).all()


def test_snow_falls_when_cold_keeps_the_fuel_wet_and_melts(fine_day: WeatherDay) -> None:
    even = np.ones_like(fine_day.rain)
    cold = replace(fine_day, temperature=-5 * even, dewpoint=-6 * even, rain=0.5 * even)
    winter = moisture_day(PLACE, state(10, 0.5, 0.5), NO_SNOW, cold)
    np.testing.assert_allclose(winter.snow, 12.0, rtol=1e-3)
    assert (winter.after[FINE] == 60).all()
    spring = moisture_day(PLACE, winter.after, winter.snow, fine_day)
    assert (spring.snow < 1e-4).all()
    assert (spring.after[DUFF] > winter.after[DUFF]).all()


@pytest.mark.parametrize("function", [site_field, site_field.py_func])
def test_sites_lie_between_their_nodes(function: object) -> None:
    nodes = np.stack([np.full((2, 2), v, dtype=np.float32) for v in (1.0, 2.0, 4.0)])
    site = np.tile(np.linspace(0, 1, 20, dtype=np.float32), (20, 1))
    out = function(nodes, site)
    np.testing.assert_allclose(out[:, 0], 1.0)
    np.testing.assert_allclose(out[:, -1], 4.0)
    np.testing.assert_allclose(out[3], np.interp(site[3], [0, 0.5, 1], [1, 2, 4]), rtol=1e-5)
    nodes[:, :, 1] += 10
    across = function(nodes, np.zeros((20, 20), dtype=np.float32))[0]
    assert across[4] == pytest.approx(1.0, abs=1e-5)
    assert across[9] == pytest.approx(1 + 10 * 4.5 / 10, abs=1e-4)
    assert across[19] == pytest.approx(11.0, abs=1e-5)
