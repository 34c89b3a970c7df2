"""Weather from its 10 km cells to the 1 km cells of a batch."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

Array = NDArray[np.float32]


def to_fine(coarse: Array, top: float, left: float, shape: tuple[int, int]) -> Array:
    """Interpolate bilinearly between the centres of coarse cells.

    Parameters
    ----------
    coarse : ndarray of float32, shape (..., y, x)
        Coarse cells; a missing one takes its nearest neighbour's value, so that lakes and the
        region's edge have weather. NaN everywhere stays NaN.
    top, left : float
        Rows and columns of coarse cells before the fine cells begin.
    shape : tuple of int
        Rows and columns of fine cells, 10 to a coarse one.

    Returns
    -------
    ndarray of float32, shape (..., *shape)
        NaN only in layers that are missing altogether.
    """
    rows = _weights(coarse.shape[-2], top, shape[0])
    columns = _weights(coarse.shape[-1], left, shape[1])
    return np.asarray(rows @ fill_nearest(coarse) @ columns.T, dtype=np.float32)


def fill_nearest(layers: Array) -> Array:
    """Give missing cells the value of the nearest that is there.

    Parameters
    ----------
    layers : ndarray of float32, shape (..., y, x)
        NaN where missing.

    Returns
    -------
    ndarray of float32, same shape
        A layer without any value stays NaN.
    """
    flat = layers.reshape(-1, *layers.shape[-2:]).copy()
    for layer in flat:
        missing = np.isnan(layer)
        if missing.any() and not missing.all():
            nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
            layer[:] = layer[tuple(nearest)]
    return flat.reshape(layers.shape)


def _weights(cells: int, before: float, fine: int, ratio: int = 10) -> Array:
    """Matrix of linear interpolation from `cells` coarse centres to `fine` ones."""
    place = np.clip((np.arange(fine) + 0.5) / ratio + before - 0.5, 0, cells - 1)
    low = np.minimum(place.astype(np.intp), max(cells - 2, 0))
    matrix = np.zeros((fine, cells), dtype=np.float32)
    share = (place - low).astype(np.float32)
    matrix[np.arange(fine), low] = 1 - share
    matrix[np.arange(fine), np.minimum(low + 1, cells - 1)] += share
    return matrix
