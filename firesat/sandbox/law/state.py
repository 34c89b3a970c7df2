"""Everything hidden at a moment."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law import clock
from firesat.sandbox.law.landscape import Landscape
from firesat.sandbox.law.moisture import first_moisture
from firesat.sandbox.law.noise import Floats, stream, tile_field
from firesat.sandbox.law.place import Place
from firesat.sandbox.law.vegetation import Phenology, Surface, surface_at
from firesat.sandbox.law.weather import Air, Sky, first_sky

FIRST, GRAIN = 42, 43  # random streams
GRAIN_SIZE = 512
FIRES = np.dtype(
    [
        ("id", np.int32),
        ("cause", np.uint8),  # ignition.LIGHTNING or HUMAN
        ("start", np.float64),  # hours of the season
        ("cell", np.int64),  # flat index
        ("escaped", np.bool_),
        ("spot_ha", np.float32),  # area of a fire put out within its first cell, else 0
        ("control", np.float64),  # hour from which it is held, inf = not (yet)
        ("end", np.float64),  # hour at which the last ember died, NaN = burning
    ]
)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What does not change within a season.

    Parameters
    ----------
    air : Air
        Place, year, climate.
    landscape : Landscape
        The land, with the scars of earlier seasons.
    phenology : Phenology
        The year's timing of plants.
    open_hours : tuple of float
        Hours of the season between which fires can start.
    activity : float
        Factor on the rates of ignition.
    seed : int
        The world's seed.
    """

    air: Air
    landscape: Landscape
    phenology: Phenology
    open_hours: tuple[float, float]
    activity: float
    seed: int

    @property
    def place(self) -> Place:
        """Where.

        Returns
        -------
        Place
            The grids.
        """
        return self.air.place

    @cached_property
    def grain(self) -> Floats:
        """Roughness of the rates, rolled to another place every day.

        Returns
        -------
        ndarray
            float32 periodic, standard normal.
        """
        seeds = np.random.SeedSequence([self.seed, GRAIN]).generate_state(2)
        smooth = tile_field(int(seeds[0]), GRAIN_SIZE, length=9, slope=2.0)
        rough = tile_field(int(seeds[1]), GRAIN_SIZE, length=1, slope=1.0)
        return np.asarray(0.6 * smooth + 0.5 * rough - 0.3, dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class State:
    """Everything hidden at 12 UTC of a day.

    Parameters
    ----------
    setting : Setting
        What does not change.
    hour : float
        Hours of the season.
    sky : Sky
        Memory of the weather.
    snow : ndarray
        float32 (weather_y, weather_x), mm of water.
    moisture : ndarray
        float32 (3, 3, km_y, km_x), see `moisture.MoistureDay`.
    embers : ndarray
        float64 (n, 2): hour of the strike and flat cell of lightning that smoulders unseen.
    active : ndarray
        int64 (m,), flat cells that burn or smoulder.
    progress : ndarray
        float32 (m, 16), how far fire has come along their edges.
    burn_hour : ndarray
        float32 (y, x), hours of the season at which cells burnt, NaN = not yet.
    fire_id : ndarray
        int32 (y, x), 0 = none.
    fires : ndarray
        Structured, `FIRES`, by id from 1.
    """

    setting: Setting
    hour: float
    sky: Sky
    snow: Floats
    moisture: Floats
    embers: NDArray[np.float64]
    active: NDArray[np.int64]
    progress: Floats
    burn_hour: Floats
    fire_id: NDArray[np.int32]
    fires: NDArray[np.void]

    @property
    def surface(self) -> Surface:
        """The hidden surface.

        Returns
        -------
        Surface
            Plants and moisture at 100 m.
        """
        when = (self.setting.air.year, self.hour)
        site = self.setting.landscape.site
        return surface_at(site, self.setting.phenology, self.moisture, when)


def first_state(setting: Setting) -> State:
    """Give the state under the snow of 31 March.

    Parameters
    ----------
    setting : Setting
        The season.

    Returns
    -------
    State
        No fire anywhere.
    """
    place, air = setting.place, setting.air
    return State(
        setting=setting,
        hour=clock.FIRST_HOUR,
        sky=first_sky(air, stream(setting.seed, FIRST, air.year)),
        snow=np.full(place.weather_shape, air.climate.snow, dtype=np.float32),
        moisture=first_moisture(place),
        embers=np.zeros((0, 2)),
        active=np.zeros(0, dtype=np.int64),
        progress=np.zeros((0, 16), dtype=np.float32),
        burn_hour=np.full(place.shape, np.nan, dtype=np.float32),
        fire_id=np.zeros(place.shape, dtype=np.int32),
        fires=np.zeros(0, dtype=FIRES),
    )
