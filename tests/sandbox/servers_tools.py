"""Where the world's cells are, found without the code under test."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
from pyproj import Transformer
from rasterio.warp import transform_bounds

from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.http import SandboxServer
from firesat.sandbox.world import World

Serve = Callable[[Faults], AbstractContextManager[SandboxServer]]


def world_cell(
    world: World, x: np.ndarray, y: np.ndarray, crs: str, size: float = 100.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row and column of the world's cells at some places, and the distance from their centres.

    The distance is in cells, at most 0.5 (by the larger of the two directions); rows and columns
    may lie outside.
    """
    to_world = Transformer.from_crs(crs, world.config.crs, always_xy=True)
    u, v = to_world.transform(x, y)
    column = (u - world.config.region[0]) / size
    row = (world.config.region[3] - v) / size
    off = np.maximum(abs(column % 1 - 0.5), abs(row % 1 - 0.5))
    return np.floor(row).astype(int), np.floor(column).astype(int), off


def bounds_in(world: World, crs: str) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of the world in other coordinates."""
    return transform_bounds(world.config.crs, crs, *world.config.region)
