"""The fuel map that is served: years stale, generalised and partly wrong."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from firesat.sandbox.law.cover import Cover
from firesat.sandbox.law.disturbance import Disturbance
from firesat.sandbox.law.noise import rank, smooth_field

STALE_YEARS = 9
ERROR = 0.175  # share of cells that are wrong
# What an interpreter takes each class for when wrong: the likelier and the other mistake.
CONFUSED = np.array(
    [
        [Cover.WETLAND, Cover.WETLAND],
        [Cover.MIXED, Cover.WETLAND],
        [Cover.MIXED, Cover.GRASS],
        [Cover.CONIFER, Cover.DECIDUOUS],
        [Cover.WETLAND, Cover.DECIDUOUS],
        [Cover.CONIFER, Cover.GRASS],
        [Cover.GRASS, Cover.CONIFER],
        [Cover.CONIFER, Cover.GRASS],
        [Cover.GRASS, Cover.DECIDUOUS],
        [Cover.GRASS, Cover.ROCK],
    ],
    dtype=np.uint8,
)


def served_map(
    cover: NDArray[np.uint8], past: Disturbance, first_year: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Make the map that a forecaster gets.

    Disturbances of the last nine years are missing, regrown older cuts are forest again, classes
    are confused in patches until 17.5 % of the cells are wrong.

    Parameters
    ----------
    cover : ndarray
        uint8 (y, x), the truth at the start of the first season.
    past : Disturbance
        What happened before.
    first_year : int
        The first season.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray
        uint8 (y, x), codes of `cover.Cover`.
    """
    stale = cover.copy()
    recent = np.maximum(past.burn_year, past.cut_year) >= first_year - STALE_YEARS
    stale[recent & np.isin(cover, (Cover.SCAR, Cover.HARVEST))] = Cover.CONIFER
    small = ndimage.median_filter(stale, size=3)
    keep = (stale == Cover.WATER) | (small == Cover.WATER) | (stale == Cover.BUILT)
    general = np.where(keep, stale, small)
    return _confuse(general, cover, rng)


def _confuse(
    drawn: NDArray[np.uint8], cover: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Spoil patches, most doubtful first, until the wanted share of cells is wrong."""
    patches = smooth_field(rng, cover.shape, length=5, slope=2.4)
    open_water = ndimage.binary_erosion(drawn == Cover.WATER, iterations=1)
    doubt = rank(patches - 9.0 * open_water)
    which = smooth_field(rng, cover.shape, length=8, slope=2.4) > 0.5
    wrong = CONFUSED[drawn, which.astype(np.intp)]
    order = np.argsort(-doubt, axis=None)
    changes = (wrong != cover).ravel()[order].astype(np.int64)
    changes -= (drawn != cover).ravel()[order]
    errors = (drawn != cover).sum() + np.cumsum(changes)
    enough = int(np.argmax(errors >= ERROR * cover.size))
    out = drawn.copy().ravel()
    out[order[:enough]] = wrong.ravel()[order[:enough]]
    return out.reshape(cover.shape)
