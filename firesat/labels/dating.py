"""A fire's dates, cell by cell: from the hotspots around, else from its perimeter."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree

from firesat.labels.hotspots import Arrivals, Detections, arrivals

NEIGHBOURS = 12  # hotspot cells looked at: those touching the nearest one, and some
SPREAD = 500.0  # metres beyond the nearest hotspot cell within which others bear on the date
CELL = 100.0  # metres: a cell's side; added to distances in the weights: nothing is nearer
HALF_DAY, DEVIATIONS = 0.5, 1.0  # doubt = half a day + 1 standard deviation of the days around
SLACK_FROM, SLACK_SPEED = 500.0, 1000.0  # metres; metres a day
SPILL = 2  # 500 m cells around a perimeter in which a hotspot may belong to it
AGENCY_DAYS = 2  # days after an agency's start, when it gives no end
SMALL = 50.0  # hectares up to which a fire is taken to have burned within `AGENCY_DAYS`
DATE_ERROR = 1  # days: perimeters carry calendar dates, hotspots fire days of 12-12 UTC

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Fire:
    """A fire's cells and what its perimeter says of its dates.

    Parameters
    ----------
    number : int
        Of the fire.
    row, column : ndarray of int64, shape (n,)
        Its cells.
    hectares : float
        What it burned, cells counted as hectares.
    start, end : float
        Days since 1970-01-01, NaN where not given.
    """

    number: int
    row: Ints
    column: Ints
    hectares: float
    start: float
    end: float


@dataclass(frozen=True, kw_only=True)
class Dates:
    """When a fire burned its cells, days since 1970-01-01; NaN = not known.

    Parameters
    ----------
    burn_day, earliest, latest : ndarray of float64, shape (n,), or float
        Of each cell, or of all.
    start : float
        First day of the fire.
    seen : bool
        Whether hotspots date it.
    """

    burn_day: Floats | float
    earliest: Floats | float
    latest: Floats | float
    start: float
    seen: bool


def fires_of(perimeters: xr.Dataset, fraction: Floats) -> Iterator[Fire]:
    """List the fires that burned part of any cell.

    Parameters
    ----------
    perimeters : xr.Dataset
        ``fire_id`` and the four dates ``(y, x)``.
    fraction : ndarray of float64, shape (Y, X)
        Burned fraction; NaN = unknown.

    Yields
    ------
    Fire
        By their numbers.
    """
    number = perimeters["fire_id"].fillna(0).values.astype(np.int64).ravel()
    burned = np.nan_to_num(fraction).ravel()
    cells = np.flatnonzero((number > 0) & (burned > 0))
    cells = cells[np.argsort(number[cells], kind="stable")]
    names, starts = np.unique(number[cells], return_index=True)
    for name, own in zip(names, np.split(cells, starts)[1:], strict=True):
        dates = {
            key: perimeters[key].values.ravel()[own].astype("float64")
            for key in ("agency_start", "hotspot_start", "agency_end", "hotspot_end")
        }
        start = _first_known(dates["agency_start"], dates["hotspot_start"])
        end = -_first_known(-dates["agency_end"], -dates["hotspot_end"])
        row, column = np.divmod(own, fraction.shape[1])
        yield Fire(
            number=int(name),
            row=row,
            column=column,
            hectares=float(burned[own].sum()),
            start=start,
            end=max(end, start),
        )


def _first_known(*days: Floats) -> float:
    """Smallest known day; NaN if none is."""
    known = np.concatenate(days)
    known = known[~np.isnan(known)]
    return float(known.min()) if known.size else float("nan")


def date_fire(fire: Fire, found: Detections, near: Mask, ratio: int) -> Dates:
    """Date the cells of a fire.

    Parameters
    ----------
    fire : Fire
        Its cells and dates.
    found : Detections
        Hotspots of all fires.
    near : ndarray of bool
        Hotspot cells in which a detection may be the fire's; see :func:`spilled`.
    ratio : int
        Cells along a hotspot cell's side.

    Returns
    -------
    Dates
        As told in :func:`firesat.labels.label_season`.
    """
    points = arrivals(_own(found, fire, near))
    if not points.first.size:
        end = fire.end if not np.isnan(fire.end) else _assumed_end(fire)
        return Dates(
            burn_day=fire.start,
            earliest=fire.start,
            latest=end + 0 * fire.start,  # NaN where there is no start
            start=fire.start,
            seen=False,
        )
    start = fire.start if not np.isnan(fire.start) else float(points.first.min())
    return _by_hotspots(points, *_distances(fire, points, ratio), (start, fire.end))


def _assumed_end(fire: Fire) -> float:
    """A small fire's last day, two after its start; of a larger one only that it was this year."""
    if fire.hectares <= SMALL or np.isnan(fire.start):
        return fire.start + AGENCY_DAYS
    year = np.datetime64(int(fire.start), "D").astype("datetime64[Y]")
    turn = (year + np.timedelta64(1, "Y")).astype("datetime64[D]")
    return float(turn.astype(np.int64)) - 1


def spilled(burned: Mask, ratio: int) -> Mask:
    """Find the hotspot cells that touch burned ground, and `SPILL` more around them.

    Parameters
    ----------
    burned : ndarray of bool, shape (Y, X)
        Cells.
    ratio : int
        Cells along a hotspot cell's side.

    Returns
    -------
    ndarray of bool, shape (Y / ratio, X / ratio)
        True where a detection may come from there.
    """
    height, width = burned.shape
    touched = burned.reshape(height // ratio, ratio, width // ratio, ratio).any(axis=(1, 3))
    return _widened(touched)


def ground_of(fire: Fire, shape: tuple[int, int], ratio: int) -> Mask:
    """Find the hotspot cells in which a detection may be a fire's.

    Parameters
    ----------
    fire : Fire
        Its cells.
    shape : tuple of int
        Rows and columns of hotspot cells.
    ratio : int
        Cells along a hotspot cell's side.

    Returns
    -------
    ndarray of bool, of `shape`
        As :func:`spilled` of the fire's cells.
    """
    row, column = fire.row // ratio, fire.column // ratio
    top, left = max(row.min() - SPILL, 0), max(column.min() - SPILL, 0)
    box = np.s_[top : row.max() + SPILL + 1, left : column.max() + SPILL + 1]
    near = np.zeros(shape, dtype=bool)
    near[row, column] = True
    near[box] = _widened(near[box])
    return near


def _widened(touched: Mask) -> Mask:
    """Cells and `SPILL` more on all sides."""
    wide = maximum_filter(touched.astype("uint8"), size=2 * SPILL + 1, mode="constant")
    return np.asarray(wide > 0)


def _own(found: Detections, fire: Fire, near: Mask) -> Detections:
    """A fire's detections, their days moved into its dates."""
    # an unknown date forbids nothing: comparisons with NaN are False
    early, late = found.day < fire.start - DATE_ERROR, found.day > fire.end + DATE_ERROR
    own = found.chosen(near[found.row, found.column] & ~early & ~late)
    day = np.fmin(np.fmax(own.day.astype("float64"), fire.start), fire.end).astype(np.int64)
    return Detections(row=own.row, column=own.column, day=day, count=own.count)


def _distances(fire: Fire, points: Arrivals, ratio: int) -> tuple[Floats, Ints]:
    """Metres from each burned cell to its nearest hotspot cells, and which these are."""
    burned = (np.stack([fire.row, fire.column], axis=1) + 0.5) * CELL
    seen = (np.stack([points.row, points.column], axis=1) + 0.5) * CELL * ratio
    metres, which = cKDTree(seen).query(burned, k=np.arange(1, min(NEIGHBOURS, len(seen)) + 1))
    return metres, which


def _by_hotspots(
    points: Arrivals, metres: Floats, which: Ints, limits: tuple[float, float]
) -> Dates:
    """Dates of cells from the hotspot cells around them; `limits` are the fire's, NaN = none."""
    nearest = metres[:, :1]
    weight = np.where(metres <= nearest + SPREAD, 1.0 / (metres + CELL) ** 2, 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    days, spread = points.middle[which], points.spread[which]
    mean = (weight * days).sum(axis=1)
    between = (weight * (days - mean[:, None]) ** 2).sum(axis=1)
    within = (weight * spread**2).sum(axis=1)
    doubt = HALF_DAY + DEVIATIONS * np.sqrt(np.maximum(between, within))
    slack = np.ceil(np.maximum(nearest[:, 0] - SLACK_FROM, 0.0) / SLACK_SPEED)
    first = np.round(mean - doubt + HALF_DAY, 6)  # rounded: sums differ in their last bits
    last = np.round(mean + doubt - HALF_DAY, 6)
    return Dates(
        burn_day=np.rint(np.round(mean, 6)),
        earliest=np.fmax(np.floor(first) - slack, limits[0]),
        latest=np.fmin(np.ceil(last) + slack, limits[1]),
        start=limits[0],
        seen=True,
    )
