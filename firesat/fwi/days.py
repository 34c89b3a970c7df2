"""Day after day: the state that is carried on, and what comes out."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from firesat.fwi.behaviour import bui, dsr, fwi, isi
from firesat.fwi.moisture import Array, dc, dmc, ffmc, floats

_MOISTEST = 99.9999  # percent: at 100 the drying rates of eqs 6 and 7 lose their meaning


@dataclass(frozen=True, kw_only=True)
class State:
    """What the next day needs to know: yesterday's three moisture codes.

    Saved as float64 and given back to :func:`step`, it continues a season bit for bit.

    Parameters
    ----------
    ffmc : ndarray of float64
        Fine Fuel Moisture Code, 0 to 101.
    dmc : ndarray of float64
        Duff Moisture Code, 0 or more.
    dc : ndarray of float64
        Drought Code, 0 or more.
    """

    ffmc: Array
    dmc: Array
    dc: Array


@dataclass(frozen=True, kw_only=True)
class Codes:
    """The system's outputs of a day, or of a series; NaN where the weather was missing.

    Parameters
    ----------
    ffmc, dmc, dc : ndarray of float64
        Moisture codes.
    isi, bui, fwi : ndarray of float64
        Initial Spread, Buildup and Fire Weather Index.
    dsr : ndarray of float64
        Daily Severity Rating.
    """

    ffmc: Array
    dmc: Array
    dc: Array
    isi: Array
    bui: Array
    fwi: Array
    dsr: Array


def start(shape: tuple[int, ...] = ()) -> State:
    """Give the standard codes of a season's first day.

    Parameters
    ----------
    shape : tuple of int
        Shape of the fields.

    Returns
    -------
    State
        FFMC 85, DMC 6, DC 15 everywhere: Van Wagner (1987), three days after snow has gone.
    """
    return State(ffmc=np.full(shape, 85.0), dmc=np.full(shape, 6.0), dc=np.full(shape, 15.0))


def step(
    state: State,
    *,
    temp: ArrayLike,
    rh: ArrayLike,
    ws: ArrayLike,
    prec: ArrayLike,
    month: int,
    latitude: ArrayLike | None = None,
) -> tuple[Codes, State]:
    """Go one day ahead.

    Humidity of 100 % and above counts as 99.9999 %, as in the official implementation. A cell has
    no weather where any input is NaN, or humidity or wind is negative: its codes are NaN that day
    and its state is kept, so that the next day with weather goes on from the last one.

    Parameters
    ----------
    state : State
        Codes of the day before.
    temp, rh, ws, prec : array_like
        Noon temperature (degC), relative humidity (%), wind (km/h) and rain (mm).
    month : int
        1 to 12.
    latitude : array_like, optional
        Degrees north; None = day lengths of 46 N everywhere.

    Returns
    -------
    codes : Codes
        Of the day.
    state : State
        For the next day.
    """
    temp, rh, ws, prec = floats(temp, rh, ws, prec)
    unknown = np.isnan(temp + rh + ws + prec) | (rh < 0.0) | (ws < 0.0)
    rh = np.where(unknown, np.nan, np.where(rh >= 100.0, _MOISTEST, rh))
    prec = np.where(unknown, np.nan, prec)
    fine = ffmc(state.ffmc, temp=temp, rh=rh, ws=ws, prec=prec)
    duff = dmc(state.dmc, temp=temp, rh=rh, prec=prec, month=month, latitude=latitude)
    drought = dc(state.dc, temp=temp, prec=prec, month=month, latitude=latitude)
    after = State(
        ffmc=np.where(unknown, state.ffmc, fine),
        dmc=np.where(unknown, state.dmc, duff),
        dc=np.where(unknown, state.dc, drought),
    )
    return _codes(fine, duff, drought, np.where(unknown, np.nan, ws)), after


def _codes(fine: Array, duff: Array, drought: Array, ws: Array) -> Codes:
    """All outputs from the three moisture codes."""
    spread, buildup = isi(fine, ws), bui(duff, drought)
    index = fwi(spread, buildup)
    return Codes(
        ffmc=fine, dmc=duff, dc=drought, isi=spread, bui=buildup, fwi=index, dsr=dsr(index)
    )


def series(
    state: State,
    *,
    temp: ArrayLike,
    rh: ArrayLike,
    ws: ArrayLike,
    prec: ArrayLike,
    month: ArrayLike,
    latitude: ArrayLike | None = None,
) -> tuple[Codes, State]:
    """Go through days that follow each other.

    Parameters
    ----------
    state : State
        Codes of the day before the first.
    temp, rh, ws, prec : array_like, shape (time, ...)
        Noon weather as in :func:`step`.
    month : array_like of int, shape (time,)
        Month of each day, 1 to 12.
    latitude : array_like, optional
        Degrees north, broadcast against one day.

    Returns
    -------
    codes : Codes
        Arrays of shape ``(time, ...)``.
    state : State
        After the last day.
    """
    days: list[Codes] = []
    weather = zip(*floats(temp, rh, ws, prec), np.asarray(month), strict=True)
    for t, h, w, p, number in weather:
        codes, state = step(state, temp=t, rh=h, ws=w, prec=p, month=int(number), latitude=latitude)
        days.append(codes)
    names = [field.name for field in fields(Codes)]
    return Codes(**{name: np.stack([getattr(d, name) for d in days]) for name in names}), state
