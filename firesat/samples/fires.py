"""Fires as they were known at T, from the hotspots published by then and nothing else."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, distance_transform_edt, maximum_filter, minimum_filter

REACH = 3.0  # km over which nearness falls by 1/e
FARTHEST = 20.0  # km: beyond, nearness is 0, so that no cell depends on how much map was loaded
ACTIVE_DAYS = 10  # days for which a hotspot counts as an active fire
FADES = 5.0  # days over which newness falls by 1/e
EXTENT = ((1, 1.0), (1, 3.0), (10, 3.0))  # days, and kilometres, of the layers of extent
MOST = 1000.0  # hot cells from which extent is 1
STRONGEST = 1000.0  # MW, from which power is 1: about the largest of a 375 m or 1 km pixel
CELL = 0.5  # km, side of the cells of the hotspots
AROUND = 2  # cells, 1 km


def fire_layers(hot: NDArray[np.bool_], ages: NDArray[np.int64]) -> NDArray[np.float32]:
    """Describe the fires that were known at T.

    Parameters
    ----------
    hot : ndarray of bool, shape (n, y, x)
        Hotspots of the season known at T, 500 m cells.
    ages : ndarray of int, shape (n,)
        Days from each fire day to the issue day, 1 or more.

    Returns
    -------
    ndarray of float32, shape (3, y, x)
        As `samples.FIRE_LAYERS`, each 0 to 1: ``exp(-distance / 3 km)`` to the nearest hotspot of
        the last 10 days, 0 beyond 20 km; ``exp(-age / 5 d)`` of the latest hotspot within the
        square of 1 km around; 1 where there was any hotspot this season.
    """
    age = np.where(hot, ages[:, None, None].astype(np.float32), np.float32(np.inf))
    latest = age.min(axis=0, initial=np.inf)
    nearby = minimum_filter(latest, size=2 * AROUND + 1, mode="nearest")
    layers = [
        nearness(distance_to(active_fire_asof(latest))),
        np.exp(-nearby / FADES),
        burnt_asof(latest),
    ]
    return np.stack(layers).astype(np.float32)


def extent_layers(
    hot: NDArray[np.bool_], ages: NDArray[np.int64], newest: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Describe how much was burning around each cell, as far as was known at T.

    Nearness alone does not tell a fire of one hotspot from one with a front of kilometres, nor one
    that burned yesterday from one that was last seen a week ago. Cells are counted, not detections,
    whose number changes with the satellites at work.

    Parameters
    ----------
    hot, ages
        As for :func:`fire_layers`.
    newest : ndarray of int, shape (y, x)
        Days from the latest fire day that is known of a cell to the issue day: 1, and more where
        hotspots are late, which is no sign that nothing burned.

    Returns
    -------
    ndarray of float32, shape (3, y, x)
        ``log(1 + n) / log(1001)``, at most 1; n the hot cells of the latest 1, 1 and 10 known days,
        each day's apart, weighed by ``exp(-distance^2 / 2 r^2)``, r = 1, 3 and 3 km, up to 3 r
        along either axis.
    """
    behind = ages[:, None, None] - newest
    counts = [(hot & (behind < days)).sum(axis=0) for days, _ in EXTENT]
    reaches = [reach for _, reach in EXTENT]
    around = np.stack([_around(n, reach) for n, reach in zip(counts, reaches, strict=True)])
    layers: NDArray[np.float32] = np.minimum(np.log1p(around) / np.log1p(MOST), 1.0).astype("f4")
    return layers


def _around(count: NDArray[np.int64], reach: float) -> NDArray[np.float64]:
    """Sum what lies around each cell, the nearer the heavier."""
    side = np.arange(-round(3 * reach / CELL), round(3 * reach / CELL) + 1) * CELL
    weights = np.exp(-(side**2) / (2 * reach**2))
    rows: NDArray[np.float64] = correlate1d(count.astype(float), weights, axis=0, mode="constant")
    around: NDArray[np.float64] = correlate1d(rows, weights, axis=1, mode="constant")
    return around


def power_layer(megawatts: NDArray[np.float32], ages: NDArray[np.int64]) -> NDArray[np.float32]:
    """Describe how strong the active fires were that were known at T.

    Parameters
    ----------
    megawatts : ndarray of float32, shape (n, y, x)
        Largest fire radiative power of the hotspots known at T, 500 m cells; NaN where there is
        none, or its power is not known.
    ages : ndarray of int, shape (n,)
        Days from each fire day to the issue day, 1 or more.

    Returns
    -------
    ndarray of float32, shape (y, x)
        ``log(1 + P / MW) / log(1001)`` of the strongest hotspot of the last 10 days within the
        square of 1 km around, at most 1; 0 where none is known.
    """
    active = megawatts[ages <= ACTIVE_DAYS]
    strongest = np.fmax.reduce(active, axis=0, initial=0.0)
    nearby = maximum_filter(strongest, size=2 * AROUND + 1, mode="nearest")
    scaled = np.log1p(nearby) / np.log1p(STRONGEST)
    power: NDArray[np.float32] = np.minimum(scaled, 1.0).astype(np.float32)
    return power


def active_fire_asof(age: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell where a fire was burning as far as was known at T.

    Parameters
    ----------
    age : ndarray of float32, shape (y, x)
        Days from the day that published the latest hotspot to the issue day; infinite without any.

    Returns
    -------
    ndarray of bool, shape (y, x)
        True where a hotspot of the last `ACTIVE_DAYS` days lay in the cell.
    """
    active: NDArray[np.bool_] = age <= ACTIVE_DAYS
    return active


def burnt_asof(age: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell where it had burned this season as far as was known at T.

    Parameters
    ----------
    age : ndarray of float32, shape (y, x)
        Days from the latest hotspot published by T to the issue day; infinite without any.

    Returns
    -------
    ndarray of bool, shape (y, x)
        True where any hotspot lay in the cell. The perimeters' `at_risk_truth` is another thing.
    """
    burnt: NDArray[np.bool_] = age < np.inf
    return burnt


def distance_to(active: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Measure how far the nearest active cell is.

    Parameters
    ----------
    active : ndarray of bool, shape (y, x)
        500 m cells.

    Returns
    -------
    ndarray of float, shape (y, x)
        Kilometres between centres, infinite where there is none.
    """
    if not active.any():
        return np.full(active.shape, np.inf)
    distance: NDArray[np.float64] = distance_transform_edt(~active, sampling=CELL)
    return distance


def nearness(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn kilometres to the nearest active fire into the layer "proximity".

    Parameters
    ----------
    distance : ndarray of float
        Kilometres.

    Returns
    -------
    ndarray of float
        1 at the fire, 0 from 20 km on.
    """
    near: NDArray[np.float64] = np.where(distance < FARTHEST, np.exp(-distance / REACH), 0.0)
    return near


def within(proximity: NDArray[np.float32], kilometres: float) -> NDArray[np.bool_]:
    """Tell which cells lie near an active fire, from the layer "proximity".

    Parameters
    ----------
    proximity : ndarray of float32
        0 to 1.
    kilometres : float
        Less than 20.

    Returns
    -------
    ndarray of bool
        True at `kilometres` or nearer.
    """
    return proximity >= np.float32(np.exp(-kilometres / REACH))
