"""Dates and times as agencies write them, as moments in UTC."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from firesat.sources._perimeters import days_of
from firesat.window import DAY_START

_CLOCK = r"\d{1,2}:\d{2}"
_MIDNIGHT = r"(?:^|[T ])(?:0?0|12):00(?::00(?:\.0+)?)?(?: ?AM)?(?:Z|\+00:?00)?$"
_ZONE = r"(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})$"
_NOON = r"12:00(?::00(?:\.0+)?)?(?:Z|\+00:?00)?$"  # without AM: 12:00 is noon, not midnight
_SINCE_1970 = r"\d{11,13}(?:\.0)?"  # ArcGIS's milliseconds
_EPOCH = np.datetime64(0, "s")


@dataclass(frozen=True, kw_only=True)
class Moments:
    """A column of dates or times.

    Parameters
    ----------
    start : ndarray of datetime64[s], shape (n,)
        UTC; NaT where there is none, or one before 1970. A mere date is local: it starts with the
        fire day of that name, at 12 UTC.
    hours : ndarray of float64, shape (n,)
        For how long it may have been later: 24 for a date, 0 for a time; NaN where there is none.
    naive : ndarray of bool, shape (n,)
        Times of day without a zone, which nobody can place; `start` is NaT.
    unread : ndarray of bool, shape (n,)
        Something is written that is no date, or one before 1970.
    """

    start: NDArray[np.datetime64]
    hours: NDArray[np.float64]
    naive: NDArray[np.bool_]
    unread: NDArray[np.bool_]


def moments_of(text: "pd.Series[str]") -> Moments:
    """Read dates and times.

    Parameters
    ----------
    text : pd.Series of str
        ISO 8601 with a zone, milliseconds since 1970, or a date in any of the spellings of
        :func:`firesat.sources._perimeters.days_of`; "" = none.

    Returns
    -------
    Moments
        One of each row.
    """
    midnight = text.str.contains(_MIDNIGHT, regex=True, case=False)
    midnight &= ~text.str.contains(_NOON, regex=True)
    clock = text.str.contains(_CLOCK, regex=True) & ~midnight
    stamp = text.str.fullmatch(_SINCE_1970)
    zoned = text.str.contains(_ZONE, regex=True, case=False)
    naive = (clock & ~zoned).to_numpy()
    timed = ((clock & zoned) | stamp).to_numpy()
    exact = pd.to_datetime(text.where(clock & zoned), errors="coerce", format="mixed", utc=True)
    since = pd.to_datetime(
        pd.to_numeric(text.where(stamp), errors="coerce"), unit="ms", utc=True, errors="coerce"
    )
    both = (each.dt.tz_localize(None).to_numpy().astype("datetime64[s]") for each in (exact, since))
    moments = np.where(stamp, *reversed(list(both)))
    moments[moments < _EPOCH] = np.datetime64("NaT", "s")
    days = days_of(text.where(~(clock | stamp), ""))
    dated = np.isfinite(days)
    begun = np.where(dated, days, 0).astype("datetime64[D]").astype("datetime64[s]")
    start = np.where(dated, begun + np.timedelta64(DAY_START, "h"), moments)
    known = ~np.isnat(start)
    return Moments(
        start=start.astype("datetime64[s]"),
        hours=np.where(known, np.where(timed, 0.0, 24.0), np.nan),
        naive=naive,
        unread=(text != "").to_numpy() & ~known & ~naive,
    )
