"""Turns and mirror images of chips: the ground has no preferred direction, but its slopes have."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firesat.scaling import Batch

TURNS = 8
"""Flips and quarter turns of a square: turn 0 to 7 is the sum of 1 for north and south exchanged, 2
for east and west, then 4 for rows and columns."""

FLIPS = (0, 1, 2, 3)
QUARTERS = (0, 3, 5, 6)
"""Turns that mirror without exchanging rows and columns; turns that do not mirror."""

VECTORS = (("northness", "eastness"), ("v10", "u10"))
"""Channels that are components of one vector: northward, eastward."""

SPATIAL = ("sentinel2", "age", "clear", "modis", "modis_mask", "weather", "around", "around_mask",
           "fire", "static", "label", "valid", "lead", "starts")  # fmt: skip

_CHANNEL = -3

Names = Mapping[str, tuple[str, ...]]
"""Field to the names of its channels."""


def turned(chip: Mapping[str, NDArray[Any]], turn: int, names: Names) -> Batch:
    """Turn or mirror a chip, the directions of its slopes and winds with it.

    Parameters
    ----------
    chip : mapping of ndarray
        Fields of `firesat.batch` without N, as stored or in physical units, some or all of them.
    turn : int
        0 to 7, as `TURNS`.
    names : mapping of tuple of str
        Field to its channels.

    Returns
    -------
    dict of ndarray
        The chip as a satellite over the turned ground would have seen it; views where nothing but
        the order changes.

    Raises
    ------
    ValueError
        If rows and columns are exchanged where one component of a vector lacks the other.
    """
    out = dict(chip)
    axes = tuple(axis for axis, bit in ((-2, 1), (-1, 2)) if turn & bit)
    for name in SPATIAL:
        if name in chip:
            values = np.flip(chip[name], axes)
            out[name] = values.swapaxes(-1, -2) if turn & 4 else values
    if "off_centre" in chip:
        out["off_centre"] = _turned_place(chip["off_centre"], turn)
    for name, channels in names.items():
        if name in chip:
            out[name] = _turned_vectors(out[name], turn, channels)
    return out


def _turned_place(place: NDArray[Any], turn: int) -> NDArray[Any]:
    """Rows and columns from the middle, after the turn."""
    row, column = (-place[axis] if turn & bit else place[axis] for axis, bit in ((0, 1), (1, 2)))
    return np.stack([column, row] if turn & 4 else [row, column])


def lone_component(names: Names) -> bool:
    """Tell whether a component of a vector stands without the other.

    Parameters
    ----------
    names : mapping of tuple of str
        Field to its channels.

    Returns
    -------
    bool
        Such chips can be mirrored, but their rows and columns cannot be exchanged.
    """
    return any(len(set(pair) & set(some)) == 1 for some in names.values() for pair in VECTORS)


def _turned_vectors(layers: NDArray[Any], turn: int, channels: tuple[str, ...]) -> NDArray[Any]:
    """Components after the turn. Rows run south: exchanging axes makes north minus east."""
    found = [pair for pair in VECTORS if set(pair) & set(channels)]
    if not (found and turn):
        return layers
    out = layers.copy()
    by_channel = np.moveaxis(out, _CHANNEL, 0)
    for pair in found:
        for name, bit in zip(pair, (1, 2), strict=True):
            if name in channels and turn & bit:
                one = by_channel[channels.index(name)]
                np.negative(one, out=one)  # ten times faster than `*= -1` in float16
        if turn & 4:
            if not set(pair) <= set(channels):
                raise ValueError(f"turn {turn} needs both {pair[0]} and {pair[1]}")
            both = [channels.index(name) for name in pair]
            by_channel[both] = -by_channel[both[::-1]]
    return out
