"""Weather of some cells: what a regime allows of it, and what chips are matched by."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from firesat.samples.inputs import COARSEST
from firesat.samples.opened import Opened
from firesat.samples.outlook import Outlook
from firesat.samples.pieces import Array, Piece, positions
from firesat.samples.weather import fill_nearest, to_fine
from firesat.samples.wide import Place, Wide

_DAY = np.timedelta64(1, "D")
_NONE: Array = np.empty((0, 0, 0), dtype=np.float32)
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
        self._kept: tuple[str, list[tuple[Array, Piece | None]]] | None = None

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
        missing = self._opened.nothing(self._inputs.weather_steps, coarser=COARSEST)
        return np.stack(
            [missing if piece is None else self._fine(c, piece) for c, piece in self._coarse(day)],
            axis=1,
        )

    def around(self, day: str) -> Wide:
        """Give the same weather on its own cells, the margin of the inputs included.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        Wide
            NaN where missing, not allowed, or outside the cube.
        """
        layers = self._coarse(day)
        pieces = [piece for _, piece in layers if piece is not None]
        before = (pieces[0].top, pieces[0].left) if pieces else (0.0, 0.0)
        place = Place.of(before, self._opened.shape, self._inputs.around)
        shape = (self._inputs.weather_steps, len(layers), *place.shape)
        out = np.full(shape, np.nan, dtype=np.float32)
        for number, (values, piece) in enumerate(layers):
            if piece is not None:
                place.put(values, out[:, number])
        return Wide(values=out, before=place.before)

    def _coarse(self, day: str) -> list[tuple[Array, Piece | None]]:
        """Each variable on its own cells (S, y, x); of the last day asked for they are kept."""
        if self._kept is None or self._kept[0] != day:
            self._kept = (
                day,
                list(self._joined(day) if self._inputs.looks_ahead else self._past(day)),
            )
        return self._kept[1]

    def _past(self, day: str) -> Iterator[tuple[Array, Piece | None]]:
        """The analysis."""
        for group, variables in (
            ("era5_land", self._inputs.weather),
            ("fire_weather", self._inputs.fire_weather),
        ):
            yield from self._days_of(group, variables, day)

    def _days_of(
        self, group: str, variables: tuple[str, ...], day: str
    ) -> Iterator[tuple[Array, Piece | None]]:
        """Days of some weather variables."""
        if group not in self._opened.there:
            yield from ((_NONE, None) for _ in variables)
            return
        piece = self._opened.weather_piece(group)
        issue = np.datetime64(day, "D")
        first = issue - self._inputs.weather_days * _DAY
        steps = positions(piece.days, first + np.arange(self._inputs.weather_steps) * _DAY)
        if self._inputs.regime == "operational":
            allowed = piece.known(day, self._inputs.window, self._inputs.window.history)
        else:
            allowed = piece.written()
        yield from ((piece.read(v, steps, allowed), piece) for v in variables)

    def _fine(self, coarse: Array, piece: Piece) -> Array:
        """Coarse cells of a piece as 1 km cells."""
        shape = (self._opened.shape[0] // COARSEST, self._opened.shape[1] // COARSEST)
        return to_fine(coarse, piece.top / piece.level, piece.left / piece.level, shape)

    def _joined(self, day: str) -> Iterator[tuple[Array, Piece | None]]:
        """Analysis and forecasts."""
        piece = self.outlook.piece()
        if piece is None:
            yield from ((_NONE, None) for _ in self._inputs.names["weather"])
            return
        yield from ((coarse, piece) for coarse in self.outlook.layers(day))

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
        piece = self._opened.weather_piece(group)
        row, col = (
            ((cells[:, axis] + 0.5) * 100 + before) // piece.level
            for axis, before in enumerate((piece.top, piece.left))
        )
        steps = np.flatnonzero(piece.touched(piece.written()))
        values = fill_nearest(piece.read("fwi", steps, piece.written()))
        return piece.days[steps], values[:, row.astype(np.intp), col.astype(np.intp)]
