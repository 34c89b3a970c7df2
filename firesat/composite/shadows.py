"""Shadows of clouds: dark places that have the shape of a cloud, where the sun would throw it.

Source: Zhu and Woodcock 2012 (Remote Sens. Environ. 118, sec. 3.2): a shadow is darker than what
lies around it in the near and the short-wave infrared, and a cloud's shadow lies where the cloud,
moved along the sun's direction from 200 m to 12 km of height, first fits such dark places best.
"""

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label, maximum_filter, minimum_filter

from firesat.composite.sun import Sun

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]

DARKER = 0.02  # reflectance below the surroundings: Zhu and Woodcock 2012, eq 20
HEIGHTS = (200.0, 12_000.0)  # metres of a cloud's base: the same, sec. 3.2.2
FIT = 0.3  # share of a moved cloud that must be dark: the same
PAST = 0.98  # of the best fit, below which greater heights are not looked at: the same
# The paper fills holes of any size; wider ones are land that is darker, not a shadow.
WIDEST = 5000.0  # metres of a shadow
STEP = 100.0  # metres between the places at which a cloud is tried


def dark_places(nir: Floats, swir: Floats, cloud: Mask, resolution: float) -> Mask:
    """Find pixels darker than what lies around them.

    Parameters
    ----------
    nir, swir : ndarray of float32, shape (Y, X)
        Reflectance at 833 and 1612 nm; NaN = not observed.
    cloud : ndarray of bool, shape (Y, X)
        Whose brightness is not that of the surroundings.
    resolution : float
        Pixel size in metres.

    Returns
    -------
    ndarray of bool, shape (Y, X)
        Darker in both.
    """
    side = 2 * round(WIDEST / resolution / 2) + 1
    depth = np.minimum(_hole(nir, cloud, side), _hole(swir, cloud, side))
    return np.asarray(depth > DARKER)


def _hole(band: Floats, cloud: Mask, side: int) -> Floats:
    """How far a band lies below its morphological closing, clouds left out."""
    ground = np.where(cloud | np.isnan(band), np.float32(0), band)
    filled = minimum_filter(maximum_filter(ground, side), side)
    return np.asarray(np.where(np.isnan(band), np.float32(0), filled - ground))


def cast_shadows(cloud: Mask, dark: Mask, missing: Mask, sun: Sun, resolution: float) -> Mask:
    """Find the shadows of clouds, each cloud on its own.

    Parameters
    ----------
    cloud : ndarray of bool, shape (Y, X)
        Clouds.
    dark : ndarray of bool, shape (Y, X)
        Of `dark_places`.
    missing : ndarray of bool, shape (Y, X)
        Not observed.
    sun : Sun
        During the overpass; the scene's columns run north, to a degree or two.
    resolution : float
        Pixel size in metres.

    Returns
    -------
    ndarray of bool, shape (Y, X)
        Places of the clouds' shapes, moved; no shadow where none fits.
    """
    labels, count = label(cloud, structure=np.ones((3, 3)))
    steps = _steps(sun, resolution)
    total, hit = (np.zeros((count + 1, len(steps)), dtype=np.int64) for _ in range(2))
    _try(labels, dark, cloud | missing, steps, (total, hit))
    out = np.zeros(cloud.shape, dtype=bool)
    _paint(labels, _best(total, hit), steps, out)
    return out & ~cloud


def _steps(sun: Sun, resolution: float) -> Counts:
    """Rows and columns by which clouds are moved, from low to high."""
    low, high = (np.hypot(*sun.shadow(height)) for height in HEIGHTS)
    south, east = sun.shadow(1.0)
    reach = np.hypot(south, east) or 1.0  # a sun overhead throws every shadow beneath the cloud
    metres = np.arange(low, high + STEP, STEP)
    moved = np.stack([metres * south / reach, metres * east / reach], axis=1) / resolution
    return np.rint(moved).astype(np.int64)


@numba.njit(cache=True, nogil=True)
def _try(
    labels: NDArray[np.int32],
    dark: Mask,
    hidden: Mask,
    steps: Counts,
    counts: tuple[Counts, Counts],
) -> None:
    """Count, of each moved cloud, the pixels that can be seen and those of them that are dark."""
    height, width = labels.shape
    total, hit = counts
    for y in range(height):
        for x in range(width):
            if labels[y, x] == 0:
                continue
            for step in range(len(steps)):
                row, column = y + steps[step, 0], x + steps[step, 1]
                if 0 <= row < height and 0 <= column < width and not hidden[row, column]:
                    total[labels[y, x], step] += 1
                    hit[labels[y, x], step] += dark[row, column]


def _best(total: Counts, hit: Counts) -> Counts:
    """The step at which each cloud first fits best; -1 = none."""
    best, place = np.zeros(len(total)), np.full(len(total), -1)
    settled = np.zeros(len(total), dtype=bool)
    for step in range(total.shape[1]):
        fit = hit[:, step] / np.maximum(total[:, step], 1)
        settled |= (best > FIT) & (fit < PAST * best)
        better = (fit > best) & ~settled
        best[better], place[better] = fit[better], step
    place[best <= FIT] = -1
    return place


@numba.njit(cache=True, nogil=True)
def _paint(labels: NDArray[np.int32], place: Counts, steps: Counts, out: Mask) -> None:
    """Put each cloud's shape where its shadow is."""
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            step = place[labels[y, x]] if labels[y, x] else -1
            if step >= 0:
                row, column = y + steps[step, 0], x + steps[step, 1]
                if 0 <= row < height and 0 <= column < width:
                    out[row, column] = True
