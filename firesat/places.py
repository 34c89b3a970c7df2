"""Where the blocks of a group lie: tiles, parts of tiles, or the whole box."""

from functools import lru_cache
from itertools import product

from odc.geo.geobox import GeoBox

from firesat.grid import TILE_SIZE, Bounds, Grid


@lru_cache(maxsize=8)
def places_of(level: int, grid: Grid, *, side: int) -> tuple[tuple[int, int, GeoBox], ...]:
    """List the blocks of one time step; a country's take half a second.

    Parameters
    ----------
    level : int
        Metres of a cell.
    grid : Grid
        The project's grid and region.
    side : int
        Metres of a block's side, a tile's or a divisor of it; 0 = the whole box.

    Returns
    -------
    tuple of (int, int, GeoBox)
        Row, column and cells of each.
    """
    if not side:  # the whole box
        return ((0, 0, grid.box(level)),)
    first, parts = grid.first_tile, TILE_SIZE // side
    found = []
    for tile in grid.tiles():
        cells = grid.tile_geobox(tile, level)
        top, left = parts * (tile.row - first.row), parts * (tile.column - first.column)
        for row, column in product(range(parts), repeat=2):
            part = cells if parts == 1 else _part(cells, side // level, (row, column))
            if parts == 1 or _touches(part, grid.extent):
                found.append((top + row, left + column, part))
    return tuple(found)


def _part(cells: GeoBox, side: int, place: tuple[int, int]) -> GeoBox:
    """A block of a tile."""
    row, column = (number * side for number in place)
    part: GeoBox = cells[row : row + side, column : column + side]
    return part


def _touches(cells: GeoBox, extent: Bounds) -> bool:
    """Whether a block has cells in the region."""
    x0, y0, x1, y1 = intersection(cells, extent)
    return x0 < x1 and y0 < y1


def intersection(cells: GeoBox, extent: Bounds) -> Bounds:
    """Find the common part of a block's cells and the region.

    Parameters
    ----------
    cells : GeoBox
        The block's.
    extent : tuple of float
        x0, y0, x1, y1 of the region.

    Returns
    -------
    tuple of float
        x0, y0, x1, y1; empty where x1 <= x0 or y1 <= y0.
    """
    box = cells.boundingbox
    return (
        max(box.left, extent[0]),
        max(box.bottom, extent[1]),
        min(box.right, extent[2]),
        min(box.top, extent[3]),
    )
