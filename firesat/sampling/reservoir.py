"""Simple random sampling of chips that go by, in bounded memory."""

import numpy as np
from numpy.typing import NDArray

ROW = np.dtype([("day", "i4"), ("panel", "i4"), ("chip", "i4"), ("fuel", "i4"), ("fwi", "f4")])
"""What is kept of a chip that went by."""


class Reservoir:
    """The chips with the smallest numbers of all that went by.

    Parameters
    ----------
    size : int
        How many to keep.
    """

    def __init__(self, size: int) -> None:
        self.seen = 0
        self._size = size
        self._numbers = np.empty(0)
        self._rows = np.empty(0, dtype=ROW)

    def add(self, numbers: NDArray[np.float64], rows: NDArray[np.void]) -> None:
        """Let chips go by.

        Parameters
        ----------
        numbers : ndarray of float, shape (n,)
            Each chip's own, uniform in 0 to 1.
        rows : ndarray, shape (n,)
            What is to be known of them later.
        """
        self.seen += len(numbers)
        self._numbers = np.concatenate([self._numbers, numbers])
        self._rows = np.concatenate([self._rows, rows])
        if len(self._numbers) > 4 * self._size + 1024:
            self._keep(self._size)

    def _keep(self, number: int) -> None:
        """Forget all but the smallest."""
        order = np.argsort(self._numbers, kind="stable")[:number]
        self._numbers, self._rows = self._numbers[order], self._rows[order]

    def take(self, number: int) -> NDArray[np.void]:
        """Take chips.

        Parameters
        ----------
        number : int
            At most the reservoir's size.

        Returns
        -------
        ndarray, shape (min(number, seen),)
            Those with the smallest numbers.
        """
        self._keep(self._size)
        return self._rows[:number]
