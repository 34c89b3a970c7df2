"""From a sample of CanadaFireSat to the fields that every network sees.

The map is the inner 260 x 260 pixels, cut into 26 x 26 cells of 10 x 10: cell (i, j) is made of the
rows 2 + 10 i to 11 + 10 i and the columns 2 + 10 j to 11 + 10 j, in the looks and in the labels
alike, so that a forecast lies on the ground that it was made for.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firesat.bands import SENTINEL2_BANDS
from firesat.benchmark.layout import CELLS, IMAGES, PIXELS
from firesat.benchmark.sample import UNKNOWN, Sample
from firesat.benchmark.settings import BenchmarkInputs, Rule
from firesat.scaling import Batch, add_masks

BLOCK = 10
"""Pixels along the side of a cell."""
MARGIN = (PIXELS - BLOCK * CELLS) // 2
"""Pixels around the map."""

_FULL = 255.0  # stored value of a reflectance of 1
_SEEN = 0.5  # share of its pixels that a clear cell shows

Floats = NDArray[np.float32]


def fields_of(sample: Sample, inputs: BenchmarkInputs) -> Batch:
    """Unpack a sample.

    Parameters
    ----------
    sample : Sample
        As taken from a file.
    inputs : BenchmarkInputs
        What a network sees.

    Returns
    -------
    dict of ndarray
        Fields of `firesat.batch` without N, NaN = missing, with masks: reflectance 0..1, ages in
        days, the environment in the data set's own units.
    """
    age = np.full((inputs.looks, CELLS, CELLS), np.nan, np.float32)
    looks = _coarse(sample, age) if inputs.resolution == 100 else _fine(sample, age)
    label, valid = label_of(sample.labels, inputs.label)
    angle = 2 * np.pi * (sample.day - 1) / 365.25
    return add_masks(
        {
            "sentinel2": looks,
            "age": age,
            "modis": sample.modis,
            "weather": sample.weather[:, :, None, None],
            "fire": np.zeros((0, CELLS, CELLS), np.float32),
            "static": np.zeros((0, CELLS, CELLS), np.float32),
            "season": np.array([np.sin(angle), np.cos(angle)], np.float32),
            "label": label[None],
            "valid": valid[None],
        }
    )


def label_of(labels: NDArray[np.int8], rule: Rule) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Bring labels from pixels to cells.

    Parameters
    ----------
    labels : ndarray of int8, shape (264, 264)
        1 burns, 0 does not, -1 unknown.
    rule : {"any", "fraction", "published"}
        As `BenchmarkInputs.label`.

    Returns
    -------
    label, valid : ndarray of uint8, shape (26, 26)
        1 where the cell burns; 1 where that is known for certain.
    """
    # the published pooling pads one row and one column before the first: blocks start one earlier
    start = MARGIN - (rule == "published")
    inner = labels[start : start + BLOCK * CELLS, start : start + BLOCK * CELLS].copy()
    if rule == "published":
        inner[0], inner[:, 0] = 0, 0
    blocks = inner.reshape(CELLS, BLOCK, CELLS, BLOCK)
    burning = (blocks == 1).sum(axis=(1, 3))
    unknown = (blocks == UNKNOWN).sum(axis=(1, 3))
    least = BLOCK * BLOCK / 2 if rule == "fraction" else 1
    label = burning >= least
    return label.astype(np.uint8), (label | (burning + unknown < least)).astype(np.uint8)


def _coarse(sample: Sample, age: Floats) -> Floats:
    """Means over cells of 100 m; fills in the ages of those that were seen."""
    out = np.full((len(age), len(SENTINEL2_BANDS), CELLS, CELLS), np.nan, np.float32)
    for column, (bands, side) in IMAGES.items():
        if column not in sample.images:
            continue
        weights = overlap(side)
        stored = sample.images[column].astype(np.float32)
        seen = stored.any(axis=1, keepdims=True).astype(np.float32)
        share = weights @ seen @ weights.T
        # where nothing was seen the band sums are 0 too, and stay missing
        means = np.divide(
            weights @ stored @ weights.T / _FULL,
            share,
            out=np.full((len(stored), len(bands), CELLS, CELLS), np.nan, np.float32),
            where=share > 0,
        )
        out[: len(stored), [SENTINEL2_BANDS.index(band) for band in bands]] = means
        if column == "10x":
            _date(age, sample, share[:, 0])
    out[np.broadcast_to(np.isnan(age)[:, None], out.shape)] = np.nan
    return out


def _fine(sample: Sample, age: Floats) -> Floats:
    """All pixels of 10 m, coarser ones repeated; fills in the ages of the cells."""
    out = np.full((len(age), len(SENTINEL2_BANDS), PIXELS, PIXELS), np.nan, np.float32)
    for column, (bands, side) in IMAGES.items():
        if column not in sample.images:
            continue
        stored = sample.images[column].astype(np.float32)
        seen = stored.any(axis=1, keepdims=True)
        values = np.where(seen, stored / _FULL, np.nan).astype(np.float32)
        times = PIXELS // side
        values = values.repeat(times, axis=-2).repeat(times, axis=-1)
        out[: len(stored), [SENTINEL2_BANDS.index(band) for band in bands]] = values
        if column == "10x":
            weights = overlap(side)
            _date(age, sample, (weights @ seen.astype(np.float32) @ weights.T)[:, 0])
    return out


def _date(age: Floats, sample: Sample, share: Floats) -> None:
    """Give each look's age to the cells that it shows."""
    age[: len(share)] = np.where(share >= _SEEN, sample.age[:, None, None], np.nan)


@lru_cache
def overlap(side: int) -> Any:  # noqa: ANN401  the cache hides the type
    """Tell how much of each cell lies in each pixel, along one side of a sample.

    Parameters
    ----------
    side : int
        Pixels along it: 264, 132 or 44.

    Returns
    -------
    ndarray of float32, shape (26, side)
        Shares; each row sums to 1. A mean over cells is ``W @ pixels @ W.T``.
    """
    pixel = np.arange(side) * (PIXELS / side)
    cell = MARGIN + BLOCK * np.arange(CELLS)[:, None]
    common = np.minimum(cell + BLOCK, pixel + PIXELS / side) - np.maximum(cell, pixel)
    return (np.maximum(common, 0) / BLOCK).astype(np.float32)
