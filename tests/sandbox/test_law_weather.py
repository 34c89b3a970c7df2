"""The hidden weather: bounds, memory, fronts, dry spells."""

from dataclasses import replace

import numpy as np
import pytest

from firesat.sandbox.law import clock
from firesat.sandbox.law.climate import YearClimate, year_climate
from firesat.sandbox.law.fronts import front_effect, next_fronts
from firesat.sandbox.law.place import Place
from firesat.sandbox.law.weather import BLOCK, RIDGE, Air, Sky, WeatherDay, first_sky, next_day
from firesat.sandbox.world import World

JULY = 61 * 24 + 12.0


@pytest.fixture(scope="module")
def air() -> Air:
    place = Place(region=(0.0, 620_000.0, 20_000.0, 640_000.0), crs="EPSG:3979")
    climate = YearClimate(
        warmth=0.0,
        block_rate=0.05,
        front_rate=0.3,
        storminess=1.0,
        snow=80.0,
        greenup=147.0,
        curing=243.0,
    )
    elevation = np.full(place.weather_shape, 240.0, dtype=np.float32)
    return Air(place=place, year=2023, climate=climate, elevation=elevation, cloudiness=0.45)


def days(air: Air, sky: Sky, count: int, seed: int) -> list[WeatherDay]:
    out = []
    for day in range(count):
        out.append(next_day(air, sky, JULY + 24 * day, np.random.default_rng([seed, day])))
        sky = out[-1].after
    return out


def test_values_stay_in_their_bounds(small_world: World) -> None:
    weather = small_world.seasons[0].weather
    assert (weather["dewpoint"] <= weather["temperature"]).all()
    assert (weather["rain"] >= 0).all()
    assert ((weather["cloud"] >= 0) & (weather["cloud"] <= 1)).all()
    summer = weather["temperature"][62 * 24 : 154 * 24].astype(float)
    assert 11 < summer.mean() < 22
    assert np.hypot(*(weather[name].astype(float) for name in ("u", "v"))).max() < 35


def test_afternoons_are_warmer_than_dawns(small_world: World) -> None:
    mean = small_world.seasons[0].weather["temperature"].astype(float).mean((1, 2))
    by_hour = mean.reshape(-1, 24).mean(0)  # from 12 UTC, which is dawn
    assert by_hour.argmax() in range(7, 12)
    assert by_hour.max() - by_hour.min() > 5


def test_the_same_sky_and_randomness_give_the_same_day(air: Air) -> None:
    sky = first_sky(air, np.random.default_rng(0))
    one, two = (days(air, sky, 3, 5)[-1] for _ in range(2))
    np.testing.assert_array_equal(one.temperature, two.temperature)
    np.testing.assert_array_equal(one.flashes, two.flashes)


def test_fresh_randomness_gives_another_future_that_begins_alike(air: Air) -> None:
    sky = days(air, first_sky(air, np.random.default_rng(0)), 5, 1)[-1].after
    futures = np.stack(
        [
            np.concatenate([day.temperature for day in days(air, sky, 6, seed)]).astype(float)
            for seed in range(8)
        ]
    )[:, :, 5, 5]
    spread = futures.std(0)
    assert 0 < spread[0] < 0.5 * spread[-24:].mean()


def test_a_front_cools_dries_and_turns_the_wind(air: Air) -> None:
    front = np.array([[JULY + 12, 0.0, 40.0, 1.0, 3.0, 2.0]])
    hours = (JULY + np.arange(48)).astype(np.float32)
    effect = front_effect(front, hours, air.place)
    centre = np.s_[:, air.place.weather_shape[0] // 2, air.place.weather_shape[1] // 2]
    assert effect.temperature[centre][10] > 2
    assert effect.temperature[centre][20] < -3
    assert effect.dewpoint[centre][20] < -2
    assert abs(int(effect.rain[centre].argmax()) - 12) <= 1
    assert effect.v[centre][9] > 0 > effect.v[centre][18]  # southerly before, northerly behind
    west_first = effect.rain.argmax(0)
    assert west_first[5, 0] < west_first[5, -1]


def test_old_fronts_are_forgotten_and_blocks_keep_new_ones_away(air: Air) -> None:
    old = np.array([[JULY - 97, 0.0, 40.0, 1.0, 3.0, 2.0]])
    rng = np.random.default_rng(3)
    free = [len(next_fronts(old, JULY, False, air.climate, rng)) for _ in range(400)]
    blocked = [len(next_fronts(old, JULY, True, air.climate, rng)) for _ in range(400)]
    assert 0.2 < np.mean(free) < 0.4
    assert np.mean(blocked) < 0.1


def test_blocked_days_are_warm_and_dry(air: Air) -> None:
    always = replace(air, climate=replace(air.climate, block_rate=0.0))
    sky = first_sky(always, np.random.default_rng(0))
    high = sky.slow.copy()
    high[BLOCK], high[RIDGE] = 1.0, 1.0
    rain, warmth = [], []
    for slow in (sky.slow, high):
        out = [days(always, replace(sky, slow=slow), 5, seed) for seed in range(14)]
        rain.append(np.mean([day.rain.astype(float).mean() for run in out for day in run]))
        warmth.append(np.mean([day.temperature.astype(float).mean() for run in out for day in run]))
    assert warmth[1] > warmth[0] + 1.0
    assert rain[1] < 0.7 * rain[0]


def test_years_differ_and_are_kept_by_the_seed() -> None:
    assert year_climate(7, 2021) == year_climate(7, 2021)
    assert year_climate(7, 2021) != year_climate(7, 2022)
    assert year_climate(8, 2021) != year_climate(7, 2021)


def test_the_sun_is_highest_at_local_noon() -> None:
    doy = 172 + np.arange(0, 1, 1 / 48)
    up, azimuth = clock.sun_position(doy, -95.0, 55.0)
    noon = int(up.argmax())
    assert abs((doy[noon] % 1) * 24 - (12 + 95 / 15)) <= 0.5
    assert np.degrees(np.arcsin(up[noon])) == pytest.approx(90 - 55 + 23.45, abs=0.5)
    assert np.degrees(azimuth[noon]) == pytest.approx(180, abs=8)
    assert np.degrees(azimuth[noon - 12]) < 110  # six hours earlier it stands in the east


def test_lightning_strikes_while_storms_rain(small_world: World) -> None:
    season = small_world.seasons[0]
    flashes = season.flashes.values
    assert len(flashes) > 100
    hour = (flashes[:, 0] - clock.FIRST_HOUR).astype(int)
    rain = season.weather["rain"].max((1, 2))
    assert (rain[hour] > 0).mean() > 0.9
