"""Static maps of some cells: terrain, water, roads, fuel, and the years since fire and harvest."""

import numpy as np

from firesat.errors import SampleError
from firesat.samples.inputs import DISTURBANCE, OPTIONAL
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
        self._layers: dict[tuple[object, ...], Array] = {}
        self._maps: dict[tuple[str, str, int], Array] = {}

    def layers(self, day: str) -> Array:
        """Give terrain, water, roads, and one layer per class of fuel and land cover.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        ndarray of float32, shape (S0, Y, X)
            NaN where missing; classes are 0 or 1, NaN where there is no map of them.

        Raises
        ------
        SampleError
            If no such map was available by T.
        """
        disturbed = self._step("disturbance", day)
        key = self._step("static", day), disturbed, "" if disturbed is None else day[:4]
        if key not in self._layers:
            self._layers.clear()  # of another year
            layers = [self.map(name, day) for name in self._inputs.static]
            layers += self._classes("fuel", self._inputs.fuel_classes, day)
            layers += self._classes("land_cover", self._inputs.cover_classes, day)
            self._layers[key] = np.stack(layers)
        return self._layers[key]

    def _classes(self, name: str, codes: tuple[int, ...], day: str) -> list[Array]:
        """One layer per class."""
        if not codes:
            return []
        classes = self.map(name, day)
        if "static" not in self._opened.there or (name in OPTIONAL and np.isnan(classes).all()):
            return [classes] * len(codes)
        return [(classes == code).astype(np.float32) for code in codes]

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
            NaN where missing; everywhere where the cube has no such map. Years since fire and
            harvest count to the issue day's year.

        Raises
        ------
        SampleError
            If no static map was available by T.
        """
        group = "disturbance" if name in DISTURBANCE else "static"
        step = self._step(group, day)
        if step is None:
            return self._opened.nothing()
        key = name, group, step
        if key not in self._maps:
            self._maps[key] = self._read(group, name, step)
        values = self._maps[key]
        return values if group == "static" else values + np.float32(self._late(day, step))

    def _late(self, day: str, step: int) -> int:
        """Years from that to which a state of `disturbance` counts to the issue day's."""
        seasons_end: np.datetime64 = self._opened.piece("disturbance").days[step]
        return int(day[:4]) - (int(str(seasons_end)[:4]) + 1)

    def _read(self, group: str, name: str, step: int) -> Array:
        """One map from the cube; missing where the cube need not have it."""
        piece = self._opened.piece(group)
        if name in OPTIONAL and name not in piece.data:
            return self._opened.nothing()
        values: Array = piece.read(name, np.array([step]), piece.written())[0]
        return values

    def _step(self, group: str, day: str) -> int | None:
        """The latest map in hand; None if the cube has none, or of disturbances none yet."""
        if group not in self._opened.there or group not in self._inputs.groups:
            return None
        piece = self._opened.piece(group)
        steps = np.flatnonzero(piece.touched(piece.known(day, self._inputs.window, EVER)))
        if not steps.size and group == "static":
            raise SampleError(f"no static map was available by {day}: ingest the static source")
        return int(steps[-1]) if steps.size else None
