"""Strips: a forecast on its way out, a few hundred rows at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

STRIP = 512
"""Rows of a strip: the block size of the files, so that each block is compressed once."""


class State(IntEnum):
    """Why a cell has a probability, or has none. The values stand in the mask files."""

    FORECAST = 0
    CANNOT_BURN = 1
    ALREADY_BURNT = 2
    SNOW_COVERED = 3
    NOT_EVALUATED = 4
    ABSTAINED = 5


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Some rows of a forecast.

    Parameters
    ----------
    row : int
        Number of the first row.
    growth, new : ndarray of float32, shape (n, X)
        Probability that the cell burns in the window by a fire that had started at the reference
        time, and by one that starts after it; NaN where the network was not asked.
    state : ndarray of uint8, shape (n, X)
        Values of :class:`State`.
    looks : ndarray of uint8, shape (n, X)
        Clear Sentinel-2 looks that the forecast had.
    age : ndarray of float32, shape (n, X)
        Days from the newest of them to the reference time; NaN without any.
    leads : ndarray of float32, shape (H, n, X)
        Probability that the cell burns by the end of each day; H = 0 where nobody asked for it.
    """

    row: int
    growth: NDArray[np.float32]
    new: NDArray[np.float32]
    state: NDArray[np.uint8]
    looks: NDArray[np.uint8]
    age: NDArray[np.float32]
    leads: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0, 0), np.float32))

    @property
    def fire(self) -> NDArray[np.float32]:
        """Probability that the cell burns, by either process.

        ``1 - (1 - growth)(1 - new)``, written so that 1e-7 does not drown in float32's 1.

        Returns
        -------
        ndarray of float32, shape (n, X)
            0 to 1, NaN where not evaluated.
        """
        either: NDArray[np.float32] = self.growth + self.new - self.growth * self.new
        return either

    @property
    def mask(self) -> NDArray[np.uint8]:
        """State of each cell, cells without a probability counted as not evaluated.

        Returns
        -------
        ndarray of uint8, shape (n, X)
            Values of :class:`State`.
        """
        unasked = np.isnan(self.fire) & (self.state == State.FORECAST)
        return np.where(unasked, np.uint8(State.NOT_EVALUATED), self.state)


class Spool:
    """A whole forecast on disk, written as it is made, read again by every product.

    Parameters
    ----------
    folder : Path
        An empty folder for its files, removed by whoever made it.
    shape : tuple of int
        Rows and columns of the map.
    leads : int
        Days that are told apart.
    """

    def __init__(self, folder: Path, shape: tuple[int, int], leads: int = 0) -> None:
        self.shape = shape
        self.growth = _layer(folder / "growth", "float32", shape)
        self.new = _layer(folder / "new", "float32", shape)
        self.state = _layer(folder / "state", "uint8", shape)
        self.looks = _layer(folder / "looks", "uint8", shape)
        self.age = _layer(folder / "age", "float32", shape)
        # memory cannot be mapped to an empty file
        self.leads: NDArray[np.float32] = (
            _layer(folder / "leads", "float32", (leads, *shape))
            if leads
            else np.empty((0, *shape), np.float32)
        )
        self.state[:] = State.NOT_EVALUATED

    def __iter__(self) -> Iterator[Strip]:
        """Read it from top to bottom, each time anew."""
        for row in range(0, self.shape[0], STRIP):
            part = slice(row, row + STRIP)
            yield Strip(
                row=row,
                growth=np.array(self.growth[part]),
                new=np.array(self.new[part]),
                state=np.array(self.state[part]),
                looks=np.array(self.looks[part]),
                age=np.array(self.age[part]),
                leads=np.array(self.leads[:, part]),
            )


def _layer(path: Path, dtype: str, shape: tuple[int, ...]) -> np.memmap[tuple[int, ...], np.dtype]:
    """One layer of the spool: memory that the system may put on disk."""
    return np.memmap(path, dtype=dtype, mode="w+", shape=shape)
