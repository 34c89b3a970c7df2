"""Forecast weather of ECMWF's open data: an index beside each file, and parts of the file."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr

from firesat.blocks import Block, Layout
from firesat.errors import ProviderError
from firesat.sources._cycles import Cycle, check_run, layout_of
from firesat.sources._every_day import EveryDay
from firesat.sources._forecast_hours import read_forecast
from firesat.sources._http import get_text
from firesat.sources._layers import hours
from firesat.sources._ranges import download_ranges, index_ranges
from firesat.sources._run_days import compose_run
from firesat.sources.base import Scene, cached
from firesat.sources.quotas import Cost
from firesat.window import DAY_START

_PARAMS = ("2t", "2d", "10u", "10v", "tp")
_STEPS = ((144, 3), (360, 6))
_FIELD_BYTES = 0.7e6
# How the tree has been laid out: now, in February 2024, and in 2023.
_TREES = ("ifs/0p25/", "0p25/", "0p4-beta/")


@dataclass(frozen=True, kw_only=True)
class EcmwfOpen(EveryDay):
    """ECMWF's high-resolution forecast as daily weather, 10 km, the whole box, one run a block.

    Parameters
    ----------
    base_url : str
        Root of the open data, which keeps some days; or of a mirror of the same layout that keeps
        more, such as https://ecmwf-forecasts.s3.eu-central-1.amazonaws.com, from 2023 on.
    cycle : int
        Hour UTC of the run; the one of 00 UTC is there when fire days begin.
    days : int
        Fire days of each run.
    noon_hour : int, optional
        Hour UTC of local standard noon; None = from the middle of the region.
    latency_hours : float
        From the start of a run until its last file is out.
    day_start : int
        Hour UTC at which days begin.
    """

    provider: ClassVar[str] = "ecmwf"

    base_url: str = "https://data.ecmwf.int/forecasts"
    cycle: int = 0
    days: int = 9
    noon_hour: int | None = None
    latency_hours: float = 9.0
    day_start: int = DAY_START

    def __post_init__(self) -> None:
        """Refuse fire days that the model does not reach."""
        check_run(self._cycle, "ECMWF's forecasts")

    @property
    def _cycle(self) -> Cycle:
        """Runs, hours and days."""
        main = self.cycle in (0, 12)  # the runs between them are shorter
        return Cycle(
            hour=self.cycle,
            days=self.days,
            steps=_STEPS if main else ((144, 3),),
            day_start=self.day_start,
            latency_hours=self.latency_hours,
        )

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            Group ``nwp_ecmwf``: 11 daily variables by lead time, float32.
        """
        attrs: dict[str, str | float] = {
            "source": f"ECMWF open data, high-resolution forecast: days of {self.day_start} to "
            f"{self.day_start} UTC, runs of {self.cycle:02d} UTC",
            "provider": self.provider,
            "licence": "CC-BY-4.0; contains modified ECMWF open data",
        }
        return layout_of("nwp_ecmwf", self._cycle, attrs)

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
            requests=len(blocks) + files * (1 + len(_PARAMS)),
            bytes=files * len(_PARAMS) * _FIELD_BYTES,
            basis="assumed: 0.7 MB a field of 0.25 degrees; an index for each lead",
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
            One for each lead; none before the run is out, or where nobody keeps it.

        Raises
        ------
        ProviderError
            If the server fails.
        """
        if not self._cycle.published(block):
            return []
        date = block.times[0].astype("datetime64[D]")
        files = self._cycle.files
        for tree in _TREES:
            if get_text(f"{self._stem(date, tree, files[0])}.index", self.base_url, absent=True):
                return [self._scene(date, tree, lead) for lead in files]
        return []

    def _stem(self, date: np.datetime64, tree: str, lead: int) -> str:
        """Address of a lead's files, without their ending."""
        day, stream = str(date).replace("-", ""), "oper" if self.cycle in (0, 12) else "scda"
        folder = f"{self.base_url}/{day}/{self.cycle:02d}z/{tree}{stream}"
        return f"{folder}/{day}{self.cycle:02d}0000-{lead}h-{stream}-fc"

    def _scene(self, date: np.datetime64, tree: str, lead: int) -> Scene:
        """One lead."""
        return Scene(
            id=f"ecmwf-{str(date).replace('-', '')}T{self.cycle:02d}Z-PT{lead:03d}H.grib2",
            source=self.layout.group,
            observed=self._cycle.reference_time(date) + hours(lead),
            available=self._cycle.available_time(date),
            request={"stem": self._stem(date, tree, lead), "lead": lead},
        )

    def fetch(self, scene: Scene, cache: Path) -> Path:
        """Bring the wanted parts of a lead into the cache, once.

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
        return cached(cache, scene.id, lambda path: self._cut(scene, path))

    def _cut(self, scene: Scene, path: Path) -> None:
        """Download what the index says the wanted quantities are."""
        stem, start = str(scene.request["stem"]), scene.request["lead"] == 0
        index = get_text(f"{stem}.index", self.base_url)
        found = index_ranges(index, _PARAMS, f"{stem}.index")
        lacking = set(_PARAMS) - set(found) - ({"tp"} if start else set())
        if lacking:
            raise ProviderError(
                f"{stem}.index lists no {' nor '.join(sorted(lacking))}: run the command again "
                "later"
            )
        download_ranges(f"{stem}.grib2", list(found.values()), path, base_url=self.base_url)

    def read(self, path: Path) -> xr.Dataset:
        """Read a lead.

        Parameters
        ----------
        path : Path
            GRIB.

        Returns
        -------
        xr.Dataset
            Dims ``(time, y, x)`` in degrees: t2m in K, rh in % and vp in hPa (over water), ws in
            m s-1, tp in mm since the start of the run.

        Raises
        ------
        CorruptFileError
            If the file is damaged.
        SourceError
            If it holds none of these quantities.
        """
        return read_forecast(path)

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Turn the hours of a run into its fire days.

        Parameters
        ----------
        scenes : sequence of (Scene, xr.Dataset)
            Leads, aligned to the block's cells.
        block : Block
            One run.

        Returns
        -------
        xr.Dataset
            The 11 variables, ``(time, lead_time, y, x)``; a fire day that lacks an hour is NaN.

        Raises
        ------
        SourceError
            If a file holds another hour than its name says.
        """
        return compose_run(self._cycle, self.noon_hour, scenes, block)
