"""From one year to the next: climate and plants drawn anew, scars carried over."""

from dataclasses import replace
from datetime import date

import numpy as np

from firesat.sandbox.config import WorldConfig
from firesat.sandbox.law import clock
from firesat.sandbox.law.climate import year_climate
from firesat.sandbox.law.cover import Cover
from firesat.sandbox.law.landscape import Landscape
from firesat.sandbox.law.place import Place
from firesat.sandbox.law.season import Season
from firesat.sandbox.law.state import Setting
from firesat.sandbox.law.vegetation import Phenology, create_phenology
from firesat.sandbox.law.weather import Air


def make_setting(
    config: WorldConfig,
    place: Place,
    landscape: Landscape,
    year: int,
    phenology: Phenology | None = None,
) -> Setting:
    """Put together what does not change in a season.

    Parameters
    ----------
    config : WorldConfig
        The world's settings.
    place : Place
        Where.
    landscape : Landscape
        The land with the scars of earlier seasons.
    year : int
        The season.
    phenology : Phenology, optional
        The timing of the plants, as kept; None draws it.

    Returns
    -------
    Setting
        Climate and plants of the year.
    """
    climate = year_climate(config.seed, year)
    air = Air(
        place=place,
        year=year,
        climate=climate,
        elevation=place.to_weather(landscape.elevation),
        cloudiness=config.cloudiness,
    )
    first, last = config.first_date(year), config.last_date(year)
    return Setting(
        air=air,
        landscape=landscape,
        phenology=phenology or create_phenology(place, landscape, climate, config.seed, year),
        open_hours=(_noon(first), _noon(last)),
        activity=config.fire_activity,
        seed=config.seed,
    )


def scarred(landscape: Landscape, season: Season) -> Landscape:
    """Carry a season's scars into the land of the next.

    Parameters
    ----------
    landscape : Landscape
        The land before.
    season : Season
        What burned.

    Returns
    -------
    Landscape
        With the years of the last fire; the served map stays as stale as it was.
    """
    burnt = season.fire_id > 0
    forest = burnt & (landscape.cover != Cover.GRASS)
    return replace(
        landscape,
        burn_year=np.where(burnt, season.year, landscape.burn_year).astype(np.int16),
        cover=np.where(forest, Cover.SCAR, landscape.cover).astype(np.uint8),
        density=np.where(burnt, 0.05, landscape.density).astype(np.float32),
        attack_year=np.where(burnt, 0, landscape.attack_year).astype(np.int16),
        severity=np.where(burnt, 0.0, landscape.severity).astype(np.float32),
    )


def _noon(day: date) -> float:
    """Hours of the season at 12 UTC of a date."""
    return clock.FIRST_HOUR + 24.0 * clock.day_index(day)
