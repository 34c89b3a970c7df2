"""Fires and hotspots of a region, read once."""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from firesat.coverage import covered
from firesat.errors import ConfigError, CorruptFileError
from firesat.grid import crs_of, geobox
from firesat.jobs.labels.request import Request
from firesat.labels import MARGIN, SPILL, Detections, spilled
from firesat.sources.fire_files import SeasonFires, read_fires, read_hotspots
from firesat.window import fire_day

COARSER = 5  # cells along a hotspot cell's side
HOTSPOT_CELL = 500  # metres
_DAYS = 100_000  # more than there are days in any date: place and day in one number

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What labels of a region are made from.

    Parameters
    ----------
    cells : GeoBox
        The region, 100 m cells.
    file : SeasonFires
        All fires of the season, in the CRS of `cells`; those that only hotspots date have the day
        of the first one as `hotspot_start`.
    undated : ndarray of bool, shape (n,)
        Fires whose start the file does not say.
    inside : ndarray of bool, shape (n,)
        Fires that touch the region.
    whole : ndarray of bool, shape (n,)
        Fires that lie in it wholly.
    found : Detections
        Hotspots of the season on 500 m cells, counted from the corner of `ground`.
    ground : GeoBox
        The hotspot cells: the region and 20 km around.
    hotspots : Counter
        Rows of the hotspot tables: "rows", "used", and the reasons for the others.
    refused : tuple of (str, int, str)
        File, row from 1, and reason of everything that was left out.
    """

    cells: GeoBox
    file: SeasonFires
    undated: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    whole: NDArray[np.bool_]
    found: Detections
    ground: GeoBox
    hotspots: Counter[str]
    refused: tuple[tuple[str, int, str], ...] = ()

    @cached_property
    def bounds(self) -> NDArray[np.float64]:
        """Boxes around the fires.

        Returns
        -------
        ndarray of float64, shape (n, 4)
            Left, bottom, right, top.
        """
        around: NDArray[np.float64] = shapely.bounds(self.file.fires["shape"].to_numpy())
        return around


def gather(request: Request) -> Evidence:
    """Read the files of a request.

    Parameters
    ----------
    request : Request
        Files, season and region.

    Returns
    -------
    Evidence
        Checked.

    Raises
    ------
    ConfigError
        If a file is not there, holds nothing of the season, or no fires near the region.
    CorruptFileError
        If a file is damaged or lacks columns.
    GridError
        If the perimeters cannot be placed.
    """
    cells, crs = request.cells, str(crs_of(request.cells))
    file = read_fires(
        request.perimeters, request.year, crs, dated_by_hotspots=bool(request.hotspots)
    )
    shapes = file.fires["shape"].to_numpy()
    inside, whole = _touching(request, shapes, cells)
    undated = file.fires[["agency_start", "hotspot_start"]].isna().all(axis=1).to_numpy()
    ground = _grown(cells)
    found, rows, refused = _detections(request, ground)
    notes = file.notes
    if request.hotspots and not rows["used"]:
        notes += ("no hotspot lies in the region or within 20 km of it",)
    seen = file.fires["hotspot_start"].to_numpy(dtype="float64", copy=True)
    for place in np.flatnonzero(undated & inside):
        seen[place] = _first_seen(shapes[place], found, ground)
    return Evidence(
        cells=cells,
        file=replace(file, fires=file.fires.assign(hotspot_start=seen), notes=notes),
        undated=undated,
        inside=inside,
        whole=whole,
        found=found,
        ground=ground,
        hotspots=rows,
        refused=(*((file.refused.file, *row) for row in file.refused.rows), *refused),
    )


def _grown(cells: GeoBox) -> GeoBox:
    """The hotspot cells of the region and its surroundings."""
    box = cells.boundingbox
    extent = box.left - MARGIN, box.bottom - MARGIN, box.right + MARGIN, box.top + MARGIN
    return geobox(extent, str(crs_of(cells)), HOTSPOT_CELL)


def _touching(
    request: Request, shapes: NDArray[np.object_], cells: GeoBox
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which fires touch the region, and which lie in it wholly."""
    box = shapely.box(*cells.boundingbox.bbox)
    inside = shapely.intersects(shapes, box.buffer(-0.01))  # a common edge is no common ground
    around = shapely.total_bounds(shapes)
    if not inside.any() and not shapely.intersects(shapely.box(*around), box):
        # a file of one province says nothing of another: that is unknown, not unburned
        to_degrees = Transformer.from_crs(str(crs_of(cells)), "EPSG:4326", always_xy=True)
        there = " ".join(f"{edge:.1f}" for edge in to_degrees.transform_bounds(*around))
        raise ConfigError(
            f"{request.perimeters} has no fires of {request.year} near this --bbox: they lie in "
            f"{there}"
        )
    return inside, shapely.covers(box, shapes)


def _detections(
    request: Request, ground: GeoBox
) -> tuple[Detections, Counter[str], list[tuple[str, int, str]]]:
    """Hotspots of the season on the cells of `ground`, and what became of all rows."""
    rows: Counter[str] = Counter()
    refused: list[tuple[str, int, str]] = []
    keys = [np.empty(0, dtype=np.int64)]
    for path in request.hotspots:
        table = _table(path)
        day = fire_day(table["moment"].values)
        own = day.astype("datetime64[Y]").astype(str) == str(request.year)
        if not own.any():
            there = f"{day.min()} to {day.max()}" if day.size else "no day at all"
            raise ConfigError(f"{path} has no hotspots of {request.year}, but of {there}")
        place, here = _places(table.isel(detection=own), ground)
        keys.append((place * _DAYS + day[own].astype(np.int64))[here])
        rows.update(table.attrs["refused"])
        refused += [(path.name, *row) for row in table.attrs["refused_rows"]]
        rows.update(
            {"rows": table.attrs["rows"], "used": here.sum(), "other years": (~own).sum(),
             "elsewhere": (~here).sum()}
        )  # fmt: skip
    key, count = np.unique(np.concatenate(keys), return_counts=True)
    cell, since = np.divmod(key, _DAYS)
    row, column = np.divmod(cell, ground.shape[1])
    found = Detections(row=row, column=column, day=since, count=count.astype("float64"))
    return found, Counter({name: int(n) for name, n in rows.items() if n}), refused


def _table(path: Path) -> xr.Dataset:
    """A table of hotspots with rows."""
    if not path.is_file():
        raise ConfigError(f"there is no file {path}: give --hotspots a table of CWFIS or FIRMS")
    table = read_hotspots(path)
    if not table.attrs["rows"]:
        raise CorruptFileError(f"{path} is empty: leave --hotspots out, or fetch it again")
    return table


def _places(table: xr.Dataset, ground: GeoBox) -> tuple[Ints, NDArray[np.bool_]]:
    """Flat number of each hotspot's cell, and whether it lies in `ground`."""
    to_grid = Transformer.from_crs("EPSG:4326", str(crs_of(ground)), always_xy=True)
    x, y = to_grid.transform(table["longitude"].values, table["latitude"].values)
    finite = np.isfinite(x) & np.isfinite(y)
    column, row = ~ground.affine * (np.where(finite, x, 0.0), np.where(finite, y, 0.0))
    height, width = ground.shape
    here = finite & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    place = np.floor(row).astype(np.int64) * width + np.floor(column).astype(np.int64)
    return place, here


def _first_seen(shape: shapely.Geometry, found: Detections, ground: GeoBox) -> float:
    """Day of the first hotspot that may be a fire's; NaN if there is none."""
    left, bottom, right, top = shapely.bounds(shape)
    step, reach = HOTSPOT_CELL, HOTSPOT_CELL * (SPILL + 1)
    low = [np.floor(edge / step) * step - reach for edge in (left, bottom)]
    high = [np.ceil(edge / step) * step + reach for edge in (right, top)]
    cells = geobox((*low, *high), str(crs_of(ground)), HOTSPOT_CELL // COARSER)
    near = spilled(covered([shape], cells) > 0, COARSER)
    offset = ~ground.affine * (low[0], high[1])
    row, column = found.row - round(offset[1]), found.column - round(offset[0])
    here = (row >= 0) & (row < near.shape[0]) & (column >= 0) & (column < near.shape[1])
    days = found.day[here][near[row[here], column[here]]]
    return float(days.min()) if days.size else float("nan")
