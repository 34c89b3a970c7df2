"""Squares of a UTM zone: what services ask for that do not know Canada's Lambert."""

import math
from collections.abc import Iterator
from itertools import pairwise

from odc.geo.geobox import GeoBox

from firesat.grid import Bounds
from firesat.sources._sentinelhub import MAX_SIDE


def utm_zone(region: GeoBox) -> int:
    """Choose the UTM zone of a region's centre.

    Parameters
    ----------
    region : GeoBox
        Cells of any CRS, north of the equator.

    Returns
    -------
    int
        EPSG code, 32601 to 32660.
    """
    longitude = region.extent.centroid.to_crs("EPSG:4326").coords[0][0]
    return 32600 + min(60, int((longitude + 180) // 6) + 1)


def utm_squares(region: GeoBox, epsg: int, size: int) -> list[Bounds]:
    """Cover a region with boxes of a UTM zone.

    Parameters
    ----------
    region : GeoBox
        Cells of any CRS.
    epsg : int
        Code of the zone.
    size : int
        Pixel size in metres.

    Returns
    -------
    list of tuple of float
        x0, y0, x1, y1 on multiples of the pixel, a pixel wider than the region on each side; none
        longer than a request may be.
    """
    box = region.extent.to_crs(f"EPSG:{epsg}", resolution=10_000).boundingbox
    left, bottom = (math.floor(edge / size - 1) for edge in (box.left, box.bottom))
    right, top = (math.ceil(edge / size + 1) for edge in (box.right, box.top))
    return [
        (x0 * size, y0 * size, x1 * size, y1 * size)
        for x0, x1 in _cuts(left, right)
        for y0, y1 in _cuts(bottom, top)
    ]


def _cuts(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Even parts of a line of pixels, none longer than a request may be."""
    parts = math.ceil((stop - start) / MAX_SIDE)
    edges = [start + (stop - start) * part // parts for part in range(parts + 1)]
    yield from pairwise(edges)
