"""How much of each chip every Sentinel-2 scene showed, from the cloud masks alone."""

import numpy as np
from numpy.typing import NDArray

from firesat.samples.frames import CLEAR, shown
from firesat.samples.inputs import Inputs
from firesat.samples.pieces import Piece, Table
from firesat.sampling import Panel

Floats = NDArray[np.float64]


class Views:
    """Clear shares of a panel's chips, scene by scene.

    Parameters
    ----------
    piece : Piece
        The group ``sentinel2`` over the panel's cells, opened packed.
    panel : Panel
        Its chips.
    size : int
        Cells of a chip's side.
    """

    def __init__(self, piece: Piece, panel: Panel, size: int) -> None:
        self._piece, self._panel, self._size = piece, panel, size
        self._shares: dict[int, Floats] = {}
        rows, cols = (np.array(starts) for starts in zip(*panel.origins, strict=True))
        # a chip may lie in four tiles, each with its own time of arrival
        self._tiles = [
            (piece.tile_y[rows + down], piece.tile_x[cols + right])
            for down in (0, size - 1)
            for right in (0, size - 1)
        ]

    def valid(self, day: str, inputs: Inputs) -> tuple[Floats, Table]:
        """Tell which scenes each chip may count.

        Parameters
        ----------
        day : str
            Issue day.
        inputs : Inputs
            History, and the rule of frames if there is one.

        Returns
        -------
        ages : ndarray of float64, shape (scenes,)
            Days, newest first.
        valid : ndarray of bool, shape (scenes, chips)
            In hand at T, and clear over enough of the chip: half, or what frames ask for.
        """
        known = self._piece.known(day, inputs.window, inputs.sentinel2_history)
        steps = np.flatnonzero(self._piece.touched(known))[::-1]
        least = 1 - inputs.frames.max_cloud if inputs.frames else CLEAR
        valid = np.zeros((len(steps), len(self._panel.origins)), dtype=bool)
        for number, step in enumerate(steps):
            here = np.logical_and.reduce([known[step, y, x] for y, x in self._tiles])
            valid[number] = here & (self._share(int(step)) >= least)
        ages = (np.datetime64(day, "D") - self._piece.days[steps]).astype(np.float64)
        return ages, valid

    def _share(self, step: int) -> Floats:
        """Share of each chip's cells that a scene showed, 0 to 1."""
        if step not in self._shares:
            clear = shown(self._piece.data["clear"].isel(time=step).values)
            self._shares[step] = box_sums(clear, self._panel.origins, self._size) / self._size**2
        return self._shares[step]


def box_sums(cells: Table, origins: list[tuple[int, int]], size: int) -> Floats:
    """Count the cells of a mask in squares.

    Parameters
    ----------
    cells : ndarray of bool, shape (Y, X)
        The mask.
    origins : list of tuple of int
        Upper left cells of the squares.
    size : int
        Cells of their sides.

    Returns
    -------
    ndarray of float64, shape (n,)
        One count a square.
    """
    sums = np.pad(cells.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    row, col = (np.array(starts) for starts in zip(*origins, strict=True))
    below, right = row + size, col + size
    inside = sums[below, right] - sums[row, right] - sums[below, col] + sums[row, col]
    return np.asarray(inside, dtype=np.float64)
