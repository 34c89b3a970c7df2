"""What is taken from CanadaFireSat: settings that travel with the checkpoint."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from firesat.bands import SENTINEL2_BANDS
from firesat.batch import Channels
from firesat.benchmark.layout import CELLS, STEPS
from firesat.errors import ConfigError

Resolution = Literal[10, 100]
Rule = Literal["any", "fraction", "published"]
Modality = Literal["sentinel2", "modis", "weather"]

MODIS = ("LST_Day_1km_mean", "NDVI", "EVI", "Fpar_500m", "Lai_500m")
WEATHER = (
    "relative_humidity_2m_mean",
    "skin_temperature_mean",
    "temperature_2m_mean",
    "total_precipitation_sum_mean",
    "vapor_pressure_2m_mean",
    "volumetric_soil_water_layer_1_mean",
    "wind_speed_10m_mean",
    "drtcode_mean",
    "fwinx_mean",
)
"""With `MODIS` the 14 variables of the published models."""

FWI = "fwinx_mean"
"""The fire weather index among them."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkInputs:
    """What is taken from CanadaFireSat.

    Parameters
    ----------
    resolution : {100, 10}
        Sentinel-2 as means over the cells of 100 m, or all 264 x 264 pixels of 10 m.
    looks : int
        K, latest looks; a sample has 3 or more, the median is 8. The published models see 5.
    label : {"any", "fraction", "published"}
        A cell burns if any of its pixels does; or if at least half of them do; or if any does of
        the block that the published scores count, which lies one pixel to the north-west.
    use : tuple of {"sentinel2", "modis", "weather"}
        Fields to read; the others are missing. All three are the published multi-modal setting,
        "sentinel2" alone is SITS-only, the other two are ENV-only.
    modis, weather : tuple of str
        Variables, as the data set calls them, and in its units.

    Raises
    ------
    ConfigError
        If nothing could be made of it.
    """

    resolution: Resolution = 100
    looks: int = 5
    label: Rule = "any"
    use: tuple[Modality, ...] = ("sentinel2", "modis", "weather")
    modis: tuple[str, ...] = MODIS
    weather: tuple[str, ...] = WEATHER

    def __post_init__(self) -> None:
        """Refuse what cannot be read."""
        if self.looks < 1 or not (self.use and self.modis and self.weather):
            raise ConfigError(
                "data.inputs: looks start at 1, and use, modis and weather name at least one each "
                "(leave a field out with use, not with an empty list)"
            )

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Channel names of each field that is scaled.

        Returns
        -------
        dict of tuple
            In the order of the arrays.
        """
        return {"sentinel2": SENTINEL2_BANDS, "modis": self.modis, "weather": self.weather}

    @property
    def channels(self) -> Channels:
        """Sizes that a network is built for.

        Returns
        -------
        Channels
            With one head, and no layers of fires or of the ground: the data set has none.
        """
        return Channels(
            looks=self.looks,
            sentinel2=len(SENTINEL2_BANDS),
            modis_steps=STEPS,
            modis=len(self.modis),
            weather_steps=STEPS,
            weather=len(self.weather),
            fire=0,
            static=0,
            heads=1,
            size=CELLS,
            pixels=100 // self.resolution,
        )

    @property
    def record(self) -> dict[str, Any]:
        """Itself as a checkpoint holds it.

        Returns
        -------
        dict
            With the name of the benchmark.
        """
        return {"benchmark": "CanadaFireSat", **asdict(self)}
