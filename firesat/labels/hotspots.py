"""Hotspots as dated points: when fire came to each 500 m cell, and when it had left."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import label, maximum, maximum_filter, minimum, minimum_filter, sum_labels

GAP = 2  # days without a detection after which a cell's later ones are another event
QUARTILES = 1.35  # standard deviations between the quartiles of a normal distribution
CLUSTER = 2  # detections from which hotspots outside every perimeter are more than a false alarm

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Detections:
    """Cell-days with hotspots, in the order of cells, then days.

    Parameters
    ----------
    row, column : ndarray of int64, shape (n,)
        500 m cell.
    day : ndarray of int64, shape (n,)
        Fire day since 1970-01-01.
    count : ndarray of float64, shape (n,)
        Detections of the day, above 0.
    """

    row: Ints
    column: Ints
    day: Ints
    count: Floats

    def chosen(self, keep: NDArray[np.bool_]) -> "Detections":
        """Take some of them.

        Parameters
        ----------
        keep : ndarray of bool, shape (n,)
            Which.

        Returns
        -------
        Detections
            In the same order.
        """
        return Detections(
            row=self.row[keep],
            column=self.column[keep],
            day=self.day[keep],
            count=self.count[keep],
        )


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """Cells that a fire came to, each once.

    Parameters
    ----------
    row, column : ndarray of int64, shape (n,)
        500 m cell.
    first : ndarray of int64, shape (n,)
        Day of the first detection.
    middle : ndarray of int64, shape (n,)
        Median day of the detections up to the first gap of more than `GAP` days.
    spread : ndarray of float64, shape (n,)
        Days between their quartiles, as a standard deviation.
    """

    row: Ints
    column: Ints
    first: Ints
    middle: Ints
    spread: Floats


def detections(hotspots: xr.Dataset) -> Detections:
    """List a season's cell-days with hotspots.

    Parameters
    ----------
    hotspots : xr.Dataset
        ``hotspot_count (time, y, x)`` by day of publication, and ``hotspot_count_before``, those
        of them that were made the day before (without it, days are those on which detections were
        made); NaN = not known, taken as none.

    Returns
    -------
    Detections
        Of all cells.
    """
    days = hotspots["time"].values.astype("datetime64[D]").astype(np.int64)
    count = np.nan_to_num(hotspots["hotspot_count"].values)
    if "hotspot_count_before" in hotspots:
        count = _when_made(count, np.nan_to_num(hotspots["hotspot_count_before"].values), days)
    # cells outermost, so that each one's days follow each other
    row, column, step = np.nonzero(np.moveaxis(count, 0, -1))
    return Detections(
        row=row, column=column, day=days[step], count=count[step, row, column].astype("float64")
    )


def _when_made(count: Floats, before: Floats, days: Ints) -> Floats:
    """Counts by the day on which detections were made, from those by the day of publication."""
    made = count - before
    follows = np.flatnonzero(np.diff(days) == 1)
    made[follows] += before[follows + 1]
    return made


def arrivals(found: Detections) -> Arrivals:
    """Date a fire's coming to each cell by its first unbroken run of detections.

    Smouldering and reburns days later say nothing about the arrival; what smoulders within the run
    is detected less often, so median and quartiles stay with the front. A run may still be long:
    a 500 m cell of a slow fire burns over several days.

    Parameters
    ----------
    found : Detections
        Of one fire.

    Returns
    -------
    Arrivals
        One for each cell.
    """
    starts = _starts(found)
    broken = np.r_[False, np.diff(found.day) > GAP + 1][: found.day.size]
    broken[starts] = False
    breaks = np.cumsum(broken)
    run = found.chosen(breaks == np.repeat(breaks[starts], np.diff(np.r_[starts, breaks.size])))
    starts = _starts(run)
    low, middle, high = (_quantile(run, starts, share) for share in (0.25, 0.5, 0.75))
    return Arrivals(
        row=run.row[starts],
        column=run.column[starts],
        first=run.day[starts],
        middle=middle,
        spread=(high - low) / QUARTILES,
    )


def _quantile(run: Detections, starts: Ints, share: float) -> Ints:
    """First day by which a share of each cell's detections had come."""
    if not starts.size:
        return run.day
    lengths = np.diff(np.r_[starts, run.day.size])
    done = np.cumsum(run.count)  # whole numbers: exact
    base = np.repeat(done[starts] - run.count[starts], lengths)
    early = done - base < share * np.repeat(np.add.reduceat(run.count, starts), lengths)
    return np.asarray(run.day[starts + np.add.reduceat(early.astype("int64"), starts)])


def _starts(found: Detections) -> Ints:
    """Where the detections of each cell begin."""
    moved = (np.diff(found.row) != 0) | (np.diff(found.column) != 0)
    return np.flatnonzero(np.r_[True, moved][: found.day.size])


def strays(found: Detections, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Date the clusters of hotspots that no perimeter explains.

    A cluster is a set of cells that touch, corners included, with at least `CLUSTER` detections in
    the season; one alone is taken for a false alarm. A ring of one cell is added around it, since
    a detection is placed to about a kilometre.

    Parameters
    ----------
    found : Detections
        Those outside every perimeter.
    shape : tuple of int
        Rows and columns of 500 m cells.

    Returns
    -------
    first, last : ndarray of float64, of `shape`
        First and last day of the cluster; NaN elsewhere.
    """
    count, first, last = np.zeros(shape), np.full(shape, np.inf), np.full(shape, -np.inf)
    cells = (found.row, found.column)
    np.add.at(count, cells, found.count)
    np.minimum.at(first, cells, found.day.astype("float64"))
    np.maximum.at(last, cells, found.day.astype("float64"))
    names, number = label(count > 0, structure=np.ones((3, 3)))
    every = np.arange(number + 1)
    real = np.asarray(sum_labels(count, names, every)) >= CLUSTER
    real[0] = False
    inside = real[names]
    first = np.where(inside, np.asarray(minimum(first, names, every))[names], np.inf)
    last = np.where(inside, np.asarray(maximum(last, names, every))[names], -np.inf)
    first = minimum_filter(first, size=3, mode="nearest")
    last = maximum_filter(last, size=3, mode="nearest")
    seen = np.isfinite(first)
    return np.where(seen, first, np.nan), np.where(seen, last, np.nan)
