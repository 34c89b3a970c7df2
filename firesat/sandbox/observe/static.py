"""What maps say of the land: good terrain and water, a fuel map that is stale and partly wrong."""

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law.cover import Cover
from firesat.sandbox.world import World


def layers(world: World) -> dict[str, NDArray[np.generic]]:
    """Give the static layers that are served.

    Parameters
    ----------
    world : World
        Whose land.

    Returns
    -------
    dict of ndarray, each (Y, X) on ``world.geobox``
        ``elevation`` (float32, m), ``fuel`` (uint8, codes of `cover.Cover` as mapped, not as they
        are), ``water`` (float32, fraction 0..1), ``road_distance`` (float32, km).
    """
    land = world.landscape
    return {
        "elevation": land.elevation.astype(np.float32),
        "fuel": land.fuel_map.astype(np.uint8),
        "water": (land.cover == Cover.WATER).astype(np.float32),
        "road_distance": (land.road_distance / 1000.0).astype(np.float32),
    }
