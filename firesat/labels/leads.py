"""The labels day by day: between which leads a cell burns, and where and when new fires start."""

from datetime import date

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.labels.window import BURNT, at_risk_truth
from firesat.window import Window

SQUARE = 10
"""Cells of 100 m along the side of the square in which a start is known: an ignition lies 0.8 km in
the median from where it was reported (Fire 2(2):18, 2019)."""


def window_leads(
    labels: xr.Dataset, day: str | date, window: Window, burnt_from: float = BURNT
) -> NDArray[np.uint8]:
    """Say on which days of a forecast's window each cell burns, as far as that is known.

    The burn day lies somewhere in ``[earliest, latest]``: an observation censored to an interval
    (Turnbull 1976, J. R. Stat. Soc. B 38, 290). Where the interval begins inside the window and
    ends after it, all that is known is that the cell had not burned before it began.

    Parameters
    ----------
    labels : xr.Dataset
        Labels of the season of `day`, dims ``(y, x)``; see :mod:`firesat.labels`.
    day : str or date
        Issue day.
    window : Window
        Its horizon H is the number of leads.
    burnt_from : float
        Burned fraction from which a cell counts as burnt, above 0.

    Returns
    -------
    ndarray of uint8, shape (2, Y, X)
        First and last lead on which the cell may burn, 1 to H; H + 1 = after the window or never.
        Both 0 where nothing is known of the window, or the cell had burned before it.

    Examples
    --------
    >>> names = ("fraction", "fire_id", "burn_day", "earliest", "latest", "fire_start")
    >>> one = [1.0, 7, 19545, 19544, 19546, 19540]  # burned on 2023-07-07, a day more or less
    >>> cell = xr.Dataset({n: (("y", "x"), [[v]]) for n, v in zip(names, one)})
    >>> window_leads(cell, "2023-07-05", Window(horizon=8)).ravel().tolist()
    [2, 4]
    """
    beyond = window.horizon + 1
    start = window.fire_days(day)[0].astype(np.int64)
    fraction, earliest, latest, begun = (
        labels[name].values for name in ("fraction", "earliest", "latest", "fire_start")
    )
    spared = fraction < burnt_from
    dated = ~np.isnan(earliest) & ~np.isnan(latest)
    # a place whose burning is itself in doubt can only be said not to have burned until it began
    ends = np.where(np.isnan(fraction), np.inf, latest)
    first, last = (
        np.where(spared, beyond, np.minimum(days - start + 1, beyond)) for days in (earliest, ends)
    )
    informs = (first >= 1) & ~((first == 1) & (last == beyond))
    told_apart = (last == beyond) | ~np.isnan(begun)  # growth, or a new fire
    at_risk = at_risk_truth(labels, day, burnt_from) != 0
    known = (spared | dated) & informs & told_apart & at_risk
    return np.where(known, np.stack([first, last]), 0).astype(np.uint8)


def window_starts(labels: xr.Dataset, day: str | date, window: Window) -> NDArray[np.float32]:
    """Count the fires that start in each square kilometre on each day of a window.

    A fire counts once, shared among the squares of those of its cells that burned first, which must
    have burned by the day after its start: of a fire that came from beyond these cells, the start
    is not among them.

    Parameters
    ----------
    labels : xr.Dataset
        Labels of the season of `day`, dims ``(y, x)``, multiples of `SQUARE`.
    day : str or date
        Issue day.
    window : Window
        Its horizon H is the number of leads.

    Returns
    -------
    ndarray of float32, shape (H, Y / 10, X / 10)
        Fires; a fire on the edge of squares is shared among them.
    """
    first = window.fire_days(day)[0].astype(np.int64)
    fire, start, burn_day = (
        labels[name].values.astype(np.float64) for name in ("fire_id", "fire_start", "burn_day")
    )
    height, width = fire.shape
    out = np.zeros((window.horizon, height // SQUARE, width // SQUARE), dtype=np.float32)
    lead = start - first
    early = burn_day - start <= 1.0
    rows, columns = np.nonzero((fire > 0) & early & (lead >= 0) & (lead < window.horizon))
    if not rows.size:
        return out
    _, number = np.unique(fire[rows, columns], return_inverse=True)
    days = burn_day[rows, columns]
    soonest = np.full(number.max() + 1, np.inf)
    np.minimum.at(soonest, number, days)
    origin = days == soonest[number]
    share = 1.0 / np.bincount(number[origin])[number[origin]]
    rows, columns = rows[origin], columns[origin]
    place = lead[rows, columns].astype(np.intp), rows // SQUARE, columns // SQUARE
    np.add.at(out, place, share.astype(np.float32))
    return out
