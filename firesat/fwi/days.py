"""Day after day, for fields of any shape."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from itertools import pairwise
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from firesat.fwi import _kernel
from firesat.fwi.day_length import DROUGHT, DUFF, drought_band, duff_band
from firesat.fwi.moisture import Array, months
from firesat.fwi.state import Codes, Rules, State

_SHARE = 250_000  # cell days worth a thread of their own, about 10 ms
_STATE = ("ffmc", "dmc", "dc", "winter_rain", "missing", "in_season")


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
    """Go one day ahead, in season.

    Parameters
    ----------
    state : State
        Of the day before.
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
    temp, rh, ws, prec = (np.asarray(value)[None] for value in (temp, rh, ws, prec))
    codes, after = series(
        state, temp=temp, rh=rh, ws=ws, prec=prec, month=[month], latitude=latitude
    )
    return Codes(**{name: values[0] for name, values in vars(codes).items()}), after


def series(  # noqa: PLR0913  the system's inputs
    state: State,
    *,
    temp: ArrayLike,
    rh: ArrayLike,
    ws: ArrayLike,
    prec: ArrayLike,
    month: ArrayLike,
    latitude: ArrayLike | None = None,
    season: ArrayLike | None = None,
    rules: Rules | None = None,
) -> tuple[Codes, State]:
    """Go through days that follow each other.

    Humidity of 100 % and above counts as 99.9999 %, as in the official implementation; rain below 0
    as none. A cell has no weather where an input is not finite, or humidity or wind is negative:
    its codes are NaN that day and its state is kept, so that the next day with weather goes on from
    the last one. After more than ``rules.longest_gap`` such days in a row it starts anew, from the
    start codes. A day that is missing altogether must be there as NaN, or be counted with
    :func:`skip`.

    Out of season codes are NaN. A season starts from the start codes; with ``rules.overwinter`` its
    DC follows from the last of the season before and the rain since, unless there was none or a
    winter day's rain is not known.

    Parameters
    ----------
    state : State
        Of the day before the first.
    temp, rh, ws, prec : array_like, shape (time, ...)
        Noon weather as in :func:`step`.
    month : array_like of int, shape (time,)
        Month of each day, 1 to 12.
    latitude : array_like, optional
        Degrees north, broadcast against one day; None = day lengths of 46 N everywhere.
    season : array_like of uint8 or bool, shape (time, ...), optional
        Which days are in season, as from :func:`phases`; None = all, and no start-up.
    rules : Rules, optional
        Start codes, overwintering, gaps.

    Returns
    -------
    codes : Codes
        Arrays of shape ``(time, ...)``, float64.
    state : State
        After the last day.

    Raises
    ------
    ConfigError
        If a month is not one of 1 to 12.
    """
    rules = rules or Rules()
    calendar = np.atleast_1d(months(month))
    weather = [np.atleast_1d(value) for value in (temp, rh, ws, prec)]
    bands = duff_band(latitude), drought_band(latitude)
    shapes = [value.shape[1:] for value in weather] + [np.shape(v) for v in vars(state).values()]
    cells = np.broadcast_shapes(*shapes, bands[0].shape)
    rows = np.array([np.broadcast_to(getattr(state, name), cells).ravel() for name in _STATE])
    out = np.empty((len(fields(Codes)), len(calendar), rows.shape[1]))
    always = np.zeros((len(calendar), 0)), (0,)
    phase, covered = always if season is None else (np.atleast_1d(season), cells)
    arguments = (
        tuple(_by_cell(value, len(calendar), cells, "float64") for value in weather),
        _by_cell(phase, len(calendar), covered, "uint8"),
        (calendar, DUFF, DROUGHT, *(np.broadcast_to(band, cells).flatten() for band in bands)),
        rows,
        rules.numbers(),
        out,
    )
    _share(arguments, rows.shape[1], len(calendar))
    names = [field.name for field in fields(Codes)]
    codes = Codes(**dict(zip(names, out.reshape(len(out), len(calendar), *cells), strict=True)))
    return codes, _state(rows.reshape(len(_STATE), *cells))


def _by_cell(value: NDArray[Any], days: int, cells: tuple[int, ...], kind: str) -> NDArray[Any]:
    """A field by day and cell, copied only where it must be."""
    inner = value.shape[1:]
    value = value.reshape(len(value), *(1,) * (len(cells) - len(inner)), *inner)
    whole = np.broadcast_to(value, (days, *cells)).reshape(days, math.prod(cells))
    flat = np.ascontiguousarray(whole, dtype=kind).view()
    flat.flags.writeable = False  # or it would be compiled again for arrays that are read-only
    return flat


def _share(arguments: tuple[Any, ...], cells: int, days: int) -> None:
    """Run the cells, among threads where that pays: each cell is on its own."""
    threads = min(numba.config.NUMBA_NUM_THREADS, 1 + cells * days // _SHARE)
    if threads == 1:
        _kernel.run(*arguments, (0, cells))
        return
    blocks = np.linspace(0, -(-cells // _kernel.LANES), 4 * threads + 1).astype(int)
    edges = np.minimum(blocks * _kernel.LANES, cells).tolist()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda part: _kernel.run(*arguments, part), pairwise(edges)))


def _state(rows: Array) -> State:
    """The state as the compiled code leaves it."""
    ffmc, dmc, dc, rain, missing, inside = rows
    return State(
        ffmc=ffmc,
        dmc=dmc,
        dc=dc,
        winter_rain=rain,
        missing=missing.astype("int32"),
        in_season=inside != 0.0,
    )
