"""Smoke of active fires: Gaussian plumes along the wind, summed on the kilometres."""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law import clock
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.law.season import Season
from firesat.sandbox.observe.clouds import hour_index

MEMORY = 4.0  # hours over which a burnt cell's smoke fades
THICK = 0.16  # optical depth at 550 nm, one cell, one kilometre downwind
SOURCES = 60  # strongest kilometres that are followed


def smoke_depth(season: Season, moment: datetime) -> Floats:
    """Compute the optical depth of smoke at 550 nm.

    Parameters
    ----------
    season : Season
        The truth.
    moment : datetime
        When.

    Returns
    -------
    ndarray
        float32 (km_y, km_x), 0 where there is none.
    """
    sources = emission(season, moment)
    total = np.zeros(sources.shape, dtype=np.float32)
    if not sources.any():
        return total
    place = season.setting.place
    hour = hour_index(moment)
    u, v = (place.from_weather(season.weather[n][hour].astype(np.float32)) for n in ("u", "v"))
    strongest = np.argsort(-sources, axis=None)[:SOURCES]
    for flat in strongest[sources.ravel()[strongest] > 0.05]:
        row, column = divmod(int(flat), sources.shape[1])
        wind = float(u[row, column]), float(v[row, column])
        total += sources[row, column] * _plume(sources.shape, (row, column), wind)
    return np.minimum(total, np.float32(4.0))


def emission(season: Season, moment: datetime) -> Floats:
    """Count the cells that smoke, weighed by how lately they burnt.

    Parameters
    ----------
    season : Season
        The truth.
    moment : datetime
        When.

    Returns
    -------
    ndarray
        float32 (km_y, km_x); a smouldering cell counts a tenth.
    """
    rows, columns = season.setting.place.km_shape
    age = np.float32(clock.to_hours(moment)) - season.burn_hour
    lately = (age >= 0) & (age < 6 * MEMORY)
    fresh = np.exp(-np.where(lately, age, np.inf) / MEMORY)
    smouldering = np.zeros(season.burn_hour.size, dtype=np.float32)
    smouldering[np.asarray(season.active[clock.day_index(moment.date())], dtype=np.int64)] = 0.1
    fresh = np.maximum(fresh, smouldering.reshape(fresh.shape) * (age >= 0))
    return fresh.reshape(rows, 10, columns, 10).sum((1, 3)).astype(np.float32)


def _plume(shape: tuple[int, ...], source: tuple[int, int], wind: tuple[float, float]) -> Floats:
    """Optical depth of a plume of one cell on the kilometres."""
    speed = max(float(np.hypot(*wind)), 0.5)
    y, x = np.ogrid[: shape[0], : shape[1]]
    east, north = x - source[1], source[0] - y
    along = (east * wind[0] + north * wind[1]) / speed
    across = (north * wind[0] - east * wind[1]) / speed
    width = 0.7 + 0.13 * np.maximum(along, 0.0)
    spread = np.exp(-0.5 * (across / width) ** 2) / width
    reach = np.where(along >= 0, np.exp(-along / 45.0), np.exp(-((along / 0.6) ** 2)))
    return np.asarray(THICK * 4.0 / (speed + 2.0) * spread * reach, dtype=np.float32)


def burning_cells(season: Season, moment: datetime, hours: float) -> NDArray[np.bool_]:
    """Find the cells that flame.

    Parameters
    ----------
    season : Season
        The truth.
    moment : datetime
        When.
    hours : float
        How long a cell flames.

    Returns
    -------
    ndarray
        bool (y, x).
    """
    age = np.float32(clock.to_hours(moment)) - season.burn_hour
    return np.asarray((age >= 0) & (age < hours))
