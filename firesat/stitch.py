"""Canvas: overlapping chips become seamless rows, in memory that does not grow with the map."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from firesat.errors import GridError


class Canvas:
    """A map under construction, of which only the unfinished rows are held.

    Chips come from top to bottom, as :func:`firesat.grid.chip_origins` gives them; between two
    calls of :meth:`finished_rows` they may come in any order. The outermost `halo` cells of a chip
    lack context and are dropped, except on the map's own edge, where no other chip has more. Where
    chips overlap they are blended with squared-sine weights that fall to almost nothing at the edge
    of what each is trusted with, so no seam shows. Sums are kept in float64: a constant stays that
    constant, and equal chips blend to themselves.

    Parameters
    ----------
    height, width : int
        Cells of the map.
    bands : int
        Values in each cell.
    halo : int
        Cells along a chip's side that are not trusted.
    """

    def __init__(self, height: int, width: int, bands: int, *, halo: int = 0) -> None:
        self.shape = (bands, height, width)
        self.halo = halo
        self._top = 0  # first row held
        self._row = 0  # of the lowest chip so far
        self._sum = np.zeros((bands, 0, width))
        self._weight = np.zeros((0, width))

    @property
    def held_rows(self) -> int:
        """Rows in memory.

        Returns
        -------
        int
            At most a chip's height when finished rows are taken after every line of chips.
        """
        return int(self._weight.shape[0])

    def add(self, values: NDArray[np.floating], row: int, col: int) -> None:
        """Lay a chip on the map.

        Parameters
        ----------
        values : ndarray, shape (B, h, w)
            NaN counts as not seen, in all bands of the cell.
        row, col : int
            Cell of the map under the chip's upper left cell.

        Raises
        ------
        GridError
            If the chip has other bands, is all halo, leaves the map, or touches finished rows.
        """
        self._check(values.shape, row, col)
        rows = _trusted(row, values.shape[1], self.shape[1], self.halo)
        columns = _trusted(col, values.shape[2], self.shape[2], self.halo)
        chip = values[:, rows.start - row : rows.stop - row, columns.start - col :]
        chip = chip[:, :, : len(columns)].astype(np.float64)
        weight = np.outer(_profile(len(rows)), _profile(len(columns)))
        unseen = np.isnan(chip).any(axis=0)
        weight[unseen] = 0.0
        chip[:, unseen] = 0.0
        self._grow(rows.stop)
        here = (
            slice(rows.start - self._top, rows.stop - self._top),
            slice(columns.start, columns.stop),
        )
        self._sum[:, *here] += chip * weight
        self._weight[here] += weight
        self._row = max(self._row, row)

    def _check(self, shape: tuple[int, ...], row: int, col: int) -> None:
        """Refuse chips that do not belong here."""
        bands, height, width = self.shape
        if len(shape) != 3 or shape[0] != bands or min(shape[1:]) <= 2 * self.halo:
            raise GridError(
                f"a chip of shape {shape} does not fit a canvas of {bands} bands with a halo of "
                f"{self.halo}: give (bands, y, x) of more than {2 * self.halo} cells a side"
            )
        if row < 0 or col < 0 or row + shape[1] > height or col + shape[2] > width:
            raise GridError(
                f"a chip of {shape[1]} x {shape[2]} cells at row {row}, column {col} leaves the "
                f"canvas of {height} x {width}: take the places of grid.chip_origins(...)"
            )
        if row + (self.halo if row else 0) < self._top:
            raise GridError(
                f"a chip at row {row} comes when the rows up to {self._top} are finished: "
                "add chips from top to bottom"
            )

    def _grow(self, stop: int) -> None:
        """Hold rows up to `stop`."""
        missing = stop - self._top - self.held_rows
        if missing > 0:
            bands, _, width = self.shape
            self._sum = np.concatenate([self._sum, np.zeros((bands, missing, width))], axis=1)
            self._weight = np.concatenate([self._weight, np.zeros((missing, width))])

    def finished_rows(
        self, *, everything: bool = False
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Hand over the rows that no chip further down can touch, and forget them.

        Parameters
        ----------
        everything : bool
            True after the last chip: the rest of the map too.

        Yields
        ------
        tuple of (int, ndarray of float32, shape (B, n, X))
            The first row's number and the rows; NaN where never seen.
        """
        first_open = self._row + (self.halo if self._row > 0 else 0)
        stop = self.shape[1] if everything else first_open
        count = stop - self._top
        if count <= 0:
            return
        self._grow(stop)
        weight = self._weight[:count]
        blended = np.full((self.shape[0], count, self.shape[2]), np.nan)
        np.divide(self._sum[:, :count], weight, out=blended, where=weight > 0)
        first, self._top = self._top, stop
        self._sum, self._weight = self._sum[:, count:].copy(), self._weight[count:].copy()
        yield first, blended.astype(np.float32)


def _trusted(start: int, size: int, edge: int, halo: int) -> range:
    """Cells of the map, along one axis, that a chip is trusted with."""
    stop = start + size
    return range(start + halo if start > 0 else 0, stop - halo if stop < edge else stop)


def _profile(cells: int) -> NDArray[np.float64]:
    """Squared-sine weights along one axis: positive everywhere, smallest at both ends."""
    weights: NDArray[np.float64] = np.sin(np.pi * (np.arange(cells) + 0.5) / cells) ** 2
    return weights
