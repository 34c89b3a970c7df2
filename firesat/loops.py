"""Loops over values that NumPy would run in several passes: compiled, and without the GIL.

Import this where a loop is run, not at the top: numba takes a third of a second to load.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Flat = NDArray[np.float32]

_HALF_TO_SINGLE = np.float32(2.0**112)  # exponents are biased by 15 and by 127


@numba.njit(nogil=True, cache=True)
def from_counts(
    stored: NDArray[np.uint16], step: np.float32, missing: np.uint16, out: Flat
) -> None:
    """Multiply counts by the value of one step.

    Parameters
    ----------
    stored : ndarray of uint16, shape (n,)
        Counts.
    step : float32
        Value of one count.
    missing : uint16
        Count that stands for a missing value.
    out : ndarray of float32, shape (n,)
        Filled; NaN where missing.
    """
    for i in range(stored.size):
        count = stored[i]
        out[i] = np.float32(np.nan) if count == missing else np.float32(count) * step


@numba.njit(nogil=True, cache=True)
def to_counts(
    values: NDArray[np.floating[Any]],
    step: np.floating[Any],
    limits: tuple[int, int],
    missing: int,
    out: NDArray[np.integer[Any]],
) -> None:
    """Divide values by the value of one step and round to the nearest count, halves to even.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (n,)
        NaN = missing.
    step : float of the same type
        Value of one count.
    limits : tuple of int
        Smallest and largest count, within 31 bits; values beyond take the nearest.
    missing : int
        Count that stands for a missing value.
    out : ndarray of int, shape (n,)
        Filled.
    """
    low, high = values.dtype.type(limits[0]), values.dtype.type(limits[1])
    gap = np.int32(missing)
    for i in range(values.size):
        count = np.rint(values[i] / step)
        held = low if count < low else count  # NaN stays
        held = high if held > high else held
        out[i] = np.int32(held) if held == held else gap


@numba.njit(nogil=True, cache=True)
def from_halves(bits: NDArray[np.uint16], out: Flat) -> None:
    """Widen float16, forty times faster than NumPy where that is built for any processor.

    Parameters
    ----------
    bits : ndarray of uint16, shape (n,)
        A view of the float16 values.
    out : ndarray of float32, shape (n,)
        Filled with the same values, infinities and NaN included.
    """
    for i in range(bits.size):
        half = np.uint32(bits[i])
        magnitude = np.uint32((half & np.uint32(0x7FFF)) << np.uint32(13))
        single = np.float32(magnitude.view(np.float32) * _HALF_TO_SINGLE).view(np.uint32)
        # an exponent of ones stays one: infinity and NaN
        special = np.uint32(0x7F800000) if magnitude >= np.uint32(0x0F800000) else np.uint32(0)
        sign = np.uint32((half & np.uint32(0x8000)) << np.uint32(16))
        out[i] = np.uint32(np.uint32(single | special) | sign).view(np.float32)


@numba.njit(nogil=True, cache=True)
def standardise(
    values: NDArray[np.float32], mean: Flat, std: Flat, out: NDArray[np.float32]
) -> None:
    """Compute ``(x - mean) / std``.

    Parameters
    ----------
    values : ndarray of float32, shape (n, channel, cells)
        NaN = missing.
    mean, std : ndarray of float32, shape (channel,)
        Moments.
    out : ndarray of float32, shape (n, channel, cells)
        Filled; 0 where missing.
    """
    for step in range(values.shape[0]):
        for channel in range(values.shape[1]):
            layer, filled = values[step, channel], out[step, channel]
            centre, spread = mean[channel], std[channel]
            for cell in range(layer.size):
                scaled = (layer[cell] - centre) / spread
                filled[cell] = scaled if scaled == scaled else np.float32(0)


@numba.njit(nogil=True, cache=True)
def fill_missing(values: Flat, out: Flat) -> None:
    """Copy values, 0 for what is missing.

    Parameters
    ----------
    values : ndarray of float32, shape (n,)
        NaN = missing.
    out : ndarray of float32, shape (n,)
        Filled.
    """
    for i in range(values.size):
        out[i] = values[i] if values[i] == values[i] else np.float32(0)
