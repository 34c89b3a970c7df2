"""The three moisture codes: fine fuel, duff, and deep organic matter."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

FFMC_SCALE = 250.0 * 59.5 / 101.0
"""Conversion of eqs 1, 10 and 25, such that FFMC 0 is exactly 250 % moisture.

The reports round it to 147.2, which shifts FFMC by up to 0.12.
"""

# Day length factor Le of eq 16 by month, for the latitude bands of the official implementation
# (Lawson and Armitage 2008, Weather Guide for the Canadian Forest Fire Danger Rating System)
_LE_NORTH = (6.5, 7.5, 9.0, 12.8, 13.9, 13.9, 12.4, 10.9, 9.4, 8.0, 7.0, 6.0)  # 46 N
_LE_20_NORTH = (7.9, 8.4, 8.9, 9.5, 9.9, 10.2, 10.1, 9.7, 9.1, 8.6, 8.1, 7.8)
_LE_EQUATOR = (9.0,) * 12
_LE_20_SOUTH = (10.1, 9.6, 9.1, 8.5, 8.1, 7.8, 7.9, 8.3, 8.9, 9.4, 9.9, 10.2)
_LE_SOUTH = (11.5, 10.5, 9.2, 7.9, 6.8, 6.2, 6.5, 7.4, 8.7, 10.0, 11.2, 11.8)  # 40 S
_LE = np.array([_LE_SOUTH, _LE_20_SOUTH, _LE_EQUATOR, _LE_20_NORTH, _LE_NORTH])
_LE_EDGES = (-30.0, -10.0, 10.0, 30.0)  # a band ends on its northern edge, which belongs to it

# Day length adjustment Lf of eq 22, likewise
_LF_NORTH = (-1.6, -1.6, -1.6, 0.9, 3.8, 5.8, 6.4, 5.0, 2.4, 0.4, -1.6, -1.6)
_LF_EQUATOR = (1.4,) * 12
_LF_SOUTH = (6.4, 5.0, 2.4, 0.4, -1.6, -1.6, -1.6, -1.6, -1.6, 0.9, 3.8, 5.8)
_LF = np.array([_LF_SOUTH, _LF_EQUATOR, _LF_NORTH])
_LF_EDGES = (-20.0, 20.0)


def ffmc(
    yesterday: ArrayLike, *, temp: ArrayLike, rh: ArrayLike, ws: ArrayLike, prec: ArrayLike
) -> Array:
    """Compute the Fine Fuel Moisture Code.

    Parameters
    ----------
    yesterday : array_like
        FFMC of the day before.
    temp, rh, ws, prec : array_like
        Noon temperature (degC), relative humidity (%), wind (km/h) and rain (mm).

    Returns
    -------
    ndarray of float64
        0 (soaked) to 101 (bone dry); NaN where humidity or wind is negative.
    """
    temp, rh, ws, prec = floats(temp, rh, ws, prec)
    with np.errstate(invalid="ignore"):  # powers of negative humidity and wind: NaN is meant
        moisture = _wetted(fine_moisture(yesterday), prec)
        warmth = 0.18 * (21.1 - temp) * (1.0 - np.exp(-0.115 * rh))
        drying = 0.942 * rh**0.679 + 11.0 * np.exp((rh - 100.0) / 10.0) + warmth  # eq 4
        wetting = 0.618 * rh**0.753 + 10.0 * np.exp((rh - 100.0) / 10.0) + warmth  # eq 5
        down = drying + (moisture - drying) * 10.0 ** -_rate(rh / 100.0, temp, ws)  # eqs 6, 8
        up = wetting - (wetting - moisture) * 10.0 ** -_rate(1.0 - rh / 100.0, temp, ws)  # 7, 9
    # between the two equilibria moisture stays; NaN must not stay
    known = np.where(np.isnan(drying + ws), np.nan, moisture)
    moisture = np.where(
        moisture > drying, down, np.where(moisture < np.minimum(drying, wetting), up, known)
    )
    code = 59.5 * (250.0 - moisture) / (FFMC_SCALE + moisture)  # eq 10
    return np.clip(code, 0.0, 101.0)


def fine_moisture(code: ArrayLike) -> Array:
    """Turn the Fine Fuel Moisture Code into moisture, eq 1.

    Parameters
    ----------
    code : array_like
        FFMC, 0 to 101.

    Returns
    -------
    ndarray of float64
        Percent of dry weight, 250 to 0.
    """
    value = np.asarray(code, dtype="float64")
    return FFMC_SCALE * (101.0 - value) / (59.5 + value)


def _wetted(moisture: Array, prec: Array) -> Array:
    """Moisture of fine fuel after rain, eqs 2 and 3."""
    rain = np.where(prec > 0.5, prec - 0.5, 1.0)  # eq 2; the 1 is not used
    wet = moisture + 42.5 * rain * np.exp(-100.0 / (251.0 - moisture)) * (1 - np.exp(-6.93 / rain))
    soak = 0.0015 * np.maximum(moisture - 150.0, 0.0) ** 2 * np.sqrt(rain)  # eq 3b
    after = np.where(prec > 0.5, wet + soak, moisture)
    return np.where(np.isnan(prec), np.nan, np.minimum(after, 250.0))


def _rate(dryness: Array, temp: Array, ws: Array) -> Array:
    """Log rate of drying (dryness = H/100) or wetting (1 - H/100), eqs 6 and 7."""
    at_21_degrees = 0.424 * (1.0 - dryness**1.7) + 0.0694 * np.sqrt(ws) * (1.0 - dryness**8)
    return at_21_degrees * 0.581 * np.exp(0.0365 * temp)


def dmc(
    yesterday: ArrayLike,
    *,
    temp: ArrayLike,
    rh: ArrayLike,
    prec: ArrayLike,
    month: ArrayLike,
    latitude: ArrayLike | None = None,
) -> Array:
    """Compute the Duff Moisture Code.

    Parameters
    ----------
    yesterday : array_like
        DMC of the day before.
    temp, rh, prec : array_like
        Noon temperature (degC), relative humidity (%) and rain (mm).
    month : array_like of int
        1 to 12.
    latitude : array_like, optional
        Degrees north, which choose the day length; None = that of 46 N everywhere.

    Returns
    -------
    ndarray of float64
        0 or more.
    """
    before, temp, rh, prec = floats(yesterday, temp, rh, prec)
    length = _by_latitude(_LE, _LE_EDGES, month, latitude)
    drying = 1.894e-4 * (np.maximum(temp, -1.1) + 1.1) * (100.0 - rh) * length  # 100 K of eq 16
    rain = np.where(prec > 1.5, 0.92 * prec - 1.27, 0.0)  # eq 11
    moisture = 20.0 + 280.0 * np.exp(-0.023 * before)  # eq 12 as the official implementation has it
    wetted = moisture + 1000.0 * rain / (48.77 + _duff_slope(before) * rain)  # eq 14
    after = np.maximum(43.43 * (5.6348 - np.log(wetted - 20.0)), 0.0)  # eq 15
    dry = np.where(prec > 1.5, after, before)
    return np.where(np.isnan(prec), np.nan, np.maximum(dry + drying, 0.0))  # eq 17


def _duff_slope(code: Array) -> Array:
    """Slope b of rain's effect on duff, eq 13."""
    log = np.log(np.maximum(code, 1.0))  # not used below 33
    dry = np.where(code > 65.0, 6.2 * log - 17.2, 14.0 - 1.3 * log)
    return np.where(code > 33.0, dry, 100.0 / (0.5 + 0.3 * np.minimum(code, 33.0)))


def dc(
    yesterday: ArrayLike,
    *,
    temp: ArrayLike,
    prec: ArrayLike,
    month: ArrayLike,
    latitude: ArrayLike | None = None,
) -> Array:
    """Compute the Drought Code.

    Parameters
    ----------
    yesterday : array_like
        DC of the day before.
    temp, prec : array_like
        Noon temperature (degC) and rain (mm).
    month : array_like of int
        1 to 12.
    latitude : array_like, optional
        Degrees north, which choose the day length; None = that of northern Canada everywhere.

    Returns
    -------
    ndarray of float64
        0 or more.
    """
    before, temp, prec = floats(yesterday, temp, prec)
    length = _by_latitude(_LF, _LF_EDGES, month, latitude)
    evaporation = np.maximum(0.36 * (np.maximum(temp, -2.8) + 2.8) + length, 0.0) / 2.0  # eq 22
    rain = np.where(prec > 2.8, 0.83 * prec - 1.27, 0.0)  # eq 18
    # eqs 19 to 21 as one: 400 ln(800 / (Q0 + 3.937 rd)) with Q0 = 800 exp(-D0 / 400)
    after = np.maximum(before - 400.0 * np.log1p(3.937 * rain * np.exp(before / 400.0) / 800.0), 0)
    return np.where(np.isnan(prec), np.nan, after + evaporation)  # eq 23


def _by_latitude(
    table: Array, edges: tuple[float, ...], month: ArrayLike, latitude: ArrayLike | None
) -> Array:
    """Day length of a month: rows of `table` are bands from south to north."""
    column = np.asarray(month) - 1
    row = len(edges) if latitude is None else np.searchsorted(edges, np.asarray(latitude))
    length: Array = table[row, column]
    return length


def floats(*values: ArrayLike) -> tuple[Array, ...]:
    """Turn numbers into float64 arrays.

    Parameters
    ----------
    *values : array_like
        Numbers of any type.

    Returns
    -------
    tuple of ndarray of float64
        One array each.
    """
    return tuple(np.asarray(value, dtype="float64") for value in values)
