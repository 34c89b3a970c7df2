"""Clouds as seen from above: the hidden cloud fraction, given shapes by thresholded noise."""

from datetime import datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from firesat.sandbox.law import clock
from firesat.sandbox.law.noise import Floats, stream, tile_field
from firesat.sandbox.law.place import CELL, KILOMETRE
from firesat.sandbox.law.season import Season

CLOUDS = 50  # random stream
TILE = 1024  # cells of the periodic noise
SOFT = 2.2  # opacity gained per unit of noise above the threshold


def hour_index(moment: datetime) -> int:
    """Find the hour of the kept weather that holds a moment.

    Parameters
    ----------
    moment : datetime
        With a time zone.

    Returns
    -------
    int
        Index along the hours of a season, held at both ends.
    """
    index = int(clock.to_hours(moment) - clock.FIRST_HOUR)
    return min(max(index, 0), 24 * clock.DAYS - 1)


def cloud_opacity(season: Season, moment: datetime, cell: float = CELL) -> Floats:
    """Compute how opaque the clouds over the region are.

    The share of covered cells follows the hidden cloud fraction, so clouds come with rain; their
    shapes are multi-scale noise, drawn anew each day and carried by the wind within it.

    Parameters
    ----------
    season : Season
        The truth.
    moment : datetime
        When; held at the ends of the simulated months.
    cell : float
        Size of the cells in metres, a multiple of 100.

    Returns
    -------
    ndarray
        float32 (y, x), 0 = clear, towards 1 = thick.
    """
    fraction = season.weather["cloud"][hour_index(moment)].astype(np.float32)
    threshold = -ndtri(np.clip(fraction, 0.005, 0.995)).astype(np.float32)
    place = season.setting.place
    step = round(cell / CELL)
    rows, columns = (np.arange(step // 2, size, step) for size in place.shape)
    noise = cloud_noise(season, moment, rows, columns)
    above = noise - place.from_weather(threshold, cell)
    return np.asarray(1.0 - np.exp(-SOFT * np.maximum(above, 0.0)), dtype=np.float32)


def cloud_noise(
    season: Season, moment: datetime, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> Floats:
    """Give the day's standard normal noise, shifted with the wind.

    Parameters
    ----------
    season : Season
        The truth.
    moment : datetime
        When.
    rows, columns : ndarray
        100 m cells at which it is wanted.

    Returns
    -------
    ndarray
        float32 (row, column).
    """
    setting = season.setting
    rng = stream(setting.seed, CLOUDS, season.year, clock.day_index(moment.date()))
    hour = hour_index(moment)
    u, v = (float(season.weather[name][hour].mean()) for name in ("u", "v"))
    east, south = (2.0 * 3600 * speed * (moment.hour - 12) / CELL for speed in (u, -v))
    total = np.zeros((len(rows), len(columns)), dtype=np.float32)
    for tile, weight in zip(cloud_tiles(setting.seed), (0.8, 0.6), strict=True):
        shift = rng.integers(0, TILE, 2) - np.array([round(south), round(east)])
        total += (
            np.float32(weight) * tile[np.ix_((rows + shift[0]) % TILE, (columns + shift[1]) % TILE)]
        )
    return total


@lru_cache(maxsize=4)
def cloud_tiles(seed: int) -> tuple[Floats, Floats]:
    """Draw a world's two periodic noises: large decks and small cumuli.

    Parameters
    ----------
    seed : int
        The world's seed.

    Returns
    -------
    tuple of ndarray
        float32 (1024, 1024), standard normal.
    """
    seeds = np.random.SeedSequence([seed, CLOUDS]).generate_state(2)
    return (
        tile_field(int(seeds[0]), TILE, length=90, slope=2.2),
        tile_field(int(seeds[1]), TILE, length=18, slope=2.0),
    )


def kilometre_clear(season: Season, moment: datetime) -> NDArray[np.bool_]:
    """Find the kilometres whose middle is clear.

    Parameters
    ----------
    season : Season
        The truth.
    moment : datetime
        When.

    Returns
    -------
    ndarray
        bool (km_y, km_x).
    """
    return np.asarray(cloud_opacity(season, moment, KILOMETRE) < 0.15)
