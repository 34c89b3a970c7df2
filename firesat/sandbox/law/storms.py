"""Convective storms of warm afternoons: small, short, wet or dry, with lightning."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law.noise import Floats
from firesat.sandbox.law.place import Place

PER_DAY = 3.2  # storms on an average July day on 14 400 km2
FLASHES = 14.0  # cloud-to-ground flashes of an average storm


@dataclass(frozen=True, kw_only=True)
class StormEffect:
    """What storms add.

    Parameters
    ----------
    rain, cloud, gust : ndarray
        float32 (hour, weather_y, weather_x): mm/h, cloud propensity, m/s along the drift.
    flashes : ndarray
        float64 (n, 3): hour of the season, x and y in metres.
    """

    rain: Floats
    cloud: Floats
    gust: Floats
    flashes: NDArray[np.float64]


def storm_effect(
    expected: float,
    drift: tuple[float, float],
    hours: Floats,
    place: Place,
    rng: np.random.Generator,
) -> StormEffect:
    """Draw a day's storms.

    Parameters
    ----------
    expected : float
        Mean number of storms over the weather's cells; days differ much more than Poisson.
    drift : tuple of float
        u, v of the steering wind, m/s.
    hours : ndarray
        float32 (24,), hours of the season from 12 UTC.
    place : Place
        Where.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    StormEffect
        Zeros and no flash on a calm day.
    """
    count = rng.poisson(expected * rng.gamma(0.6, 1 / 0.6))
    rain, cloud, gust = np.zeros((3, 24, *place.weather_shape), dtype=np.float32)
    flashes = [np.zeros((0, 3))]
    for _ in range(count):
        storm = _storm(place, rng)
        for step in range(storm.first, storm.first + storm.lasting):
            x = storm.x + 3600 * drift[0] * (step - storm.first)
            y = storm.y + 3600 * drift[1] * (step - storm.first)
            shape = _bell(place, x, y, storm.radius)
            rain[step] += storm.rain * shape
            cloud[step] += 2.0 * shape
            gust[step] += storm.gust * shape
            flashes.append(_flashes(float(hours[step]), (x, y), storm, rng))
    return StormEffect(rain=rain, cloud=cloud, gust=gust, flashes=np.concatenate(flashes))


@dataclass(frozen=True, kw_only=True)
class _Storm:
    """One storm: first hour of the day and hours it lasts, place, size, rain, gust, flashes."""

    first: int
    lasting: int
    x: float
    y: float
    radius: float
    rain: float
    gust: float
    flashes: float


def _storm(place: Place, rng: np.random.Generator) -> _Storm:
    """Draw one storm; one in four is nearly dry but flashes as much."""
    return _Storm(
        first=int(np.clip(rng.normal(9.5, 2.5), 3, 19)),
        lasting=int(rng.integers(1, 5)),
        x=float(rng.uniform(place.weather_x[0], place.weather_x[-1])),
        y=float(rng.uniform(place.weather_y[-1], place.weather_y[0])),
        radius=float(rng.uniform(4000, 11_000)),
        rain=0.4 if rng.random() < 0.25 else min(float(rng.gamma(1.3, 3.5)), 15.0),
        gust=float(rng.uniform(1, 5)),
        flashes=float(rng.gamma(1.0, FLASHES)),
    )


def _bell(place: Place, x: float, y: float, radius: float) -> Floats:
    """A bell around a point on the weather's cells."""
    dx, dy = place.weather_x[None, :] - x, place.weather_y[:, None] - y
    return np.asarray(np.exp(-(dx**2 + dy**2) / (2 * radius**2)), dtype=np.float32)


def _flashes(
    hour: float, centre: tuple[float, float], storm: _Storm, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Cloud-to-ground flashes of one hour of a storm, scattered wider than its rain."""
    count = rng.poisson(storm.flashes / storm.lasting)
    spot = rng.normal(centre, 1.3 * storm.radius, (count, 2))
    return np.column_stack([hour + rng.random(count), spot])
