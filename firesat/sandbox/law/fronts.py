"""Fronts that cross the region: warm and windy before, rain at the line, cool and dry behind."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law.climate import YearClimate
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.law.place import Place

PASSAGE, HEADING, SPEED, STRENGTH, RAIN, WIDTH = range(6)
MEMORY = 96.0  # hours after its passage at which a front is forgotten


@dataclass(frozen=True, kw_only=True)
class FrontEffect:
    """What fronts add; every array is (hour, weather_y, weather_x).

    Parameters
    ----------
    temperature, dewpoint : ndarray
        Kelvin.
    u, v : ndarray
        m/s.
    rain : ndarray
        mm/h, before patchiness.
    cloud, pressure : ndarray
        Cloud propensity (no unit) and hPa.
    """

    temperature: Floats
    dewpoint: Floats
    u: Floats
    v: Floats
    rain: Floats
    cloud: Floats
    pressure: Floats


def next_fronts(
    fronts: NDArray[np.float64],
    hour: float,
    blocked: bool,
    climate: YearClimate,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Forget old fronts and let new ones form, one to two days out.

    Parameters
    ----------
    fronts : ndarray
        float64 (n, 6): hour of passage at the centre, heading in radians (0 = east), speed in
        km/h, strength about 1, peak rain in mm/h, half width of the rain in hours.
    hour : float
        Start of the day, hours of the season.
    blocked : bool
        Whether a high keeps fronts away.
    climate : YearClimate
        The season's character.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray
        float64 (m, 6).
    """
    kept = fronts[fronts[:, PASSAGE] > hour - MEMORY]
    count = rng.poisson(climate.front_rate * (0.12 if blocked else 1.0))
    dry = rng.random(count) < 0.3
    new = np.stack(
        [
            hour + rng.uniform(36.0, 60.0, count),
            np.radians(rng.normal(-20.0, 25.0, count)),
            rng.uniform(25.0, 55.0, count),
            np.clip(rng.lognormal(0.0, 0.3, count), 0.5, 1.5),
            np.where(dry, 0.1, rng.gamma(1.5, 1.4, count)),
            rng.uniform(1.5, 4.5, count),
        ],
        axis=1,
    )
    return np.concatenate([kept, new])


def front_effect(fronts: NDArray[np.float64], hours: Floats, place: Place) -> FrontEffect:
    """Sum what the fronts do to a day.

    Parameters
    ----------
    fronts : ndarray
        float64 (n, 6), as in `next_fronts`.
    hours : ndarray
        float32 (hour,), hours of the season.
    place : Place
        Where.

    Returns
    -------
    FrontEffect
        Zeros where there is no front.
    """
    total = np.zeros((7, len(hours), *place.weather_shape), dtype=np.float32)
    x = (place.weather_x - place.weather_x.mean())[None, None, :] / 1000.0
    y = (place.weather_y - place.weather_y.mean())[None, :, None] / 1000.0
    for front in fronts:
        along = x * math.cos(front[HEADING]) + y * math.sin(front[HEADING])
        since = hours[:, None, None] - np.float32(front[PASSAGE]) - along / np.float32(front[SPEED])
        total += _one(front, since.astype(np.float32))
    return FrontEffect(**dict(zip(FrontEffect.__dataclass_fields__, total, strict=True)))


def _one(front: NDArray[np.float64], since: Floats) -> Floats:
    """Seven effects of one front by the hours since its passage."""
    strength, heading = np.float32(front[STRENGTH]), front[HEADING]
    before, after = np.maximum(-since, 0), np.maximum(since, 0)
    ahead = (since < 0) * np.exp(-((before / 20) ** 2))
    behind = (since >= 0) * (1 - np.exp(-after / 2))
    warm_wind = 4.0 * strength * (since < 0) * np.exp(-before / 10)
    cold_wind = 6.0 * strength * behind * np.exp(-after / 12)
    gust = 2.5 * strength * np.exp(-((since / 1.5) ** 2))
    u = warm_wind * math.cos(heading + 1.0) + (cold_wind + gust) * math.cos(heading - 0.3)
    v = warm_wind * math.sin(heading + 1.0) + (cold_wind + gust) * math.sin(heading - 0.3)
    rain = front[RAIN] * np.exp(-0.5 * ((since - 0.5) / front[WIDTH]) ** 2)
    return np.stack(
        [
            strength * (3.0 * ahead - 6.0 * behind * np.exp(-after / 30)),
            strength * (2.0 * ahead - 5.0 * behind * np.exp(-after / 30)),
            u,
            v,
            rain,
            strength * (1.6 * np.exp(-((since / 6) ** 2)) - 0.4 * behind * np.exp(-after / 18)),
            -6.0 * strength * np.exp(-((since / 16) ** 2)),
        ]
    ).astype(np.float32)
