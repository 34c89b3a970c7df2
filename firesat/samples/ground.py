"""Static maps of some cells: terrain, water, roads, fuel."""

import numpy as np

from firesat.errors import SampleError
from firesat.samples.opened import EVER, Opened
from firesat.samples.pieces import Array


class Ground:
    """The latest static maps that were in hand; what is read is kept.

    Parameters
    ----------
    opened : Opened
        The cube over the cells.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened, self._inputs = opened, opened.inputs
        self._layers: dict[int, Array] = {}
        self._maps: dict[tuple[str, int], Array] = {}

    def layers(self, day: str) -> Array:
        """Give terrain, water, roads and one layer per fuel class.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        ndarray of float32, shape (S0, Y, X)
            NaN where missing; fuel classes are 0 or 1.

        Raises
        ------
        SampleError
            If no such map was available by T.
        """
        if "static" not in self._opened.there:
            return self._opened.nothing(len(self._inputs.names["static"]))
        step = self._step(day)
        if step not in self._layers:
            layers = [self._read(name, step) for name in self._inputs.static]
            fuel = self._read("fuel", step) if self._inputs.fuel_classes else np.empty(0)
            classes = [(fuel == code).astype(np.float32) for code in self._inputs.fuel_classes]
            self._layers[step] = np.stack([*layers, *classes])
        return self._layers[step]

    def map(self, name: str, day: str) -> Array:
        """Give one static map.

        Parameters
        ----------
        name : str
            Such as "fuel".
        day : str
            Issue day.

        Returns
        -------
        ndarray of float32, shape (Y, X)
            NaN where missing; everywhere where the cube has no static maps.

        Raises
        ------
        SampleError
            If no such map was available by T.
        """
        if "static" not in self._opened.there:
            return self._opened.nothing()
        step = self._step(day)
        key = name, step
        if key not in self._maps:
            self._maps[key] = self._read(name, step)
        return self._maps[key]

    def _read(self, name: str, step: int) -> Array:
        """One map from the cube."""
        piece = self._opened.piece("static")
        values: Array = piece.read(name, np.array([step]), piece.written())[0]
        return values

    def _step(self, day: str) -> int:
        """The latest static map in hand."""
        piece = self._opened.piece("static")
        steps = np.flatnonzero(piece.touched(piece.known(day, self._inputs.window, EVER)))
        if not steps.size:
            raise SampleError(f"no static map was available by {day}: ingest the static source")
        return int(steps[-1])
