"""What a batch is made of: settings that travel with the chips and the checkpoint."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from firesat.bands import SENTINEL2_BANDS, band, check_names
from firesat.batch import Channels
from firesat.errors import CheckpointError, ConfigError
from firesat.samples.choice import Frames
from firesat.samples.modis import VARIABLES, modis_group
from firesat.window import Window

FIRE_LAYERS = ("proximity", "recency", "burnt")
"""Fires as known at T: nearness of hotspots, newness of the nearest, burnt this season."""

POWER = ("power",)
"""The layer that may follow them: radiative power of the hotspots nearby."""

EXTENT = ("extent_1d_1km", "extent_1d_3km", "extent_10d_3km")
"""Layers that may follow them: how much burned around, in the latest day or 10 days."""

DISTURBANCE = ("years_since_fire", "years_since_harvest")
"""Static variables of a group of their own, `disturbance`: it has a state of every year."""

OPTIONAL = ("land_cover", "settlement_distance", "lightning", *DISTURBANCE)
"""Static variables that a cube may lack: they are then missing, and named."""

COARSEST = 10  # cells of 100 m in the 1 km cells of the weather: chips start and end on their lines

MOST_AROUND = 5  # weather cells, 50 km

LABELS = {"half": 0.5, "any_touch": 1e-6}
"""Burned fraction from which a cell counts as burnt, by the name of the rule."""

# settings that records without them have at rest
_LATER = ("fire_power", "fire_extent", "cover_classes", "around")
_FUELS = (1, 2, 3, 4, 5, 6, 7, 8, 9)  # every class but water, which has a layer of its own


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
        MODIS variables, of the groups `modis_vi`, `modis_lst` and `modis_fpar`; "lst_day_anomaly"
        and "lst_night_anomaly" are worked out, see :mod:`firesat.samples.anomaly`.
    modis_steps : int
        Latest composites of each.
    weather : tuple of str
        Variables of `era5_land`.
    fire_weather : tuple of str
        Codes of `fire_weather`, appended to the weather of the same days.
    weather_days : int
        Fire days before T.
    regime : {"protocol", "operational", "hindsight"}
        Weather without latency up to T; as it was available at T, with `forecasts` to the end of
        the horizon; or the true weather of the horizon too. Says nothing of other inputs, which are
        always as available at T.
    forecasts : tuple of str
        Groups of forecast weather, such as "nwp_gdps", for the regime `operational`: the first that
        has a day gives it. None = nothing is known of the analysis' delay and of the horizon.
    fire_power : bool
        Whether the fires as known at T have a layer `power`, too.
    fire_extent : bool
        Whether they have the layers of `EXTENT`, too: a fire that yesterday burned on a front of
        kilometres goes on more likely than one of a single hotspot, or one last seen a week ago.
    static : tuple of str
        Variables of `static`, and `years_since_fire` and `years_since_harvest` of `disturbance`.
    fuel_classes : tuple of int
        Codes of `fuel` that get a layer each, after `static`.
    cover_classes : tuple of int
        Codes of `land_cover` that get a layer each, after those of `fuel`.
    window : Window
        Days seen and days forecast.
    label : {"half", "any_touch"}
        Whether a cell burns when half of it does, or when any of it does.
    around : int
        Weather cells of 10 km on each side of a cell's own that its forecast may see; 0 = none.
    frames : Frames, optional
        Choose whole scenes for each chip, at most `looks` of them; None = the latest clear looks
        of each cell.
    line : int
        Chips begin and end on multiples of so many cells: 10 are whole cells of the weather. Where
        lines are closer, a chip's coarse fields are the nearest cells.

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
    forecasts: tuple[str, ...] = ()
    fire_power: bool = False
    fire_extent: bool = False
    static: tuple[str, ...] = (
        "elevation", "slope", "northness", "eastness", "water", "road_distance",
    )  # fmt: skip
    fuel_classes: tuple[int, ...] = _FUELS
    cover_classes: tuple[int, ...] = ()
    around: int = 0
    window: Window = field(default_factory=Window)
    label: Literal["half", "any_touch"] = "half"
    frames: Frames | None = None
    line: int = COARSEST

    def __post_init__(self) -> None:
        """Refuse what cannot be read."""
        if min(self.looks, self.modis_steps, self.weather_days, self.sentinel2_history) < 1:
            raise ConfigError("inputs: looks, modis_steps, *_days and *_history start at 1")
        if max(self.weather_days, self.sentinel2_history) > self.window.history:
            raise ConfigError(
                f"inputs reach back {max(self.weather_days, self.sentinel2_history)} days, the "
                f"window only {self.window.history}: raise window.history or lower them"
            )
        if not 0 <= self.around <= MOST_AROUND or (self.around and self.line != COARSEST):
            raise ConfigError(
                f"inputs.around is {self.around}: give 0 to {MOST_AROUND}, with line {COARSEST}"
            )
        if self.line < 1 or COARSEST % self.line:
            raise ConfigError(f"inputs.line is {self.line}: give a divisor of {COARSEST}")
        check_names(self.modis, VARIABLES, "MODIS")
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
            In the order of the arrays; a fuel class is named like "fuel_3", land cover "cover_1".
        """
        weather = (*self.weather, *self.fire_weather)
        fuels = tuple(f"fuel_{code}" for code in self.fuel_classes)
        covers = tuple(f"cover_{code}" for code in self.cover_classes)
        return {
            "sentinel2": SENTINEL2_BANDS,
            "modis": self.modis,
            "weather": weather,
            **({"around": weather} if self.around else {}),
            "fire": FIRE_LAYERS + POWER * self.fire_power + EXTENT * self.fire_extent,
            "static": (*self.static, *fuels, *covers),
        }

    @property
    def burnt(self) -> float:
        """Burned fraction from which a cell counts as burnt.

        Returns
        -------
        float
            Above 0.
        """
        return LABELS[self.label]

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
            *(self.forecasts if self.looks_ahead else []),
            "hotspots",
            "static",
            *(["disturbance"] if set(DISTURBANCE) & set(self.static) else []),
        )

    @property
    def optional(self) -> tuple[str, ...]:
        """Variables of `static` that it reads and a cube may lack.

        Returns
        -------
        tuple of str
            Their layers are then missing.
        """
        asked = (*self.static, *(["land_cover"] if self.cover_classes else []))
        return tuple(name for name in OPTIONAL if name in asked and name not in DISTURBANCE)

    @property
    def weather_steps(self) -> int:
        """Number of weather days.

        Returns
        -------
        int
            S: the past ones, and those of the horizon in hindsight or with forecasts.
        """
        ahead = self.regime == "hindsight" or self.looks_ahead
        return self.weather_days + (self.window.horizon if ahead else 0)

    @property
    def looks_ahead(self) -> bool:
        """Whether forecast weather is read.

        Returns
        -------
        bool
            In operation, where forecasts are named.
        """
        return self.regime == "operational" and bool(self.forecasts)

    @property
    def record(self) -> dict[str, Any]:
        """Itself as JSON can hold it.

        Returns
        -------
        dict
            Read by :meth:`from_record`.
        """
        rest = {name: value for name, value in asdict(self).items() if name not in _LATER}
        return rest | {name: value for name in _LATER if (value := getattr(self, name))}

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
        frames = record.get("frames")
        try:
            nested = {
                "window": Window(**record["window"]),
                "frames": Frames(**frames) if frames else None,
            }
            return cls(**{**record, **lists, **nested})
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
        count = {name: len(channels) for name, channels in self.names.items() if name != "around"}
        return Channels(
            looks=self.looks,
            modis_steps=self.modis_steps,
            weather_steps=self.weather_steps,
            leads=self.window.horizon,
            around=self.around,
            size=size,
            **count,
        )
