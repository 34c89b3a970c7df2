"""What is asked for, refused in one line before anything is read."""

import math
from dataclasses import dataclass
from pathlib import Path

from odc.geo.geobox import GeoBox

from firesat.errors import ConfigError
from firesat.grid import Bounds, Grid, around_degrees, geobox

CANADA = (-144.0, 38.5, -49.5, 84.5)
"""West, south, east, north of Canada and some degrees around: a bbox may reach so far."""

FIRST_YEAR = 1970  # days are counted from its start


@dataclass(frozen=True, kw_only=True)
class Request:
    """Labels of one season and region.

    Parameters
    ----------
    perimeters : Path
        Vector file of fires.
    year : int
        Season.
    bbox : tuple of float
        West, south, east, north in degrees.
    output : Path
        GeoTIFF to write.
    hotspots : tuple of Path
        Tables of detections; none = only the perimeters date the fires.

    Raises
    ------
    ConfigError
        If no such labels can be.
    """

    perimeters: Path
    year: int
    bbox: Bounds
    output: Path
    hotspots: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        _check_bbox(self.bbox)
        if not FIRST_YEAR < self.year < 2100:
            raise ConfigError(f"--year {self.year} is no season of these files: give one like 2023")
        if self.output.suffix.lower() not in (".tif", ".tiff"):
            raise ConfigError(f"{self.output} is no GeoTIFF: let -o end in .tif")
        if self.output.is_dir():
            raise ConfigError(f"{self.output} is a folder: give -o a file")

    @property
    def cells(self) -> GeoBox:
        """The cells of the file.

        Returns
        -------
        GeoBox
            100 m cells between 10 km lines of the Canada grid, which hold the bbox as far as the
            grid's box goes.
        """
        grid = Grid()
        low_x, low_y, high_x, high_y = around_degrees(self.bbox, grid.crs)
        x0, y0, x1, y1 = grid.bounds
        extent = max(low_x, x0), max(low_y, y0), min(high_x, x1), min(high_y, y1)
        return geobox(extent, grid.crs, 100)


def _check_bbox(bbox: Bounds) -> None:
    """Refuse a bbox that is swapped, empty or elsewhere."""
    west, south, east, north = bbox
    given = " ".join(f"{edge:g}" for edge in bbox)
    order = "give WEST SOUTH EAST NORTH in degrees, such as -123 49 -121 51"
    if not all(math.isfinite(edge) for edge in bbox):
        raise ConfigError(f"--bbox {given} has an edge that is no number: {order}")
    if CANADA[1] < west < east < CANADA[3] and CANADA[0] < south < north < CANADA[2]:
        raise ConfigError(f"--bbox {given} has latitude where longitude stands: {order}")
    if max(abs(west), abs(east)) > 180 or max(abs(south), abs(north)) > 90:
        raise ConfigError(f"--bbox {given} is not in degrees: {order}")
    if west >= east or south >= north:
        raise ConfigError(f"--bbox {given} is empty or has its edges swapped: {order}")
    inside = CANADA[0] <= west and east <= CANADA[2] and CANADA[1] <= south and north <= CANADA[3]
    if not inside:
        raise ConfigError(
            f"--bbox {given} leaves Canada ({' '.join(f'{edge:g}' for edge in CANADA)}): {order}"
        )
