"""The equations of `moisture.py` and `behaviour.py` once more, compiled for whole series.

Everything is plain double arithmetic without branches, so that a compiler works on eight cells at a
time, and without the freedom to reorder it: a cell has the same bits alone and in any field, in one
run and in two. Equation numbers: Van Wagner (1987). Nothing is compiled before the first call; the
compiled code is then kept beside this file. Numba's cache looks at this file alone to tell whether
it is still current, and not at `_arithmetic.py`.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from firesat.fwi._arithmetic import NAN, exp, inline, log, power
from firesat.fwi.season import STARTS

Array = NDArray[np.float64]

LANES = 128  # cells worked on together: their scratch stays in the processor's nearest cache

# Rows of the scratch, each LANES long. One row follows the other at known distances, from which
# the compiler sees that they do not overlap.
_FINE, _DUFF, _DROUGHT, _RAIN, _GAP, _WAS = (LANES * row for row in range(6))  # state, in order
_T, _H, _W, _P, _ON, _LE, _LF, _OK, _SPRING = (LANES * row for row in range(6, 15))
_FFMC, _DMC, _DC, _ISI, _BUI, _FWI, _DSR = (LANES * row for row in range(15, 22))
_DRYING, _WETTING = LANES * 22, LANES * 23
_ROWS = 24

_LN10 = 2.302585092994046


@inline
def _fine_moisture(code: float, scale: float) -> float:
    """Percent of dry weight, eq 1."""
    return scale * (101.0 - code) / (59.5 + code)


@inline
def _wetted(m: float, prec: float) -> float:
    """Moisture of fine fuel after rain, eqs 2 and 3."""
    rain = prec - 0.5 if prec > 0.5 else 1.0  # the 1 is not used
    soak = m - 150.0 if m > 150.0 else 0.0
    wet = 42.5 * rain * exp(-100.0 / (251.0 - m)) * (1.0 - exp(-6.93 / rain))  # eq 3a
    wet += m + 0.0015 * soak * soak * np.sqrt(rain)  # eq 3b
    wet = 250.0 if wet > 250.0 else wet
    return wet if prec > 0.5 else m


@inline
def _equilibria(temp: float, rh: float) -> tuple[float, float]:
    """Moisture to which fine fuel dries, and to which it wets, eqs 4 and 5."""
    log_rh = log(rh)
    damp = exp(0.1 * rh - 10.0)
    warmth = 0.18 * (21.1 - temp) * (1.0 - exp(-0.115 * rh))
    drying = 0.942 * exp(0.679 * log_rh) + 11.0 * damp + warmth
    return drying, 0.618 * exp(0.753 * log_rh) + 10.0 * damp + warmth


@inline
def _rate(h: float, temp: float, ws: float) -> float:
    """Log rate of drying (h = H/100) or of wetting (h = 1 - H/100), eqs 6 and 7."""
    h2 = h * h
    h4 = h2 * h2
    at_21_degrees = 0.424 * (1.0 - power(h, 1.7)) + 0.0694 * np.sqrt(ws) * (1.0 - h4 * h4)
    return at_21_degrees * 0.581 * exp(0.0365 * temp)


@inline
def _ffmc(m: float, drying: float, wetting: float, rate: float, scale: float) -> float:
    """Fine Fuel Moisture Code of the day; between the two equilibria moisture stays."""
    dries = m > drying
    wets = (m < drying) & (m < wetting)
    goal = drying if dries else wetting
    changed = goal + (m - goal) * exp(-_LN10 * rate)  # eqs 8, 9
    m = changed if dries | wets else m
    code = 59.5 * (250.0 - m) / (scale + m)  # eq 10
    code = 101.0 if code > 101.0 else code
    return 0.0 if code < 0.0 else code


@inline
def _dmc(code: float, temp: float, rh: float, prec: float, length: float) -> float:
    """Duff Moisture Code of the day."""
    warm = -1.1 if temp < -1.1 else temp
    drying = 1.894e-4 * (warm + 1.1) * (100.0 - rh) * length  # 100 K of eq 16
    rain = 0.92 * prec - 1.27  # eq 11
    m = 20.0 + 280.0 * exp(-0.023 * code)  # eq 12 as the official implementation has it
    log_code = log(code)
    slope = 100.0 / (0.5 + 0.3 * code)  # eq 13a
    slope = 14.0 - 1.3 * log_code if code > 33.0 else slope  # eq 13b
    slope = 6.2 * log_code - 17.2 if code > 65.0 else slope  # eq 13c
    wet = m + 1000.0 * rain / (48.77 + slope * rain)  # eq 14
    after = 43.43 * (5.6348 - log(wet - 20.0))  # eq 15
    after = code if prec <= 1.5 else after
    after = 0.0 if after < 0.0 else after
    result = after + drying  # eq 17
    return 0.0 if result < 0.0 else result


@inline
def _dc(code: float, temp: float, prec: float, length: float) -> float:
    """Drought Code of the day."""
    warm = -2.8 if temp < -2.8 else temp
    evaporation = 0.36 * (warm + 2.8) + length  # eq 22
    evaporation = 0.0 if evaporation < 0.0 else evaporation
    rain = 0.83 * prec - 1.27  # eq 18
    after = code - 400.0 * log(1.0 + 3.937 * rain / 800.0 * exp(code / 400.0))  # eqs 19 to 21
    after = 0.0 if after < 0.0 else after
    after = code if prec <= 2.8 else after
    result = after + 0.5 * evaporation  # eq 23
    return 0.0 if result < 0.0 else result


@inline
def _spring_dc(autumn: float, rain: float, carried: float, wetting: float) -> float:
    """Drought Code after a winter, Lawson and Armitage (2008), eqs 2 to 4 of their appendix."""
    water = carried * 800.0 * exp(-autumn / 400.0) + wetting * 3.94 * rain
    code = -400.0 * log(water / 800.0)
    return 15.0 if code < 15.0 else code


@inline
def _isi(code: float, ws: float, scale: float) -> float:
    """Initial Spread Index, eqs 24 to 26."""
    m = _fine_moisture(code, scale)
    return 0.208 * 91.9 * exp(0.05039 * ws - 0.1386 * m) * (1.0 + power(m, 5.31) / 4.93e7)


@inline
def _bui(duff: float, drought: float) -> float:
    """Buildup Index, eq 27."""
    total = duff + 0.4 * drought
    share = 0.8 * drought / (1.0 if total == 0.0 else total)
    wet = duff - (1.0 - share) * (0.92 + power(0.0114 * duff, 1.7))  # eq 27b
    wet = 0.0 if wet < 0.0 else wet
    return wet if duff > 0.4 * drought else share * duff  # eq 27a


@inline
def _intensity(spread: float, buildup: float) -> float:
    """Intensity B of eq 29, on the D scale of eq 28."""
    much = buildup > 80.0
    grown = exp(-0.023 * buildup if much else 0.809 * log(buildup))
    return 0.1 * spread * (1000.0 / (25.0 + 108.64 * grown) if much else 0.626 * grown + 2.0)


@inline
def _log_fwi(intensity: float) -> float:
    """Logarithm of the Fire Weather Index, eq 30."""
    log_of = log(intensity)
    high = intensity > 1.0
    return 2.72 * power(0.434 * log_of, 0.647) if high else log_of


@inline
def _begin(s: Any, numbers: Any, seasonal: bool) -> None:  # noqa: ANN401  scratch, rules
    """Start codes at start-up and after long gaps, keep count of winter rain and of gaps."""
    ffmc0, dmc0, dc0, carried, wetting, longest = numbers[:6]
    if seasonal and carried >= 0.0:
        for i in range(LANES):
            rain = s[_RAIN + i] if s[_WAS + i] == 0.0 else 0.0
            spring = _spring_dc(s[_DROUGHT + i], rain, carried, wetting)
            s[_SPRING + i] = spring if spring == spring else dc0
    for i in range(LANES):
        on, was, prec = s[_ON + i] != 0.0, s[_WAS + i] != 0.0, s[_P + i]
        s[_H + i] = 99.9999 if s[_H + i] >= 100.0 else s[_H + i]  # eqs 6 and 7 have no sense at 100
        total = s[_T + i] + s[_H + i] + s[_W + i] + prec
        known = (total - total == 0.0) & (s[_H + i] >= 0.0) & (s[_W + i] >= 0.0)
        lost = on & known & (s[_GAP + i] > longest)
        starts = on & ((not was) | (s[_ON + i] == STARTS))
        s[_FINE + i] = ffmc0 if starts | lost else s[_FINE + i]
        s[_DUFF + i] = dmc0 if starts | lost else s[_DUFF + i]
        s[_DROUGHT + i] = s[_SPRING + i] if starts else (dc0 if lost else s[_DROUGHT + i])
        fell = prec if prec > 0.0 else 0.0 * prec
        s[_RAIN + i] = NAN if on else (0.0 if was else s[_RAIN + i]) + fell
        s[_GAP + i] = s[_GAP + i] + 1.0 if on & (not known) else 0.0
        s[_WAS + i] = 1.0 if on else 0.0
        s[_OK + i] = 1.0 if on & known else NAN


@inline
def _moisture(s: Any, scale: float) -> None:  # noqa: ANN401  scratch
    """The day's moisture codes, in loops short enough that several cells are under way at once."""
    for i in range(LANES):
        s[_FFMC + i] = _wetted(_fine_moisture(s[_FINE + i], scale), s[_P + i])
    for i in range(LANES):
        s[_DRYING + i], s[_WETTING + i] = _equilibria(s[_T + i], s[_H + i])
    for i in range(LANES):
        h = 0.01 * s[_H + i] if s[_FFMC + i] > s[_DRYING + i] else 1.0 - 0.01 * s[_H + i]
        rate = _rate(h, s[_T + i], s[_W + i])
        code = _ffmc(s[_FFMC + i], s[_DRYING + i], s[_WETTING + i], rate, scale)
        s[_FFMC + i] = code * s[_OK + i]
    for i in range(LANES):
        s[_DMC + i] = _dmc(s[_DUFF + i], s[_T + i], s[_H + i], s[_P + i], s[_LE + i]) * s[_OK + i]
    for i in range(LANES):
        s[_DC + i] = _dc(s[_DROUGHT + i], s[_T + i], s[_P + i], s[_LF + i]) * s[_OK + i]
    for i in range(LANES):
        ok = s[_OK + i] == 1.0
        s[_FINE + i] = s[_FFMC + i] if ok else s[_FINE + i]
        s[_DUFF + i] = s[_DMC + i] if ok else s[_DUFF + i]
        s[_DROUGHT + i] = s[_DC + i] if ok else s[_DROUGHT + i]


@inline
def _behaviour(s: Any, scale: float) -> None:  # noqa: ANN401  scratch
    """The day's indices, likewise."""
    for i in range(LANES):
        s[_ISI + i] = _isi(s[_FFMC + i], s[_W + i], scale)
    for i in range(LANES):
        s[_BUI + i] = _bui(s[_DMC + i], s[_DC + i])
    for i in range(LANES):
        s[_FWI + i] = _intensity(s[_ISI + i], s[_BUI + i])
    for i in range(LANES):
        s[_DSR + i] = _log_fwi(s[_FWI + i])
    for i in range(LANES):
        s[_FWI + i] = exp(s[_DSR + i]) if s[_FWI + i] > 1.0 else s[_FWI + i]
        s[_DSR + i] = 0.0272 * exp(1.77 * s[_DSR + i]) if s[_FWI + i] != 0.0 else 0.0  # eq 31


@inline
def _lengthen(s: Any, calendar: Any, month: int, first: int, count: int) -> None:  # noqa: ANN401
    """Put the day lengths of a month into the scratch."""
    _, duff, drought, duff_band, drought_band = calendar
    for i in range(count):
        s[_LE + i] = duff[month, duff_band[first + i]]
        s[_LF + i] = drought[month, drought_band[first + i]]


@inline
def _load(s: Any, row: int, values: Any, first: int, count: int) -> None:  # noqa: ANN401  arrays
    """Put cells of a field into a row of the scratch."""
    s[row : row + count] = values[first : first + count]


@numba.njit(error_model="numpy", nogil=True, cache=True)
def run(
    weather: tuple[Array, ...],
    season: NDArray[np.uint8],
    calendar: tuple[Array, ...],
    state: Array,
    numbers: tuple[float, ...],
    out: Array,
    cells: tuple[int, int],
) -> None:
    """Take cells through days: the state is changed in place, the codes are written to `out`.

    Parameters
    ----------
    weather : tuple of ndarray, shape (time, cell)
        temp, rh, ws, prec.
    season : ndarray of uint8, shape (time, cell)
        1 in season, 2 on its first day, 0 out of it; no cells = always in season.
    calendar : tuple of ndarray
        Month of each day from 0; day lengths of duff and drought by (month, band); band of each
        cell in these.
    state : ndarray of float64, shape (6, cell)
        FFMC, DMC, DC, winter rain, days without weather, whether in season.
    numbers : tuple of float
        FFMC, DMC and DC at start-up, carry-over and wetting fractions (below 0 = no overwintering),
        longest gap in days, conversion of eq 1.
    out : ndarray of float64, shape (7, time, cell)
        FFMC, DMC, DC, ISI, BUI, FWI, DSR.
    cells : tuple of int
        First cell and one past the last.
    """
    month = calendar[0]
    s = np.ones(_ROWS * LANES)
    s[_SPRING : _SPRING + LANES] = numbers[2]
    for first in range(cells[0], cells[1], LANES):
        count = min(LANES, cells[1] - first)
        for row in range(6):
            _load(s, row * LANES, state[row], first, count)
        for day in range(month.shape[0]):
            _load(s, _T, weather[0][day], first, count)
            _load(s, _H, weather[1][day], first, count)
            _load(s, _W, weather[2][day], first, count)
            _load(s, _P, weather[3][day], first, count)
            if season.shape[1] > 0:
                _load(s, _ON, season[day], first, count)
            else:
                s[_WAS : _WAS + LANES] = 1.0
            if day == 0 or month[day] != month[day - 1]:
                _lengthen(s, calendar, month[day], first, count)
            _begin(s, numbers, season.shape[1] > 0)
            _moisture(s, numbers[6])
            _behaviour(s, numbers[6])
            for code in range(7):
                row = _FFMC + LANES * code
                out[code, day, first : first + count] = s[row : row + count]
        for row in range(6):
            state[row, first : first + count] = s[row * LANES : row * LANES + count]
