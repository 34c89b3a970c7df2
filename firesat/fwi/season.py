"""When the fire season is open: the official start-up and shut-down by temperature and snow."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firesat.errors import ConfigError
from firesat.fwi.moisture import months

LONGEST_GAP = 52
"""Days without weather after which nothing is carried on: the time lag of the slowest code, DC, in
standard weather (Van Wagner 1987)."""

OUT, IN, STARTS = 0, 1, 2
"""Phases of a day: out of season, in season, the season's first day."""

_STREAK = 3  # days that start or end a season
_DECEMBER = 11

Mask = NDArray[np.bool_]
Count = NDArray[np.int32]
Floats = NDArray[np.float64]


def _none() -> Count:
    """A count that broadcasts to any field."""
    return np.zeros((), dtype="int32")


@dataclass(frozen=True, kw_only=True)
class Season:
    """How a season starts and ends, as the official ``fire_season`` has it.

    Parameters
    ----------
    method : {"WF93", "LA08"}
        "WF93" (Wotton and Flannigan 1993): starts after three days above `start`, ends with the
        day after three days below `end`. "LA08" (Lawson and Armitage 2008): starts on the third
        day without snow, ends on the first day with snow, or in December on the third day below
        `end`.
    start, end : float
        Thresholds of the day's highest temperature, degC.
    """

    method: Literal["WF93", "LA08"] = "WF93"
    start: float = 12.0
    end: float = 5.0


@dataclass(frozen=True, kw_only=True)
class SeasonState:
    """What the next day's phase follows from; saved and given back it goes on exactly.

    Parameters
    ----------
    open : ndarray of bool
        Whether tomorrow begins in season.
    warm, cold, bare : ndarray of int32
        Days in a row that were warm, cold and without snow, counted to three; `bare` begins at -1,
        since the official function decides nothing before the fourth day.
    missing : ndarray of int32
        Days in a row without what the method needs.
    """

    open: Mask = field(default_factory=lambda: np.zeros((), dtype="bool"))
    warm: Count = field(default_factory=_none)
    cold: Count = field(default_factory=_none)
    bare: Count = field(default_factory=lambda: np.full((), -1, dtype="int32"))
    missing: Count = field(default_factory=_none)


def phases(
    state: SeasonState,
    *,
    tmax: ArrayLike,
    month: ArrayLike,
    snow_depth: ArrayLike | None = None,
    rule: Season | None = None,
) -> tuple[NDArray[np.uint8], SeasonState]:
    """Say for each day whether the season is open.

    A day whose temperature (for "LA08" also its snow) is not known breaks a row of three days, and
    neither starts nor ends a season. More than `LONGEST_GAP` of them close it: then it starts as in
    a first year. The last day of a season, on which the rule ends it, is still in season.

    Parameters
    ----------
    state : SeasonState
        Of the day before the first; ``SeasonState()`` at the beginning.
    tmax : array_like, shape (time, ...)
        Highest temperature of each day, degC; days follow each other.
    month : array_like of int, shape (time,)
        1 to 12.
    snow_depth : array_like, shape (time, ...), optional
        Snow on the ground in any unit; needed for "LA08".
    rule : Season, optional
        Method and thresholds; default that of Wotton and Flannigan.

    Returns
    -------
    phases : ndarray of uint8, shape (time, ...)
        `OUT`, `IN` or `STARTS`.
    state : SeasonState
        After the last day.

    Raises
    ------
    ConfigError
        If snow is needed and not given, or a month is not one of 1 to 12.
    """
    rule = rule or Season()
    heat = np.asarray(tmax, dtype="float64")
    if rule.method == "LA08" and snow_depth is None:
        raise ConfigError('the method "LA08" goes by snow: give snow_depth, or use "WF93"')
    depth = np.asarray(0.0 if snow_depth is None else snow_depth, dtype="float64")
    heat, depth = np.broadcast_arrays(heat, depth)
    found = np.zeros(heat.shape, dtype="uint8")
    for day, number in enumerate(months(month)):
        found[day], state = _day(state, heat[day], depth[day], rule, last=number == _DECEMBER)
    return found, state


def _day(
    state: SeasonState, heat: Floats, depth: Floats, rule: Season, *, last: bool
) -> tuple[NDArray[np.uint8], SeasonState]:
    """One day's phase, and what follows from it; `last`: it lies in the year's last month."""
    after = _count(state, heat, depth, rule)
    if rule.method == "WF93":  # goes by the three days before
        begins, ends = state.warm >= _STREAK, state.cold >= _STREAK
    else:  # today is one of the three
        begins = after.bare >= _STREAK
        ends = (depth > 0.0) | ((after.cold >= _STREAK) if last else False)
    lost = after.missing > LONGEST_GAP
    starts = ~state.open & begins & ~ends & ~lost
    inside = (state.open | starts) & ~lost
    phase = np.where(starts, STARTS, np.where(inside, IN, OUT)).astype("uint8")
    return phase, SeasonState(
        open=inside & ~ends,
        warm=after.warm,
        cold=after.cold,
        bare=np.where(lost, -1, after.bare).astype("int32"),
        missing=after.missing,
    )


def _count(state: SeasonState, heat: Floats, depth: Floats, rule: Season) -> SeasonState:
    """Lengthen or break the rows of days."""
    unknown = np.isnan(heat) | np.isnan(depth)

    def longer(row: Count, holds: Mask) -> Count:
        """One more day of its kind, or none."""
        return np.where(holds, np.minimum(row + 1, _STREAK), 0).astype("int32")

    return SeasonState(
        open=state.open,
        warm=longer(state.warm, heat > rule.start),
        cold=longer(state.cold, heat < rule.end),
        bare=longer(state.bare, depth <= 0.0),
        missing=np.where(unknown, state.missing + 1, 0).astype("int32"),
    )


def fire_season(
    days: ArrayLike,
    *,
    tmax: ArrayLike,
    snow_depth: ArrayLike | None = None,
    rule: Season | None = None,
    multi_year: bool = False,
) -> list[tuple[np.datetime64, Literal["start", "end"]]]:
    """List the dates on which the seasons of one place start and end.

    Parameters
    ----------
    days : array_like of datetime64[D], shape (time,)
        Days that follow each other.
    tmax : array_like, shape (time,)
        Highest temperature of each day, degC.
    snow_depth : array_like, shape (time,), optional
        Snow on the ground; needed for "LA08".
    rule : Season, optional
        Method and thresholds.
    multi_year : bool
        Whether a season may go on over New Year. If not, one that starts on 4 January, the first
        day on which data of a year can show it, is said to start on 1 January, as officially.

    Returns
    -------
    list of tuple of (datetime64[D], str)
        In order of time; a season still open on the last day has no end.

    Raises
    ------
    ConfigError
        If snow is needed and not given.
    """
    dates = np.asarray(days, dtype="datetime64[D]")
    month = dates.astype("datetime64[M]").astype(int) % 12 + 1
    found, state = phases(SeasonState(), tmax=tmax, month=month, snow_depth=snow_depth, rule=rule)
    following = np.append(found[1:], IN if state.open else OUT)
    events: list[tuple[np.datetime64, Literal["start", "end"]]] = []
    for date, phase, later in zip(dates, found, following, strict=True):
        if phase == STARTS:
            early = str(date).endswith("-01-04") and not multi_year
            events.append((date - np.timedelta64(3 if early else 0, "D"), "start"))
        if phase != OUT and later != IN:
            events.append((date, "end"))
    return events
