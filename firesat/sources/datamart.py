"""Forecast weather of the Meteorological Service of Canada, run by run."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import xarray as xr

from firesat.blocks import Block, Layout
from firesat.sources._cycles import Cycle, check_run, layout_of
from firesat.sources._datamart import MODELS, choose_files
from firesat.sources._download import download
from firesat.sources._every_day import EveryDay
from firesat.sources._forecast_hours import read_forecast
from firesat.sources._http import list_links, name_of
from firesat.sources._layers import hours
from firesat.sources._run_days import compose_run
from firesat.sources.base import Scene, cached
from firesat.sources.quotas import Cost
from firesat.window import DAY_START

_QUANTITIES = 4  # temperature, dew point, wind, rain


@dataclass(frozen=True, kw_only=True)
class Datamart(EveryDay):
    """HRDPS, RDPS, GDPS or GEPS as daily weather, 10 km, the whole box, one run a block.

    Parameters
    ----------
    base_url : str
        Root of the Datamart; it keeps a month, archives of the same layout more.
    model : {"hrdps", "rdps", "gdps", "geps"}
        Which model; its group is ``nwp_`` and this name.
    cycle : int
        Hour UTC of the run; the one of 00 UTC is there when fire days begin.
    days : int, optional
        Fire days of each run; None = as many as the model has, at most 9.
    noon_hour : int, optional
        Hour UTC of local standard noon; None = from the middle of the region.
    latency_hours : float, optional
        From the start of a run until its last file is out; None = the model's own.
    day_start : int
        Hour UTC at which days begin.
    """

    provider: ClassVar[str] = "eccc"

    base_url: str = "https://dd.weather.gc.ca"
    model: Literal["hrdps", "rdps", "gdps", "geps"] = "gdps"
    cycle: int = 0
    days: int | None = None
    noon_hour: int | None = None
    latency_hours: float | None = None
    day_start: int = DAY_START

    def __post_init__(self) -> None:
        """Refuse fire days that the model does not reach."""
        check_run(self._cycle, f"{self.model} forecasts")

    @property
    def _cycle(self) -> Cycle:
        """Runs, hours and days."""
        own = MODELS[self.model]
        return Cycle(
            hour=self.cycle,
            days=min(own.days, 9) if self.days is None else self.days,
            steps=own.steps,
            day_start=self.day_start,
            latency_hours=own.latency_hours if self.latency_hours is None else self.latency_hours,
        )

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            Group ``nwp_<model>``: 11 daily variables by lead time, float32; of GEPS also the
            standard deviation over its members of the day's temperature, wind and rain.
        """
        attrs: dict[str, str | float] = {
            "source": f"MSC {MODELS[self.model].name}: days of {self.day_start} to "
            f"{self.day_start} UTC, runs of {self.cycle:02d} UTC",
            "provider": self.provider,
            "licence": "Environment and Climate Change Canada Data Servers End-use Licence",
        }
        return layout_of(f"nwp_{self.model}", self._cycle, attrs, ensemble=self._ensemble)

    @property
    def _ensemble(self) -> bool:
        """Whether its files hold members."""
        return self.model == "geps"

    def check(self) -> None:
        """Check nothing: the server is open to everybody."""

    def cost(self, blocks: Collection[Block]) -> Cost:
        """Estimate what blocks take.

        Parameters
        ----------
        blocks : collection of Block
            Runs.

        Returns
        -------
        Cost
            Expected values.
        """
        files = len(blocks) * len(self._cycle.files)
        return Cost(
            requests=len(blocks) + files * (1 + _QUANTITIES),
            bytes=files * _QUANTITIES * MODELS[self.model].field_bytes,
            basis="files of the sizes seen in 2023 to 2026; a listing for each lead",
        )

    def search(self, block: Block) -> list[Scene]:
        """List the leads of a run.

        Parameters
        ----------
        block : Block
            One run.

        Returns
        -------
        list of Scene
            One for each lead that is wanted and there; none before the run is out.

        Raises
        ------
        ProviderError
            If the server fails.
        """
        if not self._cycle.published(block):
            return []
        date = block.times[0].astype("datetime64[D]")
        stamp = f"{str(date).replace('-', '')}{self.cycle:02d}"
        folder = f"{self.base_url}/{stamp[:8]}/WXO-DD/{MODELS[self.model].folder}/{stamp[8:]}"
        listed = {name_of(url): url for url in list_links(folder, absent=True)}
        wanted = [lead for lead in self._cycle.files if f"{lead:03d}" in listed]
        return [self._scene(date, stamp, lead, listed[f"{lead:03d}"]) for lead in wanted]

    def _scene(self, date: np.datetime64, stamp: str, lead: int, folder: str) -> Scene:
        """One lead."""
        return Scene(
            id=f"{self.model}-{stamp[:8]}T{stamp[8:]}Z-PT{lead:03d}H.grib2",
            source=self.layout.group,
            observed=self._cycle.reference_time(date) + hours(lead),
            available=self._cycle.available_time(date),
            request={"folder": folder, "stamp": stamp, "lead": lead},
        )

    def fetch(self, scene: Scene, cache: Path) -> Path:
        """Bring a lead into the cache, once.

        Parameters
        ----------
        scene : Scene
            One result of `search`.
        cache : Path
            Folder shared by all workers.

        Returns
        -------
        Path
            The messages of all quantities, one after the other.

        Raises
        ------
        ProviderError
            If the server fails, or the run is not complete yet.
        """
        return cached(cache, scene.id, lambda path: self._join(scene, path))

    def _join(self, scene: Scene, path: Path) -> None:
        """Download the files of a lead into one."""
        folder, stamp = str(scene.request["folder"]), str(scene.request["stamp"])
        urls = choose_files(list_links(folder), stamp, int(str(scene.request["lead"])))
        piece = path.with_name(f"{path.name}.piece")
        with path.open("wb") as whole:
            for url in urls:
                download(url, piece, base_url=self.base_url)
                whole.write(piece.read_bytes())
        piece.unlink(missing_ok=True)

    def read(self, path: Path) -> xr.Dataset:
        """Read a lead.

        Parameters
        ----------
        path : Path
            GRIB.

        Returns
        -------
        xr.Dataset
            Dims ``(time, y, x)`` on the model's grid: t2m in K, rh in % and vp in hPa (over water),
            ws in m s-1, tp in mm since the start of the run; what the file lacks is left out. Of
            GEPS means over its members, and ``t2m_members (time, number, y, x)`` and those of ws
            and tp.

        Raises
        ------
        CorruptFileError
            If the file is damaged.
        SourceError
            If it holds none of these quantities.
        """
        return read_forecast(path)

    def parts(self, path: Path) -> Iterator[xr.Dataset]:
        """Read a lead as the one part that it is: all members of a run do not fit into memory.

        Parameters
        ----------
        path : Path
            As for :meth:`read`.

        Yields
        ------
        xr.Dataset
            What :meth:`read` gives.
        """
        yield self.read(path)

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Turn the hours of a run into its fire days.

        Parameters
        ----------
        scenes : sequence of (Scene, xr.Dataset)
            Leads, aligned to the block's cells; walked over once.
        block : Block
            One run.

        Returns
        -------
        xr.Dataset
            The variables, ``(time, lead_time, y, x)``; a fire day that lacks an hour is NaN.

        Raises
        ------
        SourceError
            If a file holds another hour than its name says.
        """
        return compose_run(self._cycle, self.noon_hour, scenes, block, ensemble=self._ensemble)
