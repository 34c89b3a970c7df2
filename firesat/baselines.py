"""What a forecast must beat: climatology, persistence, and the Fire Weather Index.

Each is fitted on the training periods alone, on the same weather regime as the model, and gives a
probability for every cell. Cells that did not burn are sub-sampled with a known probability and
weighted by its inverse, so the probabilities are those of full maps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates
from scipy.special import expit

from firesat.errors import SampleError

LOWEST = 1e-7  # the floor of every probability, as of the calibrated model's
HIGHEST = 0.99
FARTHEST = 50.0  # km: the distance given where no fire is known, or only farther ones
OLDEST = 30.0  # days: the age that goes with it
PRIOR = 100.0  # burned cells (1 km2) that pull a fuel class or a place to the mean

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
    features: Floats, burned: NDArray[np.bool_], weight: Floats, ridge: float | Floats = 1.0
) -> Logistic:
    """Fit a logistic regression by Newton's method (iteratively re-weighted least squares).

    The ridge pulls the coefficients of standardised features to 0, but not the intercept: the
    weighted sum of the probabilities equals that of the events. Hastie, Tibshirani and Friedman
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
    centre = np.average(features, axis=0, weights=weight)
    spread = np.sqrt(np.average((features - centre) ** 2, axis=0, weights=weight))
    scale = np.where(spread > 0, spread, 1.0)
    design = np.column_stack([np.ones(len(features)), (features - centre) / scale])
    penalty = np.concatenate([[0.0], np.broadcast_to(ridge, (features.shape[1],))])
    rate = np.average(burned, weights=weight)
    beta = np.zeros(design.shape[1])
    beta[0] = np.log(rate / (1 - rate))
    return Logistic(_newton(design, burned.astype(np.float64), weight, penalty, beta), centre, scale)


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
        size = 1.0
        while size > 1e-6:
            trial = _height(design, y, weight, penalty, beta + size * step)
            if trial >= height:
                break
            size /= 2
        else:
            break
        beta, gain, height = beta + size * step, trial - height, trial
        if gain < 1e-8 * (1 + abs(height)):
            break
    return beta


def _height(design: Floats, y: Floats, weight: Floats, penalty: Floats, beta: Floats) -> float:
    """Penalised log-likelihood."""
    logit = design @ beta
    likelihood = weight @ (y * logit - np.logaddexp(0.0, logit))
    return float(likelihood - 0.5 * penalty @ beta**2)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Cells to fit on.

    Parameters
    ----------
    distance, age : ndarray of float, shape (N,)
        Kilometres to the nearest fire known at T, and days since it was last seen.
    fwi : ndarray of float, shape (N,)
        Fire Weather Index at T; NaN where unknown.
    fuel : ndarray of int, shape (N,)
        Fuel class.
    burned : ndarray of bool, shape (N,)
        Whether the cell burned within the window.
    weight : ndarray of float, shape (N,)
        Inverse of the probability with which it was kept.
    """

    distance: Floats
    age: Floats
    fwi: Floats
    fuel: NDArray[np.int64]
    burned: NDArray[np.bool_]
    weight: Floats

    @classmethod
    def join(cls, parts: Sequence["Rows"]) -> "Rows":
        """Put rows together.

        Parameters
        ----------
        parts : sequence of Rows
            At least one.

        Returns
        -------
        Rows
            All of them, in order, but for those without FWI.
        """
        names = tuple(cls.__dataclass_fields__)
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        known = np.isfinite(columns["fwi"])
        return cls(**{name: column[known] for name, column in columns.items()})


def keep(
    burned: NDArray[np.bool_], share: float, rng: np.random.Generator
) -> tuple[NDArray[np.intp], Floats]:
    """Choose cells to fit on: every one that burned, and some of the others.

    Parameters
    ----------
    burned : ndarray of bool, shape (N,)
        Scored cells of one map.
    share : float
        Probability with which a cell that did not burn is kept, above 0.
    rng : np.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int, shape (M,)
        Positions of the kept cells.
    ndarray of float64, shape (M,)
        Inverse of the probability with which each was kept.
    """
    chosen = np.flatnonzero(burned | (rng.random(len(burned)) < share))
    return chosen, np.where(burned[chosen], 1.0, 1.0 / min(share, 1.0))


def nearest_fire(
    latest: Floats, active_days: float, cell_km: float = 0.5
) -> tuple[Floats, Floats]:
    """Find the nearest fire that was active at T.

    Parameters
    ----------
    latest : ndarray of float64, shape (y, x)
        Days since the latest hotspot known at T; infinite where there was none.
    active_days : float
        Largest age of a hotspot that counts as an active fire.
    cell_km : float
        Side of the cells in km.

    Returns
    -------
    ndarray of float64, shape (y, x)
        Kilometres to it, at most `FARTHEST`.
    ndarray of float64, shape (y, x)
        Days since it was last seen; `OLDEST` where none is known.
    """
    active = latest <= active_days
    if not active.any():
        return np.full(latest.shape, FARTHEST), np.full(latest.shape, OLDEST)
    distance, nearest = distance_transform_edt(~active, sampling=cell_km, return_indices=True)
    near = distance < FARTHEST
    age = np.where(near, latest[tuple(nearest)], OLDEST)
    return np.minimum(distance, FARTHEST), age


@dataclass(frozen=True)
class Persistence:
    """Fires go on where they are: logistic on distance, age and FWI of known hotspots.

    Parameters
    ----------
    model : Logistic
        On the features of :meth:`features`.
    """

    model: Logistic

    @staticmethod
    def features(distance: Floats, age: Floats, fwi: Floats) -> Floats:
        """Build its features.

        Parameters
        ----------
        distance, age, fwi : ndarray of float64, shape (...)
            As in :class:`Rows`.

        Returns
        -------
        ndarray of float64, shape (..., 6)
            Logarithms of distance, its square, of age and of FWI, and distance by age and by FWI.
        """
        far, old, dry = np.log(distance + 0.5), np.log(age + 1.0), np.log1p(fwi)
        return np.stack([far, far**2, old, dry, far * old, far * dry], axis=-1)

    @classmethod
    def fit(cls, rows: Rows) -> "Persistence":
        """Fit it.

        Parameters
        ----------
        rows : Rows
            Of the training periods.

        Returns
        -------
        Persistence
            Fitted.
        """
        features = cls.features(rows.distance, rows.age, rows.fwi)
        return cls(fit_logistic(features, rows.burned, rows.weight))

    def predict(self, distance: Floats, age: Floats, fwi: Floats) -> Floats:
        """Give probabilities.

        Parameters
        ----------
        distance, age, fwi : ndarray of float64, shape (...)
            As in :class:`Rows`.

        Returns
        -------
        ndarray of float64, shape (...)
            NaN where FWI is.
        """
        return self.model.predict(self.features(distance, age, fwi))


@dataclass(frozen=True)
class FireWeather:
    """Fire weather by fuel: logistic on FWI, its line shrunk from each class to all classes.

    Parameters
    ----------
    model : Logistic
        On the features of :meth:`features`.
    classes : tuple of int
        Fuel classes with a line of their own.
    """

    model: Logistic
    classes: tuple[int, ...]

    @staticmethod
    def features(fwi: Floats, fuel: NDArray[np.int64], classes: tuple[int, ...]) -> Floats:
        """Build its features.

        Parameters
        ----------
        fwi : ndarray of float64, shape (...)
            Fire Weather Index.
        fuel : ndarray of int64, shape (...)
            Fuel class.
        classes : tuple of int
            Classes with a line of their own.

        Returns
        -------
        ndarray of float64, shape (..., 1 + 2 C)
            Logarithm of FWI; then 1 in its class; then the logarithm in its class.
        """
        dry = np.log1p(fwi)[..., None]
        inside = (fuel[..., None] == np.array(classes)).astype(np.float64)
        return np.concatenate([dry, inside, inside * dry], axis=-1)

    @classmethod
    def fit(cls, rows: Rows, ridge: float = 20.0) -> "FireWeather":
        """Fit it.

        Parameters
        ----------
        rows : Rows
            Of the training periods.
        ridge : float
            Pull of each class to all of them together.

        Returns
        -------
        FireWeather
            Fitted.
        """
        classes = tuple(int(code) for code in np.unique(rows.fuel))
        features = cls.features(rows.fwi, rows.fuel, classes)
        penalty = np.concatenate([[1.0], np.full(2 * len(classes), ridge)])
        return cls(fit_logistic(features, rows.burned, rows.weight, penalty), classes)

    def predict(self, fwi: Floats, fuel: NDArray[np.int64]) -> Floats:
        """Give probabilities.

        Parameters
        ----------
        fwi : ndarray of float64, shape (...)
            Fire Weather Index.
        fuel : ndarray of int64, shape (...)
            Fuel class; one never seen in training follows the line of all classes.

        Returns
        -------
        ndarray of float64, shape (...)
            NaN where FWI is.
        """
        return self.model.predict(self.features(fwi, fuel, self.classes))
