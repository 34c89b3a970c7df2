"""Logistic regression, weighted and shrunk, in a few lines of algebra."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from firesat.errors import SampleError

LOWEST = 1e-7  # the floor of every probability, as of the calibrated model's
HIGHEST = 0.99
PRIOR = 100.0  # burned cells (1 km2) that pull a place, a date or a fuel class to the mean

_STILL = 1e-9  # relative gain at which the climb ends

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Logistic:
    """A logistic regression.

    Parameters
    ----------
    coefficients : ndarray of float64, shape (1 + F,)
        Intercept, then one for each standardised feature.
    centre, scale : ndarray of float64, shape (F,)
        What the features were standardised with.
    """

    coefficients: Floats
    centre: Floats
    scale: Floats

    def predict(self, features: Floats) -> Floats:
        """Give probabilities.

        Parameters
        ----------
        features : ndarray of float64, shape (..., F)
            As fitted; NaN gives NaN.

        Returns
        -------
        ndarray of float64, shape (...)
            Between `LOWEST` and `HIGHEST`.
        """
        standard = (features - self.centre) / self.scale
        logit = self.coefficients[0] + standard @ self.coefficients[1:]
        probability: Floats = np.clip(expit(logit), LOWEST, HIGHEST)
        return probability


def fit_logistic(
    features: Floats,
    burned: NDArray[np.bool_],
    weight: Floats,
    ridge: float | Floats = 1.0,
    *,
    standardise: bool = True,
) -> Logistic:
    """Fit a logistic regression by Newton's method (iteratively re-weighted least squares).

    The ridge pulls coefficients to 0, but not the intercept: the weighted sum of the probabilities
    equals that of the events. Hastie, Tibshirani and Friedman
    (2009), The Elements of Statistical Learning, section 4.4.

    Parameters
    ----------
    features : ndarray of float64, shape (N, F)
        Finite.
    burned : ndarray of bool, shape (N,)
        The event.
    weight : ndarray of float64, shape (N,)
        Inverse of the probability with which each row was kept.
    ridge : float or ndarray of float64, shape (F,)
        Strength of the pull, in units of the log-likelihood.
    standardise : bool
        Whether the pull is on standardised features. Not for rare classes, which it would hardly
        touch, since their features vary so little.

    Returns
    -------
    Logistic
        Fitted.

    Raises
    ------
    SampleError
        If nothing burned, or everything did.
    """
    if not burned.any() or burned.all():
        found = "nothing" if not burned.any() else "everything"
        raise SampleError(
            f"{found} burned in the training periods: no baseline can be fitted; give longer ones"
        )
    centre, scale = np.zeros(features.shape[1]), np.ones(features.shape[1])
    if standardise:
        centre = np.average(features, axis=0, weights=weight)
        spread = np.sqrt(np.average((features - centre) ** 2, axis=0, weights=weight))
        scale = np.where(spread > 0, spread, 1.0)
    design = np.column_stack([np.ones(len(features)), (features - centre) / scale])
    penalty = np.concatenate([[0.0], np.broadcast_to(ridge, (features.shape[1],))])
    rate = np.average(burned, weights=weight)
    beta = np.zeros(design.shape[1])
    beta[0] = np.log(rate / (1 - rate))
    return Logistic(
        _newton(design, burned.astype(np.float64), weight, penalty, beta), centre, scale
    )


def _newton(
    design: Floats, y: Floats, weight: Floats, penalty: Floats, start: Floats, steps: int = 50
) -> Floats:
    """Climb the penalised log-likelihood, halving steps that would go down."""
    beta, height = start, _height(design, y, weight, penalty, start)
    for _ in range(steps):
        p = expit(design @ beta)
        slope = design.T @ (weight * (y - p)) - penalty * beta
        bend = (design * (weight * p * (1 - p))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(bend + 1e-9 * np.eye(len(beta)), slope)
        reached = _height(design, y, weight, penalty, beta + step)
        while reached < height and np.abs(step).max() > _STILL:
            step = step / 2
            reached = _height(design, y, weight, penalty, beta + step)
        gain = reached - height
        if gain >= 0:
            beta, height = beta + step, reached
        if gain <= _STILL * (1 + abs(height)):
            break
    return beta


def _height(design: Floats, y: Floats, weight: Floats, penalty: Floats, beta: Floats) -> float:
    """Penalised log-likelihood."""
    logit = design @ beta
    likelihood = weight @ (y * logit - np.logaddexp(0.0, logit))
    return float(likelihood - 0.5 * penalty @ beta**2)
