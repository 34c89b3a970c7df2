"""The cube: aligned groups of a region and a period in one Zarr v3 hierarchy.

Only this package knows Zarr. A group per source, each at the level its information has::

    canada.zarr/
        sentinel2/reflectance   (time, band, y, x)  uint16  100 m   one block = one tile x one day
        modis_vi/ndvi           (time, y, x)        float32 500 m
        era5_land/t2m           (time, y, x)        float32 10 km   one block = the box x 32 days
        .../available_time      (time, tile_y, tile_x)  when each step was in a forecaster's hands

Each block is its own shard, hence its own file: two tasks never write into one.
"""

from firesat.cube.arrays import differences
from firesat.cube.create import check_place, create_cube
from firesat.cube.read import (
    cells_of,
    cube_hash,
    cube_info,
    grid_of,
    groups,
    latitude_of,
    open_cube,
)
from firesat.cube.write import Cube, Written, shard_key

__all__ = [
    "Cube",
    "Written",
    "cells_of",
    "check_place",
    "create_cube",
    "cube_hash",
    "cube_info",
    "differences",
    "grid_of",
    "groups",
    "latitude_of",
    "open_cube",
    "shard_key",
]
