"""Active-fire detections as Natural Resources Canada publishes them."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.blocks import Block, Layout
from firesat.sources._download import download
from firesat.sources._every_day import EveryDay
from firesat.sources._hotspots import (
    VARIABLES,
    begun,
    dates_needed,
    days_of_publication,
    hotspot_days,
    remembered_hotspots,
    until,
)
from firesat.sources._http import list_links, name_of
from firesat.sources._layers import CWFIS, OPEN_CANADA, hours
from firesat.sources.base import Scene, cached
from firesat.sources.quotas import Cost
from firesat.window import DAY_START

_ARCHIVE_BYTES = 50e6  # of a year
_DAY = np.timedelta64(1, "D")
_DAILY = re.compile(r"(\d{4})(\d{2})(\d{2})\.csv")
_YEARLY = re.compile(r"(\d{4})_hotspots\.zip")


@dataclass(frozen=True, kw_only=True)
class Hotspots(EveryDay):
    """Active-fire detections of all satellites, 500 m, one tile and 32 days a block.

    Parameters
    ----------
    base_url : str
        Root of the CWFIS downloads.
    latency_hours : float
        From the overpass to its publication.
    day_start : int
        Hour UTC at which days begin; 0 = calendar days.
    """

    provider: ClassVar[str] = "nrcan"

    base_url: str = CWFIS
    latency_hours: float = 3.0
    day_start: int = DAY_START

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            Group ``hotspots``: counts by day of publication, 0 where none, and the largest
            radiative power.
        """
        return Layout(
            group="hotspots",
            level=500,
            variables=VARIABLES,
            steps=32,
            attrs={
                "source": f"CWFIS hotspots by days of publication, {self.day_start} to "
                f"{self.day_start} UTC",
                "provider": self.provider,
                "licence": OPEN_CANADA,
                **days_of_publication(self.latency_hours, self.day_start),
            },
        )

    def check(self) -> None:
        """Check nothing: the server is open to everybody."""

    def cost(self, blocks: Collection[Block]) -> Cost:
        """Estimate what blocks take.

        Parameters
        ----------
        blocks : collection of Block
            Some times 32 days of tiles.

        Returns
        -------
        Cost
            Expected values.
        """
        years = {str(day)[:4] for block in blocks for day in (block.times[0], block.times[-1])}
        return Cost(
            requests=len(years) + 2 * len(blocks),
            bytes=_ARCHIVE_BYTES * len(years),
            basis="assumed: an archive of 50 MB a year; two listings a block",
        )

    def search(self, block: Block) -> list[Scene]:
        """List the tables that a block needs: yearly archives, else daily files.

        Parameters
        ----------
        block : Block
            32 days of a tile.

        Returns
        -------
        list of Scene
            A fire day needs the files of every date that it reaches into.

        Raises
        ------
        ProviderError
            If the server fails.
        """
        wanted = dates_needed(block, self.latency_hours, self.day_start)
        dates = begun(wanted, self.latency_hours)
        folder = f"{self.base_url}/hotspots"
        archives = _named(list_links(f"{folder}/archive"), _YEARLY)
        years = {str(date)[:4] for date in dates}
        lacking = [date for date in dates if str(date)[:4] not in archives]
        daily = _named(list_links(folder), _DAILY) if lacking else {}
        found = [(archives[year], year) for year in sorted(years & set(archives))]
        keys = [str(date).replace("-", "") for date in lacking]
        found += [(daily[key], key) for key in keys if key in daily]
        return [self._scene(url, key, dates) for url, key in found]

    def _scene(self, url: str, key: str, dates: NDArray[np.datetime64]) -> Scene:
        """One table; it covers a year's or one day's dates of the block."""
        covered = [date for date in dates if str(date).replace("-", "").startswith(key)]
        end = (covered[-1] + _DAY).astype("datetime64[s]")
        last = np.datetime64(f"{key}-12-31") if len(key) == len("2023") else covered[-1]
        return Scene(
            id=f"{until(last, self.latency_hours)}{name_of(url)}",
            source="hotspots",
            observed=end,
            available=end + hours(self.latency_hours),
            request={"url": url, "dates": [str(date) for date in covered]},
        )

    def fetch(self, scene: Scene, cache: Path) -> Path:
        """Bring a table into the cache, once.

        Parameters
        ----------
        scene : Scene
            One result of `search`.
        cache : Path
            Folder shared by all workers.

        Returns
        -------
        Path
            CSV or zip.

        Raises
        ------
        ProviderError
            If the server fails.
        """
        url = str(scene.request["url"])
        return cached(
            cache, f"hotspots-{scene.id}", lambda path: download(url, path, base_url=self.base_url)
        )

    def read(self, path: Path) -> xr.Dataset:
        """Read a table.

        Parameters
        ----------
        path : Path
            CSV, or a zip of one CSV or shapefile.

        Returns
        -------
        xr.Dataset
            Along dim ``detection``: ``longitude``, ``latitude``, ``moment`` and ``power``. It has
            no grid and is not aligned.

        Raises
        ------
        CorruptFileError
            If the file is damaged or lacks columns.
        """
        return remembered_hotspots(path, path.stat().st_mtime_ns)

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Count detections per cell and day of publication.

        Parameters
        ----------
        scenes : sequence of (Scene, xr.Dataset)
            Tables.
        block : Block
            32 days of a tile.

        Returns
        -------
        xr.Dataset
            Counts and ``frp``, ``(time, y, x)``; NaN on days that no file covers.
        """
        return hotspot_days(scenes, block, self.latency_hours, self.day_start)


def _named(urls: list[str], pattern: re.Pattern[str]) -> dict[str, str]:
    """Addresses by what the pattern's groups spell."""
    matches = ((pattern.fullmatch(name_of(url)), url) for url in urls)
    return {"".join(match.groups()): url for match, url in matches if match}
