"""Exponential and logarithm for compiled loops: fast, and the same on every processor.

A call into the C library stops a compiler from working on eight cells at a time, and its last digit
differs between libraries. These are within two units of the last digit (tests compare them with
NumPy's). Numba's cache of `kernel.py` does not see changes here: touch that file too.
"""

from typing import Any

import numba
import numpy as np
from numba.extending import intrinsic

NAN = float("nan")
_LOG2E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816e-01, 1.90821492927058770e-10
_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it rounds a double to a whole number
_ROUND_BITS = np.float64(_ROUND).view(np.int64)
_ROOT_HALF_BITS = np.float64(0.5**0.5).view(np.int64)
_BIAS, _SHIFT = np.int64(1023), np.int64(52)  # of the exponent in a double's bits

inline = numba.njit(error_model="numpy", forceinline=True)


@intrinsic
def _fma(context: Any, a: Any, b: Any, c: Any) -> Any:  # noqa: ANN401  Numba's own types
    """Sum of a product, rounded once: the same everywhere, one instruction on most processors."""

    def build(_: Any, builder: Any, __: Any, values: Any) -> Any:  # noqa: ANN401
        return builder.fma(*values)

    double = numba.types.float64
    return double(double, double, double), build


@inline
def exp(x: float) -> float:
    """As 2**k exp(r), |r| <= ln 2 / 2, with the Chebyshev polynomial of exp; 1e-304 below -700."""
    x = -700.0 if x < -700.0 else x
    x = 700.0 if x > 700.0 else x
    shifted = _fma(x, _LOG2E, _ROUND)
    k = shifted - _ROUND
    r = _fma(k, -_LN2_LOW, _fma(k, -_LN2_HIGH, x))
    p = _fma(2.510038549551032e-08, r, 2.7620088445409746e-07)
    p = _fma(p, r, 2.7557268459997064e-06)
    p = _fma(p, r, 2.4801521295954376e-05)
    p = _fma(p, r, 1.9841269863053618e-04)
    p = _fma(p, r, 1.3888888917213717e-03)
    p = _fma(p, r, 8.333333333330062e-03)
    p = _fma(p, r, 4.166666666662413e-02)
    p = _fma(p, r, 1.6666666666666669e-01)
    p = _fma(p, r, 0.5000000000000001)
    p = _fma(p * r, r, r) + 1.0
    bits = np.int64((np.int64(np.float64(shifted).view(np.int64)) + _BIAS) << _SHIFT)
    return p * bits.view(np.float64)


@inline
def log(x: float) -> float:
    """As k ln 2 + 2 artanh(s), with the Chebyshev polynomial of artanh; NaN below 0."""
    bits = np.int64(np.float64(x).view(np.int64))
    k = np.int64((bits - _ROOT_HALF_BITS) >> _SHIFT)
    fraction = np.int64(bits - (k << _SHIFT)).view(np.float64) - 1.0  # -0.29 to 0.41
    power = np.int64(k + _ROUND_BITS).view(np.float64) - _ROUND
    s = fraction / (2.0 + fraction)
    z = s * s
    p = _fma(7.308292712444311e-02, z, 7.665855309105386e-02)
    p = _fma(p, z, 9.091444727837474e-02)
    p = _fma(p, z, 1.1111105565129939e-01)
    p = _fma(p, z, 1.4285714313001635e-01)
    p = _fma(p, z, 1.9999999999949722e-01)
    p = _fma(p, z, 3.333333333333335e-01)
    y = 2.0 * s
    y = _fma(power, _LN2_HIGH, _fma(y * z, p, _fma(power, _LN2_LOW, y)))
    known = y if x > 0.0 else NAN
    return known if x != 0.0 else -np.inf


@inline
def power(x: float, p: float) -> float:
    """x**p for p > 0; NaN below 0."""
    y = exp(p * log(x))
    return y if x != 0.0 else 0.0
