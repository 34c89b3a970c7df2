"""What a batch is made of: settings that travel with the chips and the checkpoint."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from firesat.bands import SENTINEL2_BANDS, band, check_names
from firesat.batch import Channels
from firesat.errors import CheckpointError, ConfigError
from firesat.window import Window

FIRE_LAYERS = ("proximity", "recency", "burnt")
"""Fires as known at T: nearness of hotspots, newness of the nearest, burnt this season."""

COARSEST = 10  # cells of 100 m in the 1 km cells of the weather: chips start and end on their lines

_FUELS = (1, 2, 3, 4, 5, 6, 7, 8, 9)  # every class but water, which has a layer of its own
_MODIS = {"modis_vi": ("ndvi", "evi"), "modis_lst": ("lst_day", "lst_night")}


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a batch is made of. Stored with the chips and in the checkpoint: a map sees the same.

    Parameters
    ----------
    looks : int
        K, latest clear Sentinel-2 looks of each cell.
    sentinel2_history : int
        Days before T from which a look may come, at most the window's history.
    modis : tuple of str
        MODIS variables, of the groups `modis_vi` and `modis_lst`.
    modis_steps : int
        Latest composites of each.
    weather : tuple of str
        Variables of `era5_land`.
    fire_weather : tuple of str
        Codes of `fire_weather`, appended to the weather of the same days.
    weather_days : int
        Fire days before T.
    regime : {"protocol", "operational", "hindsight"}
        Weather without latency up to T; as it was available at T; or of the horizon too. Says
        nothing of other inputs, which are always as available at T.
    static : tuple of str
        Variables of `static`.
    fuel_classes : tuple of int
        Codes of `fuel` that get a layer each, after `static`.
    window : Window
        Days seen and days forecast.

    Raises
    ------
    ConfigError
        If nothing could be made of it.
    """

    looks: int = 3
    sentinel2_history: int = 64
    modis: tuple[str, ...] = ("ndvi", "evi", "lst_day")
    modis_steps: int = 3
    weather: tuple[str, ...] = ("t2m_max", "rh", "ws", "tp", "swvl1", "vp")
    fire_weather: tuple[str, ...] = ("ffmc", "dmc", "dc", "fwi")
    weather_days: int = 16
    regime: Literal["protocol", "operational", "hindsight"] = "protocol"
    static: tuple[str, ...] = (
        "elevation",
        "slope",
        "northness",
        "eastness",
        "water",
        "road_distance",
    )
    fuel_classes: tuple[int, ...] = _FUELS
    window: Window = field(default_factory=Window)

    def __post_init__(self) -> None:
        """Refuse what cannot be read."""
        if min(self.looks, self.modis_steps, self.weather_days, self.sentinel2_history) < 1:
            raise ConfigError("inputs: looks, modis_steps, *_days and *_history start at 1")
        if max(self.weather_days, self.sentinel2_history) > self.window.history:
            raise ConfigError(
                f"inputs reach back {max(self.weather_days, self.sentinel2_history)} days, the "
                f"window only {self.window.history}: raise window.history or lower them"
            )
        check_names(self.modis, sum(_MODIS.values(), ()), "MODIS")
        for name in (*self.weather, *self.fire_weather, *self.static):
            band(name)
        if not (self.modis and (*self.weather, *self.fire_weather) and self.static):
            raise ConfigError("inputs: name at least one variable of modis, weather and static")

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Channel names of each field with channels.

        Returns
        -------
        dict of tuple
            In the order of the arrays; a fuel class is named like "fuel_3".
        """
        fuels = tuple(f"fuel_{code}" for code in self.fuel_classes)
        return {
            "sentinel2": SENTINEL2_BANDS,
            "modis": self.modis,
            "weather": (*self.weather, *self.fire_weather),
            "fire": FIRE_LAYERS,
            "static": (*self.static, *fuels),
        }

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of the cube that it reads.

        Returns
        -------
        tuple of str
            Where a cube lacks one, its fields are missing.
        """
        return (
            "sentinel2",
            *dict.fromkeys(modis_group(name) for name in self.modis),
            *(["era5_land"] if self.weather else []),
            *(["fire_weather"] if self.fire_weather else []),
            "hotspots",
            "static",
        )

    @property
    def weather_steps(self) -> int:
        """Number of weather days.

        Returns
        -------
        int
            S: the past ones, and those of the horizon in hindsight.
        """
        return self.weather_days + (self.window.horizon if self.regime == "hindsight" else 0)

    @property
    def record(self) -> dict[str, Any]:
        """Itself as JSON can hold it.

        Returns
        -------
        dict
            Read by :meth:`from_record`.
        """
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Inputs":
        """Read what :attr:`record` gave.

        Parameters
        ----------
        record : dict
            After a journey through JSON or a checkpoint.

        Returns
        -------
        Inputs
            Equal to the original.

        Raises
        ------
        CheckpointError
            If it was made by another version, or for a benchmark.
        """
        if "benchmark" in record:
            raise CheckpointError(
                f"these inputs are those of {record['benchmark']}, which no cube has: train a "
                "checkpoint on chips of firesat sample"
            )
        lists = {key: tuple(value) for key, value in record.items() if isinstance(value, list)}
        try:
            return cls(**{**record, **lists, "window": Window(**record["window"])})
        except (TypeError, KeyError) as error:
            raise CheckpointError(
                f"these inputs are of another version of firesat ({error}): run firesat sample "
                "and firesat train again"
            ) from None

    def channels(self, size: int) -> Channels:
        """Tell the sizes that a network is built for.

        Parameters
        ----------
        size : int
            Cells of a chip's side.

        Returns
        -------
        Channels
            Of one batch.
        """
        count = {name: len(channels) for name, channels in self.names.items()}
        return Channels(
            looks=self.looks,
            modis_steps=self.modis_steps,
            weather_steps=self.weather_steps,
            size=size,
            **count,
        )


def modis_group(variable: str) -> str:
    """Tell in which group of the cube a MODIS variable lies.

    Parameters
    ----------
    variable : str
        Such as "ndvi".

    Returns
    -------
    str
        "modis_vi" or "modis_lst".
    """
    return next(group for group, names in _MODIS.items() if variable in names)
