"""When a world lived: what lies outside is not served."""

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law import clock
from firesat.sandbox.world import World


def lived(world: World, times: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Tell which moments lie in a season that was simulated.

    Parameters
    ----------
    world : World
        Its seasons.
    times : ndarray of datetime64
        UTC.

    Returns
    -------
    ndarray of bool
        Of the same shape.
    """
    inside = np.zeros(times.shape, dtype=bool)
    for year in world.config.seasons:
        zero = np.datetime64(clock.epoch(year).replace(tzinfo=None), "h")
        first, last = (
            zero + np.timedelta64(round(hours), "h")
            for hours in (clock.FIRST_HOUR, clock.LAST_HOUR)
        )
        inside |= (times >= first) & (times < last)
    return inside


def in_seasons(world: World, times: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Tell which moments lie in a year of the world, its winter included.

    Parameters
    ----------
    world : World
        Its seasons.
    times : ndarray of datetime64
        UTC.

    Returns
    -------
    ndarray of bool
        Of the same shape.
    """
    years = times.astype("datetime64[Y]").astype(int) + 1970
    return np.isin(years, world.config.seasons)
