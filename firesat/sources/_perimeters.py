"""Fire perimeters as tables: one row a fire, its name, dates and ground."""

import logging
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS

from firesat.errors import GridError
from firesat.sources._refused import first_reasons

log = logging.getLogger(__name__)

DATES = ("agency_start", "agency_end", "hotspot_start", "hotspot_end")
_EPOCH = np.datetime64("1970-01-01", "D")
_PRESCRIBED = ("true", "t", "yes", "y", "1", "1.0", "pb", "h-pb", "prescribed", "prescribed burn")
_EXACT = 2**24  # whole numbers that float32, in which labels are stored, holds exactly


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of a file hold what; "" = it has none.

    Parameters
    ----------
    fire : str
        Name of the fire; features of one name are one fire.
    agency_start, agency_end, hotspot_start, hotspot_end : str
        Dates.
    prescribed : str
        Whether it was a prescribed burn: "true", "yes", "1", or NFDB's cause "H-PB".
    """

    fire: str = ""
    agency_start: str = ""
    agency_end: str = ""
    hotspot_start: str = ""
    hotspot_end: str = ""
    prescribed: str = ""


def fire_table(
    frame: gpd.GeoDataFrame, columns: Columns, crs: CRS | None, file: str = "perimeters"
) -> xr.Dataset:
    """Make one row per fire.

    Parameters
    ----------
    frame : gpd.GeoDataFrame
        Perimeters, several features a fire.
    columns : Columns
        What stands where.
    crs : CRS, optional
        To assume where the file names none.
    file : str
        Name of the file, for messages.

    Returns
    -------
    xr.Dataset
        Along dim ``fire``, which has no place on any grid: ``geometry`` (WKB, made valid),
        ``name``, ``fire_id`` (the number at the end of the name, or 1, 2, ...), the four dates in
        days since 1970-01-01 (NaN where unknown), ``prescribed`` (0 or 1); attributes
        ``crs_wkt``, ``mended`` (features that were not valid, such as self-crossing rings),
        ``unread`` (dates that could not be read) and ``left_out`` (which features have no
        geometry, in one line).

    Raises
    ------
    GridError
        If there is no CRS.
    """
    known = frame.crs or crs
    if known is None:
        raise GridError("the perimeters have no CRS: name one, such as EPSG:3978")
    absent = frame.geometry.isna() | frame.geometry.is_empty
    there, refused = first_reasons({"no geometry, or a broken one": absent}, file, len(frame))
    if refused.rows:
        log.warning("%s", refused)
    sound = frame[there]
    shapes = shapely.force_2d(sound.geometry.to_numpy())
    broken = ~shapely.is_valid(shapes)
    # by structure: a ring that overlaps itself keeps its ground; by linework it gets a hole
    mended = shapely.make_valid(shapes[broken], method="structure", keep_collapsed=False)
    shapes[broken] = mended
    names = _names(sound, columns.fire)
    prescribed = is_prescribed(text_of(sound, columns.prescribed))
    table = pd.DataFrame({"shape": shapes, "name": names, "prescribed": prescribed})
    unread = 0
    for date in DATES:
        text = text_of(sound, getattr(columns, date))
        table[date] = days_of(text)
        unread += int(((text != "") & table[date].isna()).sum())
    if unread:
        log.warning("%d dates cannot be read or are before 1970: they count as unknown", unread)
    if columns.fire:
        table = _dissolved(table)
    return xr.Dataset(
        {
            "geometry": ("fire", shapely.to_wkb(table["shape"].to_numpy())),
            "name": ("fire", table["name"].to_numpy(dtype="object")),
            "fire_id": ("fire", _numbers(table["name"])),
            "prescribed": ("fire", table["prescribed"].to_numpy(dtype="float32")),
            **{date: ("fire", table[date].to_numpy(dtype="float32")) for date in DATES},
        },
        attrs={
            "crs_wkt": CRS(known).to_wkt(),
            "mended": int(broken.sum()),
            "unread": unread,
            "left_out": str(refused),
        },
    )


def _names(frame: gpd.GeoDataFrame, column: str) -> "pd.Series[str]":
    """Names of fires, which NBAC writes as real numbers."""
    return text_of(frame, column).str.replace(r"^(\d+)\.0$", r"\1", regex=True)


def text_of(frame: gpd.GeoDataFrame, column: str) -> "pd.Series[str]":
    """Give a column as text.

    Parameters
    ----------
    frame : gpd.GeoDataFrame
        Features.
    column : str
        Its name.

    Returns
    -------
    pd.Series of str
        Without blanks around; "" where it is absent or empty.
    """
    if not column or column not in frame:
        return pd.Series("", index=frame.index, dtype="str")
    text: pd.Series[str] = frame[column].astype("str").where(frame[column].notna(), "")
    return text.str.strip()


def is_prescribed(text: "pd.Series[str]") -> "pd.Series[bool]":
    """Tell which fires were lit on purpose.

    Parameters
    ----------
    text : pd.Series of str
        Of the column that says so.

    Returns
    -------
    pd.Series of bool
        False where nothing is said.
    """
    return text.str.lower().isin(_PRESCRIBED)


def days_of(text: "pd.Series[str]") -> NDArray[np.float64]:
    """Read dates.

    Parameters
    ----------
    text : pd.Series of str
        ISO 8601, "2023/06/25", "June 25, 2023", DataBC's "20230625000000" and "2023-06-25Z",
        "20230625" also as a real number, ArcGIS's milliseconds since 1970; "" = none. "6/7/2023" is
        the 7th of June.

    Returns
    -------
    ndarray of float64
        Days since 1970-01-01; NaN where there is none, or one before 1970.
    """
    plain = text.str.replace(r"^(\d{8})(?:\d{6}|\.0)$", r"\1", regex=True)
    plain = plain.str.replace(r"^(\d{4}-\d\d-\d\d)Z$", r"\1", regex=True)
    moments = pd.to_datetime(plain.where(plain != ""), errors="coerce", format="mixed", utc=True)
    since_1970 = pd.to_numeric(
        plain.where(plain.str.fullmatch(r"\d{11,13}(\.0)?")), errors="coerce"
    )
    stamps = pd.to_datetime(since_1970, unit="ms", utc=True)
    said, since = (
        each.dt.tz_localize(None).to_numpy().astype("datetime64[D]") for each in (moments, stamps)
    )
    days = np.where(np.isnat(said), since, said)
    numbers = np.where(np.isnat(days), np.nan, (days - _EPOCH).astype("float64"))
    numbers[numbers < 0] = np.nan  # such as the year 1, by which some lists say "none"
    return numbers


def _dissolved(table: pd.DataFrame) -> pd.DataFrame:
    """One row per fire and kind: a fire that crosses a province stands in several features."""
    rules: dict[str, Any] = {"shape": _joined}
    rules |= {date: "min" if date.endswith("start") else "max" for date in DATES}
    unnamed = table["name"] == ""
    table["name"] = table["name"].mask(unnamed, "unnamed " + table.index.astype("str"))
    joined = table.groupby(["name", "prescribed"], sort=True, as_index=False).agg(rules)
    return pd.DataFrame(joined)


def _joined(parts: "pd.Series[Any]") -> shapely.Geometry:
    """One shape of several."""
    shapes = parts.to_numpy()
    return shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)


def _numbers(names: "pd.Series[str]") -> NDArray[np.int64]:
    """Number of each fire: that in its name if these are all different, else 1, 2, ..."""
    digits = names.str.extract(r"(\d{1,9})$", expand=False)
    if len(names) and digits.notna().all():
        numbers = digits.to_numpy(dtype="int64")
        different = len(np.unique(numbers)) == names.nunique()
        if different and numbers.min() > 0 and numbers.max() < _EXACT:
            return numbers
    return np.asarray(
        pd.factorize(names)[0] + 1 if names.ne("").all() else range(1, len(names) + 1)
    )
