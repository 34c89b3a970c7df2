"""What burned after T, cell by cell: label, whether it is known, by which fire, and when."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.labels import BURNT, at_risk_truth, window_label, window_leads, window_starts
from firesat.window import Window

WATER = 0.5  # share of a cell above which it cannot burn


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is to be forecast. Never an input.

    Parameters
    ----------
    label : ndarray of uint8, shape (2, Y, X)
        1 where the cell burns in ``(T, T + horizon]``; heads as `batch.HEADS`.
    valid : ndarray of uint8, shape (2, Y, X)
        1 where that is known, the cell is at risk and can burn.
    fire_id : ndarray of int64, shape (Y, X)
        Fire that burns, or may burn, the cell within the window; 0 = none.
    at_risk_truth : ndarray of float32, shape (Y, X)
        1 where the cell had not burned by T, 0 where it had, NaN where that is not known; from
        perimeters drawn after the season. For scores, never in a batch.
    """

    label: NDArray[np.uint8]
    valid: NDArray[np.uint8]
    fire_id: NDArray[np.int64]
    at_risk_truth: NDArray[np.float32]


def truth(
    season: xr.Dataset,
    water: NDArray[np.float32],
    day: str,
    window: Window,
    burnt_from: float = BURNT,
) -> Truth:
    """Say what burns in the window of an issue day.

    The event is that of :func:`firesat.labels.window_label`. Here, water is added to what is not
    valid.

    Parameters
    ----------
    season : xr.Dataset
        Labels of the year, dims ``(y, x)``.
    water : ndarray of float32, shape (Y, X)
        Water fraction; NaN counts as land.
    day : str
        Issue day.
    window : Window
        Its horizon.
    burnt_from : float
        Burned fraction from which a cell counts as burnt, above 0.

    Returns
    -------
    Truth
        Of every cell.
    """
    label, valid = window_label(season, day, window, burnt_from)
    land = ~(water > WATER)
    return Truth(
        label=(label * land).astype(np.uint8),
        valid=(valid * land).astype(np.uint8),
        fire_id=np.where(_may_burn(season, day, window, burnt_from), _numbers(season), 0),
        at_risk_truth=at_risk_truth(season, day, burnt_from),
    )


@dataclass(frozen=True, kw_only=True)
class Daily:
    """The same, day by day. Never an input.

    Parameters
    ----------
    lead : ndarray of uint8, shape (2, Y, X)
        First and last lead on which the cell may burn, as :func:`firesat.labels.window_leads`; 0
        also where it cannot burn.
    starts : ndarray of float32, shape (horizon, Y / 10, X / 10)
        New fires of each square kilometre and lead.
    """

    lead: NDArray[np.uint8]
    starts: NDArray[np.float32]


def daily(
    season: xr.Dataset,
    water: NDArray[np.float32],
    day: str,
    window: Window,
    burnt_from: float = BURNT,
) -> Daily:
    """Say on which days of its window an issue day's cells burn.

    Parameters
    ----------
    season, water, day, window, burnt_from
        As :func:`truth`; rows and columns are multiples of 10.

    Returns
    -------
    Daily
        Of every cell.
    """
    lead = window_leads(season, day, window, burnt_from)
    return Daily(
        lead=np.where(water > WATER, np.uint8(0), lead),
        starts=window_starts(season, day, window),
    )


def _may_burn(season: xr.Dataset, day: str, window: Window, burnt_from: float) -> NDArray[np.bool_]:
    """Burnt cells, save those that surely burned before or after; undated ones are among them."""
    first, last = window.fire_days(day)[[0, -1]].astype(np.int64)
    before = season["latest"].values < first
    after = season["earliest"].values > last
    burnt = season["fraction"].values >= burnt_from
    return np.asarray(burnt & ~before & ~after)


def _numbers(season: xr.Dataset) -> NDArray[np.int64]:
    """Numbers of the fires, 0 where none."""
    return np.asarray(np.nan_to_num(season["fire_id"].values), dtype=np.int64)
