"""Scores beside a known truth: what a forecast would reach on average over all that might happen.

With cells sorted by forecast f and chances p of the law, the expected average precision is
E_AP(f) = sum_k p_k (sum_{j<=k} p_j) / k / sum p. The best possible ranks by p itself: by one half
of the draws, weighed with the other, so that no forecast is judged by the noise it was made of.

Draws take away the chance of what burned in a window, not that of which windows came: intervals and
paired differences resample blocks of days, as those of realised scores do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.ndimage import gaussian_filter

from firesat.metrics import EvaluateSettings
from firesat.metrics.bootstrap import Blocks, Estimate, draws, interval
from firesat.metrics.tally import FINE, coarsen, level_of
from firesat.sandbox.truth import HALVES, Chances

SMOOTH = (0.0, 3.0, 10.0)
"""Cells over which the rough chance of new fires is smoothed before the oracle ranks by it."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ExpectedScores:
    """What a forecast would reach on average.

    Parameters
    ----------
    ap : Estimate
        Expected average precision.
    share : float
        Of the best possible.
    ratio : float
        Sum of the forecast over the sum of the chances.
    slope : float
        Of the chances on the forecast.
    """

    ap: Estimate
    share: float
    ratio: float
    slope: float


@dataclass
class Expected:
    """Sums of chances by level of each forecast, fed day by day.

    Parameters
    ----------
    blocks : Blocks
        How space and time are cut.
    settings : EvaluateSettings
        Resamples, level and seed of the intervals.
    levels : dict of str to ndarray of float64, shape (3, FINE)
        By forecast: cells, and the chances of both halves.
    parts : dict of str to dict of int to ndarray of float64, shape (3, COARSE)
        By forecast and block, the same in coarse bins.
    moments : dict of str to ndarray of float64, shape (5,)
        By forecast: n, sum f, sum f2, sum f p, sum p.
    """

    blocks: Blocks
    settings: EvaluateSettings = field(default_factory=EvaluateSettings)
    levels: dict[str, Floats] = field(default_factory=dict)
    parts: dict[str, dict[int, Floats]] = field(default_factory=dict)
    moments: dict[str, Floats] = field(default_factory=dict)
    _resampled: dict[str, Floats] = field(default_factory=dict)

    def add(
        self,
        day: np.datetime64,
        cells: GeoBox,
        forecasts: Mapping[str, NDArray[np.floating]],
        truth: Chances,
        scored: NDArray[np.bool_],
    ) -> None:
        """Count one day.

        Parameters
        ----------
        day : np.datetime64
            Issue day.
        cells : GeoBox
            Cells of a metric CRS.
        forecasts : dict of str to ndarray of float, shape (Y, X)
            Probabilities by name.
        truth : Chances
            Of the same cells.
        scored : ndarray of bool, shape (Y, X)
            Which cells count.
        """
        halves = [truth.half(number)[scored] for number in range(HALVES)]
        block = self.blocks.index(cells, day)[scored]
        for number in range(HALVES):
            for smooth in SMOOTH:
                rank = _oracle(truth, number, smooth)[scored]
                self._count(_name(number, smooth), rank, halves, block)
        for name, values in forecasts.items():
            self._count(name, values[scored], halves, block)
        self._resampled.clear()

    def _count(
        self,
        name: str,
        f: NDArray[np.floating],
        halves: list[Floats],
        block: NDArray[np.int64],
    ) -> None:
        """Add one forecast's cells."""
        level, shelf = level_of(f), self.parts.setdefault(name, {})
        weights = [np.ones(len(f)), *halves]
        for number in np.unique(block).tolist():
            here = block == number
            rows = np.stack([np.bincount(level[here], w[here], minlength=FINE) for w in weights])
            self.levels[name] = rows + self.levels.get(name, 0.0)
            shelf[number] = np.stack([coarsen(row) for row in rows]) + shelf.get(number, 0.0)
        p = np.mean(halves, axis=0)
        f = f.astype(np.float64)
        sums = [len(f), f.sum(), (f * f).sum(), (f * p).sum(), p.sum()]
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
            float(np.mean([_ap(self.levels[_name(n, cells)])[1 - n] for n in range(HALVES)]))
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
        ap = self._value(name)
        n, f, ff, fp, p = self.moments[name]
        spread = ff - f * f / n
        slope = (fp - f * p / n) / spread if spread > 0 else float("nan")
        return ExpectedScores(
            ap=Estimate(ap, *interval(self._resamples(name), self.settings.level)),
            share=ap / self.best,
            ratio=float(f / p),
            slope=float(slope),
        )

    def lead(self, name: str, other: str) -> Estimate:
        """Give the expected average precision of one forecast less that of another.

        Parameters
        ----------
        name, other : str
            As they were added.

        Returns
        -------
        Estimate
            With the interval over the same resamples of both.
        """
        gain = self._resamples(name) - self._resamples(other)
        value = self._value(name) - self._value(other)
        return Estimate(value, *interval(gain, self.settings.level))

    def _value(self, name: str) -> float:
        """Expected average precision on everything, the mean of both halves."""
        return float(_ap(self.levels[name]).mean())

    def _resamples(self, name: str) -> Floats:
        """The same in each resample; the seed gives all forecasts the same ones."""
        if name not in self._resampled:
            blocks = sorted(self.parts[name])
            held = np.stack([self.parts[name][block] for block in blocks])
            rng = np.random.default_rng(self.settings.seed)
            found = [
                _ap(np.einsum("rb,bhl->rhl", taken, held, optimize=True)).mean(axis=-1)
                for taken in draws(blocks, self.settings.resamples, rng)
            ]
            # what coarse bins do to a forecast that hardly varies is taken out
            whole = float(_ap(held.sum(axis=0)).mean())
            self._resampled[name] = np.concatenate(found) * (self._value(name) / whole)
        return self._resampled[name]


def _ap(levels: Floats) -> Floats:
    """Expected average precision by each half, (..., 2), of (..., 3, bins); ties count as last."""
    cells, p = levels[..., :1, ::-1], levels[..., 1:, ::-1]
    hits = (p * p.cumsum(axis=-1) / np.maximum(cells.cumsum(axis=-1), 1)).sum(axis=-1)
    total = p.sum(axis=-1)
    found: Floats = np.divide(hits, total, out=np.full_like(hits, np.nan), where=total > 0)
    return found


def _name(half: int, cells: float) -> str:
    """An oracle's."""
    return f"oracle {half} {cells:g}"


def _oracle(truth: Chances, half: int, cells: float) -> Floats:
    """Chances of one half, those of new fires smoothed."""
    new = truth.half(half, "new")
    smooth: Floats = gaussian_filter(new, cells) if cells else new
    return np.clip(truth.half(half, "growth") + smooth, 0.0, 1.0)
