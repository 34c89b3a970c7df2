"""How far apart the chips of two splits lie, in kilometres and in days."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firesat.window import Window

Boxes = NDArray[np.float64]
"""Squares of ground, shape (n, 4): x0, y0, x1, y1 in metres of the grid's CRS."""

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, kw_only=True)
class Apart:
    """What keeps two chips of different splits apart: enough ground, or enough time.

    Parameters
    ----------
    km : float
        Kilometres between the edges of their squares; infinite = ground is not enough.
    days : float
        Whole days between their windows; infinite = time is not enough.
    """

    km: float = math.inf
    days: float = math.inf

    def holds(self, km: NDArray[np.float64], days: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which pairs are apart.

        Parameters
        ----------
        km, days : ndarray of float, same shape
            Of each pair.

        Returns
        -------
        ndarray of bool, same shape
            True where apart.
        """
        return np.asarray((km >= self.km) | (days >= self.days))

    def __str__(self) -> str:
        """Say it as a rule."""
        parts = [
            f"{value:g} {unit}"
            for value, unit in ((self.km, "km"), (self.days, "days"))
            if math.isfinite(value)
        ]
        return " or ".join(parts)


def kilometres(one: Boxes, other: Boxes) -> NDArray[np.float64]:
    """Measure the ground between squares.

    Parameters
    ----------
    one, other : ndarray of float, shapes (n, 4) and (m, 4)
        Squares.

    Returns
    -------
    ndarray of float, shape (n, m)
        Between their nearest edges, 0 where they touch or overlap.
    """
    gaps = [
        np.maximum(
            one[:, None, low] - other[None, :, low + 2],
            other[None, :, low] - one[:, None, low + 2],
        ).clip(min=0.0)
        for low in (0, 1)
    ]
    distance: NDArray[np.float64] = np.hypot(*gaps) / 1000.0
    return distance


def days_between(
    one: NDArray[np.datetime64] | np.datetime64,
    other: NDArray[np.datetime64] | np.datetime64,
    horizon: int,
) -> NDArray[np.float64]:
    """Count the whole days between windows.

    Parameters
    ----------
    one, other : datetime64[D] or ndarray of these, shapes that broadcast
        Issue days.
    horizon : int
        Days of each window.

    Returns
    -------
    ndarray of float
        0 where one follows directly on the other; negative where they share days.
    """
    return np.asarray(np.abs((np.asarray(one) - np.asarray(other)) / _DAY) - horizon)


def embargo(
    days: Sequence[str], others: Sequence[str], window: Window, buffer_days: int
) -> list[str]:
    """Leave out the issue days whose windows come too near to those of later splits.

    Parameters
    ----------
    days : sequence of str
        Issue days of a split.
    others : sequence of str
        Issue days of the splits held out from it.
    window : Window
        Its horizon.
    buffer_days : int
        Whole days that must lie between two windows.

    Returns
    -------
    list of str
        Those left.
    """
    if not others:
        return list(days)
    held = np.sort(np.array(others, dtype="datetime64[D]"))
    own = np.array(days, dtype="datetime64[D]")
    at = (
        np.searchsorted(held, own).clip(1, len(held) - 1)
        if len(held) > 1
        else np.zeros(len(own), dtype=np.intp)
    )
    around = np.stack([held[np.maximum(at - 1, 0)], held[at]], axis=1)
    gap = days_between(own[:, None], around, window.horizon).min(axis=1)
    return [day for day, days_left in zip(days, gap, strict=True) if days_left >= buffer_days]
