"""The MODIS sinusoidal tiles, and a region's fields on them.

Source: MODIS land grid, modis-land.gsfc.nasa.gov/MODLAND_grid.html: 36 x 18 tiles of 10 degrees of
the equator on a sphere of 6371007.181 m, h from 180 W, v from 90 N.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.sandbox.encode.hdf4 import RADIUS
from firesat.sandbox.observe.warp import warp
from firesat.sandbox.servers.outline import outline

CRS = f"+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R={RADIUS} +units=m +no_defs"
TILE = math.pi * RADIUS / 18
_LEFT, _TOP = -18 * TILE, 9 * TILE


@dataclass(frozen=True, kw_only=True)
class SinusoidalTile:
    """One tile.

    Parameters
    ----------
    h : int
        Column, 0 to 35.
    v : int
        Row, 0 to 17.
    """

    h: int
    v: int

    @property
    def name(self) -> str:
        """The tile as file names have it.

        Returns
        -------
        str
            Such as "h12v03".
        """
        return f"h{self.h:02d}v{self.v:02d}"

    @property
    def upper_left(self) -> tuple[float, float]:
        """The outer corner.

        Returns
        -------
        tuple of float
            x and y in metres.
        """
        return _LEFT + self.h * TILE, _TOP - self.v * TILE

    @property
    def lower_right(self) -> tuple[float, float]:
        """The outer corner.

        Returns
        -------
        tuple of float
            x and y in metres.
        """
        return _LEFT + (self.h + 1) * TILE, _TOP - (self.v + 1) * TILE

    def affine(self, size: int) -> Affine:
        """Give the tile's pixels a place.

        Parameters
        ----------
        size : int
            Pixels of a side.

        Returns
        -------
        Affine
            Pixel to metres.
        """
        x, y = self.upper_left
        return Affine(TILE / size, 0, x, 0, -TILE / size, y)


def bounds(cells: GeoBox) -> tuple[float, float, float, float]:
    """Project a region's outline.

    Parameters
    ----------
    cells : GeoBox
        The region.

    Returns
    -------
    tuple of float
        Smallest x, smallest y, largest x and largest y in metres of the sinusoidal grid.
    """
    x0, y0, x1, y1 = outline(cells, CRS).bounds
    return x0, y0, x1, y1


def tiles(cells: GeoBox) -> Iterator[SinusoidalTile]:
    """List the tiles that a region's outline touches.

    Parameters
    ----------
    cells : GeoBox
        The region.

    Yields
    ------
    SinusoidalTile
        Row by row.
    """
    x0, y0, x1, y1 = bounds(cells)
    for v in range(math.floor((_TOP - y1) / TILE), math.floor((_TOP - y0) / TILE) + 1):
        for h in range(math.floor((x0 - _LEFT) / TILE), math.floor((x1 - _LEFT) / TILE) + 1):
            yield SinusoidalTile(h=h, v=v)


def on_tile(
    fields: NDArray[np.float32], cells: GeoBox, tile: SinusoidalTile, size: int
) -> tuple[NDArray[np.float32], tuple[slice, slice]]:
    """Move fields to the pixels of a tile by the nearest neighbour.

    Parameters
    ----------
    fields : ndarray, shape (N, Y, X)
        NaN where missing.
    cells : GeoBox
        Cells of the fields.
    tile : SinusoidalTile
        Where to.
    size : int
        Pixels of the tile's side.

    Returns
    -------
    tuple of (ndarray, tuple of slice)
        The fields on a window of the tile, NaN outside the region, and that window; empty where
        the region misses the tile.
    """
    whole = tile.affine(size)
    x0, y0, x1, y1 = bounds(cells)
    left, top = ~whole @ (x0, y1)
    right, bottom = ~whole @ (x1, y0)
    columns = slice(max(math.floor(left), 0), max(min(math.ceil(right), size), 0))
    rows = slice(max(math.floor(top), 0), max(min(math.ceil(bottom), size), 0))
    shape = (len(fields), max(rows.stop - rows.start, 0), max(columns.stop - columns.start, 0))
    if not math.prod(shape):
        return np.full(shape, np.nan, dtype="float32"), (rows, columns)
    window = GeoBox(shape[1:], whole @ Affine.translation(columns.start, rows.start), CRS)
    wanted = np.ascontiguousarray(fields, dtype="float32")
    # exactly: GDAL's default tolerance may be an eighth of a pixel off
    moved = warp(wanted, cells, window, missing=np.nan, tolerance=0)
    return moved, (rows, columns)
