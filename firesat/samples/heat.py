"""Fires of some cells as hotspots published by T show them."""

from functools import cached_property

import numpy as np

from firesat.samples.fires import (
    ACTIVE_DAYS,
    FARTHEST,
    extent_layers,
    fire_layers,
    power_layer,
    within,
)
from firesat.samples.opened import EVER, Opened
from firesat.samples.pieces import Array, Piece, Table


class Heat:
    """Hotspots.

    Parameters
    ----------
    opened : Opened
        The cube over the cells.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    @property
    def _piece(self) -> Piece:
        """Hotspots, with those around."""
        return self._opened.piece("hotspots", margin=FARTHEST * 1000)

    def layers(self, day: str) -> Array:
        """Describe the fires known at T.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        ndarray of float32, shape (3 to 7, y, x)
            As `FIRE_LAYERS`, with power and extent where the inputs want them, 500 m cells; NaN
            where the cube has no hotspots, or none of the last 10 days is known.
        """
        height, width = (cells // 5 for cells in self._opened.shape)
        if "hotspots" not in self._opened.there:
            return self._opened.nothing(len(self._opened.inputs.names["fire"]), coarser=5)
        piece = self._piece
        issue = np.datetime64(day, "D")
        known = piece.known(day, self._opened.inputs.window, EVER)
        this_year = piece.days.astype("datetime64[Y]") == issue.astype("datetime64[Y]")
        steps = np.flatnonzero(piece.touched(known) & this_year)
        if not steps.size or (issue - piece.days[steps[-1]]).astype(int) > ACTIVE_DAYS:
            return self._opened.nothing(len(self._opened.inputs.names["fire"]), coarser=5)
        in_hand = piece.over_cells(known[steps])
        hot = self._hot[steps] & in_hand
        ages = (issue - piece.days[steps]).astype(np.int64)
        layers = fire_layers(hot, ages)
        if self._opened.inputs.fire_power:
            recent = ages <= ACTIVE_DAYS
            power = piece.read("frp", steps[recent], known)
            layers = np.concatenate([layers, power_layer(power, ages[recent])[None]])
        if self._opened.inputs.fire_extent:
            newest = ages[::-1][in_hand[::-1].argmax(axis=0)]
            layers = np.concatenate([layers, extent_layers(hot, ages, newest)])
        top, left = round(piece.top / piece.level), round(piece.left / piece.level)
        return layers[:, top : top + height, left : left + width]

    def near(self, day: str, kilometres: float) -> Table:
        """Tell which ground lies near an active fire known at T.

        Parameters
        ----------
        day : str
            Issue day.
        kilometres : float
            Less than 20.

        Returns
        -------
        ndarray of bool, shape (y, x)
            500 m cells; nowhere where the cube has no hotspots.
        """
        return within(self.layers(day)[0], kilometres)

    @cached_property
    def _hot(self) -> Table:
        """Whether each fire day has a hotspot, (time, y, x), all days of the cube."""
        piece = self._piece
        days, none = range(len(piece.days)), np.empty((0, *piece.data["hotspot_count"].shape[1:]))
        counts = (piece.data["hotspot_count"].isel(time=slice(i, i + 32)) for i in days[::32])
        return np.concatenate([none.astype(bool), *(count.values > 0 for count in counts)])
