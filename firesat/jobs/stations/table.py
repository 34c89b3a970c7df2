"""A table of daily weather at stations: read, and refused in one line where it cannot be right."""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firesat import fwi
from firesat.errors import ConfigError

Floats = NDArray[np.float64]

CODES = tuple(field.name for field in fields(fwi.Codes))
NOON = ("temp", "rh", "ws", "prec")
REQUIRED = ("date", "lat", "lon", *NOON)
FOR_SEASONS = ("tmax", "snow_depth")

LIMITS = {
    "lat": (-90.0, 90.0, "degrees north from -90 to 90"),
    "lon": (-180.0, 360.0, "degrees east from -180 to 360"),
    "temp": (-70.0, 60.0, "degC from -70 to 60"),
    "tmax": (-70.0, 60.0, "degC from -70 to 60"),
    "rh": (0.0, 100.5, "percent from 0 to 100"),  # half a percent more is rounding: saturated
    "ws": (0.0, 300.0, "km/h from 0 to 300"),
    "prec": (0.0, 1000.0, "mm of 24 hours from 0 to 1000"),
    "snow_depth": (0.0, 20_000.0, "0 or more"),
}
"""Lowest and highest value of each column, and what to give instead."""

_OTHER_NAMES = {
    "lat": ("latitude",),
    "lon": ("long", "longitude"),
    "temp": ("temperature", "t", "tas"),
    "rh": ("humidity", "relative_humidity", "hurs"),
    "ws": ("wind", "wind_speed", "sfcwind"),
    "prec": ("rain", "precipitation", "precip", "pr"),
}
_MISSING = {"", "na", "nan", "null"}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, kw_only=True)
class Table:
    """The rows of a table, in its own order.

    Parameters
    ----------
    header : list of str
        Names of all columns, as given.
    rows : list of list of str
        All cells, as given.
    day : ndarray of datetime64[D], shape (row,)
        Date of each row.
    station : ndarray of int, shape (row,)
        Number of each row's station.
    labels : list of str
        Names of the stations.
    latitude : ndarray of float64, shape (station,)
        Degrees north.
    weather : dict of ndarray of float64, shape (row,)
        temp, rh, ws, prec, and for season logic tmax and snow_depth where the table has them; NaN =
        missing.
    """

    header: list[str]
    rows: list[list[str]]
    day: NDArray[np.datetime64]
    station: NDArray[np.int64]
    labels: list[str]
    latitude: Floats
    weather: dict[str, Floats]


@dataclass(frozen=True)
class _Sheet:
    """A file's cells and where they stand in it."""

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    places: dict[str, int]

    def column(self, name: str) -> list[str]:
        """The cells of a column without their outer spaces."""
        place = self.places[name]
        return [row[place].strip() for row in self.rows]

    def refuse(self, wrong: Iterable[int], say: Callable[[int], str]) -> None:
        """Raise if any row is wrong: the first by its line, the others by their number."""
        rows = list(wrong)
        if rows:
            more = f" ({len(rows) - 1} more like it)" if len(rows) > 1 else ""
            raise ConfigError(f"{self.path} line {self.lines[rows[0]]}: {say(rows[0])}{more}")


def read_table(path: Path, *, seasonal: bool = False) -> Table:
    """Read a table.

    Parameters
    ----------
    path : Path
        CSV with a header: date, lat, lon, temp, rh, ws, prec, optionally id, tmax, snow_depth, in
        any order and case, and whatever else is to be kept.
    seasonal : bool
        Whether to read tmax and snow_depth too.

    Returns
    -------
    Table
        Its rows.

    Raises
    ------
    ConfigError
        If it cannot be read, a column is missing, a date is none, a number is none or cannot be,
        or a station has a day twice or lies in two places.
    """
    sheet = _sheet(path, seasonal=seasonal)
    day = _days(sheet)
    numbers = {name: _numbers(sheet, name) for name in LIMITS if name in sheet.places}
    for name in ("lat", "lon"):
        unknown = np.flatnonzero(np.isnan(numbers[name]))
        sheet.refuse(unknown, lambda _, name=name: f"{name} is missing")  # type: ignore[misc]
    latitude, longitude = numbers.pop("lat"), numbers.pop("lon")
    station, labels = _stations(sheet, latitude, longitude)
    _check_once(sheet, station, labels, day)
    first = np.unique(station, return_index=True)[1]
    return Table(
        header=sheet.header,
        rows=sheet.rows,
        day=day,
        station=station,
        labels=labels,
        latitude=latitude[first],
        weather=numbers,
    )


def _sheet(path: Path, *, seasonal: bool) -> _Sheet:
    """Take a file apart."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            cells = [(row, reader.line_num) for row in reader if row]
    except FileNotFoundError:
        raise ConfigError(f"there is no table at {path}: give a CSV, or a cube's .zarr") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"cannot read {path}: {error}: give a CSV in UTF-8") from None
    if len(cells) < 2:
        raise ConfigError(f"{path} has no rows: give a header with {', '.join(REQUIRED)} and days")
    (header, _), *rest = cells
    places = _places(path, header, seasonal=seasonal)
    rows, lines = [row for row, _ in rest], [line for _, line in rest]
    sheet = _Sheet(path, header, rows, lines, places)
    ragged = [number for number, row in enumerate(rows) if len(row) != len(header)]
    sheet.refuse(ragged, lambda row: f"{len(rows[row])} cells under {len(header)} columns")
    return sheet


def _places(path: Path, header: Sequence[str], *, seasonal: bool) -> dict[str, int]:
    """Where each column stands that is read."""
    names = [name.strip().lower() for name in header]
    wanted = [*REQUIRED, "id", *(FOR_SEASONS if seasonal else ())]
    for name in wanted:
        if names.count(name) > 1:
            raise ConfigError(f"{path} has two columns {name}: remove one")
    for name in REQUIRED:
        if name not in names:
            raise ConfigError(f"{path} has no column {name}{_nearest(name, names)}")
    made = [name for name in (*CODES, *(("season",) if seasonal else ())) if name in names]
    if made:
        raise ConfigError(f"{path} already has a column {made[0]}: remove it, or rename it")
    return {name: names.index(name) for name in wanted if name in names}


def _nearest(name: str, names: Sequence[str]) -> str:
    """What the missing column may be called."""
    free = [other for other in names if other not in (*REQUIRED, *FOR_SEASONS, "id")]
    known = [other for other in free if other in _OTHER_NAMES.get(name, ())]
    near = known or get_close_matches(name, free, n=1, cutoff=0.5)
    if near:
        return f": is it {near[0]!r}? rename it"
    return f": it has {', '.join(names)}, and needs {', '.join(REQUIRED)}"


def _days(sheet: _Sheet) -> NDArray[np.datetime64]:
    """The dates."""
    texts = sheet.column("date")

    def good(text: str) -> bool:
        """Whether it is a day of the calendar, in the one form that cannot be misread."""
        if not _DATE.fullmatch(text):
            return False
        try:
            date.fromisoformat(text)
        except ValueError:
            return False
        return True

    wrong = [row for row, text in enumerate(texts) if not good(text)]
    sheet.refuse(wrong, lambda row: f"{texts[row]!r} is no date: give YYYY-MM-DD")
    return np.array(texts, dtype="datetime64[D]")


def _numbers(sheet: _Sheet, name: str) -> Floats:
    """A column of numbers within its limits; NaN where a cell is empty or says so."""
    low, high, wanted = LIMITS[name]
    texts = sheet.column(name)
    values, wrong = np.full(len(texts), np.nan), []
    for row, text in enumerate(texts):
        if text.lower() not in _MISSING:
            try:
                values[row] = float(text)
            except ValueError:
                wrong.append(row)
    sheet.refuse(wrong, lambda row: f"{name} is {texts[row]!r}, which is no number: give {wanted}")
    beyond = np.flatnonzero((values < low) | (values > high))
    sheet.refuse(beyond, lambda row: f"{name} is {texts[row]}: give {wanted}")
    return values


def _stations(
    sheet: _Sheet, latitude: Floats, longitude: Floats
) -> tuple[NDArray[np.int64], list[str]]:
    """Number the stations in the order in which they appear: by id, else by place."""
    if "id" in sheet.places:
        names = sheet.column("id")
        sheet.refuse(
            (row for row, name in enumerate(names) if not name), lambda _: "the id is missing"
        )
    else:
        places = zip((latitude + 0.0).tolist(), (longitude + 0.0).tolist(), strict=True)
        names = [f"{lat},{lon}" for lat, lon in places]
    known: dict[str, int] = {}
    station = np.array([known.setdefault(name, len(known)) for name in names])
    first = np.unique(station, return_index=True)[1]
    moved = (latitude != latitude[first][station]) | (longitude != longitude[first][station])
    sheet.refuse(
        np.flatnonzero(moved),
        lambda row: (
            f"station {names[row]} was elsewhere on line {sheet.lines[first[station[row]]]}"
            ": give each place its own id"
        ),
    )
    return station, list(known)


def _check_once(
    sheet: _Sheet, station: NDArray[np.int64], labels: list[str], day: NDArray[np.datetime64]
) -> None:
    """Refuse a day that a station has twice."""
    order = np.lexsort((day, station))
    same = (np.diff(station[order]) == 0) & (np.diff(day[order]).astype(int) == 0)
    before = dict(zip(order[1:][same].tolist(), order[:-1][same].tolist(), strict=True))
    sheet.refuse(
        sorted(before),
        lambda row: (
            f"station {labels[station[row]]} has {day[row]} on line "
            f"{sheet.lines[before[row]]} too: keep one"
        ),
    )
