"""Your own tables of active-fire detections, such as NASA's archive of past seasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import xarray as xr

from firesat.blocks import Block, Layout
from firesat.sources._every_day import EveryDay
from firesat.sources._hotspots import (
    VARIABLES,
    dates_needed,
    days_of_publication,
    hotspot_days,
    remembered_hotspots,
)
from firesat.sources._local import OnDisk
from firesat.sources._spans import period_of, scenes_of
from firesat.sources.base import Scene
from firesat.window import DAY_START


@dataclass(frozen=True, kw_only=True)
class LocalHotspots(OnDisk, EveryDay):
    """Active-fire detections on disk, 500 m, one tile and 32 days a block.

    NASA sends FIRMS's archive (firms.modaps.eosdis.nasa.gov/download) as one CSV a sensor:
    ``fire_archive_*.csv`` is the final product, ``fire_nrt_*.csv`` what was served soon after.

    Parameters
    ----------
    files : dict of str to str
        Path below `root` of a table of FIRMS or CWFIS, CSV or zip: the dates (UTC) that it covers,
        such as "2023-05-01/2023-09-30". A day without detections is quiet only where a file says
        that it looked.
    group : str
        Name in the cube; what forecasters read is ``hotspots``.
    stream : {"nrt", "final"}
        Which version of the product.
    latency_hours : float
        From the overpass to its publication in operation, whenever the archive was made: FIRMS
        serves detections within 3 hours.
    day_start : int
        Hour UTC at which days begin; 0 = calendar days.
    root : str
        Folder of the files.
    root_env : str
        Environment variable that names another folder; "" = none.
    """

    files: dict[str, str]
    group: str = "hotspots"
    stream: Literal["nrt", "final"] = "final"
    latency_hours: float = 3.0
    day_start: int = DAY_START

    def __post_init__(self) -> None:
        """Refuse spans that are none before any file is opened."""
        for path, span in self.files.items():
            period_of(path, span)

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            As of the hotspots of CWFIS.
        """
        return Layout(
            group=self.group,
            level=500,
            variables=VARIABLES,
            steps=32,
            attrs={
                "source": f"local hotspots by days of publication, {self.day_start} to "
                f"{self.day_start} UTC",
                "provider": "",
                "stream": self.stream,
                "licence": "as stated by the makers of the files",
                **days_of_publication(self.latency_hours, self.day_start),
            },
        )

    def search(self, block: Block) -> list[Scene]:
        """List the files that cover a block's days.

        Parameters
        ----------
        block : Block
            32 days of a tile.

        Returns
        -------
        list of Scene
            A fire day needs every date that it reaches into.
        """
        dates = dates_needed(block, self.latency_hours, self.day_start)
        return scenes_of(self.files, block, self.latency_hours, dates)

    def read(self, path: Path) -> xr.Dataset:
        """Read a table.

        Parameters
        ----------
        path : Path
            CSV, or a zip of one CSV or shapefile.

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
            Counts and ``frp``, ``(time, y, x)``; NaN on days that no file covers.
        """
        return hotspot_days(scenes, block, self.latency_hours, self.day_start)
