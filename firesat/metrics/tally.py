"""Histograms that stand for maps: all scores come from them, so maps are read once and forgotten.

A published probability is a float32 whose mantissa is rounded to 10 bits, so binning by exponent
and 12 bits of mantissa keeps every value of the map apart: scores of pooled maps are exact. Blocks,
which the intervals resample, and days are kept at 8 bits (0.4 % of the value), which bounds the
memory by the number of blocks and never by the number of cells.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LOWEST = -24  # exponent: 2**-24 = 6e-8 lies below the floor of calibrated probabilities, 1e-7
FINE_BITS, COARSE_BITS = 12, 8
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
        0 to `FINE` - 1, rising with the probability; values that differ within their first 12 bits
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

    def take(self, chosen: NDArray[np.bool_] | slice) -> "Cells":
        """Choose some of the cells.

        Parameters
        ----------
        chosen : ndarray of bool, shape (N,), or slice
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
        level, p = level_of(probability), np.asarray(probability, dtype=np.float64)
        fine = _histogram(level, p, cells)
        self.fine += fine
        sizes, fires = coarsen(fine[3]), coarsen(fine[4])
        whole = Bins.empty("int32")
        coarse = level >> (FINE_BITS - COARSE_BITS)
        for block, inside in _by_block(cells.block):
            part = _bins(coarse[inside], p[inside], cells.take(inside))
            self._into(self.blocks, block, part)
            whole = whole + part
        self._into(self.days, cells.day, Bins(sizes, fires, whole.totals))

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


def _by_block(block: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.bool_] | slice]]:
    """Each block and where its cells are; most maps lie in one block and are not copied."""
    if (block == block[0]).all():
        yield int(block[0]), slice(None)
        return
    for number in np.unique(block):
        yield int(number), block == number


def _histogram(level: NDArray[np.int64], p: Floats, cells: Cells) -> Floats:
    """Fine histograms of cells."""
    area, hit = cells.area, cells.burned
    return np.stack(
        [
            np.bincount(level, minlength=FINE),
            np.bincount(level[hit], minlength=FINE),
            np.bincount(level, p, FINE),
            np.bincount(level, area, FINE),
            np.bincount(level[hit], area[hit], FINE),
        ]
    )


def _bins(coarse: NDArray[np.int64], p: Floats, cells: Cells) -> Bins:
    """Coarse histograms and totals of a block's cells."""
    area, hit = cells.area, cells.burned
    totals = [
        len(p), hit.sum(), p.sum(), p @ p, p[hit].sum(), area.sum(), p @ area, area[hit].sum(),
    ]  # fmt: skip
    counts, burned = (
        np.bincount(c, minlength=COARSE).astype("int32") for c in (coarse, coarse[hit])
    )
    return Bins(counts, burned, np.array(totals))


def coarsen(fine: Floats) -> Floats:
    """Sum fine bins into coarse ones.

    Parameters
    ----------
    fine : ndarray of float64, shape (FINE,)
        By fine bin.

    Returns
    -------
    ndarray of float64, shape (COARSE,)
        By coarse bin.
    """
    starts = np.arange(COARSE) << (FINE_BITS - COARSE_BITS)
    summed: Floats = np.add.reduceat(fine, starts)
    return summed
