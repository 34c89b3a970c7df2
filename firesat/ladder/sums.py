"""What expected scores are made of: sums over cells of a forecast and of the law's chances."""

import numpy as np
from numpy.typing import NDArray

from firesat.metrics.tally import FINE
from firesat.sandbox.truth import HALVES

Floats = NDArray[np.float64]


def histogram(level: NDArray[np.int64], halves: Floats) -> Floats:
    """Count cells, and sum their chances, by fine bin of the forecast.

    Parameters
    ----------
    level : ndarray of int64, shape (n,)
        Fine bin of each cell.
    halves : ndarray of float64, shape (2, n)
        Chances by two halves of the draws.

    Returns
    -------
    ndarray of float64, shape (3, FINE)
        Cells, and the chances of both halves.
    """
    weights = (None, *halves)
    return np.stack([np.bincount(level, w, minlength=FINE).astype(np.float64) for w in weights])


def expected_ap(levels: Floats) -> Floats:
    """Give the expected average precision; cells of a bin count as if they came last.

    Parameters
    ----------
    levels : ndarray of float64, shape (..., 3, bins)
        As of :func:`histogram`, from the lowest forecast up.

    Returns
    -------
    ndarray of float64, shape (...)
        0 to 1; NaN where no chance is above 0.
    """
    cells, one, other = (levels[..., row, ::-1] for row in range(1 + HALVES))
    hits = (one * other.cumsum(axis=-1) + other * one.cumsum(axis=-1)) / 2.0
    found = (hits / np.maximum(cells.cumsum(axis=-1), 1)).sum(axis=-1)
    total = (one + other).sum(axis=-1) / 2.0
    return np.asarray(np.divide(found, total, out=np.full_like(total, np.nan), where=total > 0))


def moments(forecast: Floats, halves: Floats) -> Floats:
    """Sum what ratio, slope and expected Brier score are made of.

    Parameters
    ----------
    forecast : ndarray of float64, shape (n,)
        Probability of each cell.
    halves : ndarray of float64, shape (2, n)
        Chances by two halves of the draws.

    Returns
    -------
    ndarray of float64, shape (6,)
        n, sum f, sum f2, sum f p, sum p, sum of both halves' product; p is their mean.
    """
    (one, other), f = halves, forecast
    p = (one + other) / 2.0
    return np.array([f.size, f.sum(), (f * f).sum(), (f * p).sum(), p.sum(), (one * other).sum()])


def brier(sums: Floats) -> Floats:
    """Give the expected Brier score.

    Parameters
    ----------
    sums : ndarray of float64, shape (..., 6)
        As of :func:`moments`.

    Returns
    -------
    ndarray of float64, shape (...)
        Mean of f2 - 2 f p + p.
    """
    n, _, ff, fp, p, _ = np.moveaxis(sums, -1, 0)
    return np.asarray((ff - 2.0 * fp + p) / n)
