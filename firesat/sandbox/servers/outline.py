"""A region's outline in other coordinates."""

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely.geometry import Polygon, box

from firesat.grid import crs_of

_POINTS = 50  # along a side, so that curved edges stay on the map


def outline(cells: GeoBox, crs: str) -> Polygon:
    """Project a region's outline.

    Parameters
    ----------
    cells : GeoBox
        The region.
    crs : str
        Any CRS that PROJ knows; longitude before latitude for degrees.

    Returns
    -------
    shapely Polygon
        With points between the corners.
    """
    edges = cells.boundingbox
    square = box(edges.left, edges.bottom, edges.right, edges.top)
    dense = shapely.segmentize(square, edges.span_x / _POINTS)
    transformer = Transformer.from_crs(crs_of(cells).to_wkt(), crs, always_xy=True)

    def project(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer.transform(*points.T))

    projected: Polygon = shapely.transform(dense, project)
    return projected
