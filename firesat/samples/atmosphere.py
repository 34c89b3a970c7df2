"""Weather of some cells: what a regime allows of it, and what chips are matched by."""

import numpy as np
from numpy.typing import NDArray

from firesat.samples.inputs import COARSEST
from firesat.samples.opened import Opened
from firesat.samples.outlook import Outlook
from firesat.samples.pieces import Array, Piece, positions
from firesat.samples.weather import fill_nearest, to_fine

_DAY = np.timedelta64(1, "D")
_FIRE_WEATHER = ("fire_weather", "cems_fire_weather")  # our own first: the one that models read


class Atmosphere:
    """Weather and fire weather.

    Parameters
    ----------
    opened : Opened
        The cube over the cells.

    Attributes
    ----------
    outlook : Outlook
        Analysis and forecasts, joined.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened, self._inputs = opened, opened.inputs
        self.outlook = Outlook(opened)

    def days(self, day: str) -> Array:
        """Give the weather that the regime allows.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        ndarray of float32, shape (S, V, y, x)
            1 km cells; oldest day first; NaN where missing or not allowed.
        """
        if self._inputs.looks_ahead:
            return self._joined(day)
        layers = [
            *self._days_of("era5_land", self._inputs.weather, day),
            *self._days_of("fire_weather", self._inputs.fire_weather, day),
        ]
        return np.stack(layers, axis=1)

    def _days_of(self, group: str, variables: tuple[str, ...], day: str) -> list[Array]:
        """Days of some weather variables, each (S, y, x)."""
        if group not in self._opened.there:
            missing = self._opened.nothing(self._inputs.weather_steps, coarser=COARSEST)
            return [missing for _ in variables]
        piece = self._opened.piece(group, margin=10_000)
        issue = np.datetime64(day, "D")
        first = issue - self._inputs.weather_days * _DAY
        steps = positions(piece.days, first + np.arange(self._inputs.weather_steps) * _DAY)
        if self._inputs.regime == "operational":
            allowed = piece.known(day, self._inputs.window, self._inputs.window.history)
        else:
            allowed = piece.written()
        return [self._fine(piece.read(v, steps, allowed), piece) for v in variables]

    def _fine(self, coarse: Array, piece: Piece) -> Array:
        """Coarse cells of a piece as 1 km cells."""
        shape = (self._opened.shape[0] // COARSEST, self._opened.shape[1] // COARSEST)
        return to_fine(coarse, piece.top / piece.level, piece.left / piece.level, shape)

    def _joined(self, day: str) -> Array:
        """Analysis and forecasts, (S, V, y, x)."""
        piece, steps = self.outlook.piece(), self._inputs.weather_steps
        if piece is None:
            count = len(self._inputs.names["weather"])
            return self._opened.nothing(steps, count, coarser=COARSEST)
        return np.stack([self._fine(c, piece) for c in self.outlook.layers(day)], axis=1)

    def index_at(self, cells: NDArray[np.int64]) -> tuple[NDArray[np.datetime64], Array]:
        """Give the Fire Weather Index at some cells, whenever it became available.

        For choosing chips; an input is what :meth:`days` gives.

        Parameters
        ----------
        cells : ndarray of int64, shape (n, 2)
            Rows and columns of 100 m cells.

        Returns
        -------
        days : ndarray of datetime64[D], shape (T,)
            All days of the cube that have it.
        index : ndarray of float32, shape (T, n)
            Of the weather cell that holds each; NaN where unknown.
        """
        group = next((name for name in _FIRE_WEATHER if name in self._opened.there), None)
        if group is None:
            return np.empty(0, dtype="datetime64[D]"), np.empty((0, len(cells)), dtype=np.float32)
        piece = self._opened.piece(group, margin=10_000)
        row, col = (
            ((cells[:, axis] + 0.5) * 100 + before) // piece.level
            for axis, before in enumerate((piece.top, piece.left))
        )
        steps = np.flatnonzero(piece.touched(piece.written()))
        values = fill_nearest(piece.read("fwi", steps, piece.written()))
        return piece.days[steps], values[:, row.astype(np.intp), col.astype(np.intp)]
