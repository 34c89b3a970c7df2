"""What the plants do: leaf flush, curing, live moisture, insect mortality, regrowth on scars."""

import math
from typing import NamedTuple

import numba
import numpy as np

from firesat.sandbox.law import clock
from firesat.sandbox.law.climate import YearClimate
from firesat.sandbox.law.cover import Cover
from firesat.sandbox.law.landscape import Landscape
from firesat.sandbox.law.moisture import DEEP, DUFF, FINE, SITES
from firesat.sandbox.law.noise import Floats, smooth_field, stream
from firesat.sandbox.law.place import Place

PHENOLOGY = 30  # random stream
LAYERS = ("leaf", "curing", "live", "red", "grey", "regrowth", "litter", "duff", "deep")


class Phenology(NamedTuple):
    """One year's timing of the plants; float32 (y, x) at 100 m.

    Attributes
    ----------
    greenup, curing : ndarray
        Day of the year at which half the leaves are out, and half the grass is cured.
    vigour : ndarray
        Departure of live moisture from the usual, about -0.3 to 0.3.
    attack : ndarray
        Years from the insects' attack to mid-July, negative = never.
    severity : ndarray
        Share of trees struck, 0-1.
    regrowth : ndarray
        Cover of herbs and shrubs on scars and cuts, 0-1; 1 elsewhere.
    """

    greenup: Floats
    curing: Floats
    vigour: Floats
    attack: Floats
    severity: Floats
    regrowth: Floats


class Surface(NamedTuple):
    """The hidden surface of a moment; float32 (y, x) at 100 m.

    Attributes
    ----------
    leaf : ndarray
        Share of deciduous leaves that are out, 0-1.
    curing : ndarray
        Share of grass and herbs that is dead, 0-1.
    live : ndarray
        Moisture of live needles against the usual, about 0.5-1.3.
    red, grey : ndarray
        Shares of trees that are dead with needles, and without.
    regrowth : ndarray
        Cover of herbs and shrubs on scars and cuts, 0-1; 1 elsewhere.
    litter : ndarray
        Moisture of fine dead fuel, % of dry mass.
    duff, deep : ndarray
        Water in the duff and below, 0-1.
    """

    leaf: Floats
    curing: Floats
    live: Floats
    red: Floats
    grey: Floats
    regrowth: Floats
    litter: Floats
    duff: Floats
    deep: Floats


def create_phenology(
    place: Place, landscape: Landscape, climate: YearClimate, seed: int, year: int
) -> Phenology:
    """Draw one year's timing of the plants.

    Parameters
    ----------
    place : Place
        Where.
    landscape : Landscape
        The land.
    climate : YearClimate
        The season's character.
    seed, year : int
        The world's seed and the season.

    Returns
    -------
    Phenology
        Different every year, patchy over 0.5 to 10 km.
    """
    rng = stream(seed, PHENOLOGY, year)
    wide = [smooth_field(rng, place.shape, length=60, slope=3.0) for _ in range(3)]
    fine = [smooth_field(rng, place.shape, length=8, slope=2.3) for _ in range(3)]
    high = 0.03 * (landscape.elevation - landscape.elevation.mean())
    greenup = climate.greenup + 2.5 * wide[0] + 2.5 * fine[0] + high
    dry = 9.0 * (landscape.site - 0.5)
    curing = climate.curing + 8.0 * wide[1] + 6.0 * fine[1] - dry
    vigour = 0.09 * wide[2] + 0.08 * fine[2] - 0.06 * (landscape.site - 0.5)
    attack = np.where(landscape.attack_year > 0, year - landscape.attack_year, -9.0)
    return Phenology(
        greenup=greenup.astype(np.float32),
        curing=curing.astype(np.float32),
        vigour=vigour.astype(np.float32),
        attack=attack.astype(np.float32),
        severity=landscape.severity,
        regrowth=_regrowth(landscape, year),
    )


def _regrowth(landscape: Landscape, year: int) -> Floats:
    """Cover of herbs and shrubs: back in some four years on scars and cuts."""
    disturbed = np.maximum(landscape.burn_year, landscape.cut_year)
    age = np.where(disturbed > 0, year - disturbed.astype(np.float32), 200.0)
    young = np.isin(landscape.cover, (Cover.SCAR, Cover.HARVEST)) | (age < 20)
    return np.where(young, 1.0 - np.exp(-age / 4.0), 1.0).astype(np.float32)


def surface_at(
    site: Floats, phenology: Phenology, moisture: Floats, when: tuple[int, float]
) -> Surface:
    """Compute the hidden surface of a moment.

    Parameters
    ----------
    site : ndarray
        float32 (y, x), dryness of the site, 0-1.
    phenology : Phenology
        The season's timing.
    moisture : ndarray
        float32 (3, 3, km_y, km_x), see `moisture.MoistureDay`.
    when : tuple
        The year and the hours of the season.

    Returns
    -------
    Surface
        Nine fields.
    """
    litter, duff, deep = (site_field(moisture[layer], site) for layer in (FINE, DUFF, DEEP))
    out = np.empty((5, *site.shape), dtype=np.float32)
    grow(phenology, deep, clock.day_of_year(*when), out)
    leaf, curing, live, red, grey = out
    return Surface(leaf, curing, live, red, grey, phenology.regrowth, litter, duff, deep)


@numba.njit(cache=True, fastmath=True)
def site_field(nodes: Floats, site: Floats) -> Floats:
    """Interpolate kilometre values of three sites bilinearly to the 100 m cells.

    Parameters
    ----------
    nodes : ndarray
        float32 (3, km_y, km_x).
    site : ndarray
        float32 (y, x), 0-1.

    Returns
    -------
    ndarray
        float32 (y, x).
    """
    rows, columns = site.shape
    out = np.empty((rows, columns), dtype=np.float32)
    for row in range(rows):
        y = min(max((row - 4.5) / 10.0, 0.0), nodes.shape[1] - 1.0)
        top = min(int(y), nodes.shape[1] - 2)
        down = np.float32(y - top)
        for column in range(columns):
            x = min(max((column - 4.5) / 10.0, 0.0), nodes.shape[2] - 1.0)
            left = min(int(x), nodes.shape[2] - 2)
            across = np.float32(x - left)
            step = site[row, column] * np.float32(SITES - 1)
            low = min(int(step), SITES - 2)
            here = nodes[low : low + 2, top : top + 2, left : left + 2]
            wet = _bilinear(here, 0, down, across)
            dry = _bilinear(here, 1, down, across)
            out[row, column] = wet + (dry - wet) * (step - low)
    return out


@numba.njit(cache=True, fastmath=True)
def _bilinear(here: Floats, site: int, down: float, across: float) -> float:
    """Weigh the four corners of one site."""
    upper = here[site, 0, 0] * (1 - across) + here[site, 0, 1] * across
    lower = here[site, 1, 0] * (1 - across) + here[site, 1, 1] * across
    return float(upper * (1 - down) + lower * down)


@numba.njit(cache=True, fastmath=True)
def _rise(x: float) -> float:
    """Logistic step from 0 to 1."""
    if x > 9.0:
        return 1.0
    return 1.0 / (1.0 + math.exp(-x)) if x > -9.0 else 0.0


@numba.njit(cache=True, fastmath=True)
def grow(ground: Phenology, deep: Floats, doy: float, out: Floats) -> None:
    """Fill leaf, curing, live, red and grey of a day.

    Parameters
    ----------
    ground : Phenology
        Timing and disturbance, (y, x) each.
    deep : ndarray
        float32 (y, x), water below the duff, 0-1.
    doy : float
        Day of the year.
    out : ndarray
        float32 (5, y, x), filled.
    """
    dip = 0.20 * math.exp(-(((doy - 147.0) / 17.0) ** 2))  # needles are driest before they flush
    for row in range(deep.shape[0]):
        for column in range(deep.shape[1]):
            drought = min(1.0, max(0.0, (0.62 - deep[row, column]) / 0.42))
            early = ground.curing[row, column] - 26.0 * drought
            since = doy - ground.greenup[row, column]
            out[0, row, column] = _rise(since / 3.5) * _rise((early + 20.0 - doy) / 5.0)
            green = _rise((since + 2.0) / 4.5) * _rise((early - doy) / 7.0)
            out[1, row, column] = 1.0 - green * (1 - 0.35 * drought)
            live = 1.04 + ground.vigour[row, column] - dip - 0.28 * drought
            out[2, row, column] = min(1.35, max(0.5, live))
            # red from a month after the attack, grey from four years
            years = ground.attack[row, column] + (doy - 196.0) / 365.0
            severity = ground.severity[row, column] if years > -1.0 else 0.0
            grey = _rise((years - 4.0) * 2.5)
            out[3, row, column] = severity * _rise((years - 0.1) * 40.0) * (1.0 - grey)
            out[4, row, column] = severity * grey
