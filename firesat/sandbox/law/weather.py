"""Hidden hourly weather at 5 km, made one day at a time from the state of the sky."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from firesat.sandbox.law import clock
from firesat.sandbox.law.climate import YearClimate, usual_temperature
from firesat.sandbox.law.fronts import FrontEffect, front_effect, next_fronts
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.law.place import Place
from firesat.sandbox.law.storms import PER_DAY, StormEffect, storm_effect

FIELDS = ("temperature", "dewpoint", "u", "v", "rain", "pressure", "cloud")
BLOCK, RIDGE, WARMTH, HUMIDITY, FLOW_U, FLOW_V = range(6)  # of Sky.slow
BLOCK_END = 0.1  # chance per day
LAPSE = 0.0065  # K/m, the standard atmosphere's
EDDY_HOURS = (8.0, 5.0, 5.0, 6.0)  # memory of the eddies in temperature, u, v and cloud
STEERING = 2.2  # storms drift with this multiple of the surface flow


@dataclass(frozen=True, kw_only=True)
class Sky:
    """The memory of the weather: with fresh randomness it gives another future.

    Parameters
    ----------
    slow : ndarray
        float64 (6,): blocked (0 or 1), ridge 0-1, warmth K, humidity K, flow u and v in m/s.
    fronts : ndarray
        float64 (n, 6), see `fronts.next_fronts`.
    eddies : ndarray
        float32 (4, weather_y, weather_x): local departures in temperature, u, v and cloud.
    """

    slow: NDArray[np.float64]
    fronts: NDArray[np.float64]
    eddies: Floats


@dataclass(frozen=True, kw_only=True)
class WeatherDay:
    """24 hours from 12 UTC; arrays are float16 (hour, weather_y, weather_x).

    Values at an hour are instantaneous; rain is what falls in the hour that begins there.

    Parameters
    ----------
    hour : float
        Start, hours of the season.
    temperature, dewpoint : ndarray
        Degrees Celsius at 2 m.
    u, v : ndarray
        Wind at 10 m along the grid's x and y, m/s.
    rain : ndarray
        mm of water (or melted snow).
    pressure : ndarray
        Surface pressure less 1000 hPa.
    cloud : ndarray
        Cloud fraction 0-1.
    flashes : ndarray
        float64 (n, 3): hour of the season, x, y in metres.
    after : Sky
        The sky at the end of the day.
    """

    hour: float
    temperature: NDArray[np.float16]
    dewpoint: NDArray[np.float16]
    u: NDArray[np.float16]
    v: NDArray[np.float16]
    rain: NDArray[np.float16]
    pressure: NDArray[np.float16]
    cloud: NDArray[np.float16]
    flashes: NDArray[np.float64]
    after: Sky


@dataclass(frozen=True, kw_only=True)
class Air:
    """What the weather of a season needs to know and that does not change in it.

    Parameters
    ----------
    place : Place
        Where.
    year : int
        The season.
    climate : YearClimate
        The season's character.
    elevation : ndarray
        float32 (weather_y, weather_x), metres.
    cloudiness : float
        Wanted mean cloud fraction.
    """

    place: Place
    year: int
    climate: YearClimate
    elevation: Floats
    cloudiness: float


def first_sky(air: Air, rng: np.random.Generator) -> Sky:
    """Draw a sky to begin a season with.

    Parameters
    ----------
    air : Air
        The season's setting.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Sky
        No front in sight.
    """
    slow = np.array([0.0, 0.0, rng.normal(0, 2), rng.normal(0, 2), 1.0, 0.0])
    eddies = rng.standard_normal((4, *air.place.weather_shape)).astype(np.float32)
    return Sky(slow=slow, fronts=np.zeros((0, 6)), eddies=_spread(eddies))


def next_day(air: Air, sky: Sky, hour: float, rng: np.random.Generator) -> WeatherDay:
    """Make the next 24 hours of weather.

    Parameters
    ----------
    air : Air
        The season's setting.
    sky : Sky
        The sky at `hour`.
    hour : float
        Start, hours of the season: 12 UTC of a day.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    WeatherDay
        With the sky after it.
    """
    slow = _next_slow(sky.slow, air.climate, rng)
    fronts = next_fronts(sky.fronts, hour, bool(slow[BLOCK]), air.climate, rng)
    hours = (hour + np.arange(24)).astype(np.float32)
    eddies, last = _next_eddies(sky.eddies, rng)
    passing = front_effect(fronts, hours, air.place)
    share = (np.arange(1, 25) / 24)[:, None]
    moving = sky.slow * (1 - share) + slow * share
    storms = _storms(air, slow, hours, rng)
    fields = _compose(air, moving, hours, passing, storms, eddies)
    return WeatherDay(
        hour=hour,
        flashes=storms.flashes,
        after=Sky(slow=slow, fronts=fronts, eddies=last),
        **{name: fields[name].astype(np.float16) for name in FIELDS},
    )


def _next_slow(
    slow: NDArray[np.float64], climate: YearClimate, rng: np.random.Generator
) -> NDArray[np.float64]:
    """One day of the large scale: a blocking high that comes and goes, and red noise."""
    change = climate.block_rate if slow[BLOCK] == 0 else BLOCK_END
    blocked = float(slow[BLOCK] != (rng.random() < change))
    memory = np.array([0.80, 0.70, 0.65, 0.65])
    spread = np.array([2.4, 2.0, 2.0, 2.0]) * np.sqrt(1 - memory**2)
    mean = np.array([0.0, 0.0, 1.3, -0.3])
    red = mean + memory * (slow[WARMTH:] - mean) + spread * rng.standard_normal(4)
    ridge = slow[RIDGE] + 0.4 * (blocked - slow[RIDGE])
    return np.concatenate([[blocked, ridge], red])


def _spread(white: Floats) -> Floats:
    """Smooth white noise over about 20 km and restore its variance."""
    smooth = gaussian_filter1d(gaussian_filter1d(white, 2.0, axis=-1), 2.0, axis=-2)
    return np.asarray(smooth * np.float32(2.0 * 2.0 * np.sqrt(np.pi)), dtype=np.float32)


def _next_eddies(eddies: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """24 hours of local red noise (hour, 4, y, x), and its last state."""
    white = _spread(rng.standard_normal((24, *eddies.shape), dtype=np.float32))
    out = np.empty_like(white)
    for field, hours in enumerate(EDDY_HOURS):
        memory = np.exp(-1 / hours)
        gain = np.sqrt(1 - memory**2)
        out[:, field], _ = lfilter(
            [gain], [1.0, -memory], white[:, field], axis=0, zi=memory * eddies[field][None]
        )
    return out, out[-1].copy()


def _storms(
    air: Air, slow: NDArray[np.float64], hours: Floats, rng: np.random.Generator
) -> StormEffect:
    """Storms of the day: more when it is warm and moist, in high summer, fewer under a high."""
    doy = np.array([clock.day_of_year(air.year, float(hours[8]))])
    warm = float(usual_temperature(doy, air.place.centre[1])[0])
    unstable = np.exp(0.10 * slow[WARMTH] + 0.14 * slow[HUMIDITY]) * (1 - 0.45 * slow[RIDGE])
    area = np.prod(air.place.weather_shape) * 25.0 / 14_400.0
    season = float(np.clip((warm - 4.0) / 12.0, 0.0, 1.0))
    expected = PER_DAY * area * season * float(unstable) * air.climate.storminess
    drift = (STEERING * slow[FLOW_U] + 2.0, STEERING * slow[FLOW_V])
    return storm_effect(expected, drift, hours, air.place, rng)


def _compose(
    air: Air,
    slow: NDArray[np.float64],
    hours: Floats,
    front: FrontEffect,
    storm: StormEffect,
    eddies: Floats,
) -> dict[str, Floats]:
    """Put the day together from its parts."""
    doy = clock.day_of_year(air.year, 0.0) + hours.astype(np.float64) / 24.0
    up, _ = clock.sun_position(doy, *air.place.centre)
    large = {name: slow[:, i].astype(np.float32)[:, None, None] for name, i in _LARGE.items()}
    mean = usual_temperature(doy, air.place.centre[1]) + air.climate.warmth
    mean = mean.astype(np.float32)[:, None, None] + large["warmth"] + 3.5 * large["ridge"]
    patchy = np.maximum(1.0 + 0.7 * eddies[:, 3], 0.0)
    rain = front.rain * patchy + storm.rain
    rain = np.where(rain > 0.05, rain, 0.0).astype(np.float32)
    cloud = _cloud(air.cloudiness, large["ridge"], front.cloud + storm.cloud, rain, eddies[:, 3])
    noise, relief = 0.8 * eddies[:, 0], LAPSE * (air.elevation - 240.0)
    sunny = _diurnal(doy, air.place.centre[0])[:, None, None] * (7.5 - 4.0 * cloud)
    temperature = mean + sunny + front.temperature - relief + noise - 1.2 * np.minimum(rain, 2.0)
    dewpoint = mean - 5.5 - 4.0 * large["ridge"] + large["humidity"] + front.dewpoint - relief
    wet = 1.0 - np.exp(-rain)
    dewpoint = dewpoint + wet * np.maximum(temperature - 0.5 - dewpoint, 0.0)
    mixing = (0.75 + 0.45 * np.clip(up * 1.6, -0.4, 1.0)).astype(np.float32)[:, None, None]
    flow = (large["u"] + storm.gust, large["v"])
    u, v = (mixing * (flow[i] + (front.u, front.v)[i]) + 1.1 * eddies[:, 1 + i] for i in range(2))
    pressure = -12.0 * relief / LAPSE / 100.0 + front.pressure + 9.0 * large["ridge"] - 15.0
    values = (temperature, np.minimum(dewpoint, temperature - 0.2), u, v, rain, pressure, cloud)
    return dict(zip(FIELDS, values, strict=True))


_LARGE = {"ridge": RIDGE, "warmth": WARMTH, "humidity": HUMIDITY, "u": FLOW_U, "v": FLOW_V}


def _diurnal(doy: NDArray[np.float64], longitude: float) -> Floats:
    """Daily wave from -1 before sunrise to 1 at 15 h local solar time."""
    solar = (doy % 1.0) * 24 + longitude / 15
    return np.cos(2 * np.pi * (solar - 15.0) / 24).astype(np.float32)


def _cloud(wanted: float, ridge: Floats, push: Floats, rain: Floats, eddy: Floats) -> Floats:
    """Cloud fraction: a squashed propensity, overcast where it rains."""
    propensity = np.log(wanted / (1 - wanted)) + 0.3 - 1.6 * ridge + 1.6 * push + 1.5 * eddy
    fraction = 1.0 / (1.0 + np.exp(-1.3 * propensity))
    return np.asarray(np.maximum(fraction, 1.0 - np.exp(-3.0 * rain)), dtype=np.float32)
