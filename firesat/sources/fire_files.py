"""Perimeters of a season from one file of NBAC, NFDB, an agency or one's own, put on the grid."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray

from firesat.sources._drawing import fire_arrays, reproject, window_of
from firesat.sources._fire_columns import FireColumns
from firesat.sources._fire_rows import Rows, season_rows
from firesat.sources._hotspots import read_hotspots
from firesat.sources._perimeters import DATES, Columns, fire_table, is_prescribed, text_of
from firesat.sources._refused import Refused

__all__ = [
    "DATES",
    "SeasonFires",
    "fire_arrays",
    "read_fires",
    "read_hotspots",
    "reproject",
    "window_of",
]

_BURNS = ("pb", "h-pb", "prescribed", "prescribed burn", "prescribed fire")  # causes, NFDB's first
_RELEASE = re.compile(r"_(\d{4})\d{4}(?:_shp)?$", re.IGNORECASE)
_STARTS = ("agency_start", "hotspot_start")
_NAME, _ON_PURPOSE = "name", "prescribed"


@dataclass(frozen=True, kw_only=True)
class SeasonFires:
    """The fires of a season as one file has them.

    Parameters
    ----------
    fires : pd.DataFrame
        One row a fire: `shape` in the CRS asked for, `name`, `fire_id`, `prescribed` (0 or 1), the
        four dates (days since 1970-01-01, NaN = unknown) and `official_ha` (NaN = not said).
    kind : str
        Whose schema the file has.
    crs : str
        The file's CRS.
    rows : int
        Features in the file.
    years : dict of str to int
        Features by season, "unknown" where the file does not say.
    refused : Refused
        Features of the season that were left out: how many, which, and why.
    mended : int
        Features with self-crossing rings and the like, repaired.
    unread_dates : int
        Dates that could not be read; taken as unknown.
    foreign_dates : int
        Fires whose start lies in another year; taken as unknown.
    notes : tuple of str
        What was assumed.
    """

    fires: pd.DataFrame
    kind: str
    crs: str
    rows: int
    years: dict[str, int]
    refused: Refused
    mended: int
    unread_dates: int
    foreign_dates: int
    notes: tuple[str, ...]


def read_fires(path: Path, year: int, crs: str, *, dated_by_hotspots: bool) -> SeasonFires:
    """Read the fires of a season.

    Parameters
    ----------
    path : Path
        Shapefile, GeoPackage or GeoJSON, or a zip of one, of polygons with columns as NBAC, NFDB,
        the BC Wildfire Service or others name them.
    year : int
        Season.
    crs : str
        CRS of the result.
    dated_by_hotspots : bool
        Whether a file that never says when fires started can be used.

    Returns
    -------
    SeasonFires
        Its fires, features of one name joined, and what became of the other features.

    Raises
    ------
    ConfigError
        If there is no such file, or it has no fire of the season.
    CorruptFileError
        If it is damaged, holds no polygons, or no column says when fires started.
    GridError
        If its CRS is missing or not that of its coordinates.
    """
    rows = season_rows(path, year, dated_by_hotspots=dated_by_hotspots)
    keyed = _keyed(rows.frame, rows.columns)
    table = fire_table(keyed, _columns(rows.columns), None)
    fires = _frame(table)
    fires["official_ha"] = _official(keyed, fires, rows.columns)
    fires["shape"] = reproject(fires["shape"].to_numpy(), str(table.attrs["crs_wkt"]), crs)
    placed = np.isfinite(shapely.bounds(fires["shape"].to_numpy())).all(axis=1)
    lost = keyed.index[keyed[_NAME].isin(fires["name"][~placed])]
    rows_lost = tuple((int(row), "no place on the grid") for row in lost)
    foreign = _forget_foreign_dates(fires, year)
    return SeasonFires(
        fires=fires[placed].reset_index(drop=True),
        kind=rows.columns.kind,
        crs=rows.frame.crs.to_string() if rows.frame.crs.to_authority() else rows.frame.crs.name,
        rows=rows.total,
        years=rows.years,
        refused=replace(rows.refused, rows=(*rows.refused.rows, *rows_lost)),
        mended=int(table.attrs["mended"]),
        unread_dates=int(table.attrs["unread"]),
        foreign_dates=foreign,
        notes=(*rows.notes, *_provisional(path, year, rows)),
    )


def _keyed(frame: gpd.GeoDataFrame, columns: FireColumns) -> gpd.GeoDataFrame:
    """The features with one column of names and one that tells prescribed burns."""
    name, agency = text_of(frame, columns.fire), text_of(frame, columns.agency)
    name = name.str.replace(r"^(\d+)\.0$", r"\1", regex=True)  # NBAC numbers fires by reals
    whole = (agency + " " + name).str.strip().where(name != "", "")
    number = pd.Series(np.arange(1, len(frame) + 1), index=frame.index).astype("str")
    cause = text_of(frame, columns.cause).str.lower().isin(_BURNS)
    planned = is_prescribed(text_of(frame, columns.prescribed)) | cause
    renamed = frame.rename(columns={_NAME: "name_of_the_file", _ON_PURPOSE: "said_prescribed"})
    dates = {date: frame[column] for date, column in _dates(columns).items() if column}
    return gpd.GeoDataFrame(
        {
            _NAME: whole.where(whole != "", "unnamed " + number),
            _ON_PURPOSE: planned.map({True: "true", False: ""}),
            **dates,
            "hectares": renamed[columns.hectares] if columns.hectares else np.nan,
        },
        geometry=frame.geometry,
        crs=frame.crs,
    )


def _dates(columns: FireColumns) -> dict[str, str]:
    """Which columns hold the dates."""
    return {date: getattr(columns, date) for date in DATES}


def _columns(columns: FireColumns) -> Columns:
    """The columns that :func:`_keyed` makes."""
    return Columns(
        fire=_NAME, prescribed=_ON_PURPOSE, **{d: d for d, c in _dates(columns).items() if c}
    )


def _frame(table: xr.Dataset) -> pd.DataFrame:
    """A table of fires with shapes."""
    columns = {name: table[name].values for name in ("name", "fire_id", "prescribed", *DATES)}
    return pd.DataFrame({"shape": shapely.from_wkb(table["geometry"].values), **columns})


def _official(
    frame: gpd.GeoDataFrame, fires: pd.DataFrame, columns: FireColumns
) -> NDArray[np.float64]:
    """Official hectares of each fire; NaN where the file says none."""
    hectares = pd.to_numeric(frame["hectares"], errors="coerce").where(lambda size: size > 0)
    groups = hectares.groupby([frame[_NAME], frame[_ON_PURPOSE] == "true"])
    # NBAC gives each part its own size, agencies the whole fire's to each part
    sizes = groups.sum(min_count=1) if columns.kind == "NBAC" else groups.max()
    which = pd.MultiIndex.from_arrays([fires["name"], fires["prescribed"] == 1])
    official: NDArray[np.float64] = sizes.reindex(which).to_numpy(dtype="float64")
    return official


def _forget_foreign_dates(fires: pd.DataFrame, year: int) -> int:
    """Take starts outside the season, and ends before it, as unknown; count the fires."""
    first, after = (
        int(np.datetime64(f"{y}-01-01", "D").astype(np.int64)) for y in (year, year + 1)
    )
    foreign = np.zeros(len(fires), dtype=bool)
    for date in DATES:
        day = fires[date].to_numpy()
        wrong = (day < first) | ((day >= after) & (date in _STARTS))
        fires[date] = np.where(wrong, np.nan, day)
        foreign |= wrong & (date in _STARTS)
    return int(foreign.sum())


def _provisional(path: Path, year: int, rows: Rows) -> tuple[str, ...]:
    """Whether NBAC may still change: its newest year is provisional until the next release."""
    if rows.columns.kind != "NBAC":
        return ()
    release = _RELEASE.search(path.stem)
    seasons = {int(name) for name in rows.years if name.isdigit()}
    newest = len(seasons) > 1 and year == max(seasons)
    if newest or (release is not None and int(release[1]) <= year + 1):
        return (f"provisional: {year} is the newest year of this release of NBAC",)
    if release is None and len(seasons) == 1:
        return ("the file's name has no date of release: NBAC's newest year is provisional",)
    return ()
