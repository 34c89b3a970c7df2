"""Codes of all stations: their rows on a calendar, run together, and put back in their places."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firesat import fwi
from firesat.errors import ConfigError
from firesat.fwi.season import IN, OUT, STARTS
from firesat.jobs.stations.table import CODES, NOON, Floats, Table

_TOGETHER = 4_000_000  # station days worked on at once, about 350 MB

_DAY = np.timedelta64(1, "D")
Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the codes are computed.

    Parameters
    ----------
    rules : fwi.Rules
        Start codes, overwintering, longest gap.
    season : fwi.Season or None
        Season logic; None = every day is in season.
    day_length : bool
        Whether day lengths follow the latitude; False = those of 46 N everywhere.
    """

    rules: fwi.Rules = field(default_factory=fwi.Rules)
    season: fwi.Season | None = None
    day_length: bool = True


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Days in a row for which a station has no weather, within its season and its rows.

    Parameters
    ----------
    station : str
        Which.
    first, last : str
        Dates.
    days : int
        How many.
    restarts : bool
        Whether the codes start anew after it.
    """

    station: str
    first: str
    last: str
    days: int
    restarts: bool


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A season of a station.

    Parameters
    ----------
    station : str
        Which.
    first, last : str
        Dates of its first and last day among the rows.
    winter_rain : float or None
        mm since the season before; None where there was none, or a day's rain is not known.
    """

    station: str
    first: str
    last: str
    winter_rain: float | None


@dataclass(kw_only=True)
class Computed:
    """What came out.

    Parameters
    ----------
    codes : dict of ndarray of float64, shape (row,)
        By name; NaN out of season and without weather.
    in_season : ndarray of bool, shape (row,)
        Which rows are in season.
    gaps : list of Gap
        By station and date.
    seasons : list of Opened
        By station and date; none without season logic.
    """

    codes: dict[str, Floats]
    in_season: NDArray[np.bool_]
    gaps: list[Gap] = field(default_factory=list)
    seasons: list[Opened] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """Stations with the same first and last day, on its calendar."""

    days: NDArray[np.datetime64]
    stations: Rows
    rows: Rows  # of the table
    place: tuple[Rows, Rows]  # day and column of each row
    weather: dict[str, Floats]  # (time, station)

    @property
    def month(self) -> NDArray[np.int64]:
        """1 to 12 of each day."""
        return np.asarray(self.days.astype("datetime64[M]").astype(int) % 12 + 1)


def compute(table: Table, options: Options, *, dry_run: bool = False) -> Computed:
    """Run the FWI System over every station of a table.

    A day on which a station has no row counts as a row without weather.

    Parameters
    ----------
    table : Table
        Weather, in any order.
    options : Options
        Rules.
    dry_run : bool
        Whether to leave the codes out and only look for gaps and seasons.

    Returns
    -------
    Computed
        In the table's order.

    Raises
    ------
    ConfigError
        If the season goes by snow and the table has no snow_depth.
    """
    rule = options.season
    if rule is not None and rule.method == "LA08" and "snow_depth" not in table.weather:
        raise ConfigError("the season method LA08 needs a column snow_depth: add it, or take WF93")
    count = len(table.day)
    made = Computed(
        codes={name: np.full(count, np.nan) for name in CODES},
        in_season=np.ones(count, dtype="bool"),
    )
    for batch in _batches(table):
        phase = None if rule is None else _phases(batch, rule)
        made.gaps += _gaps(table, batch, phase, options.rules.longest_gap)
        if phase is not None:
            made.in_season[batch.rows] = phase[batch.place] != OUT
            made.seasons += _seasons(table, batch, phase)
        if not dry_run:
            codes = _run(table, batch, phase, options)
            for name in CODES:
                made.codes[name][batch.rows] = getattr(codes, name)[batch.place]
    made.gaps.sort(key=lambda gap: (gap.station, gap.first))
    made.seasons.sort(key=lambda season: (season.station, season.first))
    return made


def _run(
    table: Table, batch: _Batch, phase: NDArray[np.uint8] | None, options: Options
) -> fwi.Codes:
    """Codes by day and station."""
    codes, _ = fwi.series(
        fwi.start((len(batch.stations),), options.rules),
        **{name: batch.weather[name] for name in NOON},
        month=batch.month,
        latitude=table.latitude[batch.stations] if options.day_length else None,
        season=phase,
        rules=options.rules,
    )
    return codes


def _phases(batch: _Batch, rule: fwi.Season) -> NDArray[np.uint8]:
    """Which days are in season; without the day's highest temperature by that of noon."""
    found, _ = fwi.phases(
        fwi.SeasonState(),
        tmax=batch.weather.get("tmax", batch.weather["temp"]),
        month=batch.month,
        snow_depth=batch.weather.get("snow_depth"),
        rule=rule,
    )
    return found


def _batches(table: Table) -> Iterator[_Batch]:
    """Stations that can be run together, a few at a time."""
    count = len(table.labels)
    ends = np.full(count, table.day.min()), np.full(count, table.day.max())
    first, last = ends[::-1]
    np.minimum.at(first, table.station, table.day)
    np.maximum.at(last, table.station, table.day)
    spans, kind = np.unique(np.stack([first, last]).astype("int64"), axis=1, return_inverse=True)
    order = np.argsort(table.station, kind="stable")
    begin = np.searchsorted(table.station[order], np.arange(count + 1))
    for number, (start, end) in enumerate(spans.T):
        alike = np.flatnonzero(kind.ravel() == number)
        days = np.arange(start, end + 1).astype("datetime64[D]")
        share = max(1, _TOGETHER // len(days))
        for part in range(0, len(alike), share):
            stations = alike[part : part + share]
            rows = [order[begin[station] : begin[station + 1]] for station in stations]
            yield _batch(table, days, stations, rows)


def _batch(table: Table, days: NDArray[np.datetime64], stations: Rows, rows: list[Rows]) -> _Batch:
    """Put the rows of some stations on a calendar."""
    column = np.repeat(np.arange(len(stations)), [len(some) for some in rows])
    every = np.concatenate(rows)
    place = ((table.day[every] - days[0]) // _DAY, column)
    weather = {name: np.full((len(days), len(stations)), np.nan) for name in table.weather}
    for name, values in weather.items():
        values[place] = table.weather[name][every]
    return _Batch(days=days, stations=stations, rows=every, place=place, weather=weather)


def _gaps(table: Table, batch: _Batch, phase: NDArray[np.uint8] | None, longest: int) -> list[Gap]:
    """Runs of days in season without weather."""
    lost = np.isnan(sum(batch.weather[name] for name in NOON))
    if phase is not None:
        lost &= phase != OUT
    found = []
    for column, first, end in _stretches(lost):
        ends_open = end == len(batch.days)
        found.append(
            Gap(
                station=table.labels[batch.stations[column]],
                first=str(batch.days[first]),
                last=str(batch.days[end - 1]),
                days=end - first,
                restarts=end - first > longest and not ends_open,
            )
        )
    return found


def _seasons(table: Table, batch: _Batch, phase: NDArray[np.uint8]) -> list[Opened]:
    """Seasons, each with the rain since the one before."""
    last = (phase != OUT) & (np.vstack([phase[1:], phase[:1] * 0]) != IN)
    columns, starts = np.nonzero((phase == STARTS).T)
    _, ends = np.nonzero(last.T)
    found: list[Opened] = []
    before = (-1, 0)
    for column, start, end in zip(columns.tolist(), starts.tolist(), ends.tolist(), strict=True):
        fell = batch.weather["prec"][before[1] + 1 : start, column]
        unknown = column != before[0] or np.isnan(fell).any()
        found.append(
            Opened(
                station=table.labels[batch.stations[column]],
                first=str(batch.days[start]),
                last=str(batch.days[end]),
                winter_rain=None if unknown else round(float(fell.sum()), 3),
            )
        )
        before = (column, end)
    return found


def _stretches(here: NDArray[np.bool_]) -> Iterator[tuple[int, int, int]]:
    """Column, first row and one past the last of each run of True down a column."""
    edge = np.zeros((1, here.shape[1]), dtype="bool")
    steps = np.diff(np.concatenate([edge, here, edge]).astype("int8"), axis=0).T
    columns, starts = np.nonzero(steps == 1)
    _, ends = np.nonzero(steps == -1)
    yield from zip(columns.tolist(), starts.tolist(), ends.tolist(), strict=True)
