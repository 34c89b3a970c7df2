"""What a year brings on average: warmth, dry spells, fronts, snow, the time of green-up."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law.noise import stream

CLIMATE = 10  # random stream


@dataclass(frozen=True, kw_only=True)
class YearClimate:
    """How one season differs from others.

    Parameters
    ----------
    warmth : float
        Kelvin above the usual.
    block_rate : float
        Chance per day that a blocking high sets in.
    front_rate : float
        Fronts per day outside blocks.
    storminess : float
        Factor on the number of convective storms.
    snow : float
        Water equivalent of the snow on 31 March, mm.
    greenup, curing : float
        Mean day of the year of leaf flush and of the grass's curing.
    """

    warmth: float
    block_rate: float
    front_rate: float
    storminess: float
    snow: float
    greenup: float
    curing: float


def year_climate(seed: int, year: int) -> YearClimate:
    """Draw a season's character.

    Parameters
    ----------
    seed : int
        The world's seed.
    year : int
        The season.

    Returns
    -------
    YearClimate
        The same for the same seed and year.
    """
    rng = stream(seed, CLIMATE, year)
    dry = float(np.clip(rng.normal(0.0, 0.6), -1.0, 1.0))
    warmth = 0.8 * dry + float(rng.normal(0.0, 0.7))
    return YearClimate(
        warmth=warmth,
        block_rate=0.045 * float(np.exp(0.35 * dry)),
        front_rate=0.29 * float(np.exp(-0.12 * dry)),
        storminess=float(np.exp(rng.normal(0.0, 0.2))),
        snow=float(rng.uniform(60.0, 130.0)),
        greenup=147.0 - 2.5 * warmth + float(rng.normal(0.0, 4.0)),
        curing=243.0 - 4.0 * dry + float(rng.normal(0.0, 6.0)),
    )


def usual_temperature(doy: NDArray[np.float64], latitude: float) -> NDArray[np.float64]:
    """Give the usual daily mean temperature of the boreal shield.

    A cosine fitted by eye to 1991-2020 normals near 55N (July 17, May 7, October 1 degrees C);
    0.6 K colder per degree further north.

    Parameters
    ----------
    doy : ndarray
        Day of the year.
    latitude : float
        Degrees north.

    Returns
    -------
    ndarray
        Degrees Celsius at about 240 m.
    """
    wave = np.cos(2 * np.pi * (doy - 200) / 365)
    return np.asarray(-1.5 + 19.0 * wave - 0.6 * (latitude - 55.0))
