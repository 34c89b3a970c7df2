"""Where the points of a GRIB field lie, north up and west to the left."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer

from firesat.errors import SourceError

Keys = Callable[[str], Any]  # gives the value of an ecCodes key: a number or a string
_MAX_POINTS = 200_000_000  # a header may declare anything: refuse before memory is asked for


@dataclass(frozen=True)
class GribGrid:
    """The points of a field and how its values are ordered in the file.

    Parameters
    ----------
    cells : GeoBox
        North up, the CRS being geographic, rotated-pole or projected.
    flip_x, flip_y : bool
        Whether the file runs from the east, or from the south.
    by_column : bool
        Whether neighbours in the file are neighbours along y.
    zigzag : bool
        Whether every other line of the file runs backwards.
    roll : int
        Columns to move to the end so that longitudes rise from -180.
    """

    cells: GeoBox
    flip_x: bool
    flip_y: bool
    by_column: bool
    zigzag: bool
    roll: int = 0

    def is_as(self, other: "GribGrid") -> bool:
        """Tell whether fields of another grid lie on the same cells, in the same order.

        Parameters
        ----------
        other : GribGrid
            Of another message; edition 1 rounds corners to thousandths of a degree.

        Returns
        -------
        bool
            True where all points are the same to within a fiftieth of a cell.
        """
        if replace(self, cells=other.cells) != other or self.cells.shape != other.cells.shape:
            return False
        corners = [(0, 0), self.cells.shape[::-1]]
        apart = [~self.cells.affine * (other.cells.affine * corner) for corner in corners]
        return self.cells.crs == other.cells.crs and np.allclose(apart, corners, rtol=0, atol=0.02)

    def arrange(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Put values of the file into place.

        Parameters
        ----------
        values : ndarray of float, shape (..., N)
            In the order of the file.

        Returns
        -------
        ndarray of float32, shape (..., Y, X)
            North up, west to the left.
        """
        height, width = self.cells.shape
        lines = (width, height) if self.by_column else (height, width)
        field = values.reshape(*values.shape[:-1], *lines)
        if self.zigzag:
            field = field.copy()
            field[..., 1::2, :] = field[..., 1::2, ::-1]
        if self.by_column:
            field = field.swapaxes(-1, -2)
        if self.flip_x:
            field = field[..., ::-1]
        if self.flip_y:
            field = field[..., ::-1, :]
        if self.roll:
            field = np.roll(field, -self.roll, axis=-1)
        return np.ascontiguousarray(field, dtype="float32")


def grid_of(keys: Keys, name: str) -> GribGrid:
    """Work out the grid of a message.

    Parameters
    ----------
    keys : callable
        Gives the value of an ecCodes key of the message.
    name : str
        The file, for messages.

    Returns
    -------
    GribGrid
        Its grid.

    Raises
    ------
    SourceError
        If the grid is of a kind that has no rows and columns, or impossibly large.
    """
    kind = keys("gridType")
    points = keys("numberOfDataPoints")
    if points > _MAX_POINTS:
        raise SourceError(f"{name} declares {points} points a field: more than any weather model")
    if kind in ("regular_ll", "rotated_ll"):
        cells, roll = _degrees(keys, kind)
    elif kind in ("polar_stereographic", "lambert", "mercator"):
        cells, roll = _metres(keys), 0
    else:
        raise SourceError(
            f"{name} is on a {kind} grid, which has no rows and columns: ask the provider for a "
            "regular latitude-longitude grid"
        )
    return GribGrid(
        cells=cells,
        flip_x=bool(keys("iScansNegatively")),
        flip_y=bool(keys("jScansPositively")),
        by_column=bool(keys("jPointsAreConsecutive")),
        zigzag=bool(keys("alternativeRowScanning")),
        roll=roll,
    )


def _degrees(keys: Keys, kind: str) -> tuple[GeoBox, int]:
    """Cells of a latitude-longitude grid, and the columns to roll."""
    width, height = keys("Ni"), keys("Nj")
    south, north = sorted(keys(f"latitudeOf{end}GridPointInDegrees") for end in ("First", "Last"))
    first, last = (keys(f"longitudeOf{end}GridPointInDegrees") for end in ("First", "Last"))
    west, east = (last, first) if keys("iScansNegatively") else (first, last)
    span = (east - west) % 360
    dx = span / (width - 1) if width > 1 else keys("iDirectionIncrementInDegrees")
    dy = (north - south) / (height - 1) if height > 1 else keys("jDirectionIncrementInDegrees")
    west, roll = _from_minus_180(west % 360, dx, width)
    affine = Affine(dx, 0, west - dx / 2, 0, -dy, north + dy / 2)
    crs = "EPSG:4326" if kind == "regular_ll" else _rotated_pole(keys)
    return GeoBox((height, width), affine, crs), roll


def _from_minus_180(west: float, dx: float, width: int) -> tuple[float, int]:
    """First longitude in -180..180, and the columns that a global field is rolled by."""
    if width * dx > 359.5:  # a whole parallel: cut it at the date line, not at Greenwich
        roll = int(np.ceil((180 - west) / dx - 1e-6)) % width
        return (west + roll * dx + 180) % 360 - 180, roll
    return (west - 360 if west >= 180 else west), 0


def _rotated_pole(keys: Keys) -> str:
    """CRS of a rotated latitude-longitude grid.

    PROJ's ob_tran takes the new north pole: its latitude is minus that of GRIB's southern pole and
    its ``lon_0`` is that pole's longitude (proj.org/operations/projections/ob_tran.html).
    """
    return str(
        CRS.from_proj4(
            f"+proj=ob_tran +o_proj=longlat +o_lat_p={-keys('latitudeOfSouthernPoleInDegrees')} "
            f"+o_lon_p={keys('angleOfRotationInDegrees')} "
            f"+lon_0={keys('longitudeOfSouthernPoleInDegrees')} +R={keys('radius')} +no_defs"
        ).to_wkt()
    )


def _metres(keys: Keys) -> GeoBox:
    """Cells of a projected grid: ecCodes gives the projection, the first point the origin."""
    crs = CRS.from_proj4(keys("projTargetString"))
    earth = CRS.from_proj4(f"+proj=longlat +R={keys('radius')} +no_defs")
    x, y = Transformer.from_crs(earth, crs, always_xy=True).transform(
        keys("longitudeOfFirstGridPointInDegrees"), keys("latitudeOfFirstGridPointInDegrees")
    )
    width, height = keys("Nx"), keys("Ny")
    dx, dy = keys("DxInMetres"), keys("DyInMetres")
    west = x - (width - 1) * dx if keys("iScansNegatively") else x
    north = y + (height - 1) * dy if keys("jScansPositively") else y
    affine = Affine(dx, 0, west - dx / 2, 0, -dy, north + dy / 2)
    return GeoBox((height, width), affine, crs.to_wkt())
