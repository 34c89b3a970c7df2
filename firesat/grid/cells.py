"""Cells of a metric grid: their levels, true areas, and the chips that cover them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pyproj import Proj
from scipy.ndimage import map_coordinates

from firesat.errors import GridError

LEVELS = (10, 20, 50, 100, 500, 1000, 10_000)
"""Cell sizes in metres, all of them parts of a tile."""

Bounds = tuple[float, float, float, float]


def geobox(extent: Bounds, crs: str, resolution: int) -> GeoBox:
    """Cut an extent into cells, north up.

    Parameters
    ----------
    extent : tuple of float
        x0, y0, x1, y1 in metres, multiples of `resolution`.
    crs : str
        Metric CRS.
    resolution : int
        Cell size in metres, one of `LEVELS`.

    Returns
    -------
    GeoBox
        Cells from the upper left corner.

    Raises
    ------
    GridError
        If the level does not exist.
    """
    if resolution not in LEVELS:
        raise GridError(f"no level of {resolution} m: choose one of {', '.join(map(str, LEVELS))}")
    return GeoBox.from_bbox(extent, crs, resolution=resolution, tight=True)


def cell_area(cells: GeoBox) -> NDArray[np.float64]:
    """Compute the true ground area of each cell.

    A conformal grid is not equal-area: over Canada a "100 m" cell of EPSG:3979 has 0.94 to 1.11 of
    its nominal hectare. The areal scale factor is PROJ's, taken on a lattice of at most 65 points
    a side and interpolated linearly (it varies smoothly; the error is below 1e-6).

    Parameters
    ----------
    cells : GeoBox
        Cells of a metric CRS.

    Returns
    -------
    ndarray of float, shape (Y, X)
        Square metres.
    """
    height, width = cells.shape
    rows = np.linspace(0, height - 1, min(height, 65))
    columns = np.linspace(0, width - 1, min(width, 65))
    column, row = np.meshgrid(columns + 0.5, rows + 0.5)
    a = cells.affine
    x, y = a.c + a.a * column, a.f + a.e * row
    projection = Proj(crs_of(cells).to_wkt())
    longitude, latitude = projection(x, y, inverse=True)
    scale = projection.get_factors(longitude, latitude).areal_scale
    nominal = abs(cells.resolution.x * cells.resolution.y)
    steps = [_fractional_index(height, len(rows)), _fractional_index(width, len(columns))]
    where = np.stack(np.meshgrid(*steps, indexing="ij"))
    area: NDArray[np.float64] = map_coordinates(nominal / scale, where, order=1, mode="nearest")
    return area


def crs_of(cells: GeoBox) -> CRS:
    """Give the CRS of cells that must have one.

    Parameters
    ----------
    cells : GeoBox
        Any cells.

    Returns
    -------
    CRS
        Their CRS.

    Raises
    ------
    GridError
        If they have none.
    """
    if cells.crs is None:
        raise GridError(f"cells {cells.boundingbox} have no CRS: give one with assign_crs(...)")
    return cells.crs


def _fractional_index(cells: int, points: int) -> NDArray[np.float64]:
    """Position of each cell on a lattice of `points` spread over `cells`."""
    return np.linspace(0, points - 1, cells)


def chip_origins(height: int, width: int, size: int, stride: int) -> Iterator[tuple[int, int]]:
    """Walk over chips that together cover every cell.

    Parameters
    ----------
    height, width : int
        Cells of the area.
    size : int
        Cells of a chip's side.
    stride : int
        Step between chips, at most `size`.

    Yields
    ------
    tuple of int
        Row and column of the upper left cell; the last chip of a line is moved back so that it
        ends on the edge.

    Raises
    ------
    GridError
        If the area is smaller than a chip or the stride would leave gaps.
    """
    if size > height or size > width or not 0 < stride <= size:
        raise GridError(
            f"chips of {size} cells with stride {stride} do not cover {height} x {width} cells: "
            "take smaller chips, or a stride of at most the chip"
        )
    rows = [*range(0, height - size, stride), height - size]
    columns = [*range(0, width - size, stride), width - size]
    for row in rows:
        for column in columns:
            yield row, column
