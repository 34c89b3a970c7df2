"""Why a cell has no forecast: water, a scar, snow, or too little to go by."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.ndimage import minimum_filter

from firesat.cube import groups, open_cube
from firesat.products.strips import State
from firesat.samples import FIRE_LAYERS, DayFields, Inputs, Reader
from firesat.samples.truth import WATER

log = logging.getLogger(__name__)

SNOW = 0.012
"""Metres of water in the snow that covers half a cell: the IFS has cover = depth / 0.1 m (Dutra et
al. 2010, J. Hydrometeorol. 11, 899), and 0.05 m of settled snow weighs about 240 kg m-3."""

SCAR = 11
"""Cells of the square that must be full of hotspots before its centre counts as burnt: its own
square of 500 m and the eight around it. A hotspot is placed to half a kilometre, and the front,
where a fire grows, must not be blanked."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What is known of each cell at T besides its probability.

    Parameters
    ----------
    state : ndarray of uint8, shape (Y, X)
        Values of `State`, as if every cell had been evaluated.
    looks : ndarray of uint8, shape (Y, X)
        Clear Sentinel-2 looks.
    age : ndarray of float32, shape (Y, X)
        Days since the newest; NaN without any.
    """

    state: NDArray[np.uint8]
    looks: NDArray[np.uint8]
    age: NDArray[np.float32]


NEEDED = frozenset({"weather", "static"})
"""Fields without which a forecaster that has learned from them says nothing."""


def conditions(
    fields: DayFields,
    inputs: Inputs,
    snow: NDArray[np.bool_],
    min_looks: int,
    needed: frozenset[str] = NEEDED,
) -> Conditions:
    """Judge the cells of an issue day.

    Parameters
    ----------
    fields : DayFields
        What the forecaster sees.
    inputs : Inputs
        Names of its layers.
    snow : ndarray of bool, shape (Y, X)
        Snow-covered cells.
    min_looks : int
        Clear looks under which the forecaster abstains.
    needed : frozenset of str
        Of `NEEDED`, what the forecaster has learned from: without any "weather" it abstains, and
        where nothing "static" is known it does not evaluate.

    Returns
    -------
    Conditions
        Reasons in this order: cannot burn, already burnt, snow-covered, nothing known of the
        ground, abstained.
    """
    layers = fields.inputs
    age: NDArray[np.float32] = layers["age"]
    seen = np.isfinite(age)
    looks = seen.sum(axis=0).astype(np.uint8)
    known = layers["static"][: len(inputs.static)]
    unknown = np.isnan(known).all(axis=0) & ("static" in needed)
    blind = "weather" in needed and bool(np.isnan(layers["weather"]).all())
    poor = (looks < min_looks) | blind
    state = np.select(
        [_water(known, inputs), _scar(layers["fire"]), snow, unknown, poor],
        [
            State.CANNOT_BURN,
            State.ALREADY_BURNT,
            State.SNOW_COVERED,
            State.NOT_EVALUATED,
            State.ABSTAINED,
        ],
        default=State.FORECAST,
    )
    newest = np.where(seen, age, np.inf).min(axis=0)
    return Conditions(
        state=state.astype(np.uint8),
        looks=looks,
        age=np.where(looks > 0, newest, np.nan).astype(np.float32),
    )


def _water(static: NDArray[np.float32], inputs: Inputs) -> NDArray[np.bool_]:
    """Cells of more than half water."""
    if "water" not in inputs.static:
        return np.zeros(static.shape[-2:], dtype=bool)
    wet: NDArray[np.bool_] = static[inputs.static.index("water")] > WATER
    return wet


def _scar(fire: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Cells well inside what has burnt this season."""
    burnt = fire[FIRE_LAYERS.index("burnt")]
    inside: NDArray[np.bool_] = minimum_filter(burnt, SCAR, mode="nearest") > 0.5
    return inside


def _has_snow(cube_path: Path) -> bool:
    """Whether a cube holds snow depth."""
    if "era5_land" not in groups(cube_path):
        return False
    with open_cube(cube_path, "era5_land") as weather:
        return "sd" in weather


class Snow:
    """Snow cover as the forecaster could know it, from the reanalysis.

    Parameters
    ----------
    cube_path : Path
        A cube; without snow depth in it there is no snow.
    inputs : Inputs
        Its regime and days.
    """

    def __init__(self, cube_path: Path, inputs: Inputs) -> None:
        regime = "protocol" if inputs.regime == "hindsight" else inputs.regime
        only_snow = replace(inputs, weather=("sd",), fire_weather=(), regime=regime, forecasts=())
        self._there = _has_snow(cube_path)
        self._reader = Reader(cube_path, only_snow)
        if not self._there:
            log.warning("%s has no snow depth (sd): maps will not mask snow", cube_path)

    def cover(self, day: str, cells: GeoBox) -> NDArray[np.bool_]:
        """Tell which cells lie under snow.

        Parameters
        ----------
        day : str
            Issue day.
        cells : GeoBox
            Cells of 100 m on 1 km lines.

        Returns
        -------
        ndarray of bool, shape (Y, X)
            By the newest day in hand; False where none is.
        """
        if not self._there:
            return np.zeros(cells.shape, dtype=bool)
        depth = self._reader.region(cells).weather(day)[:, 0]
        known = np.flatnonzero(np.isfinite(depth).any(axis=(1, 2)))
        if not known.size:
            return np.zeros(cells.shape, dtype=bool)
        deep = depth[known[-1]] >= SNOW
        fine: NDArray[np.bool_] = deep.repeat(10, axis=0).repeat(10, axis=1)
        return fine
