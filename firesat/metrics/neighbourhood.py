"""Scores that forgive small displacements: the fractions skill score."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

FSS_KM = (1.0, 5.0, 25.0)
"""Sides of the neighbourhoods, in km."""

Floats = NDArray[np.float64]


@dataclass
class Fractions:
    """Sums of the fractions skill score, by block.

    ``FSS = 1 - sum (P - O)**2 / (sum P**2 + sum O**2)`` with P and O the means of forecast and
    event over the neighbourhood's scored cells: Roberts and Lean (2008), Mon. Weather Rev. 136: 78.
    Neighbourhoods end at the edge of the map they are given.

    Parameters
    ----------
    resolution : float
        Cell size in metres.
    blocks : dict of int to ndarray of float64, shape (S, 2)
        Error and worst error of each scale.
    """

    resolution: float = 100.0
    blocks: dict[int, Floats] = field(default_factory=dict)

    def add(
        self,
        probability: NDArray[np.floating],
        burned: NDArray[np.bool_],
        scored: NDArray[np.bool_],
        block: NDArray[np.int64],
    ) -> None:
        """Count a map.

        Parameters
        ----------
        probability : ndarray of float, shape (Y, X)
            The forecast; only scored cells are read.
        burned, scored : ndarray of bool, shape (Y, X)
            Whether each cell burns, and whether it is a headline cell.
        block : ndarray of int64, shape (Y, X)
            Block by place and day.
        """
        weight = scored.astype(np.float64)
        forecast = np.where(scored, probability, 0.0).astype(np.float64)
        event = (burned & scored).astype(np.float64)
        keys, index = np.unique(block[scored], return_inverse=True)
        for scale, side in enumerate(FSS_KM):
            p, o = _means((forecast, event), weight, round(side * 1000 / self.resolution) | 1)
            p, o = p[scored], o[scored]
            error = np.bincount(index, (p - o) ** 2, len(keys))
            worst = np.bincount(index, p**2 + o**2, len(keys))
            for key, e, w in zip(keys, error, worst, strict=True):
                sums = self.blocks.setdefault(int(key), np.zeros((len(FSS_KM), 2)))
                sums[scale] += (e, w)


def _means(fields: tuple[Floats, ...], weight: Floats, side: int) -> list[Floats]:
    """Mean of each field over the scored cells around each cell."""
    around = uniform_filter(weight, side, mode="constant")
    held = around > 0.5 / side**2
    return [
        np.divide(
            uniform_filter(values, side, mode="constant"),
            around,
            out=np.zeros_like(values),
            where=held,
        )
        for values in fields
    ]


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
