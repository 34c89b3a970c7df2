"""The three moisture codes: fine fuel, duff, and deep organic matter.

This is the system for reading and for single codes. Whole series run the same equations compiled
(`_kernel.py`); tests hold the two together to the eleventh digit.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firesat.errors import ConfigError
from firesat.fwi.day_length import DROUGHT, DUFF, drought_band, duff_band

Array = NDArray[np.float64]

FFMC_SCALE = 250.0 * 59.5 / 101.0
"""Conversion of eqs 1, 10 and 25, such that FFMC 0 is exactly 250 % moisture.

The reports round it to 147.2, which shifts FFMC by up to 0.26 and FWI by up to 0.4 %.
"""


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
        0 or more; NaN where an input is.

    Raises
    ------
    ConfigError
        If a month is not one of 1 to 12.
    """
    before, temp, rh, prec = floats(yesterday, temp, rh, prec)
    length = DUFF[months(month), duff_band(latitude)]
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
        0 or more; NaN where an input is.

    Raises
    ------
    ConfigError
        If a month is not one of 1 to 12.
    """
    before, temp, prec = floats(yesterday, temp, prec)
    length = DROUGHT[months(month), drought_band(latitude)]
    evaporation = np.maximum(0.36 * (np.maximum(temp, -2.8) + 2.8) + length, 0.0) / 2.0  # eq 22
    rain = np.where(prec > 2.8, 0.83 * prec - 1.27, 0.0)  # eq 18
    # eqs 19 to 21 as one: 400 ln(800 / (Q0 + 3.937 rd)) with Q0 = 800 exp(-D0 / 400)
    after = np.maximum(before - 400.0 * np.log1p(3.937 * rain * np.exp(before / 400.0) / 800.0), 0)
    return np.where(np.isnan(prec), np.nan, after + evaporation)  # eq 23


def overwinter_dc(
    autumn: ArrayLike, rain: ArrayLike, *, carry_over: ArrayLike = 0.75, wetting: ArrayLike = 0.75
) -> Array:
    """Compute the Drought Code with which a season starts from that with which the last one ended.

    Lawson and Armitage (2008), with their fractions a and b.

    Parameters
    ----------
    autumn : array_like
        DC of the last day of the season before.
    rain : array_like
        Rain and melted snow of the winter, mm.
    carry_over : array_like
        Share a of autumn's moisture still there in spring: 1 where the codes were kept up until
        the ground froze or snow stayed, 0.75 where they stopped earlier or winter bares the ground
        at times, 0.5 where autumn and winter dry the soil for long.
    wetting : array_like
        Share b of the winter's water that reaches the deep layer: 0.9 in boggy ground, 0.75 on
        moderately drained sites that freeze late, 0.5 where the ground freezes early and deep or
        drains fast.

    Returns
    -------
    ndarray of float64
        15 or more; infinite where no water is left at all; NaN where an input is.
    """
    code, water, share, wets = floats(autumn, rain, carry_over, wetting)
    spring = share * 800.0 * np.exp(-code / 400.0) + wets * 3.94 * water  # eqs 2 and 3
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.maximum(400.0 * np.log(800.0 / spring), 15.0)  # eq 4


def months(month: ArrayLike) -> NDArray[np.int64]:
    """Count months from 0.

    Parameters
    ----------
    month : array_like of int
        1 to 12.

    Returns
    -------
    ndarray of int64
        0 to 11.

    Raises
    ------
    ConfigError
        If a month is not one of 1 to 12.
    """
    number = np.asarray(month)
    wrong = ~np.isin(number, np.arange(1, 13))
    if wrong.any():
        raise ConfigError(f"{number[wrong].flat[0]} is no month: give whole numbers from 1 to 12")
    return np.asarray(number.astype("int64") - 1)


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
