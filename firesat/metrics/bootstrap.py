"""Intervals by resampling blocks of space and time, fires kept whole.

Neighbouring cells and successive windows burn together, so resampling cells would give intervals
that are far too narrow. Blocks (200 km x 16 days) are drawn with replacement instead, and every
forecast is scored on the same draws, so differences are paired.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

LEAST_BLOCKS = 20
"""Blocks with fire below which an interval is called unreliable."""
LEAST_YEARS = 3
"""Years from which years are drawn first, and blocks within them."""
_FEW = 0.5  # share of resamples that must have a score

Floats = NDArray[np.float64]

_SIDE = 4096  # more blocks than the longest side of any grid has


class Estimate(NamedTuple):
    """A score and its interval.

    Parameters
    ----------
    value : float
        On everything that was scored; NaN where undefined.
    low, high : float
        Ends of the interval; NaN where it is undefined.
    """

    value: float
    low: float
    high: float

    def digits(self, least: int) -> int:
        """Tell how many digits show the score: average precision may be 0.0005.

        Parameters
        ----------
        least : int
            Digits after the point that are always shown.

        Returns
        -------
        int
            Enough for two significant digits of the value, at most 8.
        """
        if not self.value or not math.isfinite(self.value):
            return least
        return min(8, max(least, 1 - math.floor(math.log10(abs(self.value)))))


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """How space and time are cut into blocks.

    Parameters
    ----------
    km : float
        Side in km, counted from the origin of the CRS.
    days : int
        Length in days, counted from the first issue day of each year.
    first : dict of int to np.datetime64
        First issue day of each year.
    """

    km: float
    days: int
    first: dict[int, np.datetime64]

    @classmethod
    def of(cls, km: float, days: int, issued: Sequence[np.datetime64]) -> "Blocks":
        """Cut the time of some issue days.

        Parameters
        ----------
        km : float
            Side in km.
        days : int
            Length in days.
        issued : sequence of np.datetime64
            Every issue day that will be scored.

        Returns
        -------
        Blocks
            Counted from the first issue day of each year.
        """
        first: dict[int, np.datetime64] = {}
        for day in sorted(issued):
            first.setdefault(_year(day), day)
        return cls(km=km, days=days, first=first)

    def index(self, cells: GeoBox, day: np.datetime64) -> NDArray[np.int64]:
        """Number the block of each cell.

        Parameters
        ----------
        cells : GeoBox
            Cells of a metric CRS.
        day : np.datetime64
            Issue day.

        Returns
        -------
        ndarray of int64, shape (Y, X)
            Equal within a block; :meth:`year_of` reads the year back.
        """
        side = self.km * 1000.0
        x = np.floor(cells.coordinates["x"].values / side).astype(np.int64) + _SIDE // 2
        y = np.floor(cells.coordinates["y"].values / side).astype(np.int64) + _SIDE // 2
        year = _year(day)
        step = int((day - self.first[year]) / np.timedelta64(1, "D")) // self.days
        block: NDArray[np.int64] = ((year * 512 + step) * _SIDE + y[:, None]) * _SIDE + x[None, :]
        return block

    @staticmethod
    def year_of(block: int) -> int:
        """Give the year of a block.

        Parameters
        ----------
        block : int
            A number from :meth:`index`.

        Returns
        -------
        int
            Such as 2023.
        """
        return block // (_SIDE * _SIDE * 512)


def _year(day: np.datetime64) -> int:
    """Calendar year."""
    return int(day.astype("datetime64[Y]").astype(np.int64)) + 1970


@dataclass
class Homes:
    """One block for each fire: the one where most of it burned when it was first met.

    Parameters
    ----------
    blocks : dict
        Year and number of a fire to its block.
    """

    blocks: dict[tuple[int, int], int] = field(default_factory=dict)

    def settle(
        self,
        block: NDArray[np.int64],
        burned: NDArray[np.bool_],
        fire: NDArray[np.int64],
        day: np.datetime64,
    ) -> NDArray[np.int64]:
        """Move burned cells into the block of their fire.

        Parameters
        ----------
        block : ndarray of int64, shape (N,)
            Block of each cell by place and day.
        burned : ndarray of bool, shape (N,)
            Whether each burns.
        fire : ndarray of int64, shape (N,)
            Number of its fire within the year; 0 = none known.
        day : np.datetime64
            Issue day.

        Returns
        -------
        ndarray of int64, shape (N,)
            The same, but for the burned cells of fires seen elsewhere first.
        """
        settled = block.copy()
        year = _year(day)
        for number in np.unique(fire[burned & (fire > 0)]):
            mine = burned & (fire == number)
            met, counts = np.unique(block[mine], return_counts=True)
            home = int(met[np.argmax(counts)])
            settled[mine] = self.blocks.setdefault((year, int(number)), home)
        return settled


def draws(
    blocks: Sequence[int], resamples: int, rng: np.random.Generator, chunk: int = 100
) -> Iterator[Floats]:
    """Draw how often each block is taken in each resample.

    Parameters
    ----------
    blocks : sequence of int
        Numbers from :meth:`Blocks.index`.
    resamples : int
        How many.
    rng : np.random.Generator
        Source of randomness.
    chunk : int
        Resamples at a time.

    Yields
    ------
    ndarray of float64, shape (at most chunk, B)
        Counts. With three years or more, years are drawn first, then blocks within each; otherwise
        every row sums to B.
    """
    years = np.array([Blocks.year_of(block) for block in blocks])
    distinct = np.unique(years)
    outer = distinct if len(distinct) >= LEAST_YEARS else distinct[:0]
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        if not len(outer):
            yield _even(rng, np.full(rows, len(years)), len(years))
            continue
        taken = rng.multinomial(len(outer), np.full(len(outer), 1 / len(outer)), size=rows)
        weights = np.zeros((rows, len(years)))
        for column, year in enumerate(outer):
            inside = np.flatnonzero(years == year)
            weights[:, inside] = _even(rng, taken[:, column] * len(inside), len(inside))
        yield weights


def _even(rng: np.random.Generator, drawn: NDArray[np.integer], among: int) -> Floats:
    """Counts of draws with replacement, all blocks alike."""
    return rng.multinomial(drawn, np.full(among, 1 / among)).astype(np.float64)


def interval(values: Floats, level: float) -> tuple[float, float]:
    """Give the central interval of resampled scores.

    Parameters
    ----------
    values : ndarray of float64, shape (R,)
        One score per resample; NaN where a resample had none.
    level : float
        Probability content, such as 0.9.

    Returns
    -------
    tuple of float
        Lower and upper end; NaN if more than half of the resamples have no score.
    """
    known = values[np.isfinite(values)]
    if len(known) <= _FEW * len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
