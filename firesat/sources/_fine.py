"""A band of a granule at 20 m, of which pixels of 60 m and cells of 100 m are made.

Clouds are looked for at 60 m, the pixels of the cirrus band, and left out of the means at 100 m.
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Grade = NDArray[np.uint8]

FINE = 20  # metres
CELL = 100
MASK = 60
_CELLS, _MASKS = CELL // FINE, MASK // FINE
_FULL = 4  # pixels of 10 m


@dataclass(frozen=True, kw_only=True)
class Fine:
    """Sums of a band's digital numbers.

    Parameters
    ----------
    total : ndarray of uint32, shape (Y, X)
        Sum over the pixels of 10 m that were measured; a larger pixel counts as so many.
    measured : ndarray of uint8, shape (Y, X)
        How many these are, 0 to 4.
    """

    total: NDArray[np.uint32]
    measured: NDArray[np.uint8]

    @classmethod
    def of_shape(cls, shape: tuple[int, int]) -> "Fine":
        """Begin one.

        Parameters
        ----------
        shape : tuple of int
            Rows and columns of 20 m.

        Returns
        -------
        Fine
            Nothing measured yet.
        """
        return cls(total=np.zeros(shape, dtype="uint32"), measured=np.zeros(shape, dtype="uint8"))

    def add(
        self, numbers: NDArray[np.generic], first: int, size: int, special: tuple[int, int]
    ) -> None:
        """Add rows of an image.

        Parameters
        ----------
        numbers : ndarray of uint16, shape (Y, X)
            Whole rows.
        first : int
            Number of the first.
        size : {10, 20, 60}
            Metres of a pixel.
        special : tuple of int
            Numbers that are no measurement.
        """
        _add(numbers, (first, size), special, self.total, self.measured)

    def for_mask(self) -> Floats:
        """Average over pixels of 60 m.

        Returns
        -------
        ndarray of float64, shape (Y / 3, X / 3)
            Digital numbers; NaN where nothing was measured.
        """
        total = _blocks(self.total, _MASKS).sum(axis=(1, 3), dtype=np.float64)
        measured = _blocks(self.measured, _MASKS).sum(axis=(1, 3))
        mean = np.full(total.shape, np.nan)
        np.divide(total, measured, out=mean, where=measured > 0)
        return mean

    def average(self, grade: Grade) -> tuple[Floats, Floats]:
        """Average over cells of 100 m.

        Parameters
        ----------
        grade : ndarray of uint8, shape (Y / 3, X / 3)
            Of pixels of 60 m: 2 = clear.

        Returns
        -------
        tuple of ndarray of float64, shape (Y / 5, X / 5)
            Mean of the numbers by area, of what is clear where anything is, else of all; NaN where
            nothing was measured. Share of the cell that was measured, 0 to 1.
        """
        rows, columns = (side // _CELLS for side in self.total.shape)
        mean, share = np.full((rows, columns), np.nan), np.zeros((rows, columns))
        _average(self.total, self.measured, grade, mean, share)
        return mean, share


def clear_share(grade: Grade) -> Floats:
    """Tell how much of the cells is clear.

    Parameters
    ----------
    grade : ndarray of uint8, shape (Y, X)
        Of pixels of 60 m: 0 = not observed, 1 = doubtful, 2 = clear.

    Returns
    -------
    ndarray of float64, shape (3 Y / 5, 3 X / 5)
        Of 100 m: share of what was observed that is clear, 0 to 1; NaN where nothing was.
    """
    fine = _blocks(grade.repeat(_MASKS, axis=0).repeat(_MASKS, axis=1), _CELLS)
    seen, clear = ((fine >= least).sum(axis=(1, 3)) for least in (1, 2))
    share = np.full(seen.shape, np.nan)
    np.divide(clear, seen, out=share, where=seen > 0)
    return share


def _blocks[T: np.generic](values: NDArray[T], side: int) -> NDArray[T]:
    """The same values by square blocks: axes 1 and 3 run within one."""
    rows, columns = (length // side for length in values.shape)
    return values.reshape(rows, side, columns, side)


@numba.njit(cache=True, nogil=True)
def _add(
    numbers: NDArray[np.uint16],
    strip: tuple[int, int],
    special: tuple[int, int],
    total: NDArray[np.uint32],
    measured: NDArray[np.uint8],
) -> None:
    """Add pixels of 10 m to the one of 20 m they lie in, larger ones to all that lie in them."""
    first, size = strip
    side, weight = max(size // FINE, 1), 1 if size < FINE else _FULL
    for row in range(numbers.shape[0]):
        top = (first + row) * size // FINE
        for column in range(numbers.shape[1]):
            number = numbers[row, column]
            if number == special[0] or number == special[1]:
                continue
            left = column * size // FINE
            for y in range(top, top + side):
                for x in range(left, left + side):
                    total[y, x] += weight * np.uint32(number)
                    measured[y, x] += weight


@numba.njit(cache=True, nogil=True)
def _average(
    total: NDArray[np.uint32],
    measured: NDArray[np.uint8],
    grade: Grade,
    mean: Floats,
    share: Floats,
) -> None:
    """Means and shares of cells."""
    for row in range(mean.shape[0]):
        for column in range(mean.shape[1]):
            every, clear, count, usable = 0, 0, 0, 0
            for y in range(row * _CELLS, (row + 1) * _CELLS):
                for x in range(column * _CELLS, (column + 1) * _CELLS):
                    every += total[y, x]
                    count += measured[y, x]
                    if grade[y // _MASKS, x // _MASKS] == 2:
                        clear += total[y, x]
                        usable += measured[y, x]
            share[row, column] = count / (_FULL * _CELLS * _CELLS)
            if usable > 0:
                mean[row, column] = clear / usable
            elif count > 0:
                mean[row, column] = every / count
