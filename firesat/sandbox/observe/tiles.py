"""Tiles of Sentinel-2's grid that a world reaches into, cut to what it fills of them."""

from dataclasses import dataclass

import numpy as np
from pyproj import Transformer
from rasterio.warp import transform_bounds

from firesat.sandbox.observe.sentinel2 import mgrs_square
from firesat.sandbox.world import World

_SNAP = 300  # metres: whole pixels of 10, 20, 60 and cells of 100
_LATTICE = 3_000.0  # metres between the places whose squares are looked up
_TILE = 109_800  # metres


@dataclass(frozen=True, kw_only=True)
class TilePart:
    """The part of a tile that a world fills.

    Parameters
    ----------
    name : str
        The tile.
    epsg : int
        Code of its UTM zone.
    corner : tuple of int
        Left and top, metres.
    extent : tuple of int
        Metres from top to bottom and from left to right.
    """

    name: str
    epsg: int
    corner: tuple[int, int]
    extent: tuple[int, int]


def tile_parts(world: World) -> list[TilePart]:
    """List the tiles that hold a part of the world, of every UTM zone that it touches.

    Parameters
    ----------
    world : World
        The sandbox.

    Returns
    -------
    list of TilePart
        By name.
    """
    edges = world.geobox.boundingbox
    columns, rows = (
        np.linspace(low, high, 2 + int((high - low) / _LATTICE))
        for low, high in ((edges.left, edges.right), (edges.bottom, edges.top))
    )
    to_degrees = Transformer.from_crs(world.config.crs, "EPSG:4326", always_xy=True)
    x, y = (axis.ravel() for axis in np.meshgrid(columns, rows))
    places = zip(*to_degrees.transform(x, y), strict=True)
    parts = [_part(world, tile) for tile in sorted({mgrs_square(*place) for place in places})]
    return [part for part in parts if min(part.extent) > 0]


def _part(world: World, tile: str) -> TilePart:
    """The world's bounds within a tile, grown to whole 300 m from the tile's corner."""
    epsg = 32600 + int(tile[:2])
    x0, y0, x1, y1 = transform_bounds(world.config.crs, f"EPSG:{epsg}", *world.config.region)
    left, top = square_corner(tile, (y0 + y1) / 2)
    first, above = (max(0, int(gap // _SNAP) * _SNAP) for gap in (x0 - left, top - y1))
    last, below = (min(_TILE, -int(-gap // _SNAP) * _SNAP) for gap in (x1 - left, top - y0))
    return TilePart(
        name=tile,
        epsg=epsg,
        corner=(left + first, top - above),
        extent=(below - above, last - first),
    )


def square_corner(tile: str, northing: float) -> tuple[int, int]:
    """Find the upper left corner of a tile.

    Parameters
    ----------
    tile : str
        Its name, such as "15UVB".
    northing : float
        Metres, within a thousand kilometres of it: rows have the same letter every 2000 km.

    Returns
    -------
    tuple of int
        Metres: the corner of its square, moved outwards to a multiple of 60 m.
    """
    zone = int(tile[:2])
    column = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")[(zone - 1) % 3].index(tile[3]) + 1
    row = ("ABCDEFGHJKLMNPQRSTUV".index(tile[4]) - (5 if zone % 2 == 0 else 0)) % 20 + 1
    top = 100_000 * (row + 20 * round((northing / 100_000 - row + 0.5) / 20))
    return 100_000 * column // 60 * 60, -(-top // 60) * 60
