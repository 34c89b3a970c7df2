"""Scores of histograms: each works on one, or on many resampled ones at once.

Bins run along the last axis, from the lowest probability to the highest.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CAPTURE_SHARES = (0.01, 0.02, 0.05, 0.10)
"""Shares of the burnable area that captures are reported for."""


def average_precision(cells: Floats, burned: Floats) -> Floats:
    """Compute the average precision.

    ``AP = sum_n (R_n - R_(n-1)) P_n`` over the bins as thresholds, from the highest down, so tied
    cells enter together (as scikit-learn's ``average_precision_score``). A forecast without skill
    has the prevalence.

    Parameters
    ----------
    cells, burned : ndarray of float64, shape (..., B)
        Cells, and burned ones, by bin.

    Returns
    -------
    ndarray of float64, shape (...)
        0 to 1; NaN where nothing burned.
    """
    found = np.cumsum(burned[..., ::-1], axis=-1)
    warned = np.cumsum(cells[..., ::-1], axis=-1)
    precision = np.divide(found, warned, out=np.zeros(found.shape), where=warned > 0)
    return ratio((burned[..., ::-1] * precision).sum(axis=-1), found[..., -1])


def capture(area: Floats, burned: Floats, shares: tuple[float, ...] = CAPTURE_SHARES) -> Floats:
    """Compute how much of the burned area lies in the likeliest part of the burnable area.

    Where a bin straddles the wanted share, its burned area counts in proportion, as if its tied
    cells were taken in random order.

    Parameters
    ----------
    area, burned : ndarray of float64, shape (..., B)
        Burnable and burned area by bin, any unit.
    shares : tuple of float
        Shares of the burnable area, 0 to 1.

    Returns
    -------
    ndarray of float64, shape (..., S)
        0 to 1; NaN where nothing burned.
    """
    sizes, fires = area[..., ::-1], burned[..., ::-1]
    reached, found = np.cumsum(sizes, axis=-1), np.cumsum(fires, axis=-1)
    wanted = np.asarray(shares) * reached[..., -1:]
    level = _first_reaching(reached, wanted)
    size, here, upto, held = (
        np.take_along_axis(rows, level, axis=-1) for rows in (sizes, fires, reached, found)
    )
    left = np.divide(upto - wanted, size, out=np.zeros(size.shape), where=size > 0)
    return ratio(held - here * np.clip(left, 0.0, 1.0), found[..., -1:])


def _first_reaching(reached: Floats, wanted: Floats) -> NDArray[np.intp]:
    """Position at which rising rows first reach wanted values, row by row."""
    rows = reached.reshape(-1, reached.shape[-1])
    goals = np.broadcast_to(wanted, (*reached.shape[:-1], wanted.shape[-1]))
    found = [
        np.searchsorted(row, goal)
        for row, goal in zip(rows, goals.reshape(len(rows), -1), strict=True)
    ]
    level: NDArray[np.intp] = np.minimum(np.stack(found), reached.shape[-1] - 1)
    return level.reshape(goals.shape)


def brier(totals: Floats) -> Floats:
    """Compute the Brier score, the mean of ``(p - y)**2``.

    Parameters
    ----------
    totals : ndarray of float64, shape (..., 8)
        Sums as `tally.TOTALS`.

    Returns
    -------
    ndarray of float64, shape (...)
        0 (perfect) to 1; NaN without cells.
    """
    errors = totals[..., 3] - 2.0 * totals[..., 4] + totals[..., 1]
    return ratio(errors, totals[..., 0])


def ratio(part: Floats, whole: Floats) -> Floats:
    """Divide without complaint.

    Parameters
    ----------
    part, whole : ndarray of float64
        Numerator, and a denominator of 0 or more.

    Returns
    -------
    ndarray of float64
        NaN where the whole is zero.
    """
    out = np.full(np.broadcast_shapes(np.shape(part), np.shape(whole)), np.nan)
    divided: Floats = np.divide(part, whole, out=out, where=np.asarray(whole) > 0)
    return divided


def skill(score: Floats, reference: Floats) -> Floats:
    """Turn a negatively oriented score into a skill, ``1 - score / reference``.

    Parameters
    ----------
    score, reference : ndarray of float64
        Such as Brier scores of a forecast and of climatology.

    Returns
    -------
    ndarray of float64
        1 perfect, 0 as good as the reference; NaN where the reference is perfect itself.
    """
    return 1.0 - ratio(score, reference)


def reliability_edges(expected: Floats, least: float = 20.0, most: int = 10) -> NDArray[np.int64]:
    """Choose bins of equal expected positives.

    Parameters
    ----------
    expected : ndarray of float64, shape (B,)
        Sum of the probabilities by histogram bin.
    least : float
        Expected positives that each must have where possible.
    most : int
        Largest number of them.

    Returns
    -------
    ndarray of int64, shape (J,)
        First histogram bin of each; the first is 0. A histogram bin that holds a whole share by
        itself, such as a constant forecast's, never joins those below it.
    """
    target = max(least, float(expected.sum()) / most)
    starts, held = [0], 0.0
    for level in np.flatnonzero(expected > 0):
        if held >= target * (1 - 1e-9) or expected[level] >= target:
            starts += [int(level)] if level else []
            held = 0.0
        held += float(expected[level])
    if len(starts) > 1 and held < least:
        starts.pop()
    return np.asarray(starts, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Murphy:
    """Parts of the Brier score; ``reliability - resolution + uncertainty + within_bins``.

    Murphy (1973), J. Appl. Meteorol. 12: 595; the last part, which is zero when each bin holds one
    value of the forecast, from Stephenson et al. (2008), Weather and Forecasting 23: 752.

    Parameters
    ----------
    reliability : float
        Squared distance of forecasts from observed frequencies, 0 best.
    resolution : float
        Squared distance of observed frequencies from the overall one, larger is better.
    uncertainty : float
        Variance of the event itself.
    within_bins : float
        Variance less twice the covariance inside the bins.
    """

    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float


def murphy(cells: Floats, burned: Floats, expected: Floats, score: float) -> Murphy:
    """Decompose a Brier score over reliability bins.

    Parameters
    ----------
    cells, burned, expected : ndarray of float64, shape (J,)
        Cells, burned cells and sum of the probabilities by reliability bin.
    score : float
        The Brier score of the same cells.

    Returns
    -------
    Murphy
        Its four parts, which add up to `score`.
    """
    held = cells > 0
    n, k, e = cells[held], burned[held], expected[held]
    total, rate = n.sum(), k.sum() / n.sum()
    reliability = float((n * (e / n - k / n) ** 2).sum() / total)
    resolution = float((n * (k / n - rate) ** 2).sum() / total)
    uncertainty = float(rate * (1 - rate))
    return Murphy(
        reliability=reliability,
        resolution=resolution,
        uncertainty=uncertainty,
        within_bins=score - (reliability - resolution + uncertainty),
    )
