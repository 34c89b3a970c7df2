"""Calibration: what a forecaster says, turned into what happens at that.

A curve for each process maps log odds to log odds: a linear spline that always rises, so that no
two cells change places, fitted to full maps of seasons that were held out. It departs from the
identity only as far as independent events bear out: cells burn together, and a season's area is
that of a few large fires.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

LOWEST = 1e-7
"""The floor of every calibrated probability."""

SHIFT, STRETCH = 0.25, 0.5
"""Standard deviations, before any fire is seen, of the shift in log odds and of each log slope. A
level learned from some seasons is seldom wrong by half; that one season had twice the fire says
more of the season."""

BEND = 0.25
"""Standard deviation of what log slopes of neighbouring pieces differ by."""

LARGE_FIRES, LARGE_AREA = 0.03, 0.9
"""Of all fires 2 to 5 % are larger than 200 ha and hold 90 % of the area or more."""

_SHARES = (0.05, 0.2, 0.5, 0.8)  # of the expected fires below each knot
_TINY = 2.0**-24  # log odds of zero are not finite

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A rising linear spline from log odds to log odds.

    Parameters
    ----------
    pivot : float
        Log odds at which `shift` is read.
    shift : float
        How far the curve lies above the identity there.
    knots : tuple of float
        Log odds at which the slope changes, rising.
    slopes : tuple of float
        Of the pieces from the lowest up, one more than knots, all above 0.

    Raises
    ------
    ValueError
        If the curve falls, or has too few or too many slopes.
    """

    pivot: float = 0.0
    shift: float = 0.0
    knots: tuple[float, ...] = ()
    slopes: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        """Refuse a curve that does not rise."""
        numbers = (self.pivot, self.shift, *self.knots, *self.slopes)
        rises = min(self.slopes, default=0.0) > 0 and all(a < b for a, b in pairwise(self.knots))
        if not rises or len(self.slopes) != len(self.knots) + 1 or not np.isfinite(numbers).all():
            raise ValueError("a calibration's curve must rise, with one slope more than knots")

    def __call__[T](self, odds: T) -> T:
        """Calibrate log odds.

        Parameters
        ----------
        odds : ndarray or Tensor
            Any shape.

        Returns
        -------
        ndarray or Tensor
            Same shape; never below the log odds of `LOWEST`.
        """
        bent = self._bent(odds) + (self.pivot + self.shift - self._bent(np.float64(self.pivot)))
        out: T = bent.clip(min=float(logit(LOWEST)))
        return out

    def _bent(self, odds: Any) -> Any:  # noqa: ANN401  an array or a tensor
        """The spline, but for a constant."""
        out = self.slopes[0] * odds
        for knot, (below, above) in zip(self.knots, pairwise(self.slopes), strict=True):
            out = out + (above - below) * (odds - knot).clip(min=0.0)
        return out

    def of_chances(self, chances: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrate probabilities.

        Parameters
        ----------
        chances : ndarray of float32
            0..1; NaN stays NaN.

        Returns
        -------
        ndarray of float32
            Same shape.
        """
        odds = logit(np.clip(chances.astype(np.float64), _TINY, 1 - _TINY))
        out: NDArray[np.float32] = expit(self(odds)).astype(np.float32)
        return out

    @property
    def record(self) -> dict[str, Any]:
        """Plain values to be kept.

        Returns
        -------
        dict
            As :meth:`from_record` takes it.
        """
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Read a curve again.

        Parameters
        ----------
        record : mapping
            From :attr:`record`.

        Returns
        -------
        Curve
            The same.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it is no curve.
        """
        numbers = {name: float(record[name]) for name in ("pivot", "shift")}
        rows = {name: tuple(map(float, record[name])) for name in ("knots", "slopes")}
        return cls(**numbers, **rows)  # type: ignore[arg-type]  # each key has its own type


def events(fires: int, blocks: int) -> float:
    """Say how many independent events of equal size a burned area tells as much as.

    The mean size of n fires is as uncertain as that of n E(size)^2 / E(size^2) equal ones; with
    `LARGE_FIRES` of them holding `LARGE_AREA`, E(size^2) / E(size)^2 is at least 27.

    Parameters
    ----------
    fires : int
        That burned.
    blocks : int
        Independent blocks of space and time in which they did.

    Returns
    -------
    float
        No more than blocks.
    """
    return min(fires * LARGE_FIRES / LARGE_AREA**2, float(blocks))


def fit_curve(cells: Floats, burned: Floats, expected: Floats, worth: float) -> Curve:
    """Fit a curve to full maps: a penalised, monotone logistic regression on the log odds.

    Its log likelihood is divided so that all cells together, burned or expected to, count for
    `worth` events; the penalty is that of normal priors (`SHIFT`, `STRETCH`, `BEND`) around the
    identity.

    Parameters
    ----------
    cells, burned, expected : ndarray of float64, shape (B,)
        By bin of the forecast, rising: cells, those that burned, and the sum of the forecasts.
    worth : float
        Independent events, as :func:`events` counts them.

    Returns
    -------
    Curve
        The identity where nothing burned: that fires are rare was known.
    """
    there = (cells > 0) & (expected > 0)
    n, y, e = cells[there], burned[there], expected[there]
    if not y.sum() or not worth:
        return Curve()
    z = logit(np.clip(e / n, _TINY, 1 - _TINY))
    pivot, knots = float(np.average(z, weights=y)), _knots(z, e)
    share = worth / max(y.sum(), e.sum())

    def curve(beta: Floats) -> Curve:
        slopes = tuple(np.exp(beta[1:]).tolist())
        return Curve(pivot=pivot, shift=float(beta[0]), knots=knots, slopes=slopes)

    def surprise(beta: Floats) -> float:
        said = curve(beta)(z)
        seen = share * (n * np.logaddexp(0.0, said) - y * said).sum()
        apart = np.concatenate([beta[:1] / SHIFT, beta[1:] / STRETCH, np.diff(beta[1:]) / BEND])
        return float(seen + apart @ apart / 2) / (1 + worth)

    found = minimize(surprise, np.zeros(len(knots) + 2), method="BFGS")
    return curve(found.x)


def _knots(z: Floats, expected: Floats) -> tuple[float, ...]:
    """Log odds below which `_SHARES` of the expected fires lie."""
    places = np.searchsorted(np.cumsum(expected) / expected.sum(), _SHARES)
    return tuple(np.unique(z[np.minimum(places, len(z) - 1)]).tolist())


def curves_from(record: Mapping[str, Any], heads: Sequence[str]) -> dict[str, Curve]:
    """Read the curves of a forecaster's processes.

    Parameters
    ----------
    record : mapping
        By process, as :attr:`Curve.record`.
    heads : sequence of str
        Processes that it forecasts.

    Returns
    -------
    dict of str to Curve
        In the order of `heads`.

    Raises
    ------
    ValueError, TypeError, KeyError
        If one is missing, is no curve, or is of no process.
    """
    if set(record) != set(heads):
        raise ValueError(f"curves of {sorted(record)}, wanted of {list(heads)}")
    return {head: Curve.from_record(record[head]) for head in heads}
