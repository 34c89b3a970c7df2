"""Turns and mirror images of chips, for training: the ground has no preferred direction."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firesat.scaling import Batch

TURNS = 8  # flips and quarter turns of a square
SPATIAL = ("sentinel2", "age", "clear", "modis", "modis_mask", "weather", "fire", "static", "label",
           "valid")  # fmt: skip


def turned(chip: Mapping[str, NDArray[Any]], turn: int, static: tuple[str, ...]) -> Batch:
    """Turn or mirror a chip, the directions of its slopes with it.

    Parameters
    ----------
    chip : mapping of ndarray
        Fields of `firesat.batch` without N, physical units.
    turn : int
        0 to 7: add 1 for north and south exchanged, 2 for east and west, then 4 for rows and
        columns.
    static : tuple of str
        Names of the static channels; "northness" and "eastness" are components of a vector.

    Returns
    -------
    dict of ndarray
        The chip as a satellite over the turned ground would have seen it.
    """
    out = dict(chip)
    axes = tuple(axis for axis, bit in ((-2, 1), (-1, 2)) if turn & bit)
    for name in SPATIAL:
        values = np.flip(out[name], axes)
        out[name] = values.swapaxes(-1, -2) if turn & 4 else values
    out["static"] = _turned_slopes(out["static"], turn, static)
    return out


def _turned_slopes(
    layers: NDArray[np.float32], turn: int, names: tuple[str, ...]
) -> NDArray[np.float32]:
    """Slope components after the turn. Rows run south: exchanging axes makes north minus east."""
    if not {"northness", "eastness"} <= set(names):
        return layers
    out = layers.copy()
    north, east = names.index("northness"), names.index("eastness")
    out[north] *= -1 if turn & 1 else 1
    out[east] *= -1 if turn & 2 else 1
    if turn & 4:
        out[[north, east]] = -out[[east, north]]
    return out
