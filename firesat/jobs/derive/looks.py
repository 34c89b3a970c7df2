"""States of the latest clear looks as a block of the cube, and back; scenes as they are stored."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.composite import NEVER, State

LOOKS = "looks"

Scene = tuple[NDArray[np.uint16], NDArray[np.uint8]]


def read_scene(scenes: xr.Dataset, index: tuple[int, int, int]) -> Scene:
    """Read a scene of one tile.

    Parameters
    ----------
    scenes : xr.Dataset
        The group ``sentinel2``, opened packed.
    index : tuple of int
        Of its block: time, row and column.

    Returns
    -------
    tuple of ndarray
        uint16 reflectance ``(band, Y, X)`` and uint8 clear fraction ``(Y, X)``.
    """
    part = at(scenes, index)
    return part["reflectance"].values, part["clear"].values


def at(dataset: xr.Dataset, index: tuple[int, int, int]) -> xr.Dataset:
    """Take the block of a group whose blocks hold one time step.

    Parameters
    ----------
    dataset : xr.Dataset
        The group.
    index : tuple of int
        Of the block: time, row and column.

    Returns
    -------
    xr.Dataset
        Without a time axis, not read yet.
    """
    step, row, column = index
    height = dataset.sizes["y"] // dataset.sizes["tile_y"]
    width = dataset.sizes["x"] // dataset.sizes["tile_x"]
    rows, columns = (
        slice(n * side, (n + 1) * side) for n, side in ((row, height), (column, width))
    )
    return dataset.isel(time=step, y=rows, x=columns)


def to_layer(state: State) -> xr.Dataset:
    """Dress a state for writing.

    Parameters
    ----------
    state : State
        Of one block.

    Returns
    -------
    xr.Dataset
        ``looks (time, band, y, x)``, bands and age of each look in turn; NaN = missing.
    """
    stored = np.concatenate([state.reflectance, state.age[:, None]], axis=1)
    values = stored.reshape(1, -1, *stored.shape[-2:]).astype("float32")
    values[values == NEVER] = np.nan
    return xr.Dataset({LOOKS: (("time", "band", "y", "x"), values)})


def to_state(stored: NDArray[np.uint16], looks: int) -> State:
    """Read what `to_layer` made.

    Parameters
    ----------
    stored : ndarray of uint16, shape (K * (band + 1), Y, X)
        As stored.
    looks : int
        K.

    Returns
    -------
    State
        A copy.
    """
    apart = stored.reshape(looks, -1, *stored.shape[-2:])
    return State(reflectance=apart[:, :-1].copy(), age=apart[:, -1].copy())
