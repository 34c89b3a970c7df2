"""How often Sentinel-2 looks at a place: the geometry of its orbits, to plan by."""

import math
from collections.abc import Collection
from functools import cache, lru_cache

import numpy as np
from pyproj import Transformer

from firesat.blocks import Block
from firesat.sources._utm import Square, fixed_squares

# ESA, Sentinel-2 user handbook: 143 orbits in 10 days, swath in km, inclination in degrees.
_ORBITS_A_DAY, SWATH, _INCLINATION = 14.3, 290.0, 98.57
_EQUATOR = 40_075.0  # km
_DEGREE = 111_132 * 0.9996  # metres of a mean degree of meridian (WGS 84), times UTM's scale
_SECOND_SATELLITE = np.datetime64("2017-07-01")  # Sentinel-2B in routine operation

Place = tuple[int, int]  # row and column of a block


def satellites(day: np.datetime64) -> int:
    """Count the satellites at work.

    Parameters
    ----------
    day : np.datetime64
        Any day since 2015.

    Returns
    -------
    int
        1 or 2.
    """
    return 1 + int(day >= _SECOND_SATELLITE)


def looks_a_day(latitude: float) -> float:
    """Estimate how often one satellite sees a place by day, clouds or not.

    Parameters
    ----------
    latitude : float
        Degrees north.

    Returns
    -------
    float
        Overpasses a day, such as 0.19 at 55 degrees.
    """
    parallel = _EQUATOR * math.cos(math.radians(latitude))
    # sin(azimuth) = cos(inclination) / cos(latitude): spherical triangle of track and meridian
    lean = math.cos(math.radians(_INCLINATION)) / math.cos(math.radians(latitude))
    across = SWATH / math.sqrt(max(1 - lean**2, 0.05))  # the poles are never reached
    return _ORBITS_A_DAY * across / parallel


def looks_at_squares(blocks: Collection[Block]) -> float:
    """Estimate how often fixed squares are seen, each once a look whatever blocks it touches.

    Parameters
    ----------
    blocks : collection of Block
        Tiles and days.

    Returns
    -------
    float
        Expected requests.
    """
    squares: dict[Place, tuple[Square, ...]] = {}
    days: dict[np.datetime64, set[Place]] = {}
    for block in blocks:
        place = block.index[1:]
        if place not in squares:
            squares[place] = fixed_squares(block.region)
        days.setdefault(block.times[0], set()).add(place)

    @cache
    def a_day(places: frozenset[Place]) -> float:
        chosen = {square for place in places for square in squares[place]}
        return sum(looks_a_day(_latitude(square)) for square in chosen)

    return sum(satellites(day) * a_day(frozenset(places)) for day, places in days.items())


def _latitude(square: Square) -> float:
    """Of a square's centre, in degrees within a tenth: UTM's northings grow nearly evenly."""
    _, (_, y0, _, y1) = square
    return (y0 + y1) / 2 / _DEGREE


def degrees_of(wkt: str, x: float, y: float) -> tuple[float, float]:
    """Give the longitude and latitude of a place.

    Parameters
    ----------
    wkt : str
        CRS of the place.
    x, y : float
        In it.

    Returns
    -------
    tuple of float
        Degrees.
    """
    longitude, latitude = _to_degrees(wkt).transform(x, y)
    return longitude, latitude


@lru_cache(maxsize=8)
def _to_degrees(wkt: str) -> Transformer:
    """From a CRS to degrees; to find out how takes longer than to do it."""
    return Transformer.from_crs(wkt, "EPSG:4326", always_xy=True)
