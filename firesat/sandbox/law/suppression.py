"""People against fire: initial attack that may fail, and slow control of what escaped."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law.noise import Floats

MOP_UP = 0.08  # chance per day that an escaped fire of middling reach is brought under control


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What becomes of new fires.

    Parameters
    ----------
    control : ndarray
        float64, hour of the season at which a fire is held; inf for an escaped one.
    escaped : ndarray
        bool.
    spots : ndarray
        bool, put out before a hectare burnt: they leave no mark on the map.
    """

    control: NDArray[np.float64]
    escaped: NDArray[np.bool_]
    spots: NDArray[np.bool_]


def initial_attack(
    hours: NDArray[np.float64],
    head_rate: Floats,
    road_distance: Floats,
    busy: int,
    rng: np.random.Generator,
) -> Attack:
    """Send crews to new fires.

    Fires that run faster, far from roads, or while others burn, escape more often.

    Parameters
    ----------
    hours : ndarray
        float64, start of each fire, hours of the season.
    head_rate : ndarray
        float32, rate of the head where it starts, m/h.
    road_distance : ndarray
        float32, metres.
    busy : int
        Escaped fires that are burning.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Attack
        One entry per fire.
    """
    remote = np.minimum(road_distance / 10_000.0, 1.5)
    logit = -2.15 + 0.95 * np.log(np.maximum(head_rate, 5.0) / 100.0) + 1.5 * remote
    escaped = rng.random(len(hours)) < 1.0 / (1.0 + np.exp(-(logit + 0.15 * min(busy, 4))))
    small = np.clip(0.5 - 0.2 * np.log(np.maximum(head_rate, 5.0) / 25.0), 0.08, 0.6)
    spots = ~escaped & (rng.random(len(hours)) < small)
    reach = rng.gamma(2.0, 3.0 + 4.0 * remote)  # detection, travel and line, hours
    return Attack(
        control=np.where(escaped, np.inf, hours + np.where(spots, 0.0, 2.0 + reach)),
        escaped=escaped,
        spots=spots,
    )


def mop_up(
    escaped: NDArray[np.bool_],
    age_days: NDArray[np.float64],
    area: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Draw which escaped fires are brought under control in a day.

    Parameters
    ----------
    escaped : ndarray
        bool, fires that burn and have escaped.
    age_days : ndarray
        float64, days since their start.
    area : ndarray
        float64, cells burnt so far.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray
        bool: young fires are not; old and large ones draw more crews.
    """
    chance = MOP_UP * (age_days > 3) * (1.0 + age_days / 20.0) * (1.0 + area / 4000.0)
    return np.asarray(escaped & (rng.random(len(escaped)) < chance))
