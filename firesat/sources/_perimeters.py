"""Fire perimeters: vector files as tables, and tables as cells."""

import logging
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS

from firesat.blocks import Block
from firesat.errors import CorruptFileError, GridError
from firesat.grid import crs_of
from firesat.raster import burned_fraction, draw
from firesat.sources._layers import bounds_in, empty, inside
from firesat.sources._zips import extract, members

log = logging.getLogger(__name__)

DATES = ("agency_start", "agency_end", "hotspot_start", "hotspot_end")
_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_SUFFIXES = (".shp", ".gpkg", ".geojson", ".json")
_PLACES = {"x": ("x", "lon", "longitude"), "y": ("y", "lat", "latitude")}
_EPOCH = np.datetime64("1970-01-01", "D")


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
        Whether it was a prescribed burn: "true", "t", "yes", "1".
    """

    fire: str = ""
    agency_start: str = ""
    agency_end: str = ""
    hotspot_start: str = ""
    hotspot_end: str = ""
    prescribed: str = ""


def read_vectors(path: Path) -> gpd.GeoDataFrame:
    """Read a vector file.

    Parameters
    ----------
    path : Path
        Shapefile, GeoPackage or GeoJSON, a zip of one shapefile, or a CSV table of places.

    Returns
    -------
    gpd.GeoDataFrame
        As it stands in the file; a table's rows as points, without those at impossible places.

    Raises
    ------
    CorruptFileError
        If it is of another kind, or damaged.
    """
    suffix = path.suffix.lower()
    if suffix == ".zip":
        return _read_zip(path)
    if suffix == ".csv":
        return _read_places(path)
    if suffix not in _SUFFIXES:
        raise CorruptFileError(
            f"{path} is no vector file: give {', '.join(_SUFFIXES)}, .csv or .zip"
        )
    try:
        return gpd.read_file(path, engine="pyogrio")
    except (DataSourceError, DataLayerError, ValueError) as error:
        raise CorruptFileError(
            f"{path} cannot be read ({error}): delete it and run the command again"
        ) from error


def _read_zip(path: Path) -> gpd.GeoDataFrame:
    """Read the one shapefile of an archive."""
    shapes = members(path, (".shp",))
    if len(shapes) != 1:
        raise CorruptFileError(f"{path} holds {len(shapes)} shapefiles, not one: unpack it")
    stem = shapes[0].removesuffix(".shp").removesuffix(".SHP")
    with TemporaryDirectory() as folder:
        for part in members(path, _PARTS):
            if Path(part).with_suffix("") == Path(stem):
                extract(path, part, Path(folder) / f"fires{Path(part).suffix.lower()}")
        return read_vectors(Path(folder) / "fires.shp")


def _read_places(path: Path) -> gpd.GeoDataFrame:
    """Read a table with a column of longitudes and one of latitudes."""
    try:
        table = pd.read_csv(path, dtype="str")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise CorruptFileError(f"{path} is no CSV table ({error}): fetch it again") from error
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
    points = gpd.points_from_xy(x[sound], y[sound])
    return gpd.GeoDataFrame(table[sound], geometry=points, crs="EPSG:4326")


def fire_table(frame: gpd.GeoDataFrame, columns: Columns, crs: CRS | None) -> xr.Dataset:
    """Make one row per fire.

    Parameters
    ----------
    frame : gpd.GeoDataFrame
        Perimeters, several features a fire.
    columns : Columns
        What stands where.
    crs : CRS, optional
        To assume where the file names none.

    Returns
    -------
    xr.Dataset
        Along dim ``fire``, which has no place on any grid: ``geometry`` (WKB), ``fire_id`` (1, 2,
        ... or the number in the fire's name), the four dates in days since 1970-01-01 (NaN where
        unknown), ``prescribed`` (0 or 1); attribute ``crs_wkt``.

    Raises
    ------
    GridError
        If there is no CRS.
    """
    known = frame.crs or crs
    if known is None:
        raise GridError("the perimeters have no CRS: name one, such as EPSG:3978")
    sound = frame[frame.geometry.notna()]
    shapes = shapely.make_valid(sound.geometry.to_numpy())
    names = _text(sound, columns.fire)
    prescribed = _text(sound, columns.prescribed).str.lower().isin(["true", "t", "yes", "1"])
    table = pd.DataFrame({"shape": shapes, "name": names, "prescribed": prescribed})
    for date in DATES:
        table[date] = _days(_text(sound, getattr(columns, date)))
    if columns.fire:
        table = _dissolved(table)
    return xr.Dataset(
        {
            "geometry": ("fire", shapely.to_wkb(table["shape"].to_numpy())),
            "fire_id": ("fire", _numbers(table["name"])),
            "prescribed": ("fire", table["prescribed"].to_numpy(dtype="float32")),
            **{date: ("fire", table[date].to_numpy(dtype="float32")) for date in DATES},
        },
        attrs={"crs_wkt": CRS(known).to_wkt()},
    )


def _text(frame: gpd.GeoDataFrame, column: str) -> "pd.Series[str]":
    """A column as text; "" where it is absent or empty."""
    if not column or column not in frame:
        return pd.Series("", index=frame.index, dtype="str")
    text: pd.Series[str] = frame[column].astype("str").where(frame[column].notna(), "")
    return text


def _days(text: "pd.Series[str]") -> NDArray[np.float64]:
    """Dates as days since 1970-01-01; NaN where there is none."""
    moments = pd.to_datetime(text.where(text != ""), errors="coerce", format="mixed", utc=True)
    days = moments.dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    since = np.where(np.isnat(days), np.nan, (days - _EPOCH).astype("float64"))
    since[since < 0] = np.nan  # such as the year 1, by which some lists say "none"
    unread = int(((text != "").to_numpy() & np.isnan(since)).sum())
    if unread:
        log.warning("%d dates cannot be read or are before 1970: they count as unknown", unread)
    return since


def _dissolved(table: pd.DataFrame) -> pd.DataFrame:
    """One row per fire and kind: a fire that crosses a province stands in several features."""
    rules: dict[str, Any] = {"shape": lambda parts: shapely.union_all(parts.to_numpy())}
    rules |= {date: "min" if date.endswith("start") else "max" for date in DATES}
    unnamed = table["name"] == ""
    table["name"] = table["name"].mask(unnamed, "unnamed " + table.index.astype("str"))
    joined = table.groupby(["name", "prescribed"], sort=True, as_index=False).agg(rules)
    return pd.DataFrame(joined)


def _numbers(names: "pd.Series[str]") -> NDArray[np.int64]:
    """Number of each fire: that in its name if these are all different, else 1, 2, ..."""
    digits = names.str.extract(r"(\d+)$", expand=False)
    if digits.notna().all() and names.nunique() == digits.nunique() and len(names):
        return digits.to_numpy(dtype="int64")
    return np.asarray(
        pd.factorize(names)[0] + 1 if names.ne("").all() else range(1, len(names) + 1)
    )


def draw_fires(tables: list[xr.Dataset], block: Block) -> dict[str, NDArray[np.float32]]:
    """Draw fires into the cells of a block.

    Parameters
    ----------
    tables : list of xr.Dataset
        Results of :func:`fire_table`.
    block : Block
        One time step.

    Returns
    -------
    dict of str to ndarray of float32, shape (1, Y, X)
        fraction, fire_id (0 = none), prescribed, and the four dates (NaN = unknown or no fire).

    Raises
    ------
    CorruptFileError
        If a table holds points or lines, which burn nothing.
    """
    arrays = {name: empty(block) for name in ("fraction", "fire_id", "prescribed", *DATES)}
    if not tables:
        return arrays
    fires = pd.concat([_nearby(table, block) for table in tables], ignore_index=True)
    fires = fires.sort_values("area", ascending=False)  # small ones are drawn on top
    wild = fires[fires["prescribed"] == 0].reset_index(drop=True)
    cells, place = block.region, (0, *inside(block))
    arrays["fraction"][place] = burned_fraction(list(wild["shape"]), cells)
    burnt_on_purpose = fires.loc[fires["prescribed"] == 1, "shape"]
    arrays["prescribed"][place] = burned_fraction(list(burnt_on_purpose), cells)
    rank = draw([(shape, row + 1) for row, shape in enumerate(wild["shape"])], cells)
    arrays["fire_id"][place] = np.concatenate([[0], wild["fire_id"]])[rank]
    for date in DATES:
        arrays[date][place] = np.concatenate([[np.nan], wild[date]])[rank]
    return arrays


def _nearby(table: xr.Dataset, block: Block) -> pd.DataFrame:
    """The fires that touch a block, in its CRS."""
    shapes = shapely.from_wkb(table["geometry"].values)
    kinds = set(shapely.get_dimensions(shapes).tolist())
    if kinds - {2, -1}:
        raise CorruptFileError(
            "the file holds points or lines, from which no burned area follows: give the "
            "perimeters, such as NBAC's polygons"
        )
    crs = str(table.attrs["crs_wkt"])
    near = shapely.intersects(shapes, shapely.box(*bounds_in(block.region, crs)))
    target = crs_of(block.geobox).to_wkt()
    moved = gpd.GeoSeries(shapes[near], crs=crs).to_crs(target).to_numpy()
    rows = {name: table[name].values[near] for name in ("fire_id", "prescribed", *DATES)}
    return pd.DataFrame({"shape": moved, "area": shapely.area(moved), **rows})
