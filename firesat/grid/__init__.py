"""The Canada grid: one CRS, nested levels, tiles with names that sort.

Levels share the tile edges, so every coarser cell is a whole number of 100 m cells::

    tile 100 km = 10 000 x 10 m = 1 000 x 100 m = 200 x 500 m = 100 x 1 km = 10 x 10 km
"""

from firesat.grid.cells import LEVELS, Bounds, cell_area, chip_origins, crs_of, geobox
from firesat.grid.national import TILE_SIZE, Grid, around_degrees
from firesat.grid.tile import Tile

__all__ = [
    "LEVELS",
    "TILE_SIZE",
    "Bounds",
    "Grid",
    "Tile",
    "around_degrees",
    "cell_area",
    "chip_origins",
    "crs_of",
    "geobox",
]
