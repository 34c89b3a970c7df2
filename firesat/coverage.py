"""How much of each cell polygons cover, exactly.

The area of a polygon left of a point is a sum over its edges, and so is the part of each cell that
it covers: an edge that climbs by ``d`` within a row adds ``d`` to all cells right of it and the
part of ``d`` right of the edge to the cell that it crosses. A running sum along the row ends the
work. No sub-cells and no clipping: the sum over the cells is the polygon's area to rounding.
"""

from collections.abc import Sequence
from math import floor

import numba
import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

SLIVER = 1e-7  # share of a cell, 10 cm2 of a hectare: less is rounding, not ground

Floats = NDArray[np.float64]
Shapes = Sequence[shapely.Geometry] | NDArray[np.object_]


def burned_fraction(shapes: Shapes, cells: GeoBox) -> NDArray[np.float32]:
    """Draw polygons as the share of each cell that they cover together.

    Parameters
    ----------
    shapes : sequence or array of shapely geometry
        Valid, in the CRS of `cells`; lines and points in them cover nothing. Where they overlap the
        ground is counted once.
    cells : GeoBox
        Target cells, north up.

    Returns
    -------
    ndarray of float32, shape (Y, X)
        0 to 1; its sum times the area of a cell is the area of the shapes' union in the plane.
    """
    share = covered(disjoint(shapes), cells)
    return share.astype(np.float32)


def covered(shapes: Shapes, cells: GeoBox) -> Floats:
    """Give the share of each cell that polygons cover which do not overlap.

    Parameters
    ----------
    shapes : sequence or array of shapely geometry
        Valid and apart, save for their edges, in the CRS of `cells`.
    cells : GeoBox
        Target cells, north up.

    Returns
    -------
    ndarray of float64, shape (Y, X)
        0 to 1.
    """
    height, width = cells.shape
    climb = np.zeros((height, width + 1))
    x, y, ring = _edges(shapes)
    to_cells = ~cells.affine
    _accumulate(to_cells.a * x + to_cells.c, to_cells.e * y + to_cells.f, ring, climb)
    share = np.cumsum(climb, axis=1, out=climb)[:, :width]
    share[share < SLIVER] = 0.0
    return np.minimum(share, 1.0, out=share)


def disjoint(shapes: Shapes) -> list[shapely.Geometry]:
    """Join the shapes that overlap, so that no ground is covered twice.

    Parameters
    ----------
    shapes : sequence or array of shapely geometry
        Valid.

    Returns
    -------
    list of shapely geometry
        One for each shape that stands alone, or shares no more than edges, and one for each group
        of those that overlap.
    """
    parts = np.asarray(shapes, dtype=object)
    group = overlapping(parts)
    alone = np.bincount(group, minlength=len(parts))[group] == 1 if len(parts) else group == 0
    joined = [shapely.union_all(parts[group == name]) for name in np.unique(group[~alone])]
    return [*parts[alone], *joined]


def overlapping(shapes: NDArray[np.object_]) -> NDArray[np.int64]:
    """Number the groups of shapes that overlap.

    Parameters
    ----------
    shapes : ndarray of shapely geometry, shape (n,)
        Valid.

    Returns
    -------
    ndarray of int64, shape (n,)
        The same number for shapes that share ground, directly or through others.
    """
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    once = one < other
    one, other = one[once], other[once]
    shared = shapely.relate_pattern(shapes[one], shapes[other], "2********")
    pairs = coo_matrix(
        (np.ones(int(shared.sum())), (one[shared], other[shared])), shape=(len(shapes),) * 2
    )
    groups: NDArray[np.int64] = connected_components(pairs, directed=False)[1].astype(np.int64)
    return groups


def _edges(shapes: Shapes) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Corners of all rings one after the other, shells against the clock, and their ring."""
    parts = shapely.get_parts(shapely.get_parts(np.asarray(shapes, dtype=object)))
    polygons = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    rings = shapely.get_rings(shapely.orient_polygons(polygons))
    corners, ring = shapely.get_coordinates(rings, return_index=True)
    return corners[:, 0].copy(), corners[:, 1].copy(), ring.astype(np.int64)


@numba.njit(cache=True)
def _accumulate(x: Floats, y: Floats, ring: NDArray[np.int64], climb: Floats) -> None:
    """Add every edge to the rows that it crosses; y counts rows downwards."""
    for i in range(len(x) - 1):
        if ring[i] == ring[i + 1] and y[i] != y[i + 1]:
            sign = 1.0 if y[i + 1] > y[i] else -1.0
            top, bottom = (i, i + 1) if sign > 0 else (i + 1, i)
            slope = (x[bottom] - x[top]) / (y[bottom] - y[top])
            first, last = max(floor(y[top]), 0), min(floor(y[bottom]), len(climb) - 1)
            for row in range(first, last + 1):
                high, low = max(y[top], row), min(y[bottom], row + 1)
                begin = x[top] + (high - y[top]) * slope
                end = x[top] + (low - y[top]) * slope
                _cross(climb[row], min(begin, end), max(begin, end), sign * (low - high))


@numba.njit(cache=True)
def _cross(line: Floats, left: float, right: float, rise: float) -> None:
    """Spread an edge's rise within a row over the columns from `left` to `right`."""
    width = len(line) - 1
    if right <= 0.0:  # before the first column: the whole row lies right of it
        line[0] += rise
        return
    if right - left < 1e-9:  # upright: all in one column
        right = left = max(left, 0.0)
    rate = rise / (right - left) if right > left else 0.0
    if left < 0.0:
        line[0] -= rate * left
        left = 0.0
    column = floor(left)
    while column < width:
        end = min(right, column + 1.0)
        part = rise if right == left else rate * (end - left)
        inside = 0.5 * (left + end) - column
        line[column] += part * (1.0 - inside)
        line[column + 1] += part * inside
        left, column = end, column + 1
        if right <= column:
            break
