"""Slope and aspect from elevation."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Proj
from scipy.ndimage import map_coordinates

from firesat.grid import crs_of
from firesat.sources._layers import georeferenced

_METRES_PER_DEGREE = 111_320.0

Field = NDArray[np.float32]


def terrain(elevation: xr.DataArray, cells: GeoBox) -> xr.Dataset:
    """Compute slope, northness and eastness by Horn's formula.

    Horn 1981 (Proc. IEEE 69, 14-47): slopes from the weighted differences of the eight neighbours.
    Aspect is turned by the meridian convergence, so that north is true north, not the grid's: in
    Canada's Lambert they differ by up to 35 degrees.

    Parameters
    ----------
    elevation : xr.DataArray
        Metres, dims ``(y, x)``; NaN where unknown.
    cells : GeoBox
        Its cells, north up.

    Returns
    -------
    xr.Dataset
        ``slope`` in degrees; ``northness`` and ``eastness``, cosine and sine of the aspect (the
        direction that the slope faces) times the sine of the slope. NaN beside NaN.
    """
    z = elevation.values.astype("float64")
    padded = np.pad(z, 1, mode="reflect", reflect_type="odd")
    width, height = _cell_size(cells)
    west, east = padded[:, :-2], padded[:, 2:]
    to_east = _smooth(east - west, axis=0) / (8 * width)
    to_south = _smooth(padded[2:, :] - padded[:-2, :], axis=1) / (8 * height)
    steepness = np.arctan(np.hypot(to_east, to_south))
    # It faces downhill: away from where the ground rises.
    facing = np.arctan2(-to_east, to_south) + np.radians(_convergence(cells))
    layers = {
        "slope": ("degree", np.degrees(steepness)),
        "northness": ("1", np.cos(facing) * np.sin(steepness)),
        "eastness": ("1", np.sin(facing) * np.sin(steepness)),
    }
    variables = {
        name: xr.DataArray(values.astype("float32"), dims=("y", "x"), attrs={"units": units})
        for name, (units, values) in layers.items()
    }
    return georeferenced(variables, cells)


def raster_size(cells: GeoBox) -> float:
    """Give the height of a raster's cells in metres.

    Parameters
    ----------
    cells : GeoBox
        In degrees or metres.

    Returns
    -------
    float
        Metres from north to south.
    """
    return _cell_size(cells)[1]


def _smooth(difference: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Weights 1, 2, 1 across the direction of a difference."""
    if axis == 0:
        return difference[:-2] + 2 * difference[1:-1] + difference[2:]
    return difference[:, :-2] + 2 * difference[:, 1:-1] + difference[:, 2:]


def _cell_size(cells: GeoBox) -> tuple[NDArray[np.float64] | float, float]:
    """Width, by row where the CRS is in degrees, and height of a cell in metres."""
    width, height = abs(cells.resolution.x), abs(cells.resolution.y)
    if not crs_of(cells).geographic:
        return width, height
    rows = cells.affine.f + cells.affine.e * (np.arange(cells.shape[0]) + 0.5)
    by_row = width * _METRES_PER_DEGREE * np.cos(np.radians(rows))
    return by_row[:, np.newaxis], height * _METRES_PER_DEGREE


def _convergence(cells: GeoBox) -> NDArray[np.float64]:
    """Degrees from true north to the grid's north, clockwise, on each cell.

    PROJ's value on a lattice of at most 17 points a side, interpolated.
    """
    height, width = cells.shape
    if crs_of(cells).geographic:
        return np.zeros((height, width))
    rows = np.linspace(0, height - 1, min(height, 17))
    columns = np.linspace(0, width - 1, min(width, 17))
    column, row = np.meshgrid(columns + 0.5, rows + 0.5)
    a = cells.affine
    projection = Proj(crs_of(cells).to_wkt())
    longitude, latitude = projection(a.c + a.a * column, a.f + a.e * row, inverse=True)
    known = projection.get_factors(longitude, latitude).meridian_convergence
    where = np.meshgrid(
        np.linspace(0, len(rows) - 1, height),
        np.linspace(0, len(columns) - 1, width),
        indexing="ij",
    )
    turned: NDArray[np.float64] = map_coordinates(known, where, order=1, mode="nearest")
    return turned
