"""Scores that forgive small displacements: the fractions skill score."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

FSS_KM = (1.0, 5.0, 25.0)
"""Sides of the neighbourhoods, in km."""

Floats = NDArray[np.float64]


@dataclass
class Fractions:
    """Sums of the fractions skill score of several forecasts, by block.

    ``FSS = 1 - sum (P - O)**2 / (sum P**2 + sum O**2)`` with P and O the means of forecast and
    event over the neighbourhood's scored cells: Roberts and Lean (2008), Mon. Weather Rev. 136: 78.
    Neighbourhoods end at the edge of the map they are given.

    Parameters
    ----------
    blocks : dict of str to dict of int to ndarray of float64, shape (S, 2)
        By forecast and block: error and worst error of each scale.
    """

    blocks: dict[str, dict[int, Floats]] = field(default_factory=dict)

    def add(
        self,
        forecasts: Mapping[str, NDArray[np.floating]],
        burned: NDArray[np.bool_],
        scored: NDArray[np.bool_],
        block: NDArray[np.int64],
        resolution: float,
    ) -> None:
        """Count maps.

        Parameters
        ----------
        forecasts : mapping of str to ndarray of float, shape (Y, X)
            Probabilities; only scored cells are read.
        burned, scored : ndarray of bool, shape (Y, X)
            Whether each cell burns, and whether it is a headline cell.
        block : ndarray of int64, shape (Y, X)
            Block by place and day.
        resolution : float
            Cell size in metres.
        """
        keys, index = np.unique(block[scored], return_inverse=True)
        for scale, kilometres in enumerate(FSS_KM):
            mean = _Mean(scored, round(kilometres * 1000 / resolution) | 1)
            event = mean.of(burned)
            for name, values in forecasts.items():
                forecast = mean.of(values)
                error = np.bincount(index, (forecast - event) ** 2, len(keys))
                worst = np.bincount(index, forecast**2 + event**2, len(keys))
                self._into(name, scale, keys, np.stack([error, worst], axis=1))

    def _into(self, name: str, scale: int, keys: NDArray[np.int64], sums: Floats) -> None:
        """Add the sums of blocks."""
        shelf = self.blocks.setdefault(name, {})
        for key, row in zip(keys, sums, strict=True):
            shelf.setdefault(int(key), np.zeros((len(FSS_KM), 2)))[scale] += row


class _Mean:
    """Means over the scored cells around each scored cell."""

    def __init__(self, scored: NDArray[np.bool_], side: int) -> None:
        self._scored, self._side = scored, side
        self._weight = uniform_filter(scored.astype(np.float64), side, mode="constant")[scored]

    def of(self, values: NDArray[np.floating] | NDArray[np.bool_]) -> Floats:
        """Mean of a map around each scored cell, shape (N,)."""
        held = np.where(self._scored, values, 0.0).astype(np.float64)
        around = uniform_filter(held, self._side, mode="constant")[self._scored]
        mean: Floats = around / self._weight  # at least the cell itself is scored
        return mean


def fractions_skill(sums: Floats) -> Floats:
    """Compute the fractions skill score from summed errors.

    Parameters
    ----------
    sums : ndarray of float64, shape (..., 2)
        Error and worst error.

    Returns
    -------
    ndarray of float64, shape (...)
        1 perfect, 0 no overlap; NaN where nothing was forecast and nothing burned.
    """
    error, worst = sums[..., 0], sums[..., 1]
    out = np.full(error.shape, np.nan)
    ratio: Floats = np.divide(error, worst, out=out, where=worst > 0)
    return 1.0 - ratio
