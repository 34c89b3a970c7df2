"""Hourly reanalyses of the Climate Data Store, and how their hours become fire days."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from firesat.blocks import Block, Layout, beside
from firesat.errors import ConfigError
from firesat.sources._cads import cost_of
from firesat.sources._daily import DayTable
from firesat.sources._era5_names import VARIABLES
from firesat.sources._hours import noon_hour
from firesat.sources._layers import (
    NEVER,
    by_job,
    degrees_around,
    end_of_fire_day,
    hours,
    latest,
    layer,
    published,
)
from firesat.sources.base import Scene
from firesat.sources.quotas import Cost
from firesat.window import DAY_START

_DAY = np.timedelta64(1, "D")
LICENCE = "Copernicus licence; contains modified Copernicus Climate Change Service information"


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """What tells one reanalysis from another.

    Parameters
    ----------
    group : str
        Name in the cube.
    title : str
        In words.
    degrees : float
        Size of its cells.
    requested : tuple of str
        Variables, as its requests name them.
    hourly_rain : bool
        Whether rain is of the hour that ends at its stamp, and not since 00 UTC.
    further : mapping of str
        What else its requests must say.
    basis : str
        Where the figures of its cost come from.
    """

    group: str
    title: str
    degrees: float
    requested: tuple[str, ...]
    hourly_rain: bool
    further: Mapping[str, object] = field(default_factory=dict)
    basis: str


@dataclass(frozen=True, kw_only=True)
class Reanalysis:
    """A reanalysis as a source's settings want it.

    Parameters
    ----------
    of : DataSet
        Which.
    name : str
        The store's name of it.
    hours : tuple of int
        Hours UTC that are fetched.
    noon : int, optional
        Hour UTC of local standard noon; None = from the middle of the region.
    data_format, stream : str
        "grib" or "netcdf"; "nrt" or "final".
    latency_hours : float
        From the end of a fire day to its publication.
    day_start : int
        Hour UTC at which days begin.
    """

    of: DataSet
    name: str
    hours: tuple[int, ...]
    noon: int | None
    data_format: str
    stream: str
    latency_hours: float
    day_start: int

    def check_hours(self) -> None:
        """Refuse hours from which no rain of a day can be told.

        Raises
        ------
        ConfigError
            In this case.
        """
        noon = DAY_START if self.noon is None else self.noon
        lacking = {0, self.day_start, noon} - set(self.hours)
        if lacking or self.noon == 0:
            raise ConfigError(
                f"{self.of.group}.hours is {list(self.hours)} and lacks "
                f"{lacking or 'a noon hour after 0'}: add 0 and {self.day_start}, where days of "
                "rain are counted, and the noon hour"
            )

    def layout(self, provider: str) -> Layout:
        """Give the layout of its group: one block is 32 days of the whole box.

        Parameters
        ----------
        provider : str
            Who serves it.

        Returns
        -------
        Layout
            15 daily variables; of the stream "final" in a group beside.
        """
        layout = Layout(
            group=self.of.group,
            level=10_000,
            variables=VARIABLES,
            steps=32,
            whole_box=True,
            attrs={
                "source": f"{self.of.title}, daily values of days of {self.day_start} to "
                f"{self.day_start} UTC",
                "day_start": self.day_start,
                "provider": provider,
                "licence": LICENCE,
                "stream": "nrt",
                "latency_hours": self.latency_hours,
            },
        )
        return layout if self.stream == "nrt" else beside(layout, self.stream)

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
        return cost_of(scenes, self.of.degrees, self.of.basis)

    def search(self, block: Block) -> list[Scene]:
        """List the requests that a block needs: of one calendar month and its days each.

        Parameters
        ----------
        block : Block
            32 days of the box.

        Returns
        -------
        list of Scene
            The days of the block, the one before (rain) and the one after (a fire day ends at
            12 UTC).
        """
        days = np.array(block.times, dtype="datetime64[D]")
        around = np.unique(np.concatenate([days - _DAY, days, days + _DAY]))
        needed = published(around, self.latency_hours)
        step = self.of.degrees
        box = degrees_around(block.region, margin=2 * step, step=step)
        fields = len(self.of.requested) * len(self.hours)
        return [self._scene(some, box, block) for some in by_job(needed, fields)]

    def _scene(
        self, days: list[np.datetime64], box: tuple[float, float, float, float], block: Block
    ) -> Scene:
        """One request."""
        year, number, first = str(days[0]).split("-")
        numbers = [str(day)[8:] for day in days]
        west, south, east, north = box
        ends = latest(end_of_fire_day(day, self.day_start) for day in block.times)
        end = min(days[-1] + _DAY, ends)
        return Scene(
            id=f"{self.name}-{year}-{number}-{first}-{numbers[-1]}"
            f"-n{north:g}w{west:g}s{south:g}e{east:g}-{len(numbers)}x{len(self.hours)}"
            f".{self.data_format}",
            source=self.of.group,
            observed=end,
            available=end + hours(self.latency_hours),
            request={
                **self.of.further,
                "variable": list(self.of.requested),
                "year": year,
                "month": number,
                "day": numbers,
                "time": [f"{hour:02d}:00" for hour in self.hours],
                "data_format": self.data_format,
                "download_format": "unarchived",
                "area": [north, west, south, east],
            },
        )

    def compose(self, scenes: Iterable[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Turn hours into the daily values of fire days.

        Parameters
        ----------
        scenes : iterable of (Scene, xr.Dataset)
            Hours, aligned to the block's cells; walked over once.
        block : Block
            32 days of the box.

        Returns
        -------
        xr.Dataset
            The 15 variables, ``(time, y, x)``; a day that lacks an hour is NaN and never available.
        """
        days = np.array(block.times, dtype="datetime64[D]")
        table = DayTable(
            days,
            block.geobox.shape,
            self.hours,
            self.day_start,
            self.noon or noon_hour(block.region, self.hours),
            final=self.stream == "final",
            hourly_rain=self.of.hourly_rain,
        )
        arrays = table.take(dataset for _, dataset in scenes)
        whole = np.isfinite(arrays["t2m"]).any(axis=(1, 2))
        available = [
            end_of_fire_day(day, self.day_start) + hours(self.latency_hours) if there else NEVER
            for day, there in zip(days, whole, strict=True)
        ]
        return layer(arrays, block, np.array(available))
