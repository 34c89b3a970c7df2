"""How fires begin: lightning that survives in duff for up to ten days, and people.

Chances are products of what is hidden, not of any index: the receptivity of the cover, the water in
the duff (a logistic around a critical moisture, in the manner of Frandsen 1997), and the litter.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law import clock
from firesat.sandbox.law.cover import Cover
from firesat.sandbox.law.landscape import Landscape
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.law.place import CELL, Place

LIGHTNING, HUMAN = 1, 2  # causes
HOLDOVER_HOURS = 240.0
FLASH_CHANCE = 0.45  # of a flash on receptive, bone-dry duff
HUMAN_PER_DAY = 0.85  # fires on 3 600 km2 on a dry weekday in summer
LOCAL_HOURS = np.array([0.2] + [0.15] * 2 + [0.5] * 3 + [1.0] * 8 + [0.6] * 3 + [0.2] * 7)
# Share of flashes that meet something which holds an ember, by cover.
RECEPTIVE = np.zeros(10, dtype=np.float32)
RECEPTIVE[[Cover.CONIFER, Cover.MIXED, Cover.WETLAND]] = 1.0, 0.6, 0.45
RECEPTIVE[[Cover.DECIDUOUS, Cover.SCAR, Cover.HARVEST, Cover.GRASS]] = 0.25, 0.4, 0.5, 0.2


@dataclass(frozen=True, kw_only=True)
class Tinder:
    """What the day offers to a spark; arrays are (y, x) at 100 m unless said.

    Parameters
    ----------
    rate : ndarray
        float32, m/h, see `fuel.potential_rate`; 0 = cannot burn.
    duff : ndarray
        float32, water in the duff, 0-1.
    curing : ndarray
        float32, 0-1.
    burnt : ndarray
        bool, burnt this season.
    damp : ndarray
        float32 (hour, km_y, km_x), share of the dry rate left by litter moisture, middle site.
    rain : ndarray
        float32 (hour, km_y, km_x), mm/h.
    """

    rate: Floats
    duff: Floats
    curing: Floats
    burnt: NDArray[np.bool_]
    damp: Floats
    rain: Floats


def strikes(
    place: Place,
    landscape: Landscape,
    tinder: Tinder,
    flashes: NDArray[np.float64],
    activity: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Find the flashes that leave an ember in the duff.

    Parameters
    ----------
    place : Place
        Where.
    landscape : Landscape
        The land.
    tinder : Tinder
        The day's receptivity.
    flashes : ndarray
        float64 (n, 3): hour, x, y.
    activity : float
        Factor on the chance.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray
        float64 (m, 2): hour of the strike and flat cell.
    """
    rows, columns = place.shape
    column = np.floor((flashes[:, 1] - place.region[0]) / CELL).astype(np.int64)
    row = np.floor((place.region[3] - flashes[:, 2]) / CELL).astype(np.int64)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    row, column, hour = row[inside], column[inside], flashes[inside, 0]
    survive = 1.0 / (1.0 + np.exp((tinder.duff[row, column] - 0.62) / 0.08))
    chance = FLASH_CHANCE * activity * RECEPTIVE[landscape.cover[row, column]] * survive
    chance *= (tinder.rate[row, column] > 0) & ~tinder.burnt[row, column]
    lit = rng.random(len(row)) < chance
    return np.column_stack([hour, row * columns + column])[lit]


def awaken(
    place: Place,
    tinder: Tinder,
    embers: NDArray[np.float64],
    hour: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Let embers flare, linger or die through a day.

    Parameters
    ----------
    place : Place
        Where.
    tinder : Tinder
        The day.
    embers : ndarray
        float64 (n, 2): hour of the strike and flat cell; all struck before the day's end.
    hour : float
        Start of the day.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    tuple of ndarray
        Flames, float64 (m, 2): hour and flat cell; and the embers left.
    """
    columns = place.shape[1]
    cell = embers[:, 1].astype(np.int64)
    row, column = cell // columns, cell % columns
    ky, kx = row // 10, column // 10
    now = hour + np.arange(24)[:, None]
    struck = now >= embers[None, :, 0]
    chance = 0.45 * tinder.damp[:, ky, kx] * struck * ~tinder.burnt[row, column]
    flare = rng.random(chance.shape) < chance
    flared = flare.any(0)
    first = flare.argmax(0)
    wet = tinder.rain[:, ky, kx].sum(0)
    alive = np.exp(-wet / 9.0) * (1.0 - 0.35 * tinder.duff[row, column])
    left = ~flared & (rng.random(len(cell)) < alive)
    left &= hour + 24 - embers[:, 0] < HOLDOVER_HOURS
    flames = np.column_stack([hour + first + rng.random(len(cell)), embers[:, 1]])
    return flames[flared], embers[left]


def carelessness(
    place: Place,
    landscape: Landscape,
    tinder: Tinder,
    when: tuple[int, float],
    activity: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Let people start fires near roads, more on weekends, by day, in dry or cured fuel.

    Parameters
    ----------
    place : Place
        Where.
    landscape : Landscape
        The land.
    tinder : Tinder
        The day.
    when : tuple
        The year and the start of the day in hours of the season.
    activity : float
        Factor on the rate.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray
        float64 (n, 2): hour and flat cell.
    """
    year, hour = when
    weekend = clock.from_hours(year, hour).weekday() >= 5
    afternoon = tinder.damp[8]  # 20 UTC over 95 W
    people = landscape.people * (0.3 + 0.7 * tinder.curing)
    people *= (tinder.rate > 0) & ~tinder.burnt
    rows, columns = place.km_shape
    by_km = people.reshape(rows, 10, columns, 10).sum((1, 3)) * afternoon
    usual = float(landscape.people.sum()) * 0.12  # of a dry summer's day
    area = np.prod(place.shape) / 360_000
    expected = HUMAN_PER_DAY * area * activity * (1.7 if weekend else 1.0)
    count = rng.poisson(expected * float(by_km.sum()) / max(usual, 1e-9))
    if count == 0:
        return np.zeros((0, 2))
    chance = (people * np.repeat(np.repeat(afternoon, 10, 0), 10, 1)).ravel().astype(np.float64)
    cell = rng.choice(chance.size, size=count, p=chance / chance.sum())
    begin = rng.choice(24, size=count, p=LOCAL_HOURS / LOCAL_HOURS.sum())
    return np.column_stack([hour + begin + rng.random(count), cell])
