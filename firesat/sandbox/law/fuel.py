"""How fast fire can run in what grows on a cell, before weather: the link to what is seen."""

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law.cover import Cover
from firesat.sandbox.law.landscape import Landscape
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.law.vegetation import Surface

# m/h on the flat without wind in bone-dry litter; set so that a windy dry afternoon drives crown
# fire in conifers at some 10 m/min, an average one at 1 to 2.
CONIFER, LEAFLESS, LEAFY, CURED, GREEN, BOG = 190.0, 55.0, 9.0, 260.0, 8.0, 90.0
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
    conifer = _conifer(landscape, surface)
    leaves = LEAFLESS + (LEAFY - LEAFLESS) * surface.leaf
    grass = GREEN + (CURED - GREEN) * _carries(surface.curing)
    dry_peat = np.clip((0.85 - surface.deep) / 0.5, 0.05, 1.0)
    bog = BOG * dry_peat * (0.4 + 0.6 * _carries(surface.curing))
    young = surface.regrowth * (0.45 * grass + 0.25 * leaves + 18.0)
    choices = {
        Cover.CONIFER: conifer,
        Cover.DECIDUOUS: leaves,
        Cover.MIXED: 0.5 * conifer + 0.5 * leaves,
        Cover.GRASS: grass,
        Cover.WETLAND: bog,
        Cover.SCAR: young,
        Cover.HARVEST: 1.3 * young,
    }
    rate = np.zeros(landscape.cover.shape, dtype=np.float32)
    for cover, value in choices.items():
        np.copyto(rate, value * landscape.load, where=landscape.cover == cover, casting="unsafe")
    rate[_fresh(landscape, year)] = 0.0
    return rate


def _conifer(landscape: Landscape, surface: Surface) -> Floats:
    """Rate in conifers: dense, dry or red crowns carry fire, grey ones less."""
    crown = 0.35 + 0.95 * landscape.density
    live = np.exp(-2.6 * (surface.live - 1.0))
    dead = 1.0 + 1.5 * surface.red - 0.35 * surface.grey
    herbs = 0.75 + 0.35 * surface.curing
    return np.asarray(CONIFER * crown * live * dead * herbs, dtype=np.float32)


def _carries(curing: Floats) -> Floats:
    """Share of the full rate that grass carries: little below half cured (Cheney et al. 1998)."""
    return np.asarray(1.12 / (1.0 + 59.2 * np.exp(-12.4 * (curing - 0.5))), dtype=np.float32)


def _fresh(landscape: Landscape, year: int) -> NDArray[np.bool_]:
    """Cells whose fuel has not come back after the last fire."""
    age = year - landscape.burn_year.astype(np.int32)
    return np.asarray((landscape.burn_year > 0) & (age < YOUNG_YEARS))
