"""The national box and the region of it that a project covers."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from firesat.errors import GridError
from firesat.grid.cells import LEVELS, Bounds, geobox
from firesat.grid.tile import Tile
from firesat.land import touches_land

TILE_SIZE = 100_000  # metres


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The national grid and the region of it that a project covers.

    Parameters
    ----------
    crs : str
        EPSG:3979 (NAD83(CSRS) / Canada Atlas Lambert, conformal) or another metric CRS, such as
        ESRI:102001 (equal area).
    bounds : tuple of float
        x0, y0, x1, y1 of the national box in metres, multiples of 100 km.
    region : tuple of float, optional
        x0, y0, x1, y1 in the same CRS, multiples of 10 km; None = all tiles with Canadian land.
    bbox : tuple of float, optional
        West, south, east, north in degrees, instead of `region`; grown to whole 10 km cells.

    Raises
    ------
    GridError
        If the region is empty, off the 10 km lines, or outside the box.
    """

    crs: str = "EPSG:3979"
    bounds: Bounds = (-2_600_000.0, -900_000.0, 3_100_000.0, 4_000_000.0)
    region: Bounds | None = None
    bbox: Bounds | None = None

    def __post_init__(self) -> None:
        """Refuse regions that the grid cannot hold."""
        if self.region is not None and self.bbox is not None:
            raise GridError("both grid.region and grid.bbox are given: keep one")
        _check_region(self.extent, self.bounds)

    @property
    def lattice(self) -> dict[str, Any]:
        """Say where its cells of 100 m lie, whatever the region.

        Returns
        -------
        dict
            ``origin``, the upper left corner of the box, and ``cell_size``, in metres; JSON.
        """
        return {"origin": [self.bounds[0], self.bounds[3]], "cell_size": 100}

    @property
    def extent(self) -> Bounds:
        """The region in the grid's CRS.

        Returns
        -------
        tuple of float
            x0, y0, x1, y1 in metres, multiples of 10 km.
        """
        if self.region is not None:
            return self.region
        if self.bbox is None:
            return self.bounds
        return around_degrees(self.bbox, self.crs)

    def tiles(self) -> list[Tile]:
        """List the tiles that the region touches; of the whole box, those with land.

        Returns
        -------
        list of Tile
            Row by row from the top left.

        Raises
        ------
        GridError
            If the whole box has no Canadian land.
        """
        columns, rows = self._tile_ranges()
        tiles = [Tile(column, row) for row in rows for column in columns]
        if self.extent != self.bounds:
            return tiles
        land = touches_land(np.array([self._square(tile) for tile in tiles]), self.crs)
        if not land.any():
            raise GridError(f"the box {self.bounds} has no Canadian land: give grid.region as well")
        return [tile for tile, has_land in zip(tiles, land, strict=True) if has_land]

    @property
    def first_tile(self) -> Tile:
        """The upper left tile of :meth:`box`, from which blocks are counted.

        Returns
        -------
        Tile
            With or without land.
        """
        columns, rows = self._tile_ranges()
        return Tile(columns.start, rows.start)

    def _square(self, tile: Tile) -> Bounds:
        """The area of a tile."""
        x0 = self.bounds[0] + tile.column * TILE_SIZE
        y1 = self.bounds[3] - tile.row * TILE_SIZE
        return x0, y1 - TILE_SIZE, x0 + TILE_SIZE, y1

    def _tile_ranges(self) -> tuple[range, range]:
        """Columns and rows of tiles that the region touches."""
        x0, y0, x1, y1 = self.extent
        left, top = self.bounds[0], self.bounds[3]
        columns = range(math.floor((x0 - left) / TILE_SIZE), math.ceil((x1 - left) / TILE_SIZE))
        rows = range(math.floor((top - y1) / TILE_SIZE), math.ceil((top - y0) / TILE_SIZE))
        return columns, rows

    def tile_geobox(self, tile: Tile, resolution: int) -> GeoBox:
        """Give a tile's cells at a level.

        Parameters
        ----------
        tile : Tile
            A tile of the national box.
        resolution : int
            Cell size in metres, one of `LEVELS`.

        Returns
        -------
        GeoBox
            North up, cells from the upper left.

        Raises
        ------
        GridError
            If the level does not exist or the tile lies outside the box.
        """
        square = self._square(tile)
        inside = square[0] < self.bounds[2] and square[3] > self.bounds[1]
        if not inside:
            raise GridError(f"tile {tile.name} lies outside the grid's box {self.bounds}")
        return geobox(square, self.crs, resolution)

    def box(self, resolution: int) -> GeoBox:
        """Give the cells of all the region's tiles together.

        Parameters
        ----------
        resolution : int
            Cell size in metres, one of `LEVELS`.

        Returns
        -------
        GeoBox
            Starts and ends on tile edges.
        """
        columns, rows = self._tile_ranges()
        left, top = self.bounds[0], self.bounds[3]
        return geobox(
            (
                left + columns.start * TILE_SIZE,
                top - rows.stop * TILE_SIZE,
                left + columns.stop * TILE_SIZE,
                top - rows.start * TILE_SIZE,
            ),
            self.crs,
            resolution,
        )

    def region_geobox(self, resolution: int) -> GeoBox:
        """Give the cells of the region alone.

        Parameters
        ----------
        resolution : int
            Cell size in metres, one of `LEVELS`.

        Returns
        -------
        GeoBox
            A part of :meth:`box`, on the same lines.
        """
        return geobox(self.extent, self.crs, resolution)


def _check_region(extent: Bounds, bounds: Bounds) -> None:
    """Refuse an empty region, one off the 10 km lines, or one outside the box."""
    x0, y0, x1, y1 = extent
    if x1 <= x0 or y1 <= y0:
        raise GridError(f"the region {extent} is empty: write it as [x0, y0, x1, y1], x0 < x1")
    if max(map(abs, extent)) <= 360:
        raise GridError(
            f"the region {list(extent)} is in degrees, not metres: write it as grid.bbox, "
            "[west, south, east, north], instead of grid.region"
        )
    if any(value % LEVELS[-1] for value in extent):
        snapped = [round(value / LEVELS[-1]) * LEVELS[-1] for value in extent]
        raise GridError(
            f"the region {list(extent)} is off the 10 km lines: the nearest is {snapped}"
        )
    if x0 < bounds[0] or y0 < bounds[1] or x1 > bounds[2] or y1 > bounds[3]:
        raise GridError(f"the region {list(extent)} leaves Canada's box {list(bounds)}")


def around_degrees(bbox: Bounds, crs: str) -> Bounds:
    """Project degrees to metres and grow to whole 10 km cells.

    Parameters
    ----------
    bbox : tuple of float
        West, south, east, north in degrees.
    crs : str
        Metric CRS.

    Returns
    -------
    tuple of float
        x0, y0, x1, y1 in metres, multiples of 10 km, which hold the whole bbox.

    Raises
    ------
    GridError
        If it is no bbox.
    """
    west, south, east, north = bbox
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise GridError(f"the bbox {list(bbox)} is not [west, south, east, north] in degrees")
    to_metres = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x0, y0, x1, y1 = to_metres.transform_bounds(west, south, east, north)
    step = LEVELS[-1]
    return (
        math.floor(x0 / step) * step,
        math.floor(y0 / step) * step,
        math.ceil(x1 / step) * step,
        math.ceil(y1 / step) * step,
    )
