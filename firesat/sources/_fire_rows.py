"""The features of one season in a file of perimeters, checked one by one."""

import logging
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError

from firesat.errors import ConfigError, CorruptFileError
from firesat.sources._fire_columns import FireColumns, known_starts, recognise
from firesat.sources._perimeters import days_of, text_of
from firesat.sources._refused import Refused, first_reasons
from firesat.sources._vector_places import check_units, one_layer, with_crs
from firesat.sources._vectors import unpacked

log = logging.getLogger(__name__)

_UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Features of a season that can be drawn, and what became of the others.

    Parameters
    ----------
    frame : gpd.GeoDataFrame
        Polygons with the columns that are used.
    columns : FireColumns
        Which these are.
    total : int
        Features in the file.
    years : dict of str to int
        Features by season, "unknown" where the file does not say.
    refused : Refused
        Features of the season that are left out.
    notes : tuple of str
        What was assumed.
    """

    frame: gpd.GeoDataFrame
    columns: FireColumns
    total: int
    years: dict[str, int]
    refused: Refused
    notes: tuple[str, ...]


def season_rows(path: Path, year: int, *, dated_by_hotspots: bool) -> Rows:
    """Read the features of a season.

    Parameters
    ----------
    path : Path
        A vector file, or a zip of one.
    year : int
        Season.
    dated_by_hotspots : bool
        Whether a file that never says when fires started can be used.

    Returns
    -------
    Rows
        A feature without season or date belongs to the season where the file names no seasons.

    Raises
    ------
    ConfigError
        If there is no such file, or it has no fire of the season.
    CorruptFileError
        If it is damaged, holds no polygons, or no column says when fires started.
    GridError
        If its CRS is missing or not that of its coordinates.
    """
    if not path.is_file():
        raise ConfigError(f"there is no file {path}: give perimeters of fires")
    with unpacked(path) as plain, warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")  # GDAL's, such as of rings that do not close
        try:
            frame, columns, seasons = _read(path, plain, year)
        except (DataSourceError, DataLayerError, ValueError) as error:
            why = " ".join(str(error).split())
            raise CorruptFileError(f"{path} cannot be read ({why}): fetch it again") from error
    for text in {str(remark.message) for remark in remarks}:
        log.info("%s: %s", path.name, text)
    notes = _check_dates(path, columns, dated_by_hotspots=dated_by_hotspots)
    years = {str(name): int(n) for name, n in Counter(seasons).items()}
    if frame.empty:
        there = f"{min(years)} to {max(years)}" if len(years) > 1 else min(years)
        raise ConfigError(f"{path} has no fires of {year}, but of {there}: choose another --year")
    frame, assumed = with_crs(path, frame, nbac=columns.kind == "NBAC")
    check_units(path, frame)
    sound, refused = _sound(path, frame, len(seasons))
    return Rows(
        frame=sound,
        columns=columns,
        total=len(seasons),
        years=years,
        refused=refused,
        notes=(*notes, *assumed),
    )


def _read(path: Path, plain: Path, year: int) -> tuple[gpd.GeoDataFrame, FireColumns, list[str]]:
    """Features of the season, what their columns are, and the season of every feature."""
    layer = one_layer(path, plain)
    info = pyogrio.read_info(plain, layer=layer)
    columns = recognise(info["fields"])
    if not info["features"]:
        raise CorruptFileError(f"{path} is empty: give perimeters of fires")
    frame = pyogrio.read_dataframe(
        plain, layer=layer, columns=columns.dated or None, read_geometry=False, fid_as_index=True
    )
    seasons = _seasons(pd.DataFrame(frame), columns, year)
    place = np.flatnonzero(seasons == str(year))
    own = frame.index[place].to_numpy()
    # by their numbers: all fires of Canada since 1972 are too many to hold at once
    features = pyogrio.read_dataframe(
        plain, layer=layer, columns=columns.used, fids=own, on_invalid="ignore"
    )
    features.index = place + 1  # what a person counts
    return gpd.GeoDataFrame(features), columns, seasons.tolist()


def _seasons(frame: pd.DataFrame, columns: FireColumns, year: int) -> "pd.Series[str]":
    """Season of each feature: what it says, else that of its first date."""
    said = pd.to_numeric(text_of(frame, columns.year), errors="coerce")
    said = said.where(said > 0)  # NFDB writes -9999
    for date in columns.dates:
        days = pd.Series(days_of(text_of(frame, date)), index=frame.index)
        said = said.fillna(pd.to_datetime(days, unit="D").dt.year)
    known = said.dropna()
    undated = _UNKNOWN
    if not columns.year and (known.empty or (known == year).any()):
        undated = str(year)  # such a file holds one season, and undated fires are its own
    seasons: pd.Series[str] = said.map(lambda y: undated if np.isnan(y) else f"{y:.0f}")
    return seasons


def _check_dates(path: Path, columns: FireColumns, *, dated_by_hotspots: bool) -> tuple[str, ...]:
    """Say, or refuse, that no column tells when fires started."""
    if columns.starts:
        return ()
    if not dated_by_hotspots:
        raise CorruptFileError(
            f"{path} has no column of the dates on which fires started ({known_starts()}): name "
            "one so, or give --hotspots"
        )
    return ("no column says when fires started: only hotspots date them",)


def _sound(path: Path, frame: gpd.GeoDataFrame, total: int) -> tuple[gpd.GeoDataFrame, Refused]:
    """The features that are polygons, and why the others are not."""
    shapes: NDArray[np.object_] = frame.geometry.to_numpy()
    absent = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    areal = (shapely.get_dimensions(shapes) == 2) & ~absent
    infinite = areal & ~np.isfinite(shapely.bounds(shapes)).all(axis=1)
    flat = areal & ~infinite & (shapely.area(shapes) == 0)
    reasons = {
        "no geometry, or a broken one": absent,
        "points or lines": ~areal & ~absent,
        "coordinates that are no numbers": infinite,
        "no area": flat & shapely.is_valid(shapes),
    }
    good, refused = first_reasons(reasons, path.name, total, frame.index.to_numpy())
    if "points or lines" in refused.counts and not (areal & good).any():
        raise CorruptFileError(
            f"{path} holds points or lines, from which no burned area follows: give the "
            "perimeters, such as NBAC's polygons"
        )
    return frame[good], refused
