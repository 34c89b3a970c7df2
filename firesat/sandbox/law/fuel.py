"""How fast fire can run in what grows on a cell, before weather: the link to what is seen."""

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law.landscape import Landscape
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.law.vegetation import Surface

# m/h on the flat without wind in bone-dry litter; set so that a windy dry afternoon drives crown
# fire in conifers at some 10 m/min, an average one at 1 to 2.
CONIFER, LEAFLESS, LEAFY, CURED, GREEN = 143.0, 43.0, 7.5, 195.0, 6.0
BOG, SHRUBS = 72.0, 14.0
YOUNG_YEARS = 3.0  # a scar or cut carries no fire before its fuel is back


def potential_rate(landscape: Landscape, surface: Surface, year: int) -> Floats:
    """Compute the rate of spread that fuel and plants allow.

    Parameters
    ----------
    landscape : Landscape
        The land of the season.
    surface : Surface
        The plants of the day.
    year : int
        The season, for the age of scars.

    Returns
    -------
    ndarray
        float32 (y, x), m/h in bone-dry litter, no wind, no slope; 0 where nothing burns.
    """
    rate = np.zeros(landscape.cover.shape, dtype=np.float32)
    stand = Stand(landscape.cover, landscape.density, landscape.load)
    fill_rate(stand, surface, rate)
    rate[_fresh(landscape, year)] = 0.0
    return rate


class Stand(NamedTuple):
    """What the compiled kernel reads of the land; (y, x)."""

    cover: NDArray[np.uint8]
    density: Floats
    load: Floats


@numba.njit(cache=True, fastmath=True)
def fill_rate(stand: Stand, surface: Surface, rate: Floats) -> None:
    """Fill the potential rate of spread, cell by cell.

    Parameters
    ----------
    stand : Stand
        Cover, canopy closure and load.
    surface : Surface
        The plants of the day.
    rate : ndarray
        float32 (y, x), m/h, filled.
    """
    for row in range(rate.shape[0]):
        for column in range(rate.shape[1]):
            cover = stand.cover[row, column]
            if cover in (1, 3):
                value = _conifer(stand, surface, row, column)
                if cover == 3:
                    value = 0.5 * value + 0.5 * _leaves(surface, row, column)
            elif cover == 2:
                value = _leaves(surface, row, column)
            else:
                value = _open_land(cover, surface, row, column)
            rate[row, column] = value * stand.load[row, column]


@numba.njit(cache=True, fastmath=True)
def _conifer(stand: Stand, surface: Surface, row: int, column: int) -> float:
    """Rate in conifers: dense, dry or red crowns carry fire, grey ones less."""
    crown = 0.35 + 0.95 * stand.density[row, column]
    live = math.exp(-2.6 * (surface.live[row, column] - 1.0))
    dead = 1.0 + 1.5 * surface.red[row, column] - 0.35 * surface.grey[row, column]
    herbs = 0.75 + 0.35 * surface.curing[row, column]
    return float(CONIFER * crown * live * dead * herbs)


@numba.njit(cache=True, fastmath=True)
def _leaves(surface: Surface, row: int, column: int) -> float:
    """Rate in broadleaves: fast in the litter of spring and autumn, slow under leaves."""
    return float(LEAFLESS + (LEAFY - LEAFLESS) * surface.leaf[row, column])


@numba.njit(cache=True, fastmath=True)
def _open_land(cover: int, surface: Surface, row: int, column: int) -> float:
    """Rate in grass, bogs, scars and cuts; 0 on water, rock and in settlements."""
    if cover in (0, 6, 9):
        return 0.0
    carries = cured_share(surface.curing[row, column])
    grass = GREEN + (CURED - GREEN) * carries
    if cover == 4:
        return float(grass)
    if cover == 5:
        dry = min(1.0, max(0.05, (0.85 - surface.deep[row, column]) / 0.5))
        return float(BOG * dry * (0.4 + 0.6 * carries))
    shrubs = 0.45 * grass + 0.25 * _leaves(surface, row, column) + SHRUBS
    return float(surface.regrowth[row, column] * shrubs * (1.3 if cover == 8 else 1.0))


@numba.njit(cache=True, fastmath=True)
def cured_share(curing: float) -> float:
    """Share of the full rate that grass carries (Cheney et al. 1998, IJWF 8, eq. 10).

    Parameters
    ----------
    curing : float
        0-1.

    Returns
    -------
    float
        About 0 below half cured, 1 when cured.
    """
    return 1.12 / (1.0 + 59.2 * math.exp(-12.4 * (curing - 0.5)))


def _fresh(landscape: Landscape, year: int) -> NDArray[np.bool_]:
    """Cells whose fuel has not come back after the last fire."""
    age = year - landscape.burn_year.astype(np.int32)
    return np.asarray((landscape.burn_year > 0) & (age < YOUNG_YEARS))
