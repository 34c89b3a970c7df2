"""The law itself: one function that carries a state through a day."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law import clock, ignition
from firesat.sandbox.law.fuel import potential_rate
from firesat.sandbox.law.moisture import DUFF, SNOW_LINE, MoistureDay, moisture_day
from firesat.sandbox.law.noise import Floats, stream
from firesat.sandbox.law.outbreak import day_flames, hold_fires, new_fires
from firesat.sandbox.law.spread import (
    Burn,
    Fuelbed,
    Push,
    Starts,
    damping,
    has_fuel_around,
    spread_day,
    wind_shape,
)
from firesat.sandbox.law.state import GRAIN_SIZE, Setting, State
from firesat.sandbox.law.vegetation import site_field
from firesat.sandbox.law.weather import WeatherDay, next_day

SKY, FIRE = 40, 41  # random streams
RAIN_STOPS = 0.25  # mm/h at which flames stop


def realise(state: State) -> tuple[State, WeatherDay]:
    """Carry a state through the day that history took.

    Parameters
    ----------
    state : State
        At 12 UTC.

    Returns
    -------
    tuple
        The state a day later, and the day's weather. The randomness depends on the world's seed
        and the day alone, so any saved state goes on as history did.
    """
    setting = state.setting
    key = setting.air.year, int(state.hour - clock.FIRST_HOUR) // 24
    weather = next_day(setting.air, state.sky, state.hour, stream(setting.seed, SKY, *key))
    return advance(state, weather, stream(setting.seed, FIRE, *key)), weather


def advance(state: State, weather: WeatherDay, rng: np.random.Generator) -> State:
    """Carry a state through one day of given weather: the law.

    Parameters
    ----------
    state : State
        Everything at 12 UTC of a day.
    weather : WeatherDay
        The 24 hours from then: the realised ones, or a draw of `weather.next_day`.
    rng : numpy.random.Generator
        Randomness of ignition, spread and suppression.

    Returns
    -------
    State
        Everything at 12 UTC of the next day; the given state is left as it was.
    """
    wetting = moisture_day(state.setting.place, state.moisture, state.snow, weather)
    later = replace(
        state, hour=state.hour + 24, sky=weather.after, snow=wetting.snow, moisture=wetting.after
    )
    first, last = state.setting.open_hours
    open_today = first <= state.hour <= last and float(wetting.snow.min()) < SNOW_LINE
    if not open_today and not len(state.active):
        return replace(later, embers=np.zeros((0, 2)))
    return _burn_day(state, later, weather, wetting, open_today, rng)


def _burn_day(
    state: State,
    later: State,
    weather: WeatherDay,
    wetting: MoistureDay,
    open_today: bool,
    rng: np.random.Generator,
) -> State:
    """Ignite, attack, spread and go out."""
    setting = state.setting
    surface = state.surface
    rate = potential_rate(setting.landscape, surface, setting.air.year)
    push, damp = _push(setting, weather, wetting)
    tinder = ignition.Tinder(
        rate=rate,
        duff=surface.duff,
        curing=surface.curing,
        burnt=~np.isnan(state.burn_hour),
        damp=damp,
        rain=wetting.rain,
    )
    flames, embers = day_flames(setting, tinder, state, weather, rng) if open_today else _NO_FLAMES
    fires = new_fires(state, flames, rate, push, rng)
    if not len(state.active) and len(fires) == len(state.fires):
        return replace(later, embers=embers)
    shift = rng.integers(0, GRAIN_SIZE, 2)
    bed = Fuelbed(
        rate=rate * np.exp(_wrapped(setting.grain, shift, rate.shape)),
        elevation=setting.landscape.elevation,
        site=setting.landscape.site,
    )
    fires = hold_fires(state, fires, rng)
    burn, count = _spread(state, bed, push, fires, rng)
    return _go_out(replace(later, embers=embers, fires=fires), bed, burn, count, wetting, rng)


_NO_FLAMES = (np.zeros((0, 3)), np.zeros((0, 2)))


def _push(setting: Setting, weather: WeatherDay, wetting: MoistureDay) -> tuple[Push, Floats]:
    """Drive of the day's spread, and the damping at the middle site."""
    place = setting.place
    u, v = (place.from_weather(f.astype(np.float32)) for f in (weather.u, weather.v))
    head, squeeze = wind_shape(u, v)
    hours = clock.day_of_year(setting.air.year, weather.hour) + np.arange(24) / 24
    up, _ = clock.sun_position(hours, *place.centre)
    light = np.where(up > 0.05, 1.0, 0.45).astype(np.float32)[:, None, None]
    speed = np.maximum(np.hypot(u, v), 1e-3)
    damp = damping(wetting.litter)
    push = Push(
        damp=damp,
        head=np.where(wetting.rain > RAIN_STOPS, 0.0, head * light).astype(np.float32),
        squeeze=squeeze,
        east=(u / speed).astype(np.float32),
        north=(v / speed).astype(np.float32),
    )
    return push, damp[:, 1]


def _spread(
    state: State, bed: Fuelbed, push: Push, fires: NDArray[np.void], rng: np.random.Generator
) -> tuple[Burn, int]:
    """Run the compiled spread on copies; active cells after."""
    size = bed.rate.size
    burn = Burn(
        hour=state.burn_hour.copy(),
        fire=state.fire_id.copy(),
        progress=np.zeros((size, 16), dtype=np.float32),
        pace=np.zeros((size, 16), dtype=np.float32),
        active=np.zeros(size, dtype=np.int64),
        speed=rng.lognormal(0.0, 0.35, len(fires) + 1).astype(np.float32),
        control=np.concatenate([[np.inf], fires["control"]]),
    )
    count = len(state.active)
    burn.active[:count] = state.active
    burn.progress[state.active] = state.progress
    new = fires[len(state.fires) :]
    new = new[new["spot_ha"] == 0]
    starts = Starts(
        hour=new["start"].copy(), cell=new["cell"].copy(), fire=new["id"].astype(np.int64)
    )
    return burn, int(spread_day(bed, push, burn, starts, state.hour, count))


def _go_out(
    later: State,
    bed: Fuelbed,
    burn: Burn,
    count: int,
    wetting: MoistureDay,
    rng: np.random.Generator,
) -> State:
    """Let burning cells smoulder on, or die in wet duff, rain, old age or at a crew's line."""
    cells = burn.active[:count]
    row, column = np.divmod(cells, bed.rate.shape[1])
    setting = later.setting
    duff = site_field(wetting.after[DUFF], setting.landscape.site)[row, column]
    rain = wetting.rain.sum(0)[row // 10, column // 10]
    age = (later.hour - burn.hour[row, column]) / 24
    alive = (0.8 - 0.45 * duff**1.5) * np.exp(-rain / 7.0) * np.where(age > 4, 0.85, 1.0)
    keep = rng.random(count) < alive
    keep &= has_fuel_around(bed, burn, cells)
    keep &= burn.control[burn.fire[row, column]] > later.hour
    cells = cells[keep].copy()
    fires = later.fires.copy()
    burning = np.isin(fires["id"], burn.fire.ravel()[cells])
    fires["end"][np.isnan(fires["end"]) & ~burning] = later.hour
    return replace(
        later,
        active=cells,
        progress=burn.progress[cells],
        burn_hour=burn.hour,
        fire_id=burn.fire,
        fires=fires,
    )


def _wrapped(tile: Floats, shift: NDArray[np.int64], shape: tuple[int, ...]) -> Floats:
    """A periodic tile from a shift, repeated to a shape."""
    rows = (shift[0] + np.arange(shape[0])) % tile.shape[0]
    columns = (shift[1] + np.arange(shape[1])) % tile.shape[1]
    return np.asarray(tile[np.ix_(rows, columns)])
