"""A list of fires as it stands in its file: columns as text, places in degrees."""

import logging
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
from firesat.sources._fire_columns import recognise
from firesat.sources._tables import TABLES, is_table, read_table
from firesat.sources._vector_places import check_units, one_layer, with_crs
from firesat.sources._vectors import VECTORS, unpacked

log = logging.getLogger(__name__)

_X = ("field_longitude", "longitude", "long", "lon", "x")
_Y = ("field_latitude", "latitude", "lat", "y")
_STATUS = (
    "field_stage_of_control_status", "stage_of_control", "fire_status", "status", "firestatus",
)  # fmt: skip
_AGENCY = ("agency", "agency_code", "province")
_FIRE = ("firename", "fire_name", "name")
_UPDATED = ("field_status_date", "last_update", "track_date", "updated")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """All rows of a list.

    Parameters
    ----------
    path : Path
        The file.
    frame : pd.DataFrame
        Its columns.
    longitude, latitude : ndarray of float64, shape (n,)
        Degrees, WGS 84; of a perimeter, of a point on it; NaN where there is none.
    shapes : ndarray of shapely geometry, shape (n,)
        In degrees, WGS 84.
    status, updated : str
        Columns of the state of control and of its date; "" = it has none.
    agency, fire : str
        Columns of who reports it and of its name, where no maker's own are there.
    notes : tuple of str
        What was assumed.
    """

    path: Path
    frame: pd.DataFrame
    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]
    shapes: NDArray[np.object_]
    status: str
    updated: str
    agency: str
    fire: str
    notes: tuple[str, ...]


def read_listed(path: Path) -> Listed:
    """Read all rows of a list of fires.

    Parameters
    ----------
    path : Path
        CSV, shapefile, GeoPackage or GeoJSON, or a zip of one.

    Returns
    -------
    Listed
        Nothing is refused yet.

    Raises
    ------
    ConfigError
        If there is no such file.
    CorruptFileError
        If it is damaged, empty, or has no columns of coordinates.
    GridError
        If a file of shapes has no CRS, or not that of its coordinates.
    """
    if not path.is_file():
        raise ConfigError(f"there is no file {path}: give a list of fires")
    if path.suffix.lower() not in (*TABLES, *VECTORS):
        raise CorruptFileError(f"{path} is no list of fires: give {', '.join((*TABLES, *VECTORS))}")
    frame, shapes, notes = _table(path) if is_table(path) else _features(path)
    if frame.empty:
        raise CorruptFileError(f"{path} is empty: give a list of fires")
    given = {str(name).lower(): str(name) for name in frame.columns}
    at = _points(shapes)
    return Listed(
        path=path,
        frame=frame.reset_index(drop=True),
        longitude=shapely.get_x(at),
        latitude=shapely.get_y(at),
        shapes=shapes,
        status=_first(_STATUS, given),
        updated=_first(_UPDATED, given),
        agency=_first(_AGENCY, given),
        fire=_first(_FIRE, given),
        notes=notes,
    )


def _first(names: tuple[str, ...], given: dict[str, str]) -> str:
    """The first known name that a file has, whole or cut to a shapefile's 10 characters."""
    return next((given[n] for name in names for n in (name, name[:10]) if n in given), "")


def _points(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """A point of each shape."""
    areal = shapely.get_dimensions(shapes) > 0
    points: NDArray[np.object_] = shapes.copy()
    points[areal] = shapely.point_on_surface(shapes[areal])
    return points


def _table(path: Path) -> tuple[pd.DataFrame, NDArray[np.object_], tuple[str, ...]]:
    """A CSV with a column of longitudes and one of latitudes."""
    table = read_table(path, empty_is_text=True)
    given = {str(name).lower(): str(name) for name in table.columns}
    x, y = _first(_X, given), _first(_Y, given)
    if not (x and y):
        raise CorruptFileError(
            f"{path} has no columns of longitude and latitude, but {', '.join(map(str, table))}: "
            "name them so"
        )
    places = [pd.to_numeric(table[name], errors="coerce").to_numpy("float64") for name in (x, y)]
    known = np.isfinite(places).all(axis=0)
    shapes = np.full(len(table), None, dtype=object)
    shapes[known] = shapely.points(places[0][known], places[1][known])
    return table, shapes, ()


def _features(path: Path) -> tuple[pd.DataFrame, NDArray[np.object_], tuple[str, ...]]:
    """A vector file, in degrees."""
    with unpacked(path) as plain:
        try:
            layer = one_layer(path, plain)
            features = gpd.GeoDataFrame(
                pyogrio.read_dataframe(plain, layer=layer, on_invalid="ignore")
            )
        except (DataSourceError, DataLayerError, ValueError) as error:
            why = " ".join(str(error).split())
            raise CorruptFileError(f"{path} cannot be read ({why}): fetch it again") from error
    nbac = recognise(map(str, features.columns)).kind == "NBAC"
    placed, notes = with_crs(path, features, nbac=nbac)
    check_units(path, placed)
    for note in notes:
        log.warning("%s: %s", path.name, note)
    shapes: NDArray[np.object_] = placed.geometry.to_crs("EPSG:4326").to_numpy()
    shapes[shapely.is_empty(shapes)] = None
    return pd.DataFrame(placed.drop(columns=placed.geometry.name)), shapes, notes
