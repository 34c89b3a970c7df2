"""What every `compose` ends with: a block's arrays, its times, and when each became available."""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from rasterio.warp import transform_bounds

from firesat.blocks import Block
from firesat.grid import Bounds, crs_of
from firesat.sources.commons import commons
from firesat.window import DAY_START

CWFIS = "https://cwfis.cfs.nrcan.gc.ca/downloads"
OPEN_CANADA = "Open Government Licence - Canada; Natural Resources Canada"
NEVER = np.datetime64("NaT", "s")


def hours(count: float) -> np.timedelta64:
    """Turn hours into a time span of whole seconds.

    Parameters
    ----------
    count : float
        Hours.

    Returns
    -------
    np.timedelta64
        In seconds.
    """
    return np.timedelta64(round(count * 3600), "s")


def end_of_fire_day(day: np.datetime64, start: int = DAY_START) -> np.datetime64:
    """Give the moment at which a fire day ends.

    Parameters
    ----------
    day : np.datetime64
        Its label.
    start : int
        Hour UTC at which days begin.

    Returns
    -------
    np.datetime64
        12:00 UTC of the next day.
    """
    end: np.datetime64 = day.astype("datetime64[D]").astype("datetime64[s]") + hours(24 + start)
    return end


def published(days: NDArray[np.datetime64], latency_hours: float) -> NDArray[np.datetime64]:
    """Leave out days that cannot have been published yet.

    Parameters
    ----------
    days : ndarray of datetime64[D]
        Calendar days.
    latency_hours : float
        From the end of a day to its publication.

    Returns
    -------
    ndarray of datetime64[D]
        All of them where nobody has said what time it is.
    """
    now = commons().now
    if now is None:
        return days
    ends = (days + np.timedelta64(1, "D")).astype("datetime64[s]")
    return np.asarray(days[ends + hours(latency_hours) <= now])


def by_month(days: NDArray[np.datetime64]) -> Iterator[list[np.datetime64]]:
    """Group days by calendar month.

    Parameters
    ----------
    days : ndarray of datetime64[D]
        Ascending.

    Yields
    ------
    list of np.datetime64
        The days of one month.
    """
    for _, month in groupby(days, key=lambda day: day.astype("datetime64[M]")):
        yield list(month)


def by_job(days: NDArray[np.datetime64], fields_per_day: int) -> Iterator[list[np.datetime64]]:
    """Group days into the jobs of a data store: of one calendar month, and no more than it takes.

    Parameters
    ----------
    days : ndarray of datetime64[D]
        Ascending.
    fields_per_day : int
        What a day costs: variables times hours.

    Yields
    ------
    list of np.datetime64
        Days of one job; at least one.
    """
    limit = commons().quota.fields_per_job
    most = 31 if math.isinf(limit) else max(1, int(limit // fields_per_day))
    for month in by_month(days):
        parts = -(-len(month) // most)  # as even as can be
        size = -(-len(month) // parts)
        yield from (month[first : first + size] for first in range(0, len(month), size))


def bounds_in(region: GeoBox, crs: str) -> Bounds:
    """Give the box around cells in another CRS.

    Parameters
    ----------
    region : GeoBox
        Cells.
    crs : str
        EPSG code or WKT.

    Returns
    -------
    tuple of float
        Left, bottom, right, top; edges are followed, not only corners.
    """
    left, bottom, right, top = transform_bounds(
        crs_of(region).to_wkt(), crs, *region.boundingbox.bbox, densify_pts=41
    )
    return left, bottom, right, top


def degrees_around(region: GeoBox, *, margin: float, step: float) -> Bounds:
    """Give the geographic box around cells.

    Parameters
    ----------
    region : GeoBox
        Cells of any CRS.
    margin : float
        Degrees to add on each side, so that the edge is interpolated, not extrapolated.
    step : float
        The box is grown to multiples of this.

    Returns
    -------
    tuple of float
        West, south, east, north in degrees.
    """
    left, bottom, right, top = bounds_in(region, "EPSG:4326")
    low = [math.floor((edge - margin) / step) * step for edge in (left, bottom)]
    high = [math.ceil((edge + margin) / step) * step for edge in (right, top)]
    west, south, east, north = (round(edge, 6) for edge in (*low, *high))
    return west, south, east, north


def latest(moments: Iterable[np.datetime64]) -> np.datetime64:
    """Give the last of some moments.

    Parameters
    ----------
    moments : iterable of np.datetime64
        UTC.

    Returns
    -------
    np.datetime64
        NaT if there is none.
    """
    return max((moment.astype("datetime64[s]") for moment in moments), default=NEVER)


def empty(block: Block, bands: int = 0) -> NDArray[np.float32]:
    """Make an array of a block in which everything is missing.

    Parameters
    ----------
    block : Block
        The piece to fill.
    bands : int
        Length of the band axis; 0 = none.

    Returns
    -------
    ndarray of float32, shape (T, [bands,] Y, X)
        NaN.
    """
    middle = (bands,) if bands else ()
    return np.full((len(block.times), *middle, *block.geobox.shape), np.nan, dtype="float32")


def layer(
    arrays: Mapping[str, NDArray[np.float32]],
    block: Block,
    available: NDArray[np.datetime64],
    inner: str = "band",
) -> xr.Dataset:
    """Dress a block's arrays.

    Parameters
    ----------
    arrays : mapping of str to ndarray of float, shape (T, [B,] Y, X)
        The layout's variables; cells outside the block's extent are set to NaN here.
    block : Block
        The piece they fill.
    available : ndarray of datetime64, shape (T,)
        When each time step became available; NaT where there is nothing.
    inner : str
        Name of the axis B.

    Returns
    -------
    xr.Dataset
        Dims ``(time, [inner,] y, x)`` with coordinate ``available_time (time)``.
    """
    rows, columns = inside(block)
    variables: dict[str, tuple[tuple[str, ...], NDArray[np.float32]]] = {}
    for name, values in arrays.items():
        values[..., : rows.start, :] = np.nan
        values[..., rows.stop :, :] = np.nan
        values[..., :, : columns.start] = np.nan
        values[..., :, columns.stop :] = np.nan
        middle = (inner,) if values.ndim == 4 else ()
        variables[name] = (("time", *middle, "y", "x"), values)
    times = np.array(block.times, dtype="datetime64[s]")
    coords = {
        **xr_coords(block.geobox),
        "time": ("time", times),
        "available_time": ("time", available.astype("datetime64[s]")),
    }
    return xr.Dataset(variables, coords=coords)


def inside(block: Block) -> tuple[slice, slice]:
    """Give the rows and columns of a block that lie in the project's region.

    Parameters
    ----------
    block : Block
        Any block.

    Returns
    -------
    tuple of slice
        Rows and columns.
    """
    box, size = block.geobox.boundingbox, block.geobox.resolution.x
    x0, y0, x1, y1 = block.extent
    rows = slice(round((box.top - y1) / size), round((box.top - y0) / size))
    columns = slice(round((x0 - box.left) / size), round((x1 - box.left) / size))
    return rows, columns


def georeferenced(variables: Mapping[str, xr.DataArray], cells: GeoBox) -> xr.Dataset:
    """Give arrays of one grid their coordinates and CRS.

    Parameters
    ----------
    variables : mapping of str to xr.DataArray
        Dims ``(..., y, x)``, of the shape of `cells`.
    cells : GeoBox
        Their cells, in degrees or metres.

    Returns
    -------
    xr.Dataset
        With coordinates ``y``, ``x`` and ``spatial_ref``, whatever the CRS calls its axes.
    """
    named = list(xr_coords(cells).values())
    dataset = xr.Dataset(dict(variables))
    return dataset.assign_coords(
        y=("y", named[0].values, named[0].attrs),
        x=("x", named[1].values, named[1].attrs),
        spatial_ref=named[2],
    )
