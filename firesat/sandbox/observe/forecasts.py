"""Weather models' forecasts of the hidden weather: good for a day or two, worthless after ten.

A forecast is a blend, ``r(lead)`` of what comes and ``1 - r(lead)`` of the weather of the same hour
some weeks before its run. Both are weather of this place, so that the error is smooth in space and
goes on from lead to lead; what is blended in was over before the run began: a forecast knows
nothing of the future but what its ``r`` gives it. Each model has its own steady biases besides.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firesat.errors import ConfigError
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.observe import era5
from firesat.sandbox.world import World

STEP = 3  # hours between leads
NAMES = ("t2m", "d2m", "u10", "v10", "tp")
_NEAREST, _FARTHEST = 17, 31  # days back; further than the longest lead
_HOUR = np.timedelta64(1, "h")


@dataclass(frozen=True, kw_only=True)
class Skill:
    """How good a model is, and where it is wrong for ever.

    Parameters
    ----------
    hours : float
        Lead at which 1/e of what comes is left in a forecast.
    warm, moist : float
        K, on temperature and dew point.
    windy, wet : float
        Factors on wind and rain.
    """

    hours: float
    warm: float
    moist: float
    windy: float
    wet: float


SKILLS = {
    "hrdps": Skill(hours=190.0, warm=0.3, moist=0.2, windy=1.05, wet=1.1),
    "rdps": Skill(hours=190.0, warm=0.5, moist=-0.2, windy=1.1, wet=0.9),
    "gdps": Skill(hours=190.0, warm=0.9, moist=-0.5, windy=1.2, wet=0.8),
    "ecmwf": Skill(hours=220.0, warm=-0.4, moist=0.3, windy=1.1, wet=1.15),
    "geps": Skill(hours=200.0, warm=0.6, moist=-0.3, windy=1.1, wet=0.9),
}


def known_share(leads: NDArray[np.int64], model: str) -> NDArray[np.float64]:
    """Give the share of what comes in a forecast.

    Parameters
    ----------
    leads : ndarray of int
        Hours.
    model : str
        A key of `SKILLS`.

    Returns
    -------
    ndarray of float
        1 at the start of the run, falling; 0.98 after half a day and 0.3 after nine for GDPS.
    """
    share: NDArray[np.float64] = np.exp(-((leads / SKILLS[model].hours) ** 1.5))
    return share


def forecast(
    world: World,
    model: str,
    run: np.datetime64,
    leads: NDArray[np.int64],
    points: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> dict[str, Floats]:
    """Forecast the weather of some points.

    Parameters
    ----------
    world : World
        The sandbox.
    model : str
        A key of `SKILLS`.
    run : np.datetime64
        When the run starts, UTC.
    leads : ndarray of int
        Hours, multiples of 3, up to 384.
    points : tuple of ndarray
        Latitudes and longitudes: of rows and columns, or of every point.

    Returns
    -------
    dict of ndarray
        float32 (lead, y, x) by name: t2m and d2m (K), u10 and v10 (m/s, east and north), tp (mm
        since the start of the run).

    Raises
    ------
    ConfigError
        If a lead is none that the models have.
    """
    if (leads % STEP).any() or leads.min() < 0 or leads.max() > 24 * (_NEAREST - 1):
        raise ConfigError(f"the sandbox's forecasts have no leads {leads}: every {STEP} h to 384 h")
    every = np.arange(0, int(leads.max()) + 1, STEP)
    valid = run.astype("datetime64[h]") + every * _HOUR
    coming = era5.hours(world, list(NAMES), valid, *points)
    past = era5.hours(
        world, list(NAMES), valid - _days_back(world, model, run) * 24 * _HOUR, *points
    )
    for fields, moments in ((coming, valid), (past, valid)):
        fields["tp"] = _increments(fields["tp"], moments)
    share = known_share(every, model).astype("float32")[:, None, None]
    blend: dict[str, Floats] = {
        name: (share * coming[name] + (1 - share) * past[name]).astype("float32") for name in NAMES
    }
    return {name: values[leads // STEP] for name, values in _biased(blend, SKILLS[model]).items()}


def _days_back(world: World, model: str, run: np.datetime64) -> int:
    """From which past a run's errors come: of its own for each run and model."""
    day = int(run.astype("datetime64[h]").astype(np.int64))
    rng = np.random.default_rng([world.config.seed, zlib.crc32(model.encode()), abs(day)])
    return int(rng.integers(_NEAREST, _FARTHEST + 1))


def _increments(since_midnight: Floats, valid: NDArray[np.datetime64]) -> Floats:
    """Rain of each step in mm, from metres since 00 UTC; the stamp of 00 UTC closes the day."""
    before = np.concatenate([np.zeros_like(since_midnight[:1]), since_midnight[:-1]])
    hour = (valid - valid.astype("datetime64[D]")) / _HOUR
    before[hour == STEP] = 0.0
    rain: Floats = np.maximum(since_midnight - before, 0.0) * np.float32(1000)
    rain[0] = 0.0
    return rain


def _biased(fields: dict[str, Floats], skill: Skill) -> dict[str, Floats]:
    """Add a model's steady errors; the dew point stays below the air."""
    t2m = fields["t2m"] + np.float32(skill.warm)
    return {
        "t2m": t2m,
        "d2m": np.minimum(fields["d2m"] + np.float32(skill.moist), t2m),
        "u10": fields["u10"] * np.float32(skill.windy),
        "v10": fields["v10"] * np.float32(skill.windy),
        "tp": np.cumsum(fields["tp"], axis=0, dtype="float64").astype("float32")
        * np.float32(skill.wet),
    }
