"""The system from noon values in the units that weather comes in."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from firesat.fwi.days import series
from firesat.fwi.state import Codes, State

NOON = ("t2m_noon", "rh_noon", "ws_noon", "tp_noon")
"""Names of what is needed, as sources give them."""

_KELVIN = 273.15
_KM_PER_HOUR = 3.6  # in one metre per second


def from_noon(
    state: State,
    weather: Mapping[str, NDArray[np.floating]],
    days: NDArray[np.datetime64],
    latitude: NDArray[np.float64],
) -> tuple[Codes, State]:
    """Go through days that follow each other.

    Parameters
    ----------
    state : State
        Of the day before the first.
    weather : mapping of str to ndarray, shape (time, y, x)
        `NOON`: K, %, m s-1, and mm in the 24 h to noon; NaN where missing.
    days : ndarray of datetime64, shape (time,)
        Their dates, without gaps.
    latitude : ndarray of float64, shape (y, x)
        Degrees north.

    Returns
    -------
    codes : Codes
        Shape (time, y, x); NaN where the weather is missing.
    state : State
        After the last day.
    """
    t, rh, ws, tp = (np.asarray(weather[name], dtype="float64") for name in NOON)
    return series(
        state,
        temp=t - _KELVIN,
        rh=rh,
        ws=ws * _KM_PER_HOUR,
        prec=tp,
        month=days.astype("datetime64[M]").astype(np.int64) % 12 + 1,
        latitude=latitude,
    )
