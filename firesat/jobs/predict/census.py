"""How much of a map has a forecast, and what the rest lacks."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from firesat.products.report.words import percent
from firesat.products.strips import State, Strip

MUCH = 0.5
"""Share of the cells that can burn without a forecast from which a map is worth a warning."""


@dataclass(frozen=True, kw_only=True)
class Census:
    """Cells of a map that can burn: neither water, nor burnt already, nor under snow.

    Parameters
    ----------
    forecast : int
        With a probability.
    few_looks, no_weather : int
        From which the forecaster abstained, seeing too little of them, or no weather.
    unknown : int
        That were not evaluated: nothing is known of the ground, or no chip reached them.
    """

    forecast: int
    few_looks: int
    no_weather: int
    unknown: int

    @property
    def empty(self) -> float:
        """Share of the cells that have no forecast.

        Returns
        -------
        float
            0 to 1; 0 where no cell can burn.
        """
        without = self.few_looks + self.no_weather + self.unknown
        return without / (without + self.forecast) if without else 0.0

    def warning(self, day: str, min_looks: int) -> str:
        """Say that a map is empty, and what most of its cells lack.

        Parameters
        ----------
        day : str
            Issue day.
        min_looks : int
            Clear looks under which the forecaster abstains.

        Returns
        -------
        str
            One line; "" where less than half of the cells lack anything.
        """
        if self.empty < MUCH:
            return ""
        reasons = {
            f"too few clear looks (predict.min_looks is {min_looks})": self.few_looks,
            "no weather in hand on that day": self.no_weather,
            "nothing is known of the ground": self.unknown,
        }
        reason = max(reasons, key=lambda words: reasons[words])
        return f"{day}: {percent(self.empty)} of the cells that can burn have no forecast: {reason}"


def count(strips: Iterable[Strip], min_looks: int) -> Census:
    """Count the cells of a forecast.

    Parameters
    ----------
    strips : iterable of Strip
        The forecast.
    min_looks : int
        Clear looks under which the forecaster abstained.

    Returns
    -------
    Census
        Of the whole map.
    """
    found = np.zeros(4, dtype=np.int64)
    for strip in strips:
        state = strip.mask
        abstained = state == State.ABSTAINED
        few = strip.looks < min_looks
        kinds = (
            state == State.FORECAST,
            abstained & few,
            abstained & ~few,
            state == State.NOT_EVALUATED,
        )
        found += [int(kind.sum()) for kind in kinds]
    forecast, few_looks, no_weather, unknown = map(int, found)
    return Census(forecast=forecast, few_looks=few_looks, no_weather=no_weather, unknown=unknown)
