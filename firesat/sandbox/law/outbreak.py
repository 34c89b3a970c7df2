"""New fires of a day, and the old ones that crews bring under control."""

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law import ignition, suppression
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.law.spread import Push
from firesat.sandbox.law.state import FIRES, Setting, State
from firesat.sandbox.law.weather import WeatherDay


def day_flames(
    setting: Setting,
    tinder: ignition.Tinder,
    state: State,
    weather: WeatherDay,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Light the day's flames.

    Parameters
    ----------
    setting : Setting
        The season.
    tinder : ignition.Tinder
        What the day offers to sparks.
    state : State
        At the start of the day.
    weather : WeatherDay
        The day.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    tuple of ndarray
        Flames, float64 (n, 3): hour, flat cell, cause, by hour; and the embers left.
    """
    place, land = setting.place, setting.landscape
    struck = ignition.strikes(place, land, tinder, weather.flashes, setting.activity, rng)
    embers = np.concatenate([state.embers, struck])
    flared, embers = ignition.awaken(place, tinder, embers, state.hour, rng)
    when = (setting.air.year, state.hour)
    people = ignition.carelessness(place, land, tinder, when, setting.activity, rng)
    flames = np.concatenate(
        [
            np.column_stack([flared, np.full(len(flared), ignition.LIGHTNING)]),
            np.column_stack([people, np.full(len(people), ignition.HUMAN)]),
        ]
    )
    flames = flames[tinder.rate.ravel()[flames[:, 1].astype(np.int64)] > 0]
    return flames[np.argsort(flames[:, 0], kind="stable")], embers


def new_fires(
    state: State, flames: NDArray[np.float64], rate: Floats, push: Push, rng: np.random.Generator
) -> NDArray[np.void]:
    """Make fires of the day's flames and meet them with the first attack.

    Parameters
    ----------
    state : State
        At the start of the day.
    flames : ndarray
        float64 (n, 3), see `day_flames`.
    rate : ndarray
        float32 (y, x), m/h, see `fuel.potential_rate`.
    push : Push
        The day's weather on the fire.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray
        Structured `state.FIRES`: those of old, then the new ones.
    """
    new = np.zeros(len(flames), dtype=FIRES)
    if not len(new):
        return state.fires
    cell = flames[:, 1].astype(np.int64)
    row, column = np.divmod(cell, rate.shape[1])
    step, ky, kx = (flames[:, 0] - state.hour).astype(np.int64), row // 10, column // 10
    drive = push.damp[step, 1, ky, kx] * push.head[step, ky, kx]
    distance = state.setting.landscape.road_distance[row, column]
    busy = int((state.fires["escaped"] & np.isnan(state.fires["end"])).sum())
    attack = suppression.initial_attack(
        flames[:, 0], rate[row, column] * drive, distance, busy, rng
    )
    new["id"] = len(state.fires) + 1 + np.arange(len(new))
    new["start"], new["cell"], new["cause"] = flames[:, 0], cell, flames[:, 2]
    new["escaped"], new["control"] = attack.escaped, attack.control
    new["spot_ha"] = np.where(attack.spots, rng.uniform(0.1, 0.8, len(new)), 0.0)
    new["end"] = np.where(attack.spots, flames[:, 0] + rng.uniform(1, 8, len(new)), np.nan)
    return np.concatenate([state.fires, new])


def hold_fires(state: State, fires: NDArray[np.void], rng: np.random.Generator) -> NDArray[np.void]:
    """Bring some escaped fires under control.

    Parameters
    ----------
    state : State
        At the start of the day.
    fires : ndarray
        Structured `state.FIRES`.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray
        A copy with the hours of control.
    """
    fires = fires.copy()
    burning = fires["escaped"] & np.isnan(fires["end"]) & np.isinf(fires["control"])
    area = np.bincount(state.fire_id.ravel(), minlength=len(fires) + 1)[1:].astype(np.float64)
    age = (state.hour - fires["start"]) / 24
    done = suppression.mop_up(burning, age, area, rng)
    fires["control"][done] = state.hour
    return fires
