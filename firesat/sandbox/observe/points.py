"""Places at which the world's weather is wanted."""

import numpy as np
from numpy.typing import NDArray
from pyproj import Proj, Transformer

from firesat.sandbox.law.noise import Floats
from firesat.sandbox.world import World


class Points:
    """Where a reanalysis is wanted, as seen from the world's weather.

    Parameters
    ----------
    world : World
        The sandbox.
    latitudes, longitudes : ndarray
        Degrees; every pair of them is a point. Two-dimensional ones of one shape are the points.
    width : float
        Metres, standard deviation of the smoothing.
    """

    def __init__(
        self,
        world: World,
        latitudes: NDArray[np.float64],
        longitudes: NDArray[np.float64],
        width: float,
    ) -> None:
        self.width = width
        whole = latitudes.ndim == 2
        lon, lat = (longitudes, latitudes) if whole else np.meshgrid(longitudes, latitudes)
        to_metres = Transformer.from_crs("EPSG:4326", world.config.crs, always_xy=True)
        x, y = to_metres.transform(lon, lat)
        self.shape = lon.shape
        self.longitude, self.latitude = lon, lat
        self._x, self._y = x, y
        turn = Proj(world.config.crs).get_factors(lon, lat).meridian_convergence
        self.turn = np.radians(turn)

    def on(self, field: Floats, cell: float, corner: tuple[float, float]) -> Floats:
        """Interpolate bilinearly from a regular grid; edges are held.

        Parameters
        ----------
        field : ndarray
            float32 (time, y, x), rows to the south.
        cell : float
            Metres.
        corner : tuple of float
            x and y of the centre of the upper left cell.

        Returns
        -------
        ndarray
            float32 (time, latitude, longitude).
        """
        rows, columns = field.shape[1:]
        row = np.clip((corner[1] - self._y) / cell, 0, rows - 1)
        column = np.clip((self._x - corner[0]) / cell, 0, columns - 1)
        top, left = (
            np.minimum(row.astype(int), rows - 2),
            np.minimum(column.astype(int), columns - 2),
        )
        down, right = (row - top).astype(np.float32), (column - left).astype(np.float32)
        upper = field[:, top, left] * (1 - right) + field[:, top, left + 1] * right
        lower = field[:, top + 1, left] * (1 - right) + field[:, top + 1, left + 1] * right
        return np.asarray(upper * (1 - down) + lower * down, dtype=np.float32)
