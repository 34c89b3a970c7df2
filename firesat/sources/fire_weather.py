"""Fire weather indices computed by the Copernicus Emergency Management Service from ERA5."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from firesat.blocks import Block, Layout, Variable
from firesat.errors import SourceError
from firesat.sources._cads import DataStore, cost_of, find_key
from firesat.sources._every_day import EveryDay
from firesat.sources._layers import (
    NEVER,
    by_job,
    degrees_around,
    empty,
    hours,
    layer,
    published,
)
from firesat.sources._weather import fill_sea, open_weather
from firesat.sources.base import Scene, cached
from firesat.sources.quotas import Cost

# Ours: the store's request key. ISI is also seen as "initial_spread_index": a setting, not a fact.
_REQUESTED = {
    "ffmc": "fine_fuel_moisture_code",
    "dmc": "duff_moisture_code",
    "dc": "drought_code",
    "isi": "initial_fire_spread_index",
    "bui": "build_up_index",
    "fwi": "fire_weather_index",
}
_DELIVERED = {
    "ffmcode": "ffmc",
    "dufmcode": "dmc",
    "drtcode": "dc",
    "infsinx": "isi",
    "fbupinx": "bui",
    "fwinx": "fwi",
    "fdsrte": "dsr",
    **{name: name for name in (*_REQUESTED, "dsr")},  # the releases before 4.0
}
_BASIS = (
    "fields: variables x days, at most 3720 a job (measured September 2026); bytes: 16 bits a value"
)
_MARGIN = 0.5  # degrees: two of the service's cells
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, kw_only=True)
class CemsFireWeather(EveryDay):
    """The FWI system as published by CEMS, 0.25 degrees, the whole box, 32 days a block.

    Parameters
    ----------
    base_url : str
        Root of the Early Warning Data Store's interface.
    dataset : str
        The store's name of the data set.
    variables : dict of str to str
        Our name of each index: the store's name in requests.
    dataset_type : str
        "consolidated_dataset" or, for the last months, "intermediate_dataset".
    system_version : str
        Version of the model chain, as the store spells it.
    grid : str
        Cell size in degrees.
    data_format : str
        "grib" or "netcdf".
    latency_hours : float
        From the end of a calendar day to its publication.
    retries : int
        Attempts after a failed call.
    pause : float
        Longest wait in seconds between two calls.
    """

    provider: ClassVar[str] = "ewds"

    base_url: str = "https://ewds.climate.copernicus.eu/api"
    dataset: str = "cems-fire-historical-v1"
    variables: dict[str, str] = field(default_factory=lambda: dict(_REQUESTED))
    dataset_type: str = "consolidated_dataset"
    system_version: str = "4_1"
    grid: str = "0.25/0.25"
    data_format: str = "grib"
    latency_hours: float = 48.0
    retries: int = 5
    pause: float = 60.0

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            Group ``cems_fire_weather``: the chosen indices, float32.
        """
        return Layout(
            group="cems_fire_weather",
            level=10_000,
            variables=tuple(Variable(name=name) for name in self.variables),
            steps=32,
            whole_box=True,
            attrs={
                "source": "CEMS fire danger indices from ERA5, at local noon",
                "provider": self.provider,
                "licence": "Copernicus licence; contains modified Copernicus Emergency Management "
                "Service information",
                "latency_hours": self.latency_hours,
            },
        )

    def check(self) -> None:
        """Check that there is a key.

        Raises
        ------
        CredentialsError
            If there is none.
        """
        find_key()

    def cost(self, blocks: Collection[Block]) -> Cost:
        """Estimate what blocks take.

        Parameters
        ----------
        blocks : collection of Block
            Some times 32 days of the box.

        Returns
        -------
        Cost
            Expected values.
        """
        scenes = (scene for block in blocks for scene in self.search(block))
        return cost_of(scenes, float(self.grid.partition("/")[0] or 0.25), _BASIS)

    def search(self, block: Block) -> list[Scene]:
        """List the requests that a block needs: of one calendar month and its days each.

        Parameters
        ----------
        block : Block
            32 days of the box.

        Returns
        -------
        list of Scene
            In order of time.
        """
        west, south, east, north = degrees_around(block.region, margin=_MARGIN, step=0.25)
        days = published(np.array(block.times, dtype="datetime64[D]"), self.latency_hours)
        area = [north, west, south, east]
        return [self._scene(some, area) for some in by_job(days, len(self.variables))]

    def _scene(self, days: list[np.datetime64], area: list[float]) -> Scene:
        """One request."""
        year, month, first = str(days[0]).split("-")
        numbers = [str(day)[8:] for day in days]
        end = (days[-1] + _DAY).astype("datetime64[s]")
        corner = "-".join(f"{edge:g}" for edge in area)
        kind = self.dataset_type.partition("_")[0]
        return Scene(
            id=f"{self.dataset}-{kind}-{year}-{month}-{first}-{numbers[-1]}-{len(numbers)}"
            f"-{corner}-{len(self.variables)}.{self.data_format}",
            source="cems_fire_weather",
            observed=end,
            available=end + hours(self.latency_hours),
            request={
                "product_type": ["reanalysis"],
                "variable": list(self.variables.values()),
                "dataset_type": self.dataset_type,
                "system_version": [self.system_version],
                "year": [year],
                "month": [month],
                "day": numbers,
                "grid": self.grid,
                "data_format": self.data_format,
                "area": area,
            },
        )

    def fetch(self, scene: Scene, cache: Path) -> Path:
        """Bring a month into the cache, once.

        Parameters
        ----------
        scene : Scene
            One result of `search`.
        cache : Path
            Folder shared by all workers.

        Returns
        -------
        Path
            GRIB, NetCDF or zip, as the store answered.

        Raises
        ------
        CredentialsError
            If no key is found, or the store refuses it.
        LicenceError
            If the licence was not accepted.
        ProviderError
            If the store fails.
        """
        store = DataStore(url=self.base_url, retries=self.retries, pause=self.pause)
        return cached(
            cache, scene.id, lambda path: store.retrieve(self.dataset, scene.request, path)
        )

    def read(self, path: Path) -> xr.Dataset:
        """Read the days of a month.

        Parameters
        ----------
        path : Path
            GRIB, NetCDF or a zip of these.

        Returns
        -------
        xr.Dataset
            Dims ``(time, y, x)`` in degrees, longitudes from -180: the indices delivered, under our
            names, without units. Sea has the values of the nearest land.

        Raises
        ------
        CorruptFileError
            If the file is damaged.
        SourceError
            If it holds none of the indices, or no rows and columns.
        """
        file = open_weather(path)
        raw = file.rename({name: str(name).lower() for name in file.data_vars})
        cells: GeoBox | None = raw.odc.geobox
        found = {name: ours for name, ours in _DELIVERED.items() if name in raw}
        if not found or cells is None:
            raise SourceError(
                f"{path} holds {', '.join(map(str, raw.data_vars)) or 'nothing'} on no regular "
                f"grid or none of {', '.join(_DELIVERED)}: fetch {self.dataset} with a grid"
            )
        renamed = {
            ours: raw[name]
            .copy(data=fill_sea(raw[name].values))
            .assign_attrs(units="1", resampling="bilinear")
            for name, ours in found.items()
        }
        return xr.Dataset(renamed)

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Put each day in its place.

        Parameters
        ----------
        scenes : sequence of (Scene, xr.Dataset)
            Days, aligned to the block's cells.
        block : Block
            32 days of the box.

        Returns
        -------
        xr.Dataset
            The layout's indices, ``(time, y, x)``; NaN on days that were not delivered.
        """
        arrays = {name: empty(block) for name in self.variables}
        available = np.full(len(block.times), NEVER)
        rank = {day: step for step, day in enumerate(np.array(block.times, dtype="datetime64[D]"))}
        for _, dataset in scenes:
            for source, moment in enumerate(dataset["time"].values):
                step = rank.get(moment.astype("datetime64[D]"))
                if step is None:
                    continue
                for name in set(arrays) & set(dataset.data_vars):
                    arrays[name][step] = dataset[name].values[source]
                published = moment.astype("datetime64[D]") + _DAY
                available[step] = published.astype("datetime64[s]") + hours(self.latency_hours)
        return layer(arrays, block, available)
