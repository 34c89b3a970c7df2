"""The ground as any optical instrument would meet it at a moment."""

from datetime import datetime

import numpy as np

from firesat.sandbox.law import clock
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.law.place import CELL
from firesat.sandbox.law.season import Season
from firesat.sandbox.observe.spectra import Look, surface_reflectance

FULL_SNOW = 15.0  # mm of water that hide open ground


def ground_reflectance(season: Season, moment: datetime) -> Floats:
    """Compute what the surface reflects under a clear sky.

    Parameters
    ----------
    season : Season
        The truth.
    moment : datetime
        When; plants and snow are held outside the simulated months.

    Returns
    -------
    ndarray
        float32 (13, y, x), 0-1, bands as `spectra.BANDS`.
    """
    landscape = season.setting.landscape
    hours = np.float32(clock.to_hours(moment))
    age = (hours - season.burn_hour) / 24
    look = Look(
        cover=landscape.cover,
        density=landscape.density,
        site=landscape.site,
        burnt_days=np.nan_to_num(age, nan=-1.0),
        snow=snow_share(season, moment),
    )
    return surface_reflectance(look, season.surface(moment))


def snow_share(season: Season, moment: datetime) -> Floats:
    """Compute the share of open ground under snow.

    Parameters
    ----------
    season : Season
        The truth.
    moment : datetime
        When.

    Returns
    -------
    ndarray
        float32 (y, x), 0-1.
    """
    water = season.snow[clock.day_index(moment.date())]
    if not water.any():
        return np.zeros(season.setting.place.shape, dtype=np.float32)
    share = np.clip(season.setting.place.from_weather(water, CELL) / FULL_SNOW, 0.0, 1.0)
    return np.asarray(share, dtype=np.float32)
