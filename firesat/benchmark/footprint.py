"""Where a sample lies in the wider tiles of MODIS that come with it.

A tile of 16 km is stored beside a sample of 2.64 km: the map's footprint has to be cut out of it by
the places of the pixels, which both carry.
"""

import numpy as np
from numpy.typing import NDArray

from firesat.benchmark.layout import CELLS, PIXELS

SIDE = 5
"""Cells of 500 m along the side of the map, to the nearest whole one."""

_MARGIN = (PIXELS - 10 * CELLS) // 2
_LEAST = 0.5  # share of a value that must come from pixels which are there

Floats = NDArray[np.float64]


def lon_lat(places: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Split places into longitude and latitude, in whatever order they come.

    Parameters
    ----------
    places : ndarray, shape (2, Y, X) or (Y, X, 2)
        Degrees. In Canada longitudes are negative and latitudes are not, which tells them apart.

    Returns
    -------
    tuple of ndarray, shape (Y, X)
        Longitude, latitude.

    Raises
    ------
    ValueError
        If they are not places in Canada.
    """
    pair = np.asarray(places, np.float64)
    pair = pair if pair.shape[0] == 2 else np.moveaxis(pair, -1, 0)
    if not np.isfinite(pair).all():
        raise ValueError("holds places that are no numbers")
    lon, lat = pair if pair[0].mean() < 0 else pair[::-1]
    if not (lon.min() >= -180 and lon.max() < 0 and lat.min() > 30 and lat.max() <= 90):
        raise ValueError("holds no longitudes and latitudes of Canada")
    return lon, lat


def cut_out(
    tile: NDArray[np.floating], tile_places: NDArray[np.floating], sample: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Interpolate a tile at the cells of 500 m of a sample's map.

    Parameters
    ----------
    tile : ndarray, shape (..., H, W)
        Values; NaN = missing.
    tile_places : ndarray, shape (H, W, 2) or (2, H, W)
        Longitude and latitude of its pixels.
    sample : ndarray, shape (2, 264, 264) or (264, 264, 2)
        Longitude and latitude of the sample's pixels.

    Returns
    -------
    ndarray of float32, shape (..., 5, 5)
        Bilinear; NaN where more than half of the weight lies on missing pixels, or outside.

    Raises
    ------
    ValueError
        If the places are no regular grid in Canada.
    """
    rows, cols = _position(lon_lat(tile_places), _centres(lon_lat(sample)))
    return _bilinear(tile, rows, cols).astype(np.float32)


def _centres(places: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Longitude and latitude of the centres of the cells of 500 m."""
    step = (PIXELS - 2 * _MARGIN) / SIDE
    centre = _MARGIN + step * (np.arange(SIDE) + 0.5) - 0.5
    rows, cols = np.meshgrid(centre, centre, indexing="ij")
    lon, lat = (_bilinear(values, rows, cols) for values in places)
    return lon, lat


def _position(grid: tuple[Floats, Floats], points: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Rows and columns of points in a grid whose pixels' places are known.

    Over 16 km longitude and latitude are linear in row and column to a few metres.
    """
    lon, lat = grid
    middle = lon.mean(), lat.mean()
    numbers = np.indices(lon.shape, np.float64).reshape(2, -1).T
    plane, *_ = np.linalg.lstsq(_design(lon, lat, middle), numbers, rcond=None)
    if np.abs(_design(lon, lat, middle) @ plane - numbers).max() > 0.5:
        raise ValueError("holds places that are no regular grid")
    rows, cols = (_design(*points, middle) @ plane).T
    return rows.reshape(points[0].shape), cols.reshape(points[0].shape)


def _design(lon: Floats, lat: Floats, middle: tuple[float, float]) -> Floats:
    """Columns of a plane: longitude and latitude from the middle, and one."""
    return np.stack([lon.ravel() - middle[0], lat.ravel() - middle[1], np.ones(lon.size)], axis=1)


def _bilinear(values: NDArray[np.floating], rows: Floats, cols: Floats) -> Floats:
    """Interpolate between pixel centres; missing pixels and the outside have no weight."""
    y, x = np.floor(rows).astype(int), np.floor(cols).astype(int)
    total = np.zeros((*values.shape[:-2], *rows.shape))
    weight = np.zeros_like(total)
    for dy in (0, 1):
        for dx in (0, 1):
            share = np.abs(1 - dy - (rows - y)) * np.abs(1 - dx - (cols - x))
            there = (y + dy >= 0) & (y + dy < values.shape[-2])
            there &= (x + dx >= 0) & (x + dx < values.shape[-1])
            pixel = values[..., (y + dy) * there, (x + dx) * there]
            known = np.where(there, share, 0.0) * np.isfinite(pixel)
            total += known * np.nan_to_num(pixel)
            weight += known
    # a weight that should be one half may be one bit less
    known = weight >= _LEAST - 1e-9
    mean: Floats = np.divide(total, weight, out=np.full_like(total, np.nan), where=known)
    return mean
