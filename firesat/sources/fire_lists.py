"""New fires as agencies report them: lists of CIFFC, the National Fire Database, or your own."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer

from firesat.blocks import Block, Layout, Variable
from firesat.grid import crs_of
from firesat.sources._every_day import EveryDay
from firesat.sources._layers import NEVER, empty, end_of_fire_day, hours, layer
from firesat.sources._local import OnDisk
from firesat.sources._refused import left_out
from firesat.sources._spans import dates_of, period_of, scenes_of
from firesat.sources.base import Scene
from firesat.sources.fire_records import read_records
from firesat.window import fire_day


@dataclass(frozen=True, kw_only=True)
class FireLists(OnDisk, EveryDay):
    """Fires by the day and place of their first report, 1 km, one tile and 32 days a block.

    Parameters
    ----------
    files : dict of str to str
        Path below `root` of a list: the days that it covers, such as "2024-03-01/2024-10-31". A day
        without fires is quiet only where a list says that it would have them.
    group : str
        Name in the cube.
    latency_hours : float
        From the end of a day to the publication of its reports in operation.
    root : str
        Folder of the files.
    root_env : str
        Environment variable that names another folder; "" = none.
    """

    files: dict[str, str]
    group: str = "fire_reports"
    latency_hours: float = 24.0

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
            Group ``fire_reports``: new fires, and those of them that lightning lit.
        """
        return Layout(
            group=self.group,
            level=1000,
            variables=tuple(
                Variable(name=name, dtype="uint16", fill=65535)
                for name in ("new_fires", "new_fires_natural")
            ),
            steps=32,
            attrs={
                "source": "lists of fires by the day of their first report",
                "provider": "",
                "licence": "as stated by the makers of the files",
                "latency_hours": self.latency_hours,
                "comment": "prescribed burns are left out; a fire that several files list counts "
                "once for each",
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
            In the order of the config.
        """
        dates = np.array(block.times, dtype="datetime64[D]")
        return scenes_of(self.files, block, self.latency_hours, dates)

    def read(self, path: Path) -> xr.Dataset:
        """Read a list.

        Parameters
        ----------
        path : Path
            As of :func:`firesat.sources.fire_records.read_records`.

        Returns
        -------
        xr.Dataset
            Along dim ``report``: ``longitude``, ``latitude``, ``day`` and ``natural`` of wildfires.
            It has no grid and is not aligned.

        Raises
        ------
        CorruptFileError
            If the file is damaged, lacks a column, or no row of it can be used.
        GridError
            If a file of shapes has no CRS, or not that of its coordinates.
        """
        return _reports(path, path.stat().st_mtime_ns)

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Count new fires per cell and fire day.

        Parameters
        ----------
        scenes : sequence of (Scene, xr.Dataset)
            Lists.
        block : Block
            32 days of a tile.

        Returns
        -------
        xr.Dataset
            ``new_fires`` and ``new_fires_natural``, ``(time, y, x)``; NaN on days that no list
            covers.
        """
        days = np.array(block.times, dtype="datetime64[D]")
        covered = {date for scene, _ in scenes for date in dates_of(scene)}
        there = np.array([str(day) in covered for day in days])
        arrays = {each.name: empty(block) for each in self.layout.variables}
        for values in arrays.values():
            values[there] = 0
        for scene, table in scenes:
            day = table["day"].values.astype("datetime64[D]")  # xarray keeps seconds
            own = np.isin(day.astype(str), list(dates_of(scene)))
            _add(arrays, table.isel(report=own), block)
        available = [
            end_of_fire_day(day) + hours(self.latency_hours) if known else NEVER
            for day, known in zip(days, there, strict=True)
        ]
        tables = [table for _, table in scenes]
        return layer(arrays, block, np.array(available)).assign_attrs(left_out(tables))


def _add(arrays: dict[str, NDArray[np.float32]], table: xr.Dataset, block: Block) -> None:
    """Count a list's fires into their cells and days."""
    cells, days = block.geobox, np.array(block.times, dtype="datetime64[D]")
    to_grid = Transformer.from_crs("EPSG:4326", crs_of(cells).to_wkt(), always_xy=True)
    x, y = to_grid.transform(table["longitude"].values, table["latitude"].values)
    column, row = (np.floor(axis).astype(np.int64) for axis in ~cells.affine * (x, y))
    step = np.searchsorted(days, table["day"].values).clip(max=len(days) - 1)
    inside = (row >= 0) & (row < cells.shape[0]) & (column >= 0) & (column < cells.shape[1])
    inside &= days[step] == table["day"].values
    for name, own in (
        ("new_fires", inside),
        ("new_fires_natural", inside & table["natural"].values),
    ):
        np.add.at(arrays[name], (step[own], row[own], column[own]), 1)


# Many blocks read one national file: the last ones stay in memory, by their time of writing.
@lru_cache(maxsize=2)
def _reports(path: Path, written: int) -> xr.Dataset:
    """The wildfires of a list."""
    records = read_records(path)
    wild = records.fires[records.fires["cause"] != "prescribed"]
    return xr.Dataset(
        {
            "longitude": ("report", wild["longitude"].to_numpy()),
            "latitude": ("report", wild["latitude"].to_numpy()),
            "day": ("report", fire_day(wild["start"].to_numpy()).astype("datetime64[D]")),
            "natural": ("report", (wild["cause"] == "natural").to_numpy()),
        },
        attrs={"left_out": str(records.refused)},
    )
