"""Active-fire detections as NASA serves them, near-real-time and as the final archive."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.blocks import Block, Layout
from firesat.errors import ConfigError, CorruptFileError
from firesat.sources._every_day import EveryDay
from firesat.sources._firms import FIRMS, MOST_DAYS, ask, find_key
from firesat.sources._hotspots import (
    VARIABLES,
    begun,
    dates_needed,
    days_of_publication,
    hotspot_days,
    remembered_hotspots,
    until,
)
from firesat.sources._layers import degrees_around, hours
from firesat.sources._spans import ONE_DAY
from firesat.sources.base import Scene, cached
from firesat.sources.quotas import Cost
from firesat.window import DAY_START

PRODUCTS = tuple(
    f"{sensor}_{stream}"
    for sensor in ("VIIRS_SNPP", "VIIRS_NOAA20", "VIIRS_NOAA21", "MODIS")
    for stream in ("NRT", "SP")
)
_FINAL = "_SP"  # standard processing
_TABLE_BYTES = 20e3  # of five days of a tile, mostly quiet


@dataclass(frozen=True, kw_only=True)
class Firms(EveryDay):
    """Active-fire detections of FIRMS, 500 m, one tile and 32 days a block.

    Parameters
    ----------
    base_url : str
        Root of the service.
    products : tuple of str
        Names of FIRMS, all near-real-time (``..._NRT``, kept for some months) or all final
        (``..._SP``, which follow months later). A day counts as seen where all of them have it.
    group : str
        Name in the cube; what forecasters read is ``hotspots``.
    latency_hours : float
        From the overpass to its publication in operation: FIRMS serves detections within 3 hours.
        It holds for final products too: what a forecaster had is the near-real-time one.
    day_start : int
        Hour UTC at which days begin; 0 = calendar days.

    Raises
    ------
    ConfigError
        If a product is unknown, or final and near-real-time ones are mixed.
    """

    provider: ClassVar[str] = "firms"

    base_url: str = FIRMS
    products: tuple[str, ...] = ("VIIRS_SNPP_NRT", "VIIRS_NOAA20_NRT")
    group: str = "hotspots"
    latency_hours: float = 3.0
    day_start: int = DAY_START

    def __post_init__(self) -> None:
        """Refuse products that are none, and mixtures."""
        unknown = [name for name in self.products if name not in PRODUCTS]
        if unknown or not self.products:
            raise ConfigError(
                f"FIRMS has no product {', '.join(unknown) or 'none'}: give some of "
                f"{', '.join(PRODUCTS)}"
            )
        if len({name.endswith(_FINAL) for name in self.products}) > 1:
            raise ConfigError(
                "products of FIRMS are all near-real-time (_NRT) or all final (_SP): give the "
                "others as a second source with a group of its own"
            )

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            As of the hotspots of CWFIS; the stream says which version it is.
        """
        return Layout(
            group=self.group,
            level=500,
            variables=VARIABLES,
            steps=32,
            attrs={
                "source": f"FIRMS {', '.join(self.products)} by days of publication, "
                f"{self.day_start} to {self.day_start} UTC",
                "provider": self.provider,
                "stream": "final" if self.products[0].endswith(_FINAL) else "nrt",
                "licence": "NASA open data; FIRMS, part of NASA's ESDIS",
                **days_of_publication(self.latency_hours, self.day_start),
            },
        )

    def check(self) -> None:
        """Check that there is a map key.

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
            Some times 32 days of tiles.

        Returns
        -------
        Cost
            Expected values.
        """
        tables = sum(-(-(len(block.times) + 1) // MOST_DAYS) for block in blocks)
        return Cost(
            requests=len(self.products) * (tables + len(blocks)),
            bytes=_TABLE_BYTES * len(self.products) * tables,
            basis="assumed: 20 kB for 5 days of a tile and sensor",
        )

    def search(self, block: Block) -> list[Scene]:
        """List the tables that a block needs.

        Parameters
        ----------
        block : Block
            32 days of a tile.

        Returns
        -------
        list of Scene
            Of the dates that every product has, today's as far as it has come.

        Raises
        ------
        CredentialsError
            If there is no key, or it is refused.
        ProviderError
            If the service fails.
        """
        wanted = dates_needed(block, self.latency_hours, self.day_start)
        dates = begun(wanted, self.latency_hours)
        for product in self.products:
            first, last = self._available(product)
            dates = dates[(dates >= first) & (dates <= last)]
        area = ",".join(
            f"{edge:g}" for edge in degrees_around(block.region, margin=0.01, step=0.01)
        )
        return [
            self._scene(product, area, run) for product in self.products for run in _runs(dates)
        ]

    def _available(self, product: str) -> tuple[np.datetime64, np.datetime64]:
        """First and last date of a product."""
        text = ask(self.base_url, "data_availability", product)
        rows = (line.strip().split(",") for line in text.splitlines())
        try:
            first, last = next(row[1:3] for row in rows if row[0] == product)
            return np.datetime64(first, "D"), np.datetime64(last, "D")
        except (StopIteration, ValueError) as error:
            raise CorruptFileError(
                f"FIRMS says nothing of {product}'s dates, but {text[:80]!r}: run later"
            ) from error

    def _scene(self, product: str, area: str, dates: NDArray[np.datetime64]) -> Scene:
        """Some days of a product."""
        end = (dates[-1] + ONE_DAY).astype("datetime64[s]")
        state = until(dates[-1], self.latency_hours)
        return Scene(
            id=f"firms-{state}{product}-{area.replace(',', '_')}-{dates[0]}-{len(dates)}",
            source=self.group,
            observed=end,
            available=end + hours(self.latency_hours),
            request={
                "rest": f"{product}/{area}/{len(dates)}/{dates[0]}",
                "dates": [str(date) for date in dates],
            },
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
            CSV.

        Raises
        ------
        CredentialsError
            If there is no key, or it is refused.
        ProviderError
            If the service fails.
        """
        rest = str(scene.request["rest"])

        def download(path: Path) -> None:
            """Write the answer."""
            path.write_text(ask(self.base_url, "area", rest))

        return cached(cache, f"{scene.id}.csv", download)

    def read(self, path: Path) -> xr.Dataset:
        """Read a table.

        Parameters
        ----------
        path : Path
            CSV of FIRMS.

        Returns
        -------
        xr.Dataset
            Along dim ``detection``; it has no grid and is not aligned.

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
            Counts and ``frp``, ``(time, y, x)``; NaN on days that FIRMS does not cover.
        """
        return hotspot_days(scenes, block, self.latency_hours, self.day_start)


def _runs(dates: NDArray[np.datetime64]) -> Iterator[NDArray[np.datetime64]]:
    """Dates in a row, at most so many as a request may ask for."""
    breaks = [0, *(np.flatnonzero(np.diff(dates) > ONE_DAY) + 1), len(dates)]
    for start, stop in pairwise(breaks):
        for first in range(start, stop, MOST_DAYS):
            yield dates[first : min(first + MOST_DAYS, stop)]
