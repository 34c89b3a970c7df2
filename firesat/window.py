"""Which days a forecast may see, and which it forecasts.

Days run from 12 to 12 UTC, 04 to 09 h local over Canada, the fire's quiet hours: a day that
began at 00 UTC would split British Columbia's burning period. Fire day *D* is
``[D 12:00 UTC, D+1 12:00 UTC)``, and a reference time is the start of its issue day.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firesat.errors import WindowError

DAY_START = 12  # hour UTC at which a fire day begins
"""Other hours, such as 0 for calendar days, are only for comparison with systems that use them."""

_DAY = np.timedelta64(1, "D")


def parse_day(text: str | date) -> date:
    """Read a calendar day.

    Parameters
    ----------
    text : str or date
        ISO 8601, such as "2023-07-05".

    Returns
    -------
    date
        The day.

    Raises
    ------
    WindowError
        If it is not a day of the calendar.
    """
    if isinstance(text, date):
        return text
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WindowError(f"{text!r} is not a day: write it as 2023-07-05") from None


def reference_time(day: str | date, start: int = DAY_START) -> np.datetime64:
    """Give the moment at which the forecast of a day is issued.

    Parameters
    ----------
    day : str or date
        Issue day.
    start : int
        Hour UTC at which days begin.

    Returns
    -------
    np.datetime64
        ``day`` at 12:00 UTC, in seconds.

    Examples
    --------
    >>> reference_time("2023-07-05")
    np.datetime64('2023-07-05T12:00:00')
    """
    return np.datetime64(parse_day(day), "s") + np.timedelta64(start, "h")


def fire_day(moment: ArrayLike, start: int = DAY_START) -> NDArray[np.datetime64]:
    """Tell the fire day in which moments fall.

    Parameters
    ----------
    moment : array_like of datetime64
        UTC.
    start : int
        Hour UTC at which days begin.

    Returns
    -------
    ndarray of datetime64[D]
        Label of the fire day; 11:59 UTC belongs to the day before.
    """
    moments = np.asarray(moment, dtype="datetime64[s]")
    return (moments - np.timedelta64(start, "h")).astype("datetime64[D]")


def to_datetime(moment: np.datetime64) -> datetime:
    """Turn a UTC datetime64 into an aware datetime.

    Parameters
    ----------
    moment : np.datetime64
        UTC.

    Returns
    -------
    datetime
        With ``tzinfo`` UTC, whole seconds.
    """
    seconds = int(moment.astype("datetime64[s]").astype(np.int64))
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Days a forecast sees before its reference time, and days it covers after.

    Parameters
    ----------
    history : int
        Days before the reference time from which anything may be used.
    horizon : int
        Longest lead time in days.
    day_start : int
        Hour UTC at which days begin, 0 to 23; the cube must have been ingested with the same.

    Examples
    --------
    >>> Window(history=64, horizon=8).fire_days("2023-07-05")[[0, -1]]
    array(['2023-07-05', '2023-07-12'], dtype='datetime64[D]')
    """

    history: int = 64
    horizon: int = 8
    day_start: int = DAY_START

    def __post_init__(self) -> None:
        """Refuse windows without a past or a future."""
        if not 0 <= self.day_start < 24:
            raise WindowError(f"window.day_start is {self.day_start}: give an hour UTC, 0 to 23")
        if self.history < 1 or self.horizon < 1:
            raise WindowError(
                "a window needs history >= 1 and horizon >= 1 day, "
                f"got history={self.history}, horizon={self.horizon}"
            )

    def fire_days(self, day: str | date) -> NDArray[np.datetime64]:
        """List the fire days being forecast, ``(T, T + horizon]``.

        Parameters
        ----------
        day : str or date
            Issue day.

        Returns
        -------
        ndarray of datetime64[D], shape (horizon,)
            The issue day itself (its 24 h begin at the reference time) and those after it.
        """
        return np.datetime64(parse_day(day), "D") + np.arange(self.horizon) * _DAY

    def past_days(self, day: str | date) -> NDArray[np.datetime64]:
        """List the fire days that had ended by the reference time, oldest first.

        Parameters
        ----------
        day : str or date
            Issue day.

        Returns
        -------
        ndarray of datetime64[D], shape (history,)
            The last is the day before the issue day.
        """
        return np.datetime64(parse_day(day), "D") + np.arange(-self.history, 0) * _DAY

    def valid_time(self, day: str | date) -> tuple[datetime, datetime]:
        """Give the start and the end of the forecast's validity.

        Parameters
        ----------
        day : str or date
            Issue day.

        Returns
        -------
        tuple of datetime
            UTC; the event counts when it falls in ``(start, end]``.
        """
        start = to_datetime(reference_time(day, self.day_start))
        return start, start + timedelta(days=self.horizon)

    def admits(
        self, observed: ArrayLike, available: ArrayLike, day: str | date
    ) -> NDArray[np.bool_]:
        """Tell which layers a forecaster had in hand at the reference time.

        Parameters
        ----------
        observed : array_like of datetime64
            End of each observation, UTC.
        available : array_like of datetime64
            When each became available in operation, UTC; NaT = never.
        day : str or date
            Issue day.

        Returns
        -------
        ndarray of bool
            True where the layer was available by T and is not older than `history` days.
        """
        now = reference_time(day, self.day_start)
        seen = np.asarray(observed, dtype="datetime64[s]")
        known = np.asarray(available, dtype="datetime64[s]")
        young = seen > now - np.timedelta64(self.history, "D")
        allowed: NDArray[np.bool_] = (known <= now) & young
        return allowed


@dataclass(frozen=True, kw_only=True)
class Period:
    """Whole fire days from `start` to `end`, both included.

    Parameters
    ----------
    start : str
        First day, ISO 8601.
    end : str
        Last day, ISO 8601.
    """

    start: str
    end: str

    def __post_init__(self) -> None:
        """Refuse periods that end before they start."""
        if parse_day(self.end) < parse_day(self.start):
            raise WindowError(f"the period ends {self.end}, before it starts {self.start}")

    @property
    def days(self) -> NDArray[np.datetime64]:
        """Every day of the period.

        Returns
        -------
        ndarray of datetime64[D]
            Ascending, without gaps.
        """
        return np.arange(np.datetime64(self.start, "D"), np.datetime64(self.end, "D") + _DAY)


def all_days(periods: list[Period]) -> NDArray[np.datetime64]:
    """Join periods into one time axis.

    Parameters
    ----------
    periods : list of Period
        In order of time.

    Returns
    -------
    ndarray of datetime64[D]
        Ascending, each day once.

    Raises
    ------
    WindowError
        If there is none, or two overlap or stand in the wrong order.
    """
    if not periods:
        raise WindowError("no period: give at least one start and end")
    for before, after in pairwise(periods):
        if parse_day(after.start) <= parse_day(before.end):
            raise WindowError(
                f"the periods {before.start}..{before.end} and {after.start}..{after.end} "
                "overlap or are out of order: list them by time, apart"
            )
    return np.concatenate([period.days for period in periods])
