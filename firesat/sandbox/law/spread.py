"""Hourly minimum-travel-time spread on 16 neighbours.

Within an hour the rates are constant, so travel times are exact (a heap, as in Dijkstra's
algorithm); between hours each burning cell keeps how far along each of its 16 edges fire has come.
The wind shapes the rate as an ellipse with the fire in a focus; a lognormal roughness of every cell
and day, and the 16 directions, leave no polygon.
"""

import heapq
import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law.moisture import SITES
from firesat.sandbox.law.noise import Floats

# Row and column steps: 4 sides, 4 diagonals, 8 knight's moves, and the length in metres.
STEPS = np.array(
    [
        *((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, -1), (-1, 1)),
        *((1, 2), (2, 1), (2, -1), (1, -2), (-1, -2), (-2, -1), (-2, 1), (-1, 2)),
    ],
    dtype=np.int64,
)
LENGTHS = 100.0 * np.hypot(STEPS[:, 0], STEPS[:, 1])
SLOWEST = 7.0  # m/h; slower than this a fire only smoulders
PER_KM = 10


class Fuelbed(NamedTuple):
    """What a day's spread runs in; float32 (y, x)."""

    rate: Floats  # m/h, see fuel.potential_rate, with the day's roughness
    elevation: Floats  # m
    site: Floats  # 0-1


class Push(NamedTuple):
    """What drives a day's spread; float32 (hour, km_y, km_x) but for `damp`."""

    damp: Floats  # (hour, site, km_y, km_x): share of the rate that litter moisture leaves
    head: Floats  # factor of wind on the fastest direction; 0 = rain stops all
    squeeze: Floats  # eccentricity of the ellipse, 0-1
    east: Floats  # unit vector the wind blows to
    north: Floats


class Burn(NamedTuple):
    """Fires in the making; changed in place."""

    hour: Floats  # (y, x), hours of the season at which a cell burns; NaN = not yet
    fire: NDArray[np.int32]  # (y, x), 0 = none
    progress: Floats  # (y * x, 16), share of each edge done
    pace: Floats  # (y * x, 16), m/h along each edge in the present hour
    active: NDArray[np.int64]  # flat indices of burning cells, filled from the front
    speed: Floats  # (fires + 1,), factor of each fire and day
    control: NDArray[np.float64]  # (fires + 1,), hour from which a fire is held


class Starts(NamedTuple):
    """New flames of a day, by time."""

    hour: NDArray[np.float64]
    cell: NDArray[np.int64]
    fire: NDArray[np.int64]


def damping(litter: Floats) -> Floats:
    """Share of the dry rate that litter moisture leaves.

    Parameters
    ----------
    litter : ndarray
        % of dry mass.

    Returns
    -------
    ndarray
        float32 0-1; 0 from 26 %, the moisture of extinction taken here.
    """
    left = 1.5 * np.exp(-0.15 * litter) * np.clip(1.0 - litter / 26.0, 0.0, 1.0)
    return np.asarray(left, dtype=np.float32)


def wind_shape(u: Floats, v: Floats) -> tuple[Floats, Floats]:
    """Head factor and eccentricity of the ellipse for a wind.

    Parameters
    ----------
    u, v : ndarray
        m/s at 10 m.

    Returns
    -------
    tuple of ndarray
        float32: factor of at least 1, and eccentricity 0-0.97.
    """
    speed = np.hypot(u, v)
    breadth = np.minimum(1.0 + 0.22 * speed**1.1, 4.0)  # length over breadth
    head = 1.0 + 0.11 * speed**1.6
    return head.astype(np.float32), (np.sqrt(breadth**2 - 1) / breadth).astype(np.float32)


@numba.njit(cache=True)
def spread_day(
    bed: Fuelbed, push: Push, burn: Burn, starts: Starts, begin: float, count: int
) -> int:
    """Spread all fires for 24 hours.

    Parameters
    ----------
    bed : Fuelbed
        Fuel of the day.
    push : Push
        Weather of the day.
    burn : Burn
        Fires, changed in place.
    starts : Starts
        New flames of the day.
    begin : float
        Start of the day, hours of the season.
    count : int
        Number of active cells.

    Returns
    -------
    int
        Number of active cells after.
    """
    for step in range(push.head.shape[0]):
        count = _hour(bed, push, burn, starts, begin, step, count)
    return count


@numba.njit(cache=True)
def _hour(
    bed: Fuelbed, push: Push, burn: Burn, starts: Starts, begin: float, step: int, count: int
) -> int:
    """Spread all fires for one hour; active cells after."""
    now = begin + step
    heap = [(np.inf, np.int64(-1), np.int64(0))]
    for i in range(len(starts.hour)):
        if now <= starts.hour[i] < now + 1.0:
            heapq.heappush(heap, (starts.hour[i], starts.cell[i], starts.fire[i]))
    for i in range(count):
        _reach(bed, push, burn, heap, now, burn.active[i])
    while heap[0][0] < now + 1.0:
        hour, cell, fire = heapq.heappop(heap)
        row, column = cell // burn.hour.shape[1], cell % burn.hour.shape[1]
        if np.isnan(burn.hour[row, column]) and burn.control[fire] > hour:
            # float32 must not round back over the start of the hour, where days may be cut
            burn.hour[row, column] = max(hour, now + 1e-3)
            burn.fire[row, column] = fire
            burn.active[count] = cell
            count += 1
            _reach(bed, push, burn, heap, now, cell)
    for i in range(count):
        _keep(burn, now, burn.active[i])
    return count


@numba.njit(cache=True)
def _reach(
    bed: Fuelbed,
    push: Push,
    burn: Burn,
    heap: list[tuple[float, Any, Any]],
    now: float,
    cell: int,
) -> None:
    """Queue the neighbours that a burning cell reaches within the hour."""
    columns = burn.hour.shape[1]
    row, column = cell // columns, cell % columns
    fire = burn.fire[row, column]
    begin = max(now, burn.hour[row, column])
    for edge in range(16):
        rate = edge_rate(bed, push, burn, cell, edge, now)
        burn.pace[cell, edge] = rate
        if rate > 0.0:
            hour = begin + (1.0 - burn.progress[cell, edge]) * LENGTHS[edge] / rate
            if hour < now + 1.0:
                other = (row + STEPS[edge, 0]) * columns + column + STEPS[edge, 1]
                heapq.heappush(heap, (hour, other, np.int64(fire)))


@numba.njit(cache=True)
def _keep(burn: Burn, now: float, cell: int) -> None:
    """Remember how far fire has come along each edge by the end of the hour."""
    row, column = cell // burn.hour.shape[1], cell % burn.hour.shape[1]
    spent = now + 1.0 - max(now, burn.hour[row, column])
    for edge in range(16):
        burn.progress[cell, edge] += spent * burn.pace[cell, edge] / LENGTHS[edge]


@numba.njit(cache=True)
def edge_rate(bed: Fuelbed, push: Push, burn: Burn, cell: int, edge: int, now: float) -> float:
    """Compute the rate of spread along one edge, 0 where there is nothing left to burn.

    Parameters
    ----------
    bed : Fuelbed
        Fuel.
    push : Push
        Weather; the hour of the day is taken from `now`, days beginning at 12 UTC.
    burn : Burn
        Fires.
    cell : int
        Flat index of the burning cell.
    edge : int
        0-15, a row of `STEPS`.
    now : float
        Hours of the season.

    Returns
    -------
    float
        m/h.
    """
    rows, columns = burn.hour.shape
    row, column = cell // columns, cell % columns
    fire = burn.fire[row, column]
    to_row, to_column = row + STEPS[edge, 0], column + STEPS[edge, 1]
    if not (0 <= to_row < rows and 0 <= to_column < columns) or burn.control[fire] <= now:
        return 0.0
    if bed.rate[to_row, to_column] <= 0.0 or not np.isnan(burn.hour[to_row, to_column]):
        return 0.0
    if edge > 3 and not _open_between(bed, row, column, edge):
        return 0.0
    fuel = 2.0 / (1.0 / max(bed.rate[row, column], 1.0) + 1.0 / bed.rate[to_row, to_column])
    climb = (bed.elevation[to_row, to_column] - bed.elevation[row, column]) / LENGTHS[edge]
    slope = math.exp(3.5 * min(0.5, max(-0.5, climb)))
    rate = fuel * burn.speed[fire] * slope * _drive(bed, push, to_row, to_column, edge, now)
    return rate if rate > SLOWEST else 0.0


@numba.njit(cache=True)
def _open_between(bed: Fuelbed, row: int, column: int, edge: int) -> bool:
    """Whether fuel lies between: a diagonal or a knight's move may not leap a stream."""
    down, right = STEPS[edge, 0], STEPS[edge, 1]
    if abs(down) == abs(right):  # a diagonal: the two cells it passes between
        first, second = bed.rate[row + down, column], bed.rate[row, column + right]
    elif abs(down) > abs(right):  # two down: one straight, then the diagonal
        middle = row + down // 2
        first, second = bed.rate[middle, column], bed.rate[middle, column + right]
    else:
        middle = column + right // 2
        first, second = bed.rate[row, middle], bed.rate[row + down, middle]
    return bool(first > 0.0 or second > 0.0)


@numba.njit(cache=True)
def _drive(bed: Fuelbed, push: Push, row: int, column: int, edge: int, now: float) -> float:
    """Factor of moisture and of wind along an edge, at its far end."""
    step = int(now - 12.0) % 24
    ky, kx = row // PER_KM, column // PER_KM
    head = push.head[step, ky, kx]
    if head <= 0.0:
        return 0.0
    place = bed.site[row, column] * (SITES - 1)
    low = min(int(place), SITES - 2)
    share = place - low
    damp = push.damp[step, low, ky, kx] * (1 - share) + push.damp[step, low + 1, ky, kx] * share
    along = STEPS[edge, 1] * push.east[step, ky, kx] - STEPS[edge, 0] * push.north[step, ky, kx]
    cosine = 100.0 * along / LENGTHS[edge]
    squeeze = push.squeeze[step, ky, kx]
    return float(damp * head * (1.0 - squeeze) / (1.0 - squeeze * cosine))


@numba.njit(cache=True)
def has_fuel_around(bed: Fuelbed, burn: Burn, cells: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Find burning cells that still have something to burn beside them.

    Parameters
    ----------
    bed : Fuelbed
        Fuel.
    burn : Burn
        Fires.
    cells : ndarray
        Flat indices.

    Returns
    -------
    ndarray
        bool, one per cell.
    """
    rows, columns = burn.hour.shape
    out = np.zeros(len(cells), dtype=np.bool_)
    for i in range(len(cells)):
        for edge in range(16):
            row = cells[i] // columns + STEPS[edge, 0]
            column = cells[i] % columns + STEPS[edge, 1]
            if 0 <= row < rows and 0 <= column < columns:
                out[i] |= bed.rate[row, column] > 0.0 and np.isnan(burn.hour[row, column])
    return out
