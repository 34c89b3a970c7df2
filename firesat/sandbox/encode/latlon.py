"""Regular grids of longitude and latitude, as reanalyses are served on."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-6  # of a step: degrees that were typed as 55.3 lie on the line


@dataclass(frozen=True, kw_only=True)
class LatLonGrid:
    """Points of a regular grid, in rows from north to south and columns from west to east.

    Parameters
    ----------
    north, west : float
        Degrees of the first point.
    rows, columns : int
        Numbers of points.
    step : float
        Degrees between points, the same both ways.
    """

    north: float
    west: float
    rows: int
    columns: int
    step: float

    @property
    def latitudes(self) -> NDArray[np.float64]:
        """Latitudes of the rows.

        Returns
        -------
        ndarray
            Degrees north, falling.
        """
        return np.round(self.north - self.step * np.arange(self.rows), 6)

    @property
    def longitudes(self) -> NDArray[np.float64]:
        """Longitudes of the columns.

        Returns
        -------
        ndarray
            Degrees east, rising, in the convention of `west`.
        """
        return np.round(self.west + self.step * np.arange(self.columns), 6)


def snapped(area: tuple[float, float, float, float], step: float) -> LatLonGrid:
    """Cover an area with the points of the global grid that starts at 0, 0.

    Edges between grid lines move outwards, as MARS does with its ``area`` keyword.

    Parameters
    ----------
    area : tuple of float
        North, west, south, east in degrees.
    step : float
        Degrees between points.

    Returns
    -------
    LatLonGrid
        At least one point.
    """
    north, west, south, east = area
    top, bottom = math.ceil(north / step - _ROUNDING), math.floor(south / step + _ROUNDING)
    left, right = math.floor(west / step + _ROUNDING), math.ceil(east / step - _ROUNDING)
    return LatLonGrid(
        north=round(top * step, 6),
        west=round(left * step, 6),
        rows=top - bottom + 1,
        columns=right - left + 1,
        step=step,
    )
