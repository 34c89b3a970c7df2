"""What a forecast window makes of the labels: the one definition of the event."""

from datetime import date

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.batch import HEADS
from firesat.window import Window, parse_day

BURNT = 0.5  # burned fraction from which a cell counts as burnt
SCORING_ONLY = ("at_risk_truth",)
"""Names of what only scores may read: an input or a batch that holds one is a leak."""

Floats = NDArray[np.float32]


def window_label(
    labels: xr.Dataset, day: str | date, window: Window, burnt_from: float = BURNT
) -> tuple[Floats, NDArray[np.uint8]]:
    """Say what burned in a forecast's window, and where that is known.

    A cell is an event where its burned fraction is at least `burnt_from`, and where the window
    contains ``[earliest, latest]`` wholly. Where it contains only a part, the label is unknown;
    where none, nothing happened. The event is *growth* where the cell's fire had started before the
    issue day, and *new* where it started on it or after. A cell that had burned before is no longer
    at risk.

    Parameters
    ----------
    labels : xr.Dataset
        Labels of the season of `day`, dims ``(y, x)``; see :mod:`firesat.labels`.
    day : str or date
        Issue day.
    window : Window
        Its horizon is the length of the forecast.
    burnt_from : float
        Burned fraction from which a cell counts as burnt, above 0.

    Returns
    -------
    label : ndarray of float32, shape (2, Y, X)
        1 burns, 0 does not; in the order of `batch.HEADS`, growth then new. 0 where not valid.
    valid : ndarray of uint8, shape (2, Y, X)
        1 where the label is known and the cell at risk.

    Examples
    --------
    >>> names = ("fraction", "fire_id", "burn_day", "earliest", "latest", "fire_start")
    >>> one = [1.0, 7, 19545, 19544, 19546, 19540]  # burned on 2023-07-07, a day more or less
    >>> cell = xr.Dataset({n: (("y", "x"), [[v]]) for n, v in zip(names, one)})
    >>> label, valid = window_label(cell, "2023-07-05", Window(horizon=8))
    >>> label.ravel().tolist(), valid.ravel().tolist()
    ([1.0, 0.0], [1, 1])
    """
    first, last = window.fire_days(day)[[0, -1]].astype(np.int64)
    fraction, earliest, latest, start = (
        labels[name].values for name in ("fraction", "earliest", "latest", "fire_start")
    )
    unknown = np.isnan(fraction)
    dated = ~np.isnan(earliest) & ~np.isnan(latest)
    burnt = unknown | (fraction >= burnt_from)
    # comparisons with NaN are False: an undated cell is neither inside nor after, and not known
    before = at_risk_truth(labels, day, burnt_from) == 0
    after = burnt & dated & (earliest > last)
    inside = burnt & dated & (earliest >= first) & (latest <= last)
    event = inside & ~unknown & ~np.isnan(start)
    known = (~burnt | after | event) & ~before
    heads = {"growth": event & (start < first), "new": event & (start >= first)}
    label = np.stack([heads[name] for name in HEADS]).astype("float32")
    valid = np.broadcast_to(known, label.shape).astype("uint8")
    return label, valid


def at_risk_truth(labels: xr.Dataset, day: str | date, burnt_from: float = BURNT) -> Floats:
    """Say which cells had not burned by T, from the perimeters drawn after the season.

    For scores alone: no forecast knew it. What was known of burnt ground at T is `burnt_asof`.

    Parameters
    ----------
    labels : xr.Dataset
        Labels of the season of `day`, dims ``(y, x)``; see :mod:`firesat.labels`.
    day : str or date
        Issue day; T is its start.
    burnt_from : float
        Burned fraction from which a cell counts as burnt, above 0.

    Returns
    -------
    ndarray of float32, shape (Y, X)
        1 not yet burnt, 0 burnt before; NaN where it may have burned before T, or not.
    """
    issued = np.datetime64(parse_day(day), "D").astype(np.int64)
    fraction, earliest, latest = (
        labels[name].values for name in ("fraction", "earliest", "latest")
    )
    burnt = fraction >= burnt_from
    # comparisons with NaN are False: an undated cell is neither before nor after
    risk = np.where((burnt | np.isnan(fraction)) & ~(earliest >= issued), np.nan, 1.0)
    risk[burnt & (latest < issued)] = 0.0
    return risk.astype("float32")
