"""Squares of a UTM zone: what services ask for that do not know Canada's Lambert."""

import math
from collections.abc import Iterator
from itertools import pairwise

from odc.geo.geobox import GeoBox
from pyproj import Transformer

from firesat.grid import Bounds, crs_of
from firesat.sources._layers import bounds_in
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
    box = region.boundingbox
    to_degrees = Transformer.from_crs(crs_of(region).to_wkt(), "EPSG:4326", always_xy=True)
    longitude, _ = to_degrees.transform((box.left + box.right) / 2, (box.bottom + box.top) / 2)
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
    x0, y0, x1, y1 = bounds_in(region, f"EPSG:{epsg}")
    left, bottom = (math.floor(edge / size - 1) for edge in (x0, y0))
    right, top = (math.ceil(edge / size + 1) for edge in (x1, y1))
    return [
        (west * size, south * size, east * size, north * size)
        for west, east in _cuts(left, right)
        for south, north in _cuts(bottom, top)
    ]


def _cuts(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Even parts of a line of pixels, none longer than a request may be."""
    parts = math.ceil((stop - start) / MAX_SIDE)
    edges = [start + (stop - start) * part // parts for part in range(parts + 1)]
    yield from pairwise(edges)
