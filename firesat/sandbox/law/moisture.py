"""Moisture with memory: litter by time lags, two layers of duff by a water balance.

Litter follows the equilibrium moisture of wood (Simard 1968, from the Wood Handbook's tables) with
a lag of hours. Duff and the layer below it are buckets: rain fills them, the vapour pressure
deficit empties them. Nothing here is the Fire Weather Index System. Each kilometre keeps three
sites, wet to dry; 100 m cells lie between them.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law.noise import Floats
from firesat.sandbox.law.place import Place
from firesat.sandbox.law.weather import WeatherDay

SITES = 3
FINE, DUFF, DEEP = range(3)  # layers of the state
DUFF_MM, DEEP_MM = 26.0, 110.0  # what the layers hold when full
MELT = 0.14  # mm of snow melted per hour and K, a degree-day factor of 3.4
INTERCEPTED = 0.15  # mm/h of rain that stay in the canopy
SNOW_LINE = 1.0  # mm of snow water that still covers the fuel


class Drivers(NamedTuple):
    """A day of weather on the kilometres, for the compiled balance: (hour, cells) each."""

    temperature: Floats
    humidity: Floats  # %
    deficit: Floats  # hPa
    wind: Floats  # m/s
    rain: Floats  # mm/h, melt water included
    covered: NDArray[np.bool_]  # by snow


@dataclass(frozen=True, kw_only=True)
class MoistureDay:
    """What a day does to the fuel.

    Parameters
    ----------
    after : ndarray
        float32 (3, 3, km_y, km_x): layer (litter %, duff 0-1, deep 0-1), site, kilometres; at the
        end of the day.
    litter : ndarray
        float32 (24, 3, km_y, km_x): hourly litter moisture, % of dry mass.
    rain : ndarray
        float32 (24, km_y, km_x): mm/h of rain alone.
    snow : ndarray
        float32 (weather_y, weather_x): mm of water in the snow at the end of the day.
    """

    after: Floats
    litter: Floats
    rain: Floats
    snow: Floats


def first_moisture(place: Place) -> Floats:
    """Give the moisture under the snow of late March.

    Parameters
    ----------
    place : Place
        Where.

    Returns
    -------
    ndarray
        float32 (3, 3, km_y, km_x), wet.
    """
    state = np.empty((3, SITES, *place.km_shape), dtype=np.float32)
    state[FINE], state[DUFF], state[DEEP] = 60.0, 0.95, 0.85
    return state


def moisture_day(place: Place, moisture: Floats, snow: Floats, weather: WeatherDay) -> MoistureDay:
    """Wet and dry the fuel for 24 hours.

    Parameters
    ----------
    place : Place
        Where.
    moisture : ndarray
        float32 (3, 3, km_y, km_x) at the start.
    snow : ndarray
        float32 (weather_y, weather_x), mm of water.
    weather : WeatherDay
        The day.

    Returns
    -------
    MoistureDay
        The state after, and hours between.
    """
    pack, water = _snow_day(snow, weather)
    rain = place.from_weather(weather.rain.astype(np.float32))
    drivers = _drivers(place, weather, pack, water)
    flat = moisture.reshape(3, SITES, -1).copy()
    litter = np.empty((24, SITES, flat.shape[-1]), dtype=np.float32)
    balance(drivers, flat, litter)
    shape = (SITES, *place.km_shape)
    return MoistureDay(
        after=flat.reshape(3, *shape),
        litter=litter.reshape(24, *shape),
        rain=np.maximum(rain, 0.0),
        snow=pack[-1],
    )


def saturation(temperature: Floats) -> Floats:
    """Saturation vapour pressure over water (Bolton 1980, MWR 108, eq. 10).

    Parameters
    ----------
    temperature : ndarray
        Degrees Celsius.

    Returns
    -------
    ndarray
        hPa.
    """
    return np.asarray(6.112 * np.exp(17.67 * temperature / (temperature + 243.5)))


def _snow_day(snow: Floats, weather: WeatherDay) -> tuple[Floats, Floats]:
    """Snow water at each hour's end, and liquid water reaching the ground, mm (hour, y, x)."""
    temperature = weather.temperature.astype(np.float32)
    falling = weather.rain.astype(np.float32)
    pack, water = np.empty_like(falling), np.empty_like(falling)
    now = snow
    for hour in range(24):
        frozen = temperature[hour] < 0.5
        melt = np.minimum(now, MELT * np.maximum(temperature[hour], 0.0))
        now = now + np.where(frozen, falling[hour], 0.0) - melt
        pack[hour], water[hour] = now, np.where(frozen, 0.0, falling[hour]) + melt
    return pack, water


def _drivers(place: Place, weather: WeatherDay, pack: Floats, water: Floats) -> Drivers:
    """Weather on the kilometres, flattened for the compiled balance."""
    temperature = weather.temperature.astype(np.float32)
    vapour = saturation(weather.dewpoint.astype(np.float32))
    full = saturation(temperature)
    wind = np.hypot(weather.u.astype(np.float32), weather.v.astype(np.float32))
    stack = np.stack([temperature, 100 * vapour / full, full - vapour, wind, water, pack])
    on_km = place.from_weather(stack.astype(np.float32)).reshape(6, 24, -1)
    warm, humidity, deficit, blowing, liquid, cover = on_km
    return Drivers(warm, humidity, deficit, blowing, liquid, cover > SNOW_LINE)


@numba.njit(cache=True)
def equilibrium(temperature: float, humidity: float) -> float:
    """Equilibrium moisture of wood (Simard 1968).

    Parameters
    ----------
    temperature : float
        Degrees Celsius.
    humidity : float
        %, 0-100.

    Returns
    -------
    float
        % of dry mass, about 1-28.
    """
    f = 1.8 * temperature + 32.0
    if humidity < 10.0:
        return 0.03229 + 0.281073 * humidity - 0.000578 * humidity * f
    if humidity <= 50.0:
        return 2.22749 + 0.160107 * humidity - 0.014784 * f
    return 21.0606 + 0.005565 * humidity * humidity - 0.00035 * humidity * f - 0.483199 * humidity


@numba.njit(cache=True)
def balance(drivers: Drivers, state: Floats, litter: Floats) -> None:
    """Step litter, duff and deep layer through 24 hours, in place.

    Parameters
    ----------
    drivers : Drivers
        Weather (hour, cell).
    state : ndarray
        float32 (3, site, cell), changed.
    litter : ndarray
        float32 (hour, site, cell), filled.
    """
    for hour in range(litter.shape[0]):
        for site in range(state.shape[1]):
            dryness = 0.75 + 0.25 * site  # exposed sites dry faster
            stay = math.exp(-dryness / 5.0)  # the litter's lag is 5 hours on the middle site
            for cell in range(state.shape[2]):
                rain = drivers.rain[hour, cell]
                if drivers.covered[hour, cell]:
                    _soak(state, site, cell, rain)
                else:
                    humidity = min(100.0, drivers.humidity[hour, cell] * (1.16 - 0.16 * dryness))
                    rest = equilibrium(drivers.temperature[hour, cell], humidity)
                    wind = 0.7 + 0.1 * drivers.wind[hour, cell]
                    demand = 0.0105 * dryness**2 * drivers.deficit[hour, cell] * wind
                    fine = rest + (state[FINE, site, cell] - rest) * stay
                    _exchange(state, site, cell, fine, max(0.0, rain - INTERCEPTED), demand)
                litter[hour, site, cell] = state[FINE, site, cell]


@numba.njit(cache=True)
def _soak(state: Floats, site: int, cell: int, water: float) -> None:
    """Wet everything under snow with its melt, mm."""
    state[FINE, site, cell] = 60.0
    state[DUFF, site, cell] = min(1.0, state[DUFF, site, cell] + 0.5 * water / DUFF_MM)
    state[DEEP, site, cell] = min(1.0, state[DEEP, site, cell] + 0.3 * water / DEEP_MM)


@numba.njit(cache=True)
def _exchange(
    state: Floats, site: int, cell: int, fine: float, through: float, demand: float
) -> None:
    """Take in what the canopy lets through, mm, and give up what the air demands, mm."""
    if through > 0.0:
        fine += (90.0 - fine) * (1.0 - math.exp(-through / 1.6))
    duff, deep = state[DUFF, site, cell], state[DEEP, site, cell]
    filled = duff + (0.85 * through - demand * math.sqrt(duff)) / DUFF_MM
    spill = max(0.0, filled - 1.0) * DUFF_MM
    deeper = deep + (spill + 0.12 * through - 0.6 * demand * deep) / DEEP_MM
    state[FINE, site, cell] = fine
    state[DUFF, site, cell] = min(1.0, max(0.02, filled))
    state[DEEP, site, cell] = min(1.0, max(0.05, deeper))
