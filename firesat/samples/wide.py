"""Weather around a chip on its own cells of 10 km: the same for a cell however it was cut out."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firesat.batch import WIDE
from firesat.samples.inputs import COARSEST
from firesat.scaling import Batch

Array = NDArray[np.float32]

_METRES = 100.0 * WIDE


class Place(NamedTuple):
    """Where weather cells lie that hold some cells of 100 m, a margin around them included.

    Parameters
    ----------
    first : tuple of int
        Row and column of the first of them in the piece that was read, below 0 outside it.
    before : tuple of int
        Cells of 100 m from their upper left corner to that of the cells.
    shape : tuple of int
        Rows and columns.
    """

    first: tuple[int, int]
    before: tuple[int, int]
    shape: tuple[int, int]

    @classmethod
    def of(cls, before: tuple[float, float], cells: tuple[int, int], margin: int) -> "Place":
        """Find them.

        Parameters
        ----------
        before : tuple of float
            Metres from the upper left corner of the piece down and right to that of the cells.
        cells : tuple of int
            Rows and columns of 100 m.
        margin : int
            Weather cells on each side.

        Returns
        -------
        Place
            One more row and column than needed, for chips that lie in fewer than others.
        """
        held = [int(metres // _METRES) for metres in before]
        inside = [round(m / 100) - WIDE * n for m, n in zip(before, held, strict=True)]
        counts = [(s + n - 1) // WIDE + 2 + 2 * margin for s, n in zip(inside, cells, strict=True)]
        return cls(
            first=(held[0] - margin, held[1] - margin),
            before=(inside[0] + WIDE * margin, inside[1] + WIDE * margin),
            shape=(counts[0], counts[1]),
        )

    def put(self, values: Array, out: Array) -> None:
        """Put what the piece has of them in its place.

        Parameters
        ----------
        values : ndarray of float32, shape (..., y, x)
            The piece.
        out : ndarray of float32, shape (..., *shape)
            Filled where the piece has cells.
        """
        here, there = [], []
        for first, wanted, found in zip(self.first, self.shape, values.shape[-2:], strict=True):
            low, high = max(first, 0), min(first + wanted, found)
            there.append(slice(low, max(low, high)))
            here.append(slice(low - first, max(low, high) - first))
        out[..., here[0], here[1]] = values[..., there[0], there[1]]


@dataclass(frozen=True, kw_only=True)
class Wide:
    """Weather of some cells and of what lies around them.

    Parameters
    ----------
    values : ndarray of float32, shape (S, V, y, x)
        Cells of 10 km; oldest day first; NaN where missing.
    before : tuple of int
        Cells of 100 m from the upper left corner of `values` to that of the cells.
    """

    values: Array
    before: tuple[int, int]

    def of(self, row: int, col: int) -> "Wide":
        """Give it for a part of the cells.

        Parameters
        ----------
        row, col : int
            Upper left cell of the part.

        Returns
        -------
        Wide
            The same weather.
        """
        return replace(self, before=(self.before[0] + row, self.before[1] + col))

    def patch(self, origin: tuple[int, int], size: int, margin: int) -> Batch:
        """Cut what a chip sees: as many cells for every chip of a size.

        Parameters
        ----------
        origin : tuple of int
            Row and column of the chip's upper left cell.
        size : int
            Cells of 100 m along its side.
        margin : int
            Weather cells on each side of those that hold it.

        Returns
        -------
        dict of ndarray
            `around` and `off_centre` of `firesat.batch`.
        """
        # chips begin on whole kilometres: so many cells hold one wherever it begins
        number = (WIDE - COARSEST + size - 1) // WIDE + 1 + 2 * margin
        starts = [before + first for before, first in zip(self.before, origin, strict=True)]
        rows, columns = (
            slice(start // WIDE - margin, start // WIDE - margin + number) for start in starts
        )
        place = [
            start - WIDE * some.start + (size - WIDE * number) / 2
            for start, some in zip(starts, (rows, columns), strict=True)
        ]
        return {
            "around": self.values[..., rows, columns],
            "off_centre": np.array(place, dtype=np.float32),
        }
