"""What the reanalyses of the Climate Data Store have in common as sources."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import xarray as xr

from firesat.blocks import Block, Layout
from firesat.sources._cads import DataStore, find_key
from firesat.sources._every_day import EveryDay
from firesat.sources._hours import read_hours, read_parts
from firesat.sources._reanalysis import DataSet, Reanalysis
from firesat.sources.base import Scene, cached
from firesat.sources.quotas import Cost
from firesat.window import DAY_START


@dataclass(frozen=True, kw_only=True)
class Reanalysed(EveryDay):
    """Daily weather from an hourly reanalysis, the whole box, 32 days a block.

    Parameters
    ----------
    base_url, dataset : str
        Root of the Climate Data Store's interface, and its name of the data set.
    noon_hour : int, optional
        Hour UTC of local standard noon; None = from the middle of the region.
    data_format : {"grib", "netcdf"}
        GRIB is what the store keeps; NetCDF is converted, with a smaller limit per request.
    stream : {"nrt", "final"}
        Which version the values are taken from; "final" takes no preliminary hour. The latency
        stays that of the near-real-time one: that is what a forecaster would have had.
    latency_hours : float
        From the end of a fire day to its publication.
    day_start : int
        Hour UTC at which days begin; 0 = calendar days.
    retries, pause : int, float
        Attempts after a failed call, and the longest wait in seconds between two calls.
    """

    provider: ClassVar[str] = "cds"
    data_set: ClassVar[DataSet]

    base_url: str = "https://cds.climate.copernicus.eu/api"
    dataset: str
    noon_hour: int | None = None
    data_format: Literal["grib", "netcdf"] = "grib"
    stream: Literal["nrt", "final"] = "nrt"
    latency_hours: float = 120.0  # the preliminary versions are about 5 days behind real time
    day_start: int = DAY_START
    retries: int = 5
    pause: float = 60.0

    @property
    def hours_of_day(self) -> tuple[int, ...]:
        """Tell which hours are fetched.

        Returns
        -------
        tuple of int
            UTC; all of them.
        """
        return tuple(range(24))

    @property
    def _reanalysis(self) -> Reanalysis:
        """The data set under these settings."""
        return Reanalysis(
            of=self.data_set,
            name=self.dataset,
            hours=self.hours_of_day,
            noon=self.noon_hour,
            data_format=self.data_format,
            stream=self.stream,
            latency_hours=self.latency_hours,
            day_start=self.day_start,
        )

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            15 daily variables; of the stream "final" in a group beside.
        """
        return self._reanalysis.layout(self.provider)

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
        return self._reanalysis.cost(blocks)

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
        return self._reanalysis.search(block)

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
        """Read the hours of a month.

        Parameters
        ----------
        path : Path
            GRIB, NetCDF or a zip of these.

        Returns
        -------
        xr.Dataset
            Dims ``(time, y, x)`` in degrees, hours UTC: t2m and skt in K, rh in % and vp in hPa
            (over water), ws in m s-1, tp in mm as the data set accumulates it, swvl1 in m3 m-3, sd
            in m of water; what the file lacks is left out.

        Raises
        ------
        CorruptFileError
            If the file is damaged.
        SourceError
            If it holds none of these quantities.
        """
        return read_hours(path)

    def parts(self, path: Path) -> Iterator[xr.Dataset]:
        """Read the hours of a month part by part, so that a country's fit into memory.

        Parameters
        ----------
        path : Path
            As for :meth:`read`.

        Yields
        ------
        xr.Dataset
            What :meth:`read` would give, six hours after the other where it is GRIB.
        """
        return read_parts(path)

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Turn hours into the daily values of fire days.

        Parameters
        ----------
        scenes : sequence of (Scene, xr.Dataset)
            Hours, aligned to the block's cells; walked over once.
        block : Block
            32 days of the box.

        Returns
        -------
        xr.Dataset
            The 15 variables, ``(time, y, x)``; a day that lacks an hour is NaN and never available.
        """
        return self._reanalysis.compose(scenes, block)
