"""A season to take pictures of that knows nothing of the one that burns: a null world's looks.

The ground is what the served maps say, relief and water included; everything else that a spectrum
may show (canopy, site, plants, moisture, snow, fires, smoke, clouds) is drawn by itself. Whoever
gains by such pictures learns from a leak.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law import clock
from firesat.sandbox.law.climate import year_climate
from firesat.sandbox.law.cover import Cover
from firesat.sandbox.law.landscape import Landscape
from firesat.sandbox.law.moisture import DEEP, DUFF, FINE
from firesat.sandbox.law.noise import Floats, rank, smooth_field, stream
from firesat.sandbox.law.season import Ragged, Season
from firesat.sandbox.law.vegetation import create_phenology
from firesat.sandbox.law.weather import FIELDS

BLIND = 60  # random stream
_MIDDLING = {FINE: 14.0, DUFF: 0.5, DEEP: 0.6}  # % of dry mass, shares of what they hold


def unseeing(season: Season, cloudiness: float) -> Season:
    """Make a season that shares no more with another than the maps that are served of it.

    Parameters
    ----------
    season : Season
        The truth; of it only place, year, seed, relief, water and the served map are read.
    cloudiness : float
        Mean cloud fraction, 0 to 1.

    Returns
    -------
    Season
        For pictures alone: no law made it, and nothing burns in it.
    """
    setting = season.setting
    seed = int(np.random.SeedSequence([setting.seed, BLIND]).generate_state(1)[0])
    land = _land(setting.landscape, stream(seed, 0))
    climate = year_climate(seed, season.year)
    plants = create_phenology(setting.place, land, climate, seed, season.year)
    shape = setting.place.shape
    return replace(
        season,
        setting=replace(setting, landscape=land, phenology=plants, seed=seed),
        weather=_weather(season, cloudiness, stream(seed, season.year)),
        moisture=_moisture(season.moisture.shape),
        snow=np.zeros_like(season.snow),
        active=Ragged(values=np.zeros(0, np.int64), offsets=np.zeros(clock.DAYS + 2, np.int64)),
        burn_hour=np.full(shape, np.nan, dtype=np.float32),
        fire_id=np.zeros(shape, dtype=np.int32),
    )


def _land(truth: Landscape, rng: np.random.Generator) -> Landscape:
    """The served maps, on stands and sites of their own."""
    shape = truth.cover.shape
    closure, site = (smooth_field(rng, shape, length=length, slope=2.3) for length in (7, 12))
    never = np.zeros(shape, dtype=np.int16)
    water = truth.cover == Cover.WATER
    return replace(
        truth,
        cover=np.where(water, Cover.WATER, truth.fuel_map).astype(np.uint8),
        density=np.clip(0.6 + 0.14 * closure, 0.05, 0.97).astype(np.float32),
        load=np.ones(shape, dtype=np.float32),
        site=rank(site),
        burn_year=never,
        cut_year=never,
        attack_year=never,
        severity=np.zeros(shape, dtype=np.float32),
    )


def _weather(
    season: Season, cloudiness: float, rng: np.random.Generator
) -> dict[str, NDArray[np.float16]]:
    """Calm hours whose clouds change from day to day alone."""
    shape = season.weather["cloud"].shape
    daily = rng.beta(2 * cloudiness, 2 * (1 - cloudiness), shape[0] // 24)
    nothing = np.broadcast_to(np.float16(0), shape)
    cloud = np.broadcast_to(daily.repeat(24).astype(np.float16)[:, None, None], shape)
    return dict.fromkeys(FIELDS, nothing) | {"cloud": cloud}


def _moisture(shape: tuple[int, ...]) -> Floats:
    """The same moisture on every day and site."""
    layers = [_MIDDLING[layer] for layer in sorted(_MIDDLING)]
    one = np.broadcast_to(np.array(layers, np.float32)[:, None, None, None], shape[1:])
    return np.broadcast_to(np.ascontiguousarray(one), shape)
