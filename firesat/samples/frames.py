"""Whole scenes chosen chip by chip, as in the reference system; only for comparison with it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from firesat.bands import SENTINEL2_BANDS
from firesat.composite import Looks, Scene, empty_looks, stack_looks
from firesat.samples.choice import Frames
from firesat.samples.pieces import Table

CLEAR = 0.5
"""Clear fraction from which a cell counts as seen."""


def shown(clear: NDArray[np.generic]) -> Table:
    """Tell which cells a scene shows.

    Parameters
    ----------
    clear : ndarray
        Clear fraction; uint8 as stored (percent, 255 = never looked), or float with NaN.

    Returns
    -------
    ndarray of bool, same shape
        True where at least half of the cell is clear.
    """
    if clear.dtype == np.uint8:
        percent = clear.astype(np.int16)
        return np.asarray((percent >= 100 * CLEAR) & (percent <= 100))
    return np.asarray(clear.astype(np.float32) >= CLEAR)


def enough(ages: NDArray[np.float64], valid: Table, rule: Frames) -> Table:
    """Tell which chips have scenes enough.

    Parameters
    ----------
    ages : ndarray of float, shape (scenes,)
        Days.
    valid : ndarray of bool, shape (scenes, chips)
        Scenes that a chip may use.
    rule : Frames
        How many, over how many days.

    Returns
    -------
    ndarray of bool, shape (chips,)
        True where the chip stays in the frame.
    """
    if not len(ages):
        return np.zeros(valid.shape[1], dtype=bool)
    oldest = np.where(valid, ages[:, None], -np.inf).max(axis=0)
    newest = np.where(valid, ages[:, None], np.inf).min(axis=0)
    enough_of_them = valid.sum(axis=0) >= rule.at_least
    return np.asarray(enough_of_them & (oldest - newest >= rule.span_days))


def choose_frames(
    scenes: Sequence[Scene], part: tuple[slice, slice], number: int, rule: Frames
) -> Looks:
    """Take the latest scenes that show enough of a chip, clouds and all.

    Parameters
    ----------
    scenes : sequence of (float, ndarray, ndarray)
        In hand, newest first; see :func:`firesat.composite.stack_looks`.
    part : tuple of slice
        Rows and columns of the chip.
    number : int
        Largest number of scenes.
    rule : Frames
        Which scenes count, and how many a chip needs.

    Returns
    -------
    Looks
        Newest first; NaN in places beyond the last scene, everywhere where there are too few.
    """
    bands = scenes[0][1].shape[0] if scenes else len(SENTINEL2_BANDS)
    height, width = (chosen.stop - chosen.start for chosen in part)
    seen = [(age, pixels[:, *part], shown(clear[part])) for age, pixels, clear in scenes]
    good = [scene for scene in seen if 1 - scene[2].mean() <= rule.max_cloud]
    ages = np.array([age for age, _, _ in good])
    if not enough(ages, np.ones((len(good), 1), dtype=bool), rule).all():
        return empty_looks(number, bands, height, width)
    # one scene alone is a look of every cell that it covers, whatever hides the ground
    whole = np.ones((height, width), dtype=np.float32)
    frames = [stack_looks([(age, pixels, whole)], 1) for age, pixels, _ in good[:number]]
    missing = [empty_looks(1, bands, height, width)] * (number - len(frames))
    return Looks(
        reflectance=np.concatenate([frame.reflectance for frame in [*frames, *missing]]),
        age=np.concatenate([frame.age for frame in [*frames, *missing]]),
    )
