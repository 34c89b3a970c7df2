"""Fixed squares of UTM zones: what is asked for of services that do not know Canada's Lambert.

The squares do not depend on who asks. Neighbouring tiles, and regions of another project that share
the cache, need the same ones, and each is fetched once.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely import box, prepare, segmentize, transform
from shapely.geometry.base import BaseGeometry

from firesat.grid import Bounds, crs_of

SIDE = 25_000  # metres: at 100 m one processing unit a request, so that neither allowance is wasted
_MARGIN = 200.0  # metres around a region, so that its edge is interpolated and not extrapolated
_EDGE = 1000.0  # metres between the points of an edge that is bent into another projection
_ZONE = 6  # degrees

Square = tuple[int, Bounds]  # EPSG code of the zone; x0, y0, x1, y1 in metres


@lru_cache(maxsize=4096)
def fixed_squares(region: GeoBox) -> tuple[Square, ...]:
    """List the squares that a region touches, each place in the zone of its longitude.

    Parameters
    ----------
    region : GeoBox
        Cells of any CRS, north of the equator, in the western hemisphere or the eastern.

    Returns
    -------
    tuple of (int, tuple of float)
        Zone by zone, from the south-west.
    """
    outline = segmentize(box(*region.boundingbox.bbox), _EDGE)
    degrees = _bent(outline, crs_of(region).to_wkt(), "EPSG:4326")
    west, _, east, _ = degrees.bounds
    zones = range(math.floor(west / _ZONE), math.floor(east / _ZONE) + 1)
    return tuple(square for zone in zones for square in _of_zone(degrees, zone))


def _of_zone(degrees: BaseGeometry, zone: int) -> Iterator[Square]:
    """Squares of one zone, counted from Greenwich, that its part of a region touches."""
    part = degrees.intersection(box(zone * _ZONE, 0, (zone + 1) * _ZONE, 84))
    if part.is_empty:
        return
    epsg = 32600 + (zone + 30) % 60 + 1
    # The cut along the meridian is straight in degrees: it gets points before it is bent, too.
    bent = _bent(segmentize(part, 0.01), "EPSG:4326", f"EPSG:{epsg}")
    metres = bent.buffer(_MARGIN, quad_segs=1)
    prepare(metres)
    x0, y0, x1, y1 = (edge / SIDE for edge in metres.bounds)
    for row in range(math.floor(y0), math.ceil(y1)):
        for column in range(math.floor(x0), math.ceil(x1)):
            corner = (column * SIDE, row * SIDE, (column + 1) * SIDE, (row + 1) * SIDE)
            if metres.intersects(box(*corner)):
                yield epsg, corner


def _bent(shape: BaseGeometry, source: str, target: str) -> BaseGeometry:
    """A shape in another CRS."""
    bend: Callable[..., Any] = _bend(source, target).transform
    moved: BaseGeometry = transform(shape, bend, interleaved=False)
    return moved


@lru_cache(maxsize=64)
def _bend(source: str, target: str) -> Transformer:
    """From one CRS to another; to find out how takes longer than to do it."""
    return Transformer.from_crs(source, target, always_xy=True)


def grouped(squares: Sequence[Square], side: int) -> list[list[Square]]:
    """Put squares together that are to be read as one picture.

    Parameters
    ----------
    squares : sequence of (int, tuple of float)
        Of `fixed_squares`.
    side : int
        Metres of the largest picture's side, a multiple of `SIDE`.

    Returns
    -------
    list of list
        Groups of one zone, cut along fixed lines as well.
    """
    groups: dict[tuple[int, int, int], list[Square]] = {}
    for epsg, corners in squares:
        key = epsg, int(corners[0] // side), int(corners[1] // side)
        groups.setdefault(key, []).append((epsg, corners))
    return list(groups.values())
