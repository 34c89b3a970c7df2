"""Zones held out whole, such as an ecozone: what a forecaster makes of country it never saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from firesat.errors import SplitError
from firesat.grid import Grid
from firesat.splits.apart import Apart, Boxes
from firesat.splits.places import Placement, check_buffer, check_names

_STEP = 1000.0  # metres between points of an outline: straight in degrees is curved on the grid


@dataclass(frozen=True, kw_only=True)
class Zones:
    """Hold out zones of a vector file.

    Parameters
    ----------
    file : Path
        Polygons: GeoPackage, GeoJSON or shapefile, with a CRS.
    column : str
        That holds the zones' names; features of one name are one zone.
    held_out : dict of list of str
        Split to its zones; "train" takes what is left, ground outside all zones included.
    buffer_km : float
        Ground around a held-out zone that no other split sees; at least a chip.
    """

    file: Path
    column: str
    held_out: dict[str, list[str]]
    buffer_km: float = 20.0

    @property
    def apart(self) -> Apart:
        """What keeps chips of two splits apart.

        Returns
        -------
        Apart
            Ground alone.
        """
        return Apart(km=self.buffer_km)

    def lay_out(self, splits: Sequence[str], grid: Grid, chip_km: float) -> Placement:
        """Read the zones.

        Parameters
        ----------
        splits : sequence of str
            Names, "train" first.
        grid : Grid
            With its region.
        chip_km : float
            Side of a chip.

        Returns
        -------
        Placement
            Of these splits.

        Raises
        ------
        SplitError
            If the file, its CRS, the column or a zone is missing, a zone lies outside the region
            or in two splits, or the buffer is smaller than a chip.
        """
        check_names(self.held_out, splits, "zone")
        first = next(split for split in splits[1:])
        check_buffer(self.buffer_km, chip_km, f"zone {self.held_out[first][0]}", first)
        known = read_zones(self.file, self.column, grid.crs)
        region = shapely.box(*grid.extent)
        zones = {}
        for split, names in self.held_out.items():
            for name in names:
                self._check(name, split, known, region)
            zones[split] = shapely.union_all([known[name] for name in names])
        return ZonePlacement(splits=tuple(splits), zones=zones, buffer=self.buffer_km * 1000)

    def _check(
        self, name: str, split: str, known: dict[str, BaseGeometry], region: BaseGeometry
    ) -> None:
        """Refuse a zone that is not there, or not here."""
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {_some(known)}"
            raise SplitError(f"{self.file} has no zone {name!r} in {self.column}: {hint}")
        if not known[name].intersects(region):
            here = [other for other, shape in known.items() if shape.intersects(region)]
            raise SplitError(
                f"zone {name} of {split} lies outside the region: here are {_some(here) or 'none'}"
            )


@dataclass(frozen=True, kw_only=True)
class ZonePlacement:
    """Zones of a region.

    Parameters
    ----------
    splits : tuple of str
        Names, "train" first.
    zones : dict
        Split to its ground.
    buffer : float
        Metres.
    """

    splits: tuple[str, ...]
    zones: dict[str, BaseGeometry]
    buffer: float

    def allows(self, split: str, boxes: Boxes, day: str, horizon: int) -> NDArray[np.bool_]:
        """Tell which chips a split may take, whatever the day.

        Parameters
        ----------
        split : str
            Such as "train".
        boxes : ndarray of float, shape (n, 4)
            Squares of the chips.
        day : str
            Not used.
        horizon : int
            Not used.

        Returns
        -------
        ndarray of bool, shape (n,)
            Wholly within the split's zones, and the buffer away from those of later splits.
        """
        squares = shapely.box(*boxes.T)
        allowed = np.ones(len(boxes), dtype=bool)
        if split in self.zones:
            shapely.prepare(self.zones[split])
            allowed &= shapely.covers(self.zones[split], squares)
        for later in self.splits[self.splits.index(split) + 1 :]:
            shapely.prepare(self.zones[later])
            # dwithin counts the buffer itself as near
            allowed &= shapely.distance(self.zones[later], squares) >= self.buffer
        return allowed


def read_zones(file: Path, column: str, crs: str) -> dict[str, BaseGeometry]:
    """Read named polygons.

    Parameters
    ----------
    file : Path
        A vector file.
    column : str
        Of the names.
    crs : str
        To bring them to.

    Returns
    -------
    dict
        Name to polygon.

    Raises
    ------
    SplitError
        If there is no such file, CRS or column, or it holds no polygons.
    """
    import geopandas as gpd  # 0.3 s that most commands do not need
    from pyogrio.errors import DataLayerError, DataSourceError

    if not file.is_file():
        raise SplitError(f"there is no zones file at {file}: name one under sample.places.file")
    try:
        table = gpd.read_file(file, engine="pyogrio")
    except (DataSourceError, DataLayerError, ValueError) as error:
        raise SplitError(
            f"{file} cannot be read ({' '.join(str(error).split())}): give a GeoPackage, GeoJSON "
            "or shapefile"
        ) from error
    if not isinstance(table, gpd.GeoDataFrame) or set(table.geom_type) - {
        "Polygon",
        "MultiPolygon",
    }:
        raise SplitError(f"{file} holds no polygons, or not only: zones are areas")
    if table.crs is None:
        raise SplitError(
            f"{file} has no CRS: add its .prj, or save it as a GeoPackage with its CRS"
        )
    if column not in table:
        near = get_close_matches(column, table.columns, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(table.columns)}"
        raise SplitError(f"{file} has no column {column!r}: {hint}")
    step = _STEP / 111_000 if table.crs.is_geographic else _STEP
    shapes = table.geometry.segmentize(step).to_crs(crs).make_valid()
    grouped = shapes.groupby(table[column].astype("str"))
    return {str(name): shapely.union_all(some.to_numpy()) for name, some in grouped}


def _some(names: Sequence[str] | dict[str, BaseGeometry]) -> str:
    """The first few names."""
    listed = sorted(names)
    return ", ".join(listed[:8]) + (f" and {len(listed) - 8} more" if len(listed) > 8 else "")
