"""Whether forecasts are as sharp as they may be: the slope of what happened on what was said."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

_LOWEST = 2.0**-24  # below the floor of every probability
_STILL = 1e-8

Floats = NDArray[np.float64]


def calibration_slope(cells: Floats, burned: Floats, expected: Floats) -> float:
    """Fit log odds of burning to those that were forecast (Cox 1958, Biometrika 45, 562).

    Parameters
    ----------
    cells, burned, expected : ndarray of float64, shape (B,)
        By bin of the forecast: cells, those that burned, and the sum of the forecasts.

    Returns
    -------
    float
        1 for a calibrated forecast, less where high chances are too high and low ones too low; NaN
        where nothing burned, everything did, or all forecasts are the same.
    """
    there = cells > 0
    n, y = cells[there], burned[there]
    x = logit(np.clip(expected[there] / n, _LOWEST, 1 - _LOWEST))
    if not 0 < y.sum() < n.sum() or np.ptp(x) < _STILL:
        return float("nan")
    x = x - np.average(x, weights=y)  # where it burned: both numbers are then of the same size

    def surprise(beta: Floats) -> tuple[float, Floats]:
        z = beta[0] + beta[1] * x
        slope = n * expit(z) - y
        total = float((n * np.logaddexp(0.0, z) - y * z).sum())
        return total / y.sum(), np.array([slope.sum(), (slope * x).sum()]) / y.sum()

    start = np.array([logit(y.sum() / n.sum()), 1.0])
    found = minimize(surprise, start, jac=True, method="BFGS", options={"gtol": _STILL})
    return float(found.x[1])
