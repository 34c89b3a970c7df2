"""When MODIS composites begin and end, and which tiles of its grid a region touches."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from firesat.grid import crs_of
from firesat.sources._hdf4 import SINUSOIDAL, TILE

_DAY = np.timedelta64(1, "D")
_ROWS = 18  # of tiles, from pole to pole


def day_of_year(day: np.datetime64) -> int:
    """Count a day from the year's first.

    Parameters
    ----------
    day : np.datetime64
        In days.

    Returns
    -------
    int
        1 to 366.
    """
    return int((day - day.astype("datetime64[Y]").astype("datetime64[D]")) / _DAY) + 1


def first_day(text: str) -> np.datetime64:
    """Read the day in a granule's name.

    Parameters
    ----------
    text : str
        Year and day of the year, such as "2023177".

    Returns
    -------
    np.datetime64
        In days.
    """
    return np.datetime64(text[:4], "D") + (int(text[4:]) - 1) * _DAY


def composite_start(
    days: NDArray[np.datetime64], length: int, first: int = 1
) -> NDArray[np.datetime64]:
    """Find the composite that holds each day.

    Parameters
    ----------
    days : ndarray of datetime64
        Any.
    length : int
        Days of a composite, each year starting anew; 0 = calendar months.
    first : int
        Day of the year on which the first begins.

    Returns
    -------
    ndarray of datetime64[D]
        First day of the composite.
    """
    if length == 0:
        return np.asarray(days.astype("datetime64[M]").astype("datetime64[D]"))
    moved = days.astype("datetime64[D]") - (first - 1) * _DAY
    years = moved.astype("datetime64[Y]").astype("datetime64[D]")
    since = (moved - years).astype(np.int64) // length * length
    return np.asarray(years + since.astype("timedelta64[D]") + (first - 1) * _DAY)


def composite_end(start: np.datetime64, length: int, first: int = 1) -> np.datetime64:
    """Find the end of a composite; the last one of a year is short.

    Parameters
    ----------
    start : np.datetime64
        Its first day.
    length : int
        Days; 0 = a calendar month.
    first : int
        Day of the year on which the first composite begins; after 1 the last one is not short.

    Returns
    -------
    np.datetime64
        Midnight after its last day.
    """
    if length == 0:
        month = start.astype("datetime64[M]") + np.timedelta64(1, "M")
        return np.datetime64(month, "D")
    new_year = (start.astype("datetime64[Y]") + np.timedelta64(1, "Y")).astype("datetime64[D]")
    whole = start + length * _DAY
    end: np.datetime64 = min(whole, new_year) if first == 1 else whole
    return end


def tiles_of(region: GeoBox) -> set[tuple[int, int]]:
    """List the sinusoidal tiles that a region touches.

    Parameters
    ----------
    region : GeoBox
        Cells of any CRS.

    Returns
    -------
    set of (int, int)
        Horizontal and vertical number.
    """
    return set(_tiles_of(tuple(region.boundingbox), crs_of(region).to_wkt()))


@lru_cache(maxsize=4096)  # every tile of a country; all products share them
def _tiles_of(box: tuple[float, float, float, float], crs: str) -> frozenset[tuple[int, int]]:
    """Tiles that left, bottom, right, top touch, by points 2 km apart."""
    left, bottom, right, top = box
    x = np.linspace(left - 1000, right + 1000, math.ceil((right - left) / 2000) + 2)
    y = np.linspace(bottom - 1000, top + 1000, math.ceil((top - bottom) / 2000) + 2)
    east, north = _to_sinusoidal(crs).transform(*np.meshgrid(x, y))
    h, v = np.floor([east / TILE + 18, 9 - north / TILE]).astype(int)
    return frozenset(divmod(int(number), _ROWS) for number in np.unique(h * _ROWS + v))


@lru_cache(maxsize=2)
def _to_sinusoidal(crs: str) -> Transformer:
    """From metres of a CRS to those of the products."""
    return Transformer.from_crs(crs, SINUSOIDAL, always_xy=True)
