"""Fires of a season as cells: how much burned, by which fire, and its dates."""

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS

from firesat.blocks import Block, Variable
from firesat.coverage import burned_fraction, covered
from firesat.errors import CorruptFileError
from firesat.grid import crs_of
from firesat.sources._layers import bounds_in, empty, inside
from firesat.sources._perimeters import DATES

VARIABLES = (
    Variable(name="fraction"),
    Variable(name="fire_id", dtype="int32", fill=-1),
    Variable(name="prescribed"),
    *(Variable(name=date) for date in DATES),
)
"""How a season's perimeters rest in the cube."""

TIE = 1e-6  # share of a cell by which one fire must exceed another to have burned more of it
_STEP = 1000.0  # metres between corners, so that a long straight edge bends with the projection
_DEGREES = 0.01  # the same for maps in degrees

Arrays = dict[str, NDArray[np.float32]]


def draw_fires(tables: list[xr.Dataset], block: Block) -> Arrays:
    """Draw fires into the cells of a block.

    Parameters
    ----------
    tables : list of xr.Dataset
        Results of :func:`firesat.sources._perimeters.fire_table`.
    block : Block
        One time step.

    Returns
    -------
    dict of str to ndarray of float32, shape (1, Y, X)
        As :func:`fire_arrays`.

    Raises
    ------
    CorruptFileError
        If a table holds points or lines, which burn nothing.
    """
    arrays = {name: empty(block) for name in ("fraction", "fire_id", "prescribed", *DATES)}
    if tables:
        fires = pd.concat([_nearby(table, block) for table in tables], ignore_index=True)
        for name, values in fire_arrays(fires, block.region).items():
            arrays[name][(0, *inside(block))] = values
    return arrays


def _nearby(table: xr.Dataset, block: Block) -> pd.DataFrame:
    """The fires that touch a block, in its CRS."""
    shapes = shapely.from_wkb(table["geometry"].values)
    if set(shapely.get_dimensions(shapes).tolist()) - {2, -1}:
        raise CorruptFileError(
            "the file holds points or lines, from which no burned area follows: give the "
            "perimeters, such as NBAC's polygons"
        )
    crs = str(table.attrs["crs_wkt"])
    near = shapely.intersects(shapes, shapely.box(*bounds_in(block.region, crs)))
    rows = {name: table[name].values[near] for name in ("fire_id", "prescribed", *DATES)}
    moved = reproject(shapes[near], crs, crs_of(block.geobox).to_wkt())
    return pd.DataFrame({"shape": moved, **rows})


def reproject(shapes: NDArray[np.object_], crs: str, target: str) -> NDArray[np.object_]:
    """Bring polygons into another CRS.

    Parameters
    ----------
    shapes : ndarray of shapely geometry
        In `crs`.
    crs, target : str
        EPSG codes or WKT.

    Returns
    -------
    ndarray of shapely geometry
        Edges longer than a kilometre get corners between: a straight line of one map is bent in
        another. Coordinates are infinite where `target` has no such place.
    """
    step = _DEGREES if CRS(crs).is_geographic else _STEP
    moved: NDArray[np.object_] = (
        gpd.GeoSeries(shapely.segmentize(shapes, step), crs=crs).to_crs(target).to_numpy()
    )
    return moved


def fire_arrays(fires: pd.DataFrame, cells: GeoBox) -> Arrays:
    """Draw fires into cells.

    A cell belongs to the fire that covers most of it; where two cover it alike, as where one
    perimeter lies inside another, to the smaller one. Ground that several fires cover counts once.

    Parameters
    ----------
    fires : pd.DataFrame
        `shape` in the CRS of `cells`, `fire_id`, `prescribed` (0 or 1) and the four dates.
    cells : GeoBox
        Any cells.

    Returns
    -------
    dict of str to ndarray of float32, shape (Y, X)
        ``fraction`` and ``prescribed`` (0 to 1), ``fire_id`` (0 = none), and the four dates (NaN =
        unknown or no fire).
    """
    area = shapely.area(fires["shape"].to_numpy())
    fires = fires.iloc[np.argsort(area, kind="stable")]
    wild = fires[fires["prescribed"] == 0]
    on_purpose = fires.loc[fires["prescribed"] == 1, "shape"]
    rank = _owners(wild["shape"].to_numpy(), cells)
    numbers = {"fire_id": 0.0} | dict.fromkeys(DATES, np.nan)  # what stands where no fire is
    return {
        "fraction": burned_fraction(wild["shape"].to_numpy(), cells) * (rank > 0),
        "prescribed": burned_fraction(on_purpose.to_numpy(), cells),
        **{
            name: np.concatenate([[none], wild[name]]).astype(np.float32)[rank]
            for name, none in numbers.items()
        },
    }


def _owners(shapes: NDArray[np.object_], cells: GeoBox) -> NDArray[np.int32]:
    """Which of some shapes, numbered from 1, small ones first, covers most of each cell."""
    most, rank = np.zeros(cells.shape), np.zeros(cells.shape, dtype=np.int32)
    for number, shape in enumerate(shapes, start=1):
        window = window_of(shape, cells)
        if window is None:
            continue
        share = covered([shape], cells[window])
        won = share > most[window] + (TIE if most[window].any() else 0.0)
        most[window][won] = share[won]
        rank[window][won] = number
    return rank


def window_of(shape: shapely.Geometry, cells: GeoBox) -> tuple[slice, slice] | None:
    """Find the cells that a shape may touch.

    Parameters
    ----------
    shape : shapely geometry
        In the CRS of `cells`.
    cells : GeoBox
        Any cells, north up.

    Returns
    -------
    tuple of slice, or None
        Rows and columns; None if it lies elsewhere.
    """
    left, bottom, right, top = shapely.bounds(shape)
    if not np.isfinite(left):
        return None
    (first, last), (up, down) = zip(
        ~cells.affine * (left, top), ~cells.affine * (right, bottom), strict=True
    )
    height, width = cells.shape
    rows = slice(max(int(np.floor(up)), 0), min(int(np.ceil(down)), height))
    columns = slice(max(int(np.floor(first)), 0), min(int(np.ceil(last)), width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    return rows, columns
