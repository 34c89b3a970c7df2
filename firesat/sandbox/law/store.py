"""Seasons and land as flat arrays for one .npz file; nothing is pickled."""

from dataclasses import fields
from typing import Any

from numpy.typing import NDArray

from firesat.sandbox.law.landscape import Landscape
from firesat.sandbox.law.season import Ragged, Season
from firesat.sandbox.law.state import Setting
from firesat.sandbox.law.vegetation import Phenology
from firesat.sandbox.law.weather import FIELDS

Arrays = dict[str, NDArray[Any]]
KEPT = [field.name for field in fields(Season) if field.name not in ("setting", "weather")]
RAGGED = [field.name for field in fields(Season) if field.type is Ragged]


def flatten_landscape(landscape: Landscape) -> Arrays:
    """Name the arrays of the land.

    Parameters
    ----------
    landscape : Landscape
        The land before the first season.

    Returns
    -------
    dict of ndarray
        By "landscape.field".
    """
    names = [field.name for field in fields(Landscape)]
    return {f"landscape.{name}": getattr(landscape, name) for name in names}


def unflatten_landscape(arrays: Arrays) -> Landscape:
    """Put the land together again.

    Parameters
    ----------
    arrays : dict of ndarray
        With those of `flatten_landscape`.

    Returns
    -------
    Landscape
        The land before the first season.
    """
    return Landscape(**{f.name: arrays[f"landscape.{f.name}"] for f in fields(Landscape)})


def flatten_season(season: Season) -> Arrays:
    """Name the arrays of a season.

    Parameters
    ----------
    season : Season
        The truth of a year.

    Returns
    -------
    dict of ndarray
        By "year.field", with the plants' timing.
    """
    out: Arrays = {f"weather.{name}": season.weather[name] for name in FIELDS}
    out |= {f"plants.{k}": v for k, v in season.setting.phenology._asdict().items()}
    for name in KEPT:
        value = getattr(season, name)
        if name in RAGGED:
            out |= {f"{name}.values": value.values, f"{name}.offsets": value.offsets}
        else:
            out[name] = value
    return {f"{season.year}.{name}": value for name, value in out.items()}


def unflatten_phenology(year: int, arrays: Arrays) -> Phenology:
    """Put a year's timing of the plants together again.

    Parameters
    ----------
    year : int
        The season.
    arrays : dict of ndarray
        With those of `flatten_season`.

    Returns
    -------
    Phenology
        As it was.
    """
    return Phenology(*(arrays[f"{year}.plants.{name}"] for name in Phenology._fields))


def unflatten_season(setting: Setting, arrays: Arrays) -> Season:
    """Put a season together again.

    Parameters
    ----------
    setting : Setting
        Place, climate, land and plants of the year.
    arrays : dict of ndarray
        With those of `flatten_season`.

    Returns
    -------
    Season
        As it was.
    """
    prefix = f"{setting.air.year}."
    kept: dict[str, Any] = {}
    for name in KEPT:
        if name in RAGGED:
            ends = arrays[f"{prefix}{name}.values"], arrays[f"{prefix}{name}.offsets"]
            kept[name] = Ragged(values=ends[0], offsets=ends[1])
        else:
            kept[name] = arrays[prefix + name]
    weather = {name: arrays[f"{prefix}weather.{name}"] for name in FIELDS}
    return Season(setting=setting, weather=weather, **kept)
