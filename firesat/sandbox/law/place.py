"""Where things are: the three nested grids of a world."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from firesat.grid import geobox
from firesat.sandbox.law.noise import Floats

CELL, KILOMETRE, WEATHER_CELL = 100.0, 1000.0, 5000.0
MARGIN = 30_000.0  # of weather around the region, so that coarse observers see no edge


@dataclass(frozen=True, kw_only=True)
class Place:
    """The region on its grids: 100 m (y, x), 1 km (km_y, km_x) and 5 km of weather with a margin.

    Rows run from north to south on all three.

    Parameters
    ----------
    region : tuple of float
        x0, y0, x1, y1 in metres, multiples of 1 km.
    crs : str
        A metric CRS.
    """

    region: tuple[float, float, float, float]
    crs: str

    @cached_property
    def geobox(self) -> GeoBox:
        """The 100 m cells.

        Returns
        -------
        GeoBox
            Y falls with the row.
        """
        return geobox(self.region, self.crs, int(CELL))

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of 100 m.

        Returns
        -------
        tuple of int
            Y, X.
        """
        return self._count(CELL)

    @cached_property
    def km_shape(self) -> tuple[int, int]:
        """Rows and columns of 1 km.

        Returns
        -------
        tuple of int
            Y / 10, X / 10.
        """
        return self._count(KILOMETRE)

    @cached_property
    def weather_x(self) -> Floats:
        """Centres of the weather's columns.

        Returns
        -------
        ndarray
            float32, metres, rising.
        """
        return self._weather_axis(self.region[0], self.region[2])

    @cached_property
    def weather_y(self) -> Floats:
        """Centres of the weather's rows.

        Returns
        -------
        ndarray
            float32, metres, falling.
        """
        return self._weather_axis(self.region[1], self.region[3])[::-1].copy()

    @cached_property
    def weather_shape(self) -> tuple[int, int]:
        """Rows and columns of weather.

        Returns
        -------
        tuple of int
            Counts at 5 km, margin included.
        """
        return len(self.weather_y), len(self.weather_x)

    @cached_property
    def centre(self) -> tuple[float, float]:
        """Longitude and latitude of the region's centre.

        Returns
        -------
        tuple of float
            Degrees east and north.
        """
        x0, y0, x1, y1 = self.region
        to_degrees = Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True)
        longitude, latitude = to_degrees.transform((x0 + x1) / 2, (y0 + y1) / 2)
        return float(longitude), float(latitude)

    def axis(self, cell: float) -> tuple[Floats, Floats]:
        """Give the centres of the region's cells of a size.

        Parameters
        ----------
        cell : float
            Size in metres; divides the region.

        Returns
        -------
        tuple of ndarray
            y (falling) and x (rising), float32 metres.
        """
        x0, y0, x1, y1 = self.region
        y = np.arange(y1 - cell / 2, y0, -cell, dtype=np.float32)
        return y, np.arange(x0 + cell / 2, x1, cell, dtype=np.float32)

    def from_weather(self, field: Floats, cell: float = KILOMETRE) -> Floats:
        """Interpolate weather bilinearly to cells of the region.

        Parameters
        ----------
        field : ndarray
            float32 (..., weather_y, weather_x).
        cell : float
            Size of the wanted cells in metres.

        Returns
        -------
        ndarray
            float32 (..., y, x).
        """
        y, x = self.axis(cell)
        return field_at(field, (self.weather_y, self.weather_x), (y, x))

    def to_weather(self, field: Floats) -> Floats:
        """Average 100 m cells to the weather's; edges are held over the margin.

        Parameters
        ----------
        field : ndarray
            float32 (y, x).

        Returns
        -------
        ndarray
            float32 (weather_y, weather_x).
        """
        rows, columns = self.km_shape
        on_km = field.reshape(rows, 10, columns, 10).mean((1, 3), dtype=np.float32)
        return field_at(on_km, self.axis(KILOMETRE), (self.weather_y, self.weather_x))

    def from_km(self, field: Floats) -> Floats:
        """Interpolate kilometre cells bilinearly to 100 m.

        Parameters
        ----------
        field : ndarray
            float32 (..., km_y, km_x).

        Returns
        -------
        ndarray
            float32 (..., y, x).
        """
        return field_at(field, self.axis(KILOMETRE), self.axis(CELL))

    def _count(self, cell: float) -> tuple[int, int]:
        """Rows and columns of a cell size."""
        x0, y0, x1, y1 = self.region
        return round((y1 - y0) / cell), round((x1 - x0) / cell)

    def _weather_axis(self, low: float, high: float) -> Floats:
        """Rising centres of weather cells that cover an edge-to-edge range and its margin."""
        count = int(np.ceil((high - low + 2 * MARGIN) / WEATHER_CELL))
        start = (low + high) / 2 - (count - 1) / 2 * WEATHER_CELL
        return (start + WEATHER_CELL * np.arange(count)).astype(np.float32)


def field_at(field: Floats, source: tuple[Floats, Floats], target: tuple[Floats, Floats]) -> Floats:
    """Interpolate bilinearly from one regular grid to another; edges are held.

    Parameters
    ----------
    field : ndarray
        float32 (..., y, x) on `source`.
    source, target : tuple of ndarray
        Centres y and x in metres.

    Returns
    -------
    ndarray
        float32 (..., y, x) on `target`.
    """
    rows, columns = (_weights(s, t) for s, t in zip(source, target, strict=True))
    return np.asarray(rows @ field @ columns.T, dtype=np.float32)


def _weights(source: Floats, target: Floats) -> Floats:
    """Matrix (target, source) of linear interpolation, clamped at the ends."""
    position = np.interp(
        target if source[0] < source[-1] else -target,
        source if source[0] < source[-1] else -source,
        np.arange(len(source)),
    )
    low = np.minimum(position.astype(np.int64), len(source) - 2)
    matrix = np.zeros((len(target), len(source)), dtype=np.float32)
    rows = np.arange(len(target))
    matrix[rows, low] = 1.0 - (position - low)
    matrix[rows, low + 1] += position - low
    return matrix
