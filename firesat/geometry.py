"""Where cells lie in a raster of another CRS: worked out once for each pair, and remembered."""

from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from firesat.grid import crs_of

# Between points this far apart, UTM and the national Lambert differ from a straight line by less
# than a decimetre: chord**2 / (8 * radius of the Earth) * convergence.
_SPACING = 3200.0  # metres
_FINER = 0.95  # a raster whose pixels are smaller than this share of a cell needs smoothing
_LEAST = np.float32(1e-3)  # weight of measured pixels below which a cell has none

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """Places of some cells in a raster; those between are interpolated.

    Parameters
    ----------
    rows, columns : ndarray of float64, shape (M, N)
        Position of the centre of cell ``(m * step, n * step)``; 0 is the centre of the raster's
        first pixel.
    step : int
        Cells between the points.
    """

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    step: int


def interpolates(source: GeoBox, cells: GeoBox) -> bool:
    """Tell whether bilinear interpolation by `interpolate` does for a pair.

    Parameters
    ----------
    source : GeoBox
        Pixels there are.
    cells : GeoBox
        Cells wanted.

    Returns
    -------
    bool
        False for degrees, which wrap around, and for pixels finer than the cells, which have to be
        smoothed: both are left to GDAL.
    """
    if crs_of(source).geographic or crs_of(cells).geographic:
        return False
    return abs(source.resolution.x) >= _FINER * abs(cells.resolution.x)


@lru_cache(maxsize=4096)  # 20 kB each for a tile: every granule that reaches into some hundred
def remembered_geometry(source: GeoBox, cells: GeoBox) -> Lattice:
    """Find the place of cells in a raster.

    Parameters
    ----------
    source : GeoBox
        The raster's pixels.
    cells : GeoBox
        The cells.

    Returns
    -------
    Lattice
        Of points at most 3.2 km apart; the same object for the same pair.
    """
    step = max(1, int(_SPACING / abs(cells.resolution.x)))
    row, column = (np.arange(0, count + step, step, dtype="float64") + 0.5 for count in cells.shape)
    x, y = _apply(cells.affine, *np.meshgrid(column, row))
    transformer = Transformer.from_crs(
        crs_of(cells).to_wkt(), crs_of(source).to_wkt(), always_xy=True
    )
    u, v = _apply(~source.affine, *transformer.transform(x, y))
    return Lattice(rows=v - 0.5, columns=u - 0.5, step=step)


def _apply(
    affine: Affine, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions under an affine transformation."""
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f


@numba.njit(cache=True, nogil=True)
def interpolate(
    stack: Floats,
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    step: int,
    out: Floats,
) -> None:
    """Interpolate bilinearly between the pixels that were measured.

    Parameters
    ----------
    stack : ndarray of float32, shape (B, H, W)
        Pixels; NaN = not measured: its neighbours' weights then count for more.
    rows, columns, step : ndarray, ndarray, int
        A `Lattice`.
    out : ndarray of float32, shape (B, Y, X)
        Filled; NaN where the cell's centre lies outside the raster, or nothing near was measured.
    """
    bands, height, width = stack.shape
    row, column = np.empty(out.shape[2]), np.empty(out.shape[2])
    for y in range(out.shape[1]):
        m, below = y // step, (y % step) / step
        for x in range(out.shape[2]):
            n, right = x // step, (x % step) / step
            row[x] = (
                (1 - below) * ((1 - right) * rows[m, n] + right * rows[m, n + 1])
                + below * ((1 - right) * rows[m + 1, n] + right * rows[m + 1, n + 1])
            )  # fmt: skip
            column[x] = (
                (1 - below) * ((1 - right) * columns[m, n] + right * columns[m, n + 1])
                + below * ((1 - right) * columns[m + 1, n] + right * columns[m + 1, n + 1])
            )  # fmt: skip
        for band in range(bands):
            for x in range(out.shape[2]):
                out[band, y, x] = _between(stack[band], row[x], column[x], height, width)


@numba.njit(cache=True, nogil=True)
def _between(image: Floats, row: float, column: float, height: int, width: int) -> np.float32:
    """Mean of the four pixels around a place, by their nearness."""
    if not (-0.5 <= row <= height - 0.5 and -0.5 <= column <= width - 0.5):
        return np.float32(np.nan)
    upper, left = int(np.floor(row)), int(np.floor(column))
    total, weight = np.float32(0.0), np.float32(0.0)
    for i in range(upper, upper + 2):
        for j in range(left, left + 2):
            if 0 <= i < height and 0 <= j < width and not np.isnan(image[i, j]):
                near = np.float32((1 - abs(row - i)) * (1 - abs(column - j)))
                total += near * image[i, j]
                weight += near
    return total / weight if weight > _LEAST else np.float32(np.nan)
