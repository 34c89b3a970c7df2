"""Whether forecasts are as sharp as they may be: the slope of what happened on what was said."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

_LOWEST = 2.0**-24  # below the floor of every probability
_STEPS, _STILL = 100, 1e-10

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
    design = np.stack([np.ones_like(x), x], axis=1)
    beta = np.array([0.0, 1.0])
    for _ in range(_STEPS):
        p = expit(design @ beta)
        bend = (design * (n * p * (1 - p))[:, None]).T @ design
        step = np.linalg.solve(bend + _STILL * np.eye(2), design.T @ (y - n * p))
        beta = beta + np.clip(step, -1.0, 1.0)  # far from the answer a whole step may run away
        if np.abs(step).max() < _STILL:
            break
    return float(beta[1])
