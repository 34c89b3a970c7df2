"""What a batch is made of, and which chips are taken: settings that travel with the chips."""

from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from firesat.bands import SENTINEL2_BANDS, band, check_names
from firesat.batch import Channels
from firesat.errors import CheckpointError, ConfigError
from firesat.window import Period, Window, all_days

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
            If it was made by another version.
        """
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


@dataclass(frozen=True, kw_only=True)
class SampleSettings:
    """Which chips are taken.

    Parameters
    ----------
    path : Path
        The store, a folder ending in ``.zarr``; its table lies beside it as ``.parquet``.
    splits : dict of list of Period
        Fire days of each split; forward in time, "train" first.
    inputs : Inputs
        What a chip holds.
    chip : int
        Cells of 100 m of a chip's side, a multiple of 10.
    stride : int
        Cells between the chips of the frame, a multiple of 10, at most `chip`.
    issue_step : int
        Days between issue days.
    positives, near, random : int
        Chips to take for training from each stratum, 1 or more: with a burning cell, within 10 km
        of a recent hotspot, elsewhere.
    held_out : float
        Chips of each other split, as a share of those of training.
    seed : int
        Of the draw.

    Raises
    ------
    ConfigError
        If a number is impossible, or a split begins before the one before it has ended.
    """

    path: Path
    splits: dict[str, list[Period]]
    inputs: Inputs = field(default_factory=Inputs)
    chip: int = 80
    stride: int = 40
    issue_step: int = 4
    positives: int = 600
    near: int = 200
    random: int = 300
    held_out: float = 0.4
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse draws that cannot be."""
        if self.path.suffix != ".zarr":
            raise ConfigError(f"sample.path is {self.path}: it should end in .zarr")
        if self.chip % COARSEST or self.stride % COARSEST or not 0 < self.stride <= self.chip:
            raise ConfigError(
                f"sample.chip={self.chip} and sample.stride={self.stride}: both in multiples of "
                f"{COARSEST} cells (1 km), stride at most chip"
            )
        if min(self.positives, self.near, self.random, self.issue_step) < 1 or self.held_out <= 0:
            raise ConfigError(
                "sample: positives, near, random and issue_step start at 1 and held_out is above "
                "0: every chip of the frame needs a chance to be taken"
            )
        _check_order(self.splits)

    def wanted(self, split: str) -> dict[str, int]:
        """Tell how many chips a split takes from each stratum.

        Parameters
        ----------
        split : str
            Such as "train".

        Returns
        -------
        dict of int
            Stratum to number, 1 or more.
        """
        share = 1.0 if split == "train" else self.held_out
        numbers = {"positive": self.positives, "near_fire": self.near, "random": self.random}
        return {stratum: max(1, round(share * number)) for stratum, number in numbers.items()}


def _check_order(splits: dict[str, list[Period]]) -> None:
    """Refuse splits that do not follow each other in time, train first."""
    days = {name: all_days(periods) for name, periods in splits.items()}
    order = sorted(days, key=lambda name: days[name][0])
    if not order or order[0] != "train":
        raise ConfigError(f"sample.splits: {order[0] if order else 'nothing'} is first, not train")
    for before, after in pairwise(order):
        if days[after][0] <= days[before][-1]:
            raise ConfigError(
                f"sample.splits: {after} begins {days[after][0]}, before {before} has ended on "
                f"{days[before][-1]}: splits go forward in time"
            )
