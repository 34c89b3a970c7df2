"""What maps say of the land: good terrain and water, a fuel map that is stale and partly wrong."""

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from shapely.geometry import shape

from firesat.sandbox.law.cover import Cover
from firesat.sandbox.observe.warp import outlines
from firesat.sandbox.world import World

RECORDS = 1985  # first year of the made world's records of fires and cuts: older ones are not known

# What the classes of the fuel map are in the codes of NALCMS: scars and cuts are shrubland there.
_NALCMS = {
    Cover.WATER: 18, Cover.CONIFER: 1, Cover.DECIDUOUS: 5, Cover.MIXED: 6, Cover.GRASS: 10,
    Cover.WETLAND: 14, Cover.ROCK: 16, Cover.SCAR: 8, Cover.HARVEST: 8, Cover.BUILT: 17,
}  # fmt: skip


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
        are), ``water`` (float32, fraction 0..1), ``road_distance`` (float32, km), ``land_cover``
        (uint8, codes of NALCMS, the same map as ``fuel``), ``burned`` and ``harvest`` (int16, year
        of the last fire before the first season and of the last cut since 1985, 0 = none known).
    """
    land = world.landscape
    codes = np.zeros(max(Cover) + 1, dtype=np.uint8)
    codes[list(_NALCMS)] = list(_NALCMS.values())
    return {
        "elevation": land.elevation.astype(np.float32),
        "fuel": land.fuel_map.astype(np.uint8),
        "water": (land.cover == Cover.WATER).astype(np.float32),
        "road_distance": (land.road_distance / 1000.0).astype(np.float32),
        "land_cover": codes[land.fuel_map],
        "burned": np.where(land.burn_year >= RECORDS, land.burn_year, 0).astype(np.int16),
        "harvest": np.where(land.cut_year >= RECORDS, land.cut_year, 0).astype(np.int16),
    }


def settlements(world: World) -> gpd.GeoDataFrame:
    """Outline the settlements.

    Parameters
    ----------
    world : World
        Whose land.

    Returns
    -------
    GeoDataFrame
        Polygons of built-up cells, longitude and latitude; none in a world without.
    """
    built = (world.landscape.cover == Cover.BUILT).astype(np.uint8)
    places = [shape(outline) for outline, _ in outlines(built, built > 0, world.geobox)]
    names = [f"settlement {number}" for number in range(1, len(places) + 1)]
    frame = gpd.GeoDataFrame({"name": names}, geometry=places, crs=world.config.crs)
    return frame.to_crs("EPSG:4326")
