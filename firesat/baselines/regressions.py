"""Two regressions: fires go on where they are, and fire weather by fuel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firesat.baselines.logistic import PRIOR, Logistic, fit_logistic
from firesat.baselines.rows import Rows

Floats = NDArray[np.float64]


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
    def fit(cls, rows: Rows, ridge: float = PRIOR) -> "FireWeather":
        """Fit it.

        Parameters
        ----------
        rows : Rows
            Of the training periods.
        ridge : float
            Pull of each class to all of them together; a class with that many burned cells goes
            about half its own way.

        Returns
        -------
        FireWeather
            Fitted.
        """
        classes = tuple(int(code) for code in np.unique(rows.fuel))
        features = cls.features(rows.fwi, rows.fuel, classes)
        penalty = np.concatenate([[1.0], np.full(2 * len(classes), ridge)])
        model = fit_logistic(features, rows.burned, rows.weight, penalty, standardise=False)
        return cls(model, classes)

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
