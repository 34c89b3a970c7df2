"""Where cells lie in a raster of another CRS: worked out once for each pair, and remembered."""

from dataclasses import dataclass
from functools import lru_cache

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
    shape : tuple of int
        Rows and columns of cells.
    """

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    step: int
    shape: tuple[int, int]


def interpolates(source: GeoBox, cells: GeoBox) -> bool:
    """Tell whether bilinear interpolation by `gather.bilinear` does for a pair.

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
    if not both_metric(source, cells):
        return False
    return abs(source.resolution.x) >= _FINER * abs(cells.resolution.x)


def both_metric(source: GeoBox, cells: GeoBox) -> bool:
    """Tell whether neither lies in degrees, which wrap around.

    Parameters
    ----------
    source : GeoBox
        Pixels there are.
    cells : GeoBox
        Cells wanted.

    Returns
    -------
    bool
        False is left to GDAL.
    """
    return not (crs_of(source).geographic or crs_of(cells).geographic)


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
    return Lattice(rows=v - 0.5, columns=u - 0.5, step=step, shape=(cells.shape[0], cells.shape[1]))


def _apply(
    affine: Affine, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions under an affine transformation."""
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f
