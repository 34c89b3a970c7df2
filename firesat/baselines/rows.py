"""What baselines are fitted on: cells with what was known of them at T."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

FARTHEST = 50.0  # km: the distance given where no fire is known, or only farther ones
OLDEST = 30.0  # days: the age that goes with it

Floats = NDArray[np.float64]


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


def nearest_fire(latest: Floats, active_days: float, cell_km: float = 0.5) -> tuple[Floats, Floats]:
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
