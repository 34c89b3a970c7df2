"""The reanalysis and the fire weather that are computed from the hidden weather."""

import numpy as np
import pytest
from pyproj import Transformer

from firesat import fwi
from firesat.errors import ConfigError
from firesat.sandbox.law import clock
from firesat.sandbox.observe import era5, fire_weather
from firesat.sandbox.observe.points import Points
from firesat.sandbox.world import World

LATITUDES = np.array([55.0, 54.9, 54.8])
LONGITUDES = np.array([-94.8, -94.7, -94.6, -94.5])
JULY = np.arange(np.datetime64("2023-07-01T00"), np.datetime64("2023-07-15T00"))


def get(world: World, *names: str, times: np.ndarray = JULY) -> list[np.ndarray]:
    found = era5.hours(world, list(names), times, LATITUDES, LONGITUDES)
    assert list(found) == list(names)
    return list(found.values())


def test_values_are_physical_and_of_the_asked_shape(small_world: World) -> None:
    t2m, d2m, skt, u10, v10, tp, swvl1, sp, sd = get(small_world, *era5._LAND)
    for field in (t2m, d2m, skt, u10, v10, tp, swvl1, sp, sd):
        assert field.shape == (len(JULY), 3, 4)
        assert field.dtype == np.float32
        assert np.isfinite(field).all()
    assert ((t2m > 265) & (t2m < 315)).all()
    assert (d2m <= t2m).all()
    assert np.hypot(u10, v10).max() < 30
    assert ((sp > 92_000) & (sp < 103_000)).all()
    assert ((swvl1 > 0.1) & (swvl1 < 0.5)).all()
    assert sd.max() < 0.01
    sunny = (skt - t2m)[np.arange(len(JULY)) % 24 == 19]
    assert sunny.mean() > 1


def test_rain_accumulates_from_00_utc_and_the_stamp_of_midnight_closes_the_day(
    small_world: World,
) -> None:
    (tp,) = get(small_world, "tp")
    daily = tp.reshape(-1, 24, 3, 4)
    within = np.diff(daily[:, 1:], axis=1)  # 01 to 23 UTC
    assert (within >= -1e-7).all()
    assert (tp[24::24] >= tp[23:-1:24] - 1e-7).all()  # 00 UTC is the total of the day before
    wet = tp[24::24] > 1e-3
    assert wet.any()
    assert (tp[25::24][wet] < tp[24::24][wet]).all()  # 01 UTC begins anew


def test_the_hours_of_single_levels_add_up_to_the_sums_since_midnight(small_world: World) -> None:
    points = Points(small_world, LATITUDES, LONGITUDES, era5.COARSE)
    since = era5._drawn(era5._LAND, small_world, ["tp"], JULY, points)["tp"]
    single = era5.single_levels(small_world, ["tp", "t2m"], JULY, LATITUDES, LONGITUDES)
    of_hour = single["tp"].reshape(-1, 24, 3, 4)
    by_23 = since.reshape(-1, 24, 3, 4)[:, 23]
    np.testing.assert_allclose(of_hour[:, 1:].sum(axis=1), by_23, rtol=1e-5, atol=1e-8)
    assert by_23.max() > 1e-3
    (fine,) = get(small_world, "t2m")  # 31 km see less than 9 km
    assert np.ptp(single["t2m"], axis=(1, 2)).mean() < 0.9 * np.ptp(fine, axis=(1, 2)).mean()


def test_rain_of_a_day_is_what_fell_smoothed_and_biased(small_world: World) -> None:
    season = small_world.seasons[0]
    days = np.arange(np.datetime64("2023-05-01"), np.datetime64("2023-09-01"))
    (tp,) = get(small_world, "tp", times=days.astype("datetime64[h]"))
    hours = slice(round(-24 - clock.FIRST_HOUR), round(-24 - clock.FIRST_HOUR) + 24 * len(days))
    fell = season.weather["rain"][hours].astype(float).reshape(len(days), 24, -1).sum(1).mean(1)
    served = 1000 * tp.mean((1, 2))
    assert served.sum() == pytest.approx(era5.DRIZZLE * fell.sum(), rel=0.25)
    assert np.corrcoef(served, fell)[0, 1] > 0.85


def test_temperature_follows_the_hidden_one_and_is_smoother(small_world: World) -> None:
    season = small_world.seasons[0]
    place = season.setting.place
    x, y = (axis.astype(float) for axis in (place.weather_x, place.weather_y))
    to_degrees = Transformer.from_crs(small_world.config.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(x[8], y[8])
    hour = round(24 * 65 + 20 - clock.FIRST_HOUR)
    when = np.array(["2023-07-05T20"], "datetime64[h]")
    served = era5.hours(small_world, ["t2m"], when, np.array([latitude]), np.array([longitude]))
    hidden = season.weather["temperature"][hour].astype(float)
    assert served["t2m"][0, 0, 0] - 273.15 - era5.WARM == pytest.approx(hidden[8, 8], abs=1.5)
    assert served["t2m"][0, 0, 0] - 273.15 - era5.WARM != pytest.approx(hidden[8, 8], abs=1e-4)


def test_winds_are_turned_to_true_north(small_world: World) -> None:
    # far from the central meridian the grid's axes lean
    points = Points(small_world, np.array([55.0]), np.array([-115.0, -95.0, -75.0]), era5.WIDTH)
    west, middle, east = np.degrees(points.turn[0])
    assert west < -10 < abs(middle) < 10 < east


def test_hours_outside_the_simulated_months_repeat_the_nearest_day_without_rain(
    small_world: World,
) -> None:
    winter = np.arange(np.datetime64("2023-01-10T00"), np.datetime64("2023-01-12T00"))
    t2m, tp, sd = get(small_world, "t2m", "tp", "sd", times=winter)
    np.testing.assert_array_equal(t2m[:24], t2m[24:])
    assert (tp == 0).all()
    assert (sd > 0.03).all()
    (other,) = get(small_world, "t2m", times=np.array(["2018-07-05T18"], "datetime64[h]"))
    (same,) = get(small_world, "t2m", times=np.array(["2023-07-05T18"], "datetime64[h]"))
    np.testing.assert_array_equal(other, same)


def test_snow_melts_in_spring(small_world: World) -> None:
    times = np.array(["2023-04-02T12", "2023-07-01T12"], "datetime64[h]")
    (sd,) = get(small_world, "sd", times=times)
    assert sd[0].mean() > 0.03
    assert sd[1].max() == 0


def test_unknown_variables_are_named(small_world: World) -> None:
    with pytest.raises(ConfigError, match="no 'z'"):
        get(small_world, "z")
    days = np.array(["2023-07-01"], "datetime64[D]")
    with pytest.raises(ConfigError, match="no 'kbdi'"):
        fire_weather.daily(small_world, ["kbdi"], days, LATITUDES, LONGITUDES)


def test_fire_weather_is_the_fwi_system_on_noon_weather(small_world: World) -> None:
    days = np.arange(np.datetime64("2023-07-01"), np.datetime64("2023-07-15"))
    found = fire_weather.daily(small_world, list(fire_weather.NAMES), days, LATITUDES, LONGITUDES)
    noon = days.astype("datetime64[h]") + np.timedelta64(18, "h")
    t2m, d2m, u10, v10 = get(small_world, "t2m", "d2m", "u10", "v10", times=noon)
    # Bolton's vapour pressure, written out anew
    pressure = [np.exp(17.67 * (t - 273.15) / (t - 273.15 + 243.5)) for t in (d2m, t2m)]
    midnight = days.astype("datetime64[h]")
    rain = [
        get(small_world, "tp", times=times)[0]
        for times in (noon, midnight, noon - np.timedelta64(24, "h"))
    ]
    state = fwi.State(
        ffmc=found["ffmcode"][3].astype(float),
        dmc=found["dufmcode"][3].astype(float),
        dc=found["drtcode"][3].astype(float),
    )
    codes, _ = fwi.step(
        state,
        temp=t2m[4] - 273.15,
        rh=100 * pressure[0][4] / pressure[1][4],
        ws=3.6 * np.hypot(u10[4], v10[4]),
        prec=np.maximum(1000 * (rain[0][4] + rain[1][4] - rain[2][4]), 0),
        month=7,
        latitude=LATITUDES[:, None] * np.ones((1, 4)),
    )
    for name, short in fire_weather.NAMES.items():
        np.testing.assert_allclose(found[name][4], getattr(codes, short), rtol=2e-3, atol=0.02)


def test_fire_weather_waits_under_snow_and_is_never_missing(small_world: World) -> None:
    days = np.array(["2023-02-01", "2023-04-01", "2023-10-30"], "datetime64[D]")
    found = fire_weather.daily(small_world, ["drtcode", "fwinx"], days, LATITUDES, LONGITUDES)
    np.testing.assert_array_equal(found["drtcode"][0], found["drtcode"][1])
    assert (found["drtcode"][1] < 20).all()
    assert np.isfinite(found["fwinx"]).all()
