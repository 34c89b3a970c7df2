"""Scores beside a known truth: what a forecast would reach on average over all that might happen.

With cells sorted by forecast f and chances p of the law, the expected average precision is
E_AP(f) = sum_k p_k (sum_{j<=k} p_j) / k / sum p. The best possible ranks by p itself: by one half
of the draws, weighed with the other, so that no forecast is judged by the noise it was made of.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from firesat.metrics.tally import FINE, level_of
from firesat.sandbox.truth import HALVES, Chances

SMOOTH = (0.0, 3.0, 10.0)
"""Cells over which the rough chance of new fires is smoothed before the oracle ranks by it."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ExpectedScores:
    """What a forecast would reach on average.

    Parameters
    ----------
    ap : float
        Expected average precision.
    share : float
        Of the best possible.
    ratio : float
        Sum of the forecast over the sum of the chances.
    slope : float
        Of the chances on the forecast.
    """

    ap: float
    share: float
    ratio: float
    slope: float


@dataclass
class Expected:
    """Sums of chances by level of each forecast, fed day by day.

    Parameters
    ----------
    levels : dict of str to ndarray of float64, shape (3, FINE)
        By forecast: cells, and the chances of both halves.
    moments : dict of str to ndarray of float64, shape (5,)
        By forecast: n, sum f, sum f2, sum f p, sum p.
    """

    levels: dict[str, Floats] = field(default_factory=dict)
    moments: dict[str, Floats] = field(default_factory=dict)

    def add(
        self,
        forecasts: Mapping[str, NDArray[np.floating]],
        truth: Chances,
        scored: NDArray[np.bool_],
    ) -> None:
        """Count one day.

        Parameters
        ----------
        forecasts : dict of str to ndarray of float, shape (Y, X)
            Probabilities by name.
        truth : Chances
            Of the same cells.
        scored : ndarray of bool, shape (Y, X)
            Which cells count.
        """
        halves = [truth.half(number)[scored] for number in range(HALVES)]
        for number in range(HALVES):
            for cells in SMOOTH:
                rank = _oracle(truth, number, cells)[scored]
                self._count(_name(number, cells), rank, halves)
        for name, values in forecasts.items():
            self._count(name, values[scored], halves)

    def _count(self, name: str, f: NDArray[np.floating], halves: list[Floats]) -> None:
        """Add one forecast's cells."""
        level = level_of(f)
        weights = [np.ones(len(f)), *halves]
        rows = [np.bincount(level, weight, minlength=FINE) for weight in weights]
        p = np.mean(halves, axis=0)
        f = f.astype(np.float64)
        sums = [len(f), f.sum(), (f * f).sum(), (f * p).sum(), p.sum()]
        self.levels[name] = np.stack(rows) + self.levels.get(name, 0.0)
        self.moments[name] = np.array(sums, dtype=np.float64) + self.moments.get(name, 0.0)

    @property
    def best(self) -> float:
        """The best possible expected average precision, as far as the draws tell.

        Returns
        -------
        float
            Rather too low: the oracle ranks by draws, not by the chances themselves.
        """
        return max(
            float(np.mean([self._ap(_name(n, cells), 1 - n) for n in range(HALVES)]))
            for cells in SMOOTH
        )

    def scores(self, name: str) -> ExpectedScores:
        """Give the scores of a forecast.

        Parameters
        ----------
        name : str
            As it was added.

        Returns
        -------
        ExpectedScores
            The mean of both halves.
        """
        ap = float(np.mean([self._ap(name, half) for half in range(HALVES)]))
        n, f, ff, fp, p = self.moments[name]
        spread = ff - f * f / n
        slope = (fp - f * p / n) / spread if spread > 0 else float("nan")
        return ExpectedScores(ap=ap, share=ap / self.best, ratio=float(f / p), slope=float(slope))

    def _ap(self, name: str, half: int) -> float:
        """Expected average precision with the chances of one half; ties count as the last."""
        cells, p = self.levels[name][0][::-1], self.levels[name][1 + half][::-1]
        return float((p * p.cumsum() / np.maximum(cells.cumsum(), 1)).sum() / p.sum())


def _name(half: int, cells: float) -> str:
    """An oracle's."""
    return f"oracle {half} {cells:g}"


def _oracle(truth: Chances, half: int, cells: float) -> Floats:
    """Chances of one half, those of new fires smoothed."""
    new = truth.half(half, "new")
    smooth: Floats = gaussian_filter(new, cells) if cells else new
    return np.clip(truth.half(half, "growth") + smooth, 0.0, 1.0)
