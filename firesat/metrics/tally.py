"""Histograms that stand for maps: all scores come from them, so maps are read once and forgotten.

A published probability is a float32 whose mantissa is rounded to 10 bits, so binning by exponent
and 10 bits of mantissa keeps every value of the map apart: scores of pooled maps are exact. Blocks,
which the intervals resample, and days are kept at 8 bits (0.4 % of the value), which bounds the
memory by the number of blocks and never by the number of cells.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LOWEST = -24  # exponent: 2**-24 = 6e-8 lies below the floor of calibrated probabilities, 1e-7
FINE_BITS, COARSE_BITS = 10, 8
FINE = -LOWEST * 2**FINE_BITS + 1
COARSE = -LOWEST * 2**COARSE_BITS + 1

Floats = NDArray[np.float64]

TOTALS = (
    "cells", "burned", "expected", "squares", "cross", "area", "expected_area", "burned_area",
)  # fmt: skip
"""Sums kept exactly: y = 1 where burned, p the forecast, a the cell's area in m2: n, sum y, sum p,
sum p2, sum p y, sum a, sum p a, sum y a."""


def level_of(probability: NDArray[np.floating]) -> NDArray[np.int64]:
    """Sort probabilities into fine bins.

    Parameters
    ----------
    probability : ndarray of float
        0 to 1, no NaN. Values below ``2**-24``, zero among them, share the lowest bin.

    Returns
    -------
    ndarray of int64
        0 to `FINE` - 1, rising with the probability; values that differ within their first 10 bits
        of mantissa never share a bin.
    """
    floor = np.float32(2.0**LOWEST)
    clipped = np.clip(np.asarray(probability, dtype=np.float32), floor, np.float32(1.0))
    # Positive IEEE floats sort as integers, so their leading bits number the bins
    drop = 23 - FINE_BITS
    first = int(floor.view(np.uint32)) >> drop
    return (clipped.view(np.uint32) >> drop).astype(np.int64) - first


def lower_edge(level: NDArray[np.int64], bits: int = COARSE_BITS) -> Floats:
    """Give the smallest probability of bins.

    Parameters
    ----------
    level : ndarray of int64
        Numbers of bins.
    bits : int
        `FINE_BITS` or `COARSE_BITS`.

    Returns
    -------
    ndarray of float64
        From ``2**-24`` (which stands for zero, too) to 1.
    """
    octave, step = np.divmod(level, 2**bits)
    edges: Floats = np.ldexp(1.0 + step / 2.0**bits, octave + LOWEST)
    return edges


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Headline cells of one issue day: at risk, burnable, label known.

    Parameters
    ----------
    day : np.datetime64
        Issue day.
    burned : ndarray of bool, shape (N,)
        Whether each burns in the forecast's window.
    area : ndarray of float64, shape (N,)
        Ground area in m2.
    block : ndarray of int64, shape (N,)
        Block of each, see :mod:`firesat.metrics.bootstrap`.
    """

    day: np.datetime64
    burned: NDArray[np.bool_]
    area: Floats
    block: NDArray[np.int64]

    def take(self, chosen: NDArray[np.bool_]) -> "Cells":
        """Choose some of the cells.

        Parameters
        ----------
        chosen : ndarray of bool, shape (N,)
            True where kept.

        Returns
        -------
        Cells
            The chosen ones, in the same order.
        """
        return Cells(
            day=self.day,
            burned=self.burned[chosen],
            area=self.area[chosen],
            block=self.block[chosen],
        )


@dataclass
class Bins:
    """A coarse histogram with exact totals, of a block or of a day.

    Parameters
    ----------
    all, burned : ndarray, shape (COARSE,)
        Cells and burned cells of a block (int32); their areas in m2 of a day (float64).
    totals : ndarray of float64, shape (8,)
        As `TOTALS`.
    """

    all: NDArray[np.generic]
    burned: NDArray[np.generic]
    totals: Floats

    @classmethod
    def empty(cls, dtype: str) -> "Bins":
        """Make a histogram of nothing.

        Parameters
        ----------
        dtype : str
            Of the two arrays.

        Returns
        -------
        Bins
            Zero everywhere.
        """
        return cls(np.zeros(COARSE, dtype), np.zeros(COARSE, dtype), np.zeros(len(TOTALS)))

    def __add__(self, other: "Bins") -> "Bins":
        return Bins(
            np.add(self.all, other.all),
            np.add(self.burned, other.burned),
            self.totals + other.totals,
        )


@dataclass
class Tally:
    """One forecast over one set of cells: what every score is computed from.

    Parameters
    ----------
    fine : ndarray of float64, shape (5, FINE)
        Cells, burned cells, expected cells (sum of p), area and burned area in m2 by fine bin.
    blocks : dict of int to Bins
        By block; counts of cells.
    days : dict of np.datetime64 to Bins
        By issue day; areas.
    """

    fine: Floats = field(default_factory=lambda: np.zeros((5, FINE)))
    blocks: dict[int, Bins] = field(default_factory=dict)
    days: dict[np.datetime64, Bins] = field(default_factory=dict)

    def add(self, cells: Cells, probability: NDArray[np.floating]) -> None:
        """Count cells.

        Parameters
        ----------
        cells : Cells
            Cells of one issue day.
        probability : ndarray of float, shape (N,)
            The forecast for them: 0 to 1, no NaN.
        """
        if not len(cells.burned):
            return
        level = level_of(probability)
        p = np.asarray(probability, dtype=np.float64)
        y, area = cells.burned.astype(np.float64), cells.area
        rows = (None, y, p, area, area * y)
        for row, weight in zip(self.fine, rows, strict=True):
            row += np.bincount(level, weight, FINE)
        coarse = level >> (FINE_BITS - COARSE_BITS)
        sums = np.stack([np.ones_like(p), y, p, p * p, p * y, area, p * area, y * area])
        for block in np.unique(cells.block):
            inside = cells.block == block
            hit = coarse[inside & cells.burned]
            part = Bins(_count(coarse[inside]), _count(hit), sums[:, inside].sum(axis=1))
            self._into(self.blocks, int(block), part)
        sizes, fires = (np.bincount(coarse, weight, COARSE) for weight in (area, area * y))
        self._into(self.days, cells.day, Bins(sizes, fires, sums.sum(axis=1)))

    @staticmethod
    def _into[K](shelf: dict[K, Bins], key: K, part: Bins) -> None:
        """Add to what stands under a key."""
        shelf[key] = shelf[key] + part if key in shelf else part

    def __add__(self, other: "Tally") -> "Tally":
        total = Tally(fine=self.fine + other.fine)
        for part in (self, other):
            for block, bins in part.blocks.items():
                self._into(total.blocks, block, bins)
            for day, bins in part.days.items():
                self._into(total.days, day, bins)
        return total

    @property
    def totals(self) -> dict[str, float]:
        """Sums over everything.

        Returns
        -------
        dict of str to float
            As `TOTALS`.
        """
        rows = [bins.totals for bins in self.days.values()]
        sums = np.sum(rows, axis=0) if rows else np.zeros(len(TOTALS))
        return dict(zip(TOTALS, map(float, sums), strict=True))


def _count(level: NDArray[np.int64]) -> NDArray[np.int32]:
    """Cells by coarse bin."""
    return np.bincount(level, minlength=COARSE).astype(np.int32)
