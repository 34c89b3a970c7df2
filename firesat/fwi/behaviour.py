"""The indices of spread, fuel and intensity that follow from the moisture codes."""

import numpy as np
from numpy.typing import ArrayLike

from firesat.fwi.moisture import Array, fine_moisture, floats


def isi(ffmc: ArrayLike, ws: ArrayLike) -> Array:
    """Compute the Initial Spread Index.

    Parameters
    ----------
    ffmc : array_like
        Today's Fine Fuel Moisture Code.
    ws : array_like
        Noon wind, km/h.

    Returns
    -------
    ndarray of float64
        0 or more; without the ceiling that fire behaviour prediction puts on wind above 40 km/h.
    """
    moisture = fine_moisture(ffmc)
    wind = np.exp(0.05039 * np.asarray(ws, dtype="float64"))  # eq 24
    fuel = 91.9 * np.exp(-0.1386 * moisture) * (1.0 + moisture**5.31 / 4.93e7)  # eq 25
    return np.asarray(0.208 * wind * fuel)  # eq 26


def bui(dmc: ArrayLike, dc: ArrayLike) -> Array:
    """Compute the Buildup Index.

    Parameters
    ----------
    dmc, dc : array_like
        Today's Duff Moisture Code and Drought Code.

    Returns
    -------
    ndarray of float64
        0 or more.
    """
    duff, drought = floats(dmc, dc)
    total = duff + 0.4 * drought
    share = 0.8 * drought / np.where(total == 0.0, 1.0, total)
    wet = np.maximum(duff - (1.0 - share) * (0.92 + (0.0114 * duff) ** 1.7), 0.0)  # eq 27b
    return np.where(duff > 0.4 * drought, wet, share * duff)  # eq 27a


def fwi(isi: ArrayLike, bui: ArrayLike) -> Array:
    """Compute the Fire Weather Index.

    Parameters
    ----------
    isi, bui : array_like
        Today's Initial Spread Index and Buildup Index.

    Returns
    -------
    ndarray of float64
        0 or more.
    """
    spread, buildup = floats(isi, bui)
    moist = 0.626 * buildup**0.809 + 2.0  # eq 28a
    dry = 1000.0 / (25.0 + 108.64 * np.exp(-0.023 * buildup))  # eq 28b
    intensity = 0.1 * spread * np.where(buildup > 80.0, dry, moist)  # eq 29
    high = np.exp(2.72 * (0.434 * np.log(np.maximum(intensity, 1.0))) ** 0.647)  # eq 30a
    return np.where(intensity > 1.0, high, intensity)  # eq 30b


def dsr(fwi: ArrayLike) -> Array:
    """Compute the Daily Severity Rating.

    Parameters
    ----------
    fwi : array_like
        Today's Fire Weather Index.

    Returns
    -------
    ndarray of float64
        0 or more.
    """
    return np.asarray(0.0272 * np.asarray(fwi, dtype="float64") ** 1.77)  # eq 31
