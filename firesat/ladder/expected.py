"""Scores beside a known truth: what a forecast would reach on average over all that might happen.

With cells sorted by forecast f and chances p of the law, the expected average precision is
E_AP(f) = sum_k p_k (sum_{j<=k} p_j) / k / sum p. Chances are counted in draws, and cells of one
fire burn in the same ones: a product of two chances of the same draws is too large, most of all
where fires are rare. So p_k and p_j come from two halves of the draws that know nothing of each
other. The best possible ranks by one half, weighed with the other.

The expected Brier score is the mean of f^2 - 2 f p + p; that of the law itself is the mean of
p - p^2, whose square again is the product of both halves.

Draws take away the chance of what burned in a window, not that of which windows came: intervals and
paired differences resample blocks of space and time. A fire that burns on counts in each block that
it burns in, for none of the draws is its home.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.ndimage import gaussian_filter

from firesat.ladder.sums import Floats, brier, expected_ap, histogram, moments
from firesat.metrics import EvaluateSettings
from firesat.metrics.bootstrap import Blocks, Estimate, draws, interval
from firesat.metrics.resample import REFERENCE
from firesat.metrics.scores import skill
from firesat.metrics.tally import coarsen, level_of
from firesat.sandbox.truth import HALVES, Chances

SMOOTH = (0.0, 3.0, 10.0)
"""Cells over which the rough chance of new fires is smoothed before the oracle ranks by it."""


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
    brier_skill : Estimate, optional
        Expected Brier score against that of climatology; None where that was not added.
    """

    ap: Estimate
    share: float
    ratio: float
    slope: float
    brier_skill: Estimate | None = None


@dataclass(kw_only=True)
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
    by_block : dict of str to dict of int to ndarray of float64, shape (3, COARSE)
        By forecast and block, the same in coarse bins.
    moments : dict of str to dict of int to ndarray of float64, shape (6,)
        By forecast and block: n, sum f, sum f2, sum f p, sum p, sum of both halves' product.
    """

    blocks: Blocks
    settings: EvaluateSettings
    levels: dict[str, Floats] = field(default_factory=dict)
    by_block: dict[str, dict[int, Floats]] = field(default_factory=dict)
    moments: dict[str, dict[int, Floats]] = field(default_factory=dict)
    _resampled: dict[str, Floats] = field(default_factory=dict, init=False, repr=False)

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
        if not scored.any():
            return
        self._resampled.clear()
        halves = np.stack([truth.half(half)[scored] for half in range(HALVES)])
        for half in range(HALVES):
            for smooth in SMOOTH:
                rank = level_of(_oracle(truth, half, smooth)[scored])
                _add(self.levels, _name(half, smooth), histogram(rank, halves))
        block = self.blocks.index(cells, day)[scored]
        for name, values in forecasts.items():
            f, level = values[scored].astype(np.float64), level_of(values[scored])
            mine, sums = self.by_block.setdefault(name, {}), self.moments.setdefault(name, {})
            for number in np.unique(block).tolist():
                here = block == number
                rows = histogram(level[here], halves[:, here])
                _add(self.levels, name, rows)
                _add(mine, number, np.stack([coarsen(row) for row in rows]))
                _add(sums, number, moments(f[here], halves[:, here]))

    @property
    def best(self) -> float:
        """The best possible expected average precision, as far as the draws tell.

        Returns
        -------
        float
            Too low since the oracle ranks by draws, not by the chances themselves; too high since
            the half that weighs is multiplied by itself, which fires that burn in few draws show.
        """
        return max(
            float(np.mean([expected_ap(self._other_half(half, smooth)) for half in range(HALVES)]))
            for smooth in SMOOTH
        )

    @property
    def best_brier_skill(self) -> float:
        """The expected Brier skill of the law itself.

        Returns
        -------
        float
            NaN where climatology was not added.
        """
        if REFERENCE not in self.moments:
            return float("nan")
        sums = self._sums(REFERENCE)
        n, *_, p, pp = sums
        return float(skill((p - pp) / n, brier(sums)))

    def _other_half(self, half: int, smooth: float) -> Floats:
        """Levels of the oracle that ranks by one half; the other stands for both."""
        cells, *chances = self.levels[_name(half, smooth)]
        return np.stack([cells, *[chances[1 - half]] * HALVES])

    @property
    def blocks_that_may_burn(self) -> int:
        """Count the blocks that tell something.

        Returns
        -------
        int
            Those in which a cell or more is expected to burn.
        """
        some = next(iter(self.by_block.values()), {})
        return sum(bool(rows[1:].sum() >= HALVES) for rows in some.values())

    def scores(self, name: str) -> ExpectedScores:
        """Give the scores of a forecast.

        Parameters
        ----------
        name : str
            As it was added.

        Returns
        -------
        ExpectedScores
            By both halves.
        """
        ap = float(expected_ap(self.levels[name]))
        n, f, ff, fp, p, _ = self._sums(name)
        spread = ff - f * f / n
        slope = (fp - f * p / n) / spread if spread > 0 else float("nan")
        return ExpectedScores(
            ap=Estimate(ap, *interval(self._resamples(name), self.settings.level)),
            share=ap / self.best,
            ratio=float(f / p),
            slope=float(slope),
            brier_skill=self.gain(name, REFERENCE) if REFERENCE in self.moments else None,
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
        value = float(expected_ap(self.levels[name]) - expected_ap(self.levels[other]))
        return Estimate(value, *interval(gain, self.settings.level))

    def gain(self, name: str, other: str) -> Estimate:
        """Give the expected Brier skill of one forecast against another.

        Parameters
        ----------
        name, other : str
            As they were added.

        Returns
        -------
        Estimate
            With the interval over the same resamples of both.
        """
        value = float(skill(brier(self._sums(name)), brier(self._sums(other))))
        mine, its = (
            np.concatenate([brier(sums) for sums in self._by_draw(self.moments[each])])
            for each in (name, other)
        )
        return Estimate(value, *interval(skill(mine, its), self.settings.level))

    def _sums(self, name: str) -> Floats:
        """Moments of all blocks together."""
        total: Floats = np.sum(list(self.moments[name].values()), axis=0)
        return total

    @property
    def _everywhere(self) -> list[int]:
        """All blocks of any forecast."""
        return sorted({block for some in self.by_block.values() for block in some})

    def _by_draw(self, held: Mapping[int, Floats]) -> Iterator[Floats]:
        """Sums over the blocks of some resamples at once; the seed gives all forecasts the same."""
        nothing = np.zeros_like(next(iter(held.values())))
        rows = np.stack([held.get(block, nothing) for block in self._everywhere])
        rng = np.random.default_rng(self.settings.seed)
        for taken in draws(self._everywhere, self.settings.resamples, rng):
            yield np.tensordot(taken, rows, axes=1)

    def _resamples(self, name: str) -> Floats:
        """Expected average precision in each resample."""
        if name not in self._resampled:
            whole = np.sum(list(self.by_block[name].values()), axis=0)
            used = whole[0] > 0  # without the bins that nobody uses
            held = {block: rows[:, used] for block, rows in self.by_block[name].items()}
            # what coarse bins do to a forecast that hardly varies is taken out
            unbiased = expected_ap(self.levels[name]) / expected_ap(whole)
            found = [expected_ap(sums) for sums in self._by_draw(held)]
            self._resampled[name] = np.concatenate(found) * unbiased
        return self._resampled[name]


def _add[K](shelf: dict[K, Floats], key: K, values: Floats) -> None:
    """Add to what stands under a key."""
    shelf[key] = shelf[key] + values if key in shelf else values


def _name(half: int, smooth: float) -> str:
    """An oracle's."""
    return f"oracle {half} {smooth:g}"


def _oracle(truth: Chances, half: int, smooth: float) -> Floats:
    """Chances of one half, those of new fires smoothed."""
    new = truth.half(half, "new")
    blurred: Floats = gaussian_filter(new, smooth) if smooth else new
    return np.clip(truth.half(half, "growth") + blurred, 0.0, 1.0)
