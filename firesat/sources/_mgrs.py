"""Where Sentinel-2's tiles lie: squares of the Military Grid Reference System, a bit enlarged."""

import math
import re
from dataclasses import dataclass

from rasterio.warp import transform_bounds

from firesat.errors import SourceError
from firesat.grid import Bounds

TILE_METRES = 109_800  # 10980 pixels of 10 m: Sentinel-2 MSI user handbook, "tiling grid"
PATTERN = r"[0-9]{2}[N-X][A-HJ-NP-Z][A-HJ-NP-V]"  # north of the equator

_SQUARE = 100_000  # metres
_CYCLE = 2_000_000  # metres after which the letters of rows repeat
_PIXEL = 60  # metres: a tile starts on a multiple of the coarsest pixel
_WHOLE = 300  # metres: whole pixels of 10, 20 and 60, and whole cells of 100
_MARGIN = 2000.0  # metres around a region, so that masks see the clouds next to it
_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")  # of zones 1, 2, 3, 1, ...
_ROWS = "ABCDEFGHJKLMNPQRSTUV"  # odd zones; even ones begin with F
_BANDS = "NPQRSTUVWX"  # of 8 degrees from the equator
_DEGREE = 111_000  # metres of a degree of latitude, to tell cycles of 2000 km apart


@dataclass(frozen=True, kw_only=True)
class TileBox:
    """The area of a tile.

    Parameters
    ----------
    epsg : int
        Code of its UTM zone.
    bounds : tuple of float
        x0, y0, x1, y1 in metres.
    """

    epsg: int
    bounds: Bounds


def tile_box(name: str) -> TileBox:
    """Place a tile by its name alone.

    The grid's letters are those of NGA.STND.0037 (Universal Grids), appendix B; a tile begins at
    the upper left corner of its square, moved outwards to a multiple of 60 m.

    Parameters
    ----------
    name : str
        Zone, band, column and row, such as "15UVB"; north of the equator.

    Returns
    -------
    TileBox
        109.8 km wide and high.

    Raises
    ------
    SourceError
        If there is no such tile.
    """
    zone = int(name[:2]) if re.fullmatch(PATTERN, name) else 0
    columns = _COLUMNS[(zone - 1) % 3]
    if not 1 <= zone <= 60 or name[3] not in columns:
        raise SourceError(f"{name!r} is no Sentinel-2 tile: they are named as 15UVB")
    middle = (4 + 8 * _BANDS.index(name[2])) * _DEGREE  # of the band
    row = (_ROWS.index(name[4]) - 5 * (zone % 2 == 0)) % len(_ROWS) * _SQUARE
    bottom = row + round((middle - row - _SQUARE / 2) / _CYCLE) * _CYCLE
    left = (columns.index(name[3]) + 1) * _SQUARE
    x0 = math.floor(left / _PIXEL) * _PIXEL
    y1 = math.ceil((bottom + _SQUARE) / _PIXEL) * _PIXEL
    return TileBox(epsg=32600 + zone, bounds=(x0, y1 - TILE_METRES, x0 + TILE_METRES, y1))


def needed_part(tile: str, region: Bounds, crs: str) -> Bounds:
    """Find which part of a tile a project's region needs.

    Parameters
    ----------
    tile : str
        Its name.
    region : tuple of float
        x0, y0, x1, y1 in metres.
    crs : str
        Of the region.

    Returns
    -------
    tuple of float
        x0, y0, x1, y1 in metres of the tile's zone, on multiples of 300 m from its upper left
        corner; the whole tile where the region holds it.
    """
    box = tile_box(tile)
    outline = transform_bounds(f"EPSG:{box.epsg}", crs, *box.bounds)
    common = (*map(max, outline[:2], region[:2]), *map(min, outline[2:], region[2:]))
    if common == outline:
        return box.bounds
    x0, y0, x1, y1 = transform_bounds(crs, f"EPSG:{box.epsg}", *common)
    left, bottom, right, top = box.bounds
    west, north = ((gap - _MARGIN) // _WHOLE * _WHOLE for gap in (x0 - left, top - y1))
    east, south = (-(-(gap + _MARGIN) // _WHOLE) * _WHOLE for gap in (x1 - left, top - y0))
    return (
        max(left, left + west),
        max(bottom, top - south),
        min(right, left + east),
        min(top, top - north),
    )
