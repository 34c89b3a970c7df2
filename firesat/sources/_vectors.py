"""Vector files, packed or not, as tables of features."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from firesat.errors import CorruptFileError
from firesat.sources._tables import is_table, read_table
from firesat.sources._zips import extract, members
from firesat.sources.base import cached

log = logging.getLogger(__name__)

_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_SUFFIXES = (".shp", ".gpkg", ".geojson", ".json")
VECTORS = (*_SUFFIXES, ".zip")
"""Endings of vector files, and of archives of one."""
_DECORATION = "__MACOSX/"  # what macOS adds to an archive
_PLACES = {"x": ("x", "lon", "longitude"), "y": ("y", "lat", "latitude")}


def read_vectors(path: Path) -> gpd.GeoDataFrame:
    """Read a vector file.

    Parameters
    ----------
    path : Path
        Shapefile, GeoPackage or GeoJSON, a zip of one of them, or a CSV table of places.

    Returns
    -------
    gpd.GeoDataFrame
        As it stands in the file; a table's rows as points, none where the place is impossible.

    Raises
    ------
    CorruptFileError
        If it is of another kind, or damaged.
    """
    if is_table(path):
        return _read_places(path)
    with unpacked(path) as plain:
        try:
            return gpd.read_file(plain, engine="pyogrio")
        except (DataSourceError, DataLayerError, ValueError) as error:
            raise CorruptFileError(
                f"{path} cannot be read ({error}): delete it and run the command again"
            ) from error


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Give a vector file as one that GDAL opens, unpacked for a while if it is a zip.

    Parameters
    ----------
    path : Path
        Shapefile, GeoPackage or GeoJSON, or a zip of one of them.

    Yields
    ------
    Path
        The file itself, or a copy that is gone afterwards.

    Raises
    ------
    CorruptFileError
        If it is of another kind, or a zip of more or less than one.
    """
    suffix = path.suffix.lower()
    if suffix in _SUFFIXES:
        yield path
    elif suffix == ".zip":
        with TemporaryDirectory() as folder:
            yield _unpack(path, Path(folder))
    else:
        raise CorruptFileError(
            f"{path} is no vector file: give {', '.join(_SUFFIXES)}, or a .zip of one"
        )


def kept_unpacked(path: Path, cache: Path) -> Path:
    """Unpack a zip of one vector file into the cache, once for all tiles.

    Parameters
    ----------
    path : Path
        The zip; any other file is given back as it is.
    cache : Path
        Folder shared by all workers.

    Returns
    -------
    Path
        The file that GDAL opens; its name holds that of the zip and when that was written.

    Raises
    ------
    CorruptFileError
        If it is damaged, or a zip of more or less than one.
    """
    if path.suffix.lower() != ".zip":
        return path
    name = f"{path.name}-{path.stat().st_mtime_ns}"
    chosen, parts = _inside(path)
    suffixes = {Path(part).suffix.lower(): part for part in parts}
    suffixes.pop(".cpg", None)  # may be empty, and no text is read
    last = Path(chosen).suffix.lower()  # once it is there, all are
    for suffix in sorted(suffixes, key=lambda each: each == last):
        kept = cached(cache, f"{name}{suffix}", partial(extract, path, suffixes[suffix]))
    return kept


def _inside(path: Path) -> tuple[str, list[str]]:
    """The one vector file of an archive, and its parts."""
    found = [name for name in members(path, _SUFFIXES) if not name.startswith(_DECORATION)]
    shapes = [name for name in found if name.lower().endswith(".shp")]
    if not found:
        raise CorruptFileError(f"{path} holds no {', '.join(_SUFFIXES)}: export it as one of these")
    if len(shapes or found) != 1:
        what = f"{len(shapes)} shapefiles" if shapes else f"{len(found)} vector files"
        raise CorruptFileError(f"{path} holds {what}, not one: unpack it")
    (chosen,) = shapes or found
    stem = Path(chosen).with_suffix("")
    parts = members(path, _PARTS) if shapes else [chosen]
    return chosen, [part for part in parts if Path(part).with_suffix("") == stem]


def _unpack(path: Path, folder: Path) -> Path:
    """Unpack the one vector file of an archive."""
    chosen, parts = _inside(path)
    for part in parts:
        extract(path, part, folder / f"fires{Path(part).suffix.lower()}")
    return folder / f"fires{Path(chosen).suffix.lower()}"


def _read_places(path: Path) -> gpd.GeoDataFrame:
    """Read a table with a column of longitudes and one of latitudes."""
    table = read_table(path)
    names = {
        axis: next((c for c in table if str(c).lower().rpartition("_")[2] in known), None)
        for axis, known in _PLACES.items()
    }
    if None in names.values():
        raise CorruptFileError(
            f"{path} has no columns of longitude and latitude, but {', '.join(map(str, table))}: "
            "name them so"
        )
    x, y = (pd.to_numeric(table[names[axis]], errors="coerce") for axis in ("x", "y"))
    sound = x.between(-180, 180) & y.between(-90, 90)
    if not sound.all():
        log.warning("%s: %d rows lie nowhere on Earth", path.name, int((~sound).sum()))
    points = np.full(len(table), None, dtype=object)
    points[sound] = shapely.points(x[sound].to_numpy(), y[sound].to_numpy())
    return gpd.GeoDataFrame(table, geometry=points, crs="EPSG:4326")
