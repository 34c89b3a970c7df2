"""Fires as agencies list them, of whichever maker, in one schema.

Every list becomes a table with these columns, one row a fire:

===============  ===============================================================================
``fire``         name, unique within the list: agency, number and season
``agency``       who reports it, upper case, as the maker writes it; "" where not said
``season``       year of its start
``longitude``    degrees east, WGS 84; of a perimeter, a point on it
``latitude``     degrees north, WGS 84
``start``        when it was first reported or started, UTC
``start_hours``  for how long after `start` that may have been: 24 where the maker gives a date,
                 which is local (`start` is then 12 UTC, when the fire day begins); 0 for a time
``end``          when it was out, UTC; NaT = not said
``updated``      when its row was last brought up to date, UTC; NaT = not said
``status``       "out of control", "being held", "under control", "out"; "" = not said
``cause``        "natural", "human", "prescribed", "unknown"
``hectares``     size; NaN = not said
``maker``        whose schema the list has: NBAC, NFDB, CIFFC, BC Wildfire Service, perimeters
``file``         the list
``row``          its row there, from 1, without the header
``geometry``     point or perimeter, longitude and latitude of WGS 84
===============  ===============================================================================

Rows that cannot be used are refused, each with its reason; what is merely doubtful stays, counted.
"""

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from firesat.errors import CorruptFileError
from firesat.sources._fire_columns import FireColumns, known_starts, recognise
from firesat.sources._listed import Listed, read_listed
from firesat.sources._moments import Moments, moments_of
from firesat.sources._perimeters import is_prescribed, text_of
from firesat.sources._refused import Refused, first_reasons

COLUMNS = (
    "fire", "agency", "season", "longitude", "latitude", "start", "start_hours", "end", "updated",
    "status", "cause", "hectares", "maker", "file", "row", "geometry",
)  # fmt: skip

CANADA = (-142.0, 41.0, -51.0, 84.0)
"""West, south, east, north, in degrees: Cape Columbia, Middle Island, Cape Spear, the Yukon."""

_CAUSES = {
    "natural": ("n", "l", "natural", "lightning", "nat", "ltg"),
    "human": ("h", "human", "person", "hum", "man"),
    "prescribed": ("h-pb", "pb", "prescribed", "prescribed burn", "prescribed fire"),
}
_STATUSES = {
    "out of control": ("oc", "out of control", "fire of note"),
    "being held": ("bh", "being held"),
    "under control": ("uc", "under control"),
    "out": ("out", "ex", "extinguished"),
}
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, kw_only=True)
class FireRecords:
    """A list of fires.

    Parameters
    ----------
    fires : gpd.GeoDataFrame
        With `COLUMNS`, EPSG:4326.
    maker : str
        Whose schema the file has.
    refused : Refused
        Rows that were left out.
    doubtful : dict of str to tuple of int
        Reason to rows that stay although something in them cannot be.
    notes : tuple of str
        What was assumed.
    """

    fires: gpd.GeoDataFrame
    maker: str
    refused: Refused
    doubtful: dict[str, tuple[int, ...]]
    notes: tuple[str, ...]


def read_records(path: Path) -> FireRecords:
    """Read a list of fires.

    Parameters
    ----------
    path : Path
        CSV with columns of longitude and latitude, shapefile, GeoPackage or GeoJSON, or a zip of
        one, of points or perimeters, with columns as CIFFC, NFDB, NBAC, the BC Wildfire Service or
        others name them.

    Returns
    -------
    FireRecords
        In the module's schema.

    Raises
    ------
    ConfigError
        If there is no such file.
    CorruptFileError
        If it is damaged or empty, lacks a column, or no row of it can be used.
    GridError
        If a file of shapes has no CRS, or not that of its coordinates.
    """
    listed = read_listed(path)
    columns = recognise(map(str, listed.frame.columns))
    if not columns.starts:
        raise CorruptFileError(
            f"{path} has no column of the dates on which fires started ({known_starts()}): name "
            "one so"
        )
    start = _start(listed.frame, columns)
    updated = moments_of(text_of(listed.frame, listed.updated))
    end = moments_of(text_of(listed.frame, columns.agency_end or columns.hotspot_end))
    fires = _fires(listed, columns, start).assign(end=end.start, updated=updated.start)
    sound, refused = first_reasons(_checks(listed, fires, start), path.name, len(fires))
    if not sound.any():
        raise CorruptFileError(f"no row can be used: {refused}: correct the file")
    return FireRecords(
        fires=gpd.GeoDataFrame(fires[list(COLUMNS)][sound], crs="EPSG:4326").reset_index(drop=True),
        maker=columns.kind,
        refused=refused,
        doubtful=_doubtful(sound, fires, updated, end),
        notes=listed.notes,
    )


def _start(frame: pd.DataFrame, columns: FireColumns) -> Moments:
    """When fires started: the agency's word, else the first hotspot."""
    first, *others = (moments_of(text_of(frame, name)) for name in columns.starts)
    for other in others:
        absent = np.isnat(first.start) & ~first.naive
        first = Moments(
            start=np.where(absent, other.start, first.start),
            hours=np.where(absent, other.hours, first.hours),
            naive=np.where(absent, other.naive, first.naive),
            unread=np.where(absent, other.unread | first.unread, first.unread),
        )
    return first


def _fires(listed: Listed, columns: FireColumns, start: Moments) -> pd.DataFrame:
    """All rows in the schema, sound or not."""
    frame, known = listed.frame, ~np.isnat(start.start)
    years = np.where(known, start.start.astype("datetime64[Y]").astype(np.int64) + 1970, 0)
    agency = text_of(frame, columns.agency or listed.agency).str.upper()
    number = text_of(frame, columns.fire or listed.fire).str.replace(
        r"^(\d+)\.0$", r"\1", regex=True
    )
    rows = pd.Series(np.arange(1, len(frame) + 1), index=frame.index)
    number = number.where(number != "", "unnamed " + rows.astype("str"))
    cause = _normal(text_of(frame, columns.cause), _CAUSES, "unknown")
    on_purpose = is_prescribed(text_of(frame, columns.prescribed))
    size = pd.to_numeric(text_of(frame, columns.hectares), errors="coerce")
    return pd.DataFrame(
        {
            "fire": (agency + " " + number).str.strip() + " " + pd.Series(years).astype("str"),
            "agency": agency,
            "season": years.astype("int16"),
            "longitude": listed.longitude,
            "latitude": listed.latitude,
            "start": start.start,
            "start_hours": start.hours,
            "status": _normal(text_of(frame, listed.status), _STATUSES, ""),
            "cause": cause.mask(on_purpose, "prescribed"),
            "hectares": size.where(size >= 0).to_numpy(dtype="float64"),
            "maker": columns.kind,
            "file": listed.path.name,
            "row": rows,
            "geometry": listed.shapes,
        }
    )


def _normal(
    text: "pd.Series[str]", words: dict[str, tuple[str, ...]], other: str
) -> "pd.Series[str]":
    """A column's words as one maker's; `other` for what nobody knows."""
    known = {word: name for name, spelled in words.items() for word in spelled}
    return text.str.lower().map(known).fillna(other)


def _checks(listed: Listed, fires: pd.DataFrame, start: Moments) -> dict[str, NDArray[np.bool_]]:
    """Reasons for which a row is of no use, the first first."""
    x, y = listed.longitude, listed.latitude
    west, south, east, north = CANADA
    nowhere = (np.abs(x) > 180) | (np.abs(y) > 90) | ((x == 0) & (y == 0))
    placed = np.isfinite(x) & np.isfinite(y)
    with_dates = {
        "no place": shapely.is_missing(listed.shapes) | ~placed,
        "impossible coordinates": nowhere,
        "coordinates outside Canada": (x < west) | (x > east) | (y < south) | (y > north),
        "a time without its zone": start.naive,
        "no readable date of its start since 1970": np.isnat(start.start),
    }
    sound = ~np.any(list(with_dates.values()), axis=0)
    older = _older(fires, sound) if listed.updated else np.zeros_like(sound)
    return {**with_dates, "an earlier state of a fire that is listed again": older}


def _older(fires: pd.DataFrame, sound: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows of a fire that has another row, brought up to date later, or standing further down.

    Only where rows say when they were brought up to date: else they are parts of one fire.
    """
    older = np.zeros(len(fires), dtype=bool)
    chosen = fires[sound].sort_values(["updated", "row"], na_position="first")
    older[chosen.index[chosen.duplicated("fire", keep="last")]] = True
    return older


def _doubtful(
    sound: NDArray[np.bool_], fires: pd.DataFrame, updated: Moments, end: Moments
) -> dict[str, tuple[int, ...]]:
    """Rows that stay although something in them cannot be."""
    day_before = fires["start"].to_numpy().astype("datetime64[s]") - _DAY
    checks = {
        "the date of its status cannot be read": updated.unread | updated.naive,
        "its status is more than a day older than its report": np.less(updated.start, day_before),
        "the date of its end cannot be read": end.unread | end.naive,
        "it ended before it started": np.less(end.start, day_before),
    }
    found = {why: tuple(fires["row"][sound & wrong].tolist()) for why, wrong in checks.items()}
    return {why: rows for why, rows in found.items() if rows}
