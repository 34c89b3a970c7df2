"""The frame of all chips over a region, and the pixels of those that were chosen."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property

import numpy as np
import pandas as pd

from firesat.cube import grid_of
from firesat.errors import SampleError
from firesat.grid import TILE_SIZE, Grid, Tile
from firesat.samples.fires import within
from firesat.samples.reader import DayFields, Reader
from firesat.samples.region import Region
from firesat.samples.settings import SampleSettings
from firesat.sampling import DayMaps, Panel, frame_of_day, issue_days, panels
from firesat.scaling import Batch

NEAR = 10.0  # km from an active fire that make a chip "near_fire"

Progress = Callable[[int, int, str], None]
"""Called with steps done, steps in all, and what is being done."""

_PER_TILE = TILE_SIZE // 100


class Plan:
    """Which chips a region has, and how they are read.

    Parameters
    ----------
    reader : Reader
        Of the cube.
    settings : SampleSettings
        Sizes and periods.
    """

    def __init__(self, reader: Reader, settings: SampleSettings) -> None:
        self._reader = reader
        self._settings = settings
        self.grid: Grid = grid_of(reader.cube_path)

    @property
    def _offset(self) -> tuple[int, int]:
        """Row and column of the region's upper left cell in the national box."""
        x0, _, _, y1 = self.grid.extent
        return round((self.grid.bounds[3] - y1) / 100), round((x0 - self.grid.bounds[0]) / 100)

    @cached_property
    def panels(self) -> list[Panel]:
        """The chips of the frame, tile by tile.

        Returns
        -------
        list of Panel
            From the top left.
        """
        height, width = self.grid.region_geobox(100).shape
        row, col = self._offset
        size, stride = self._settings.chip, self._settings.stride
        offset = (row % _PER_TILE, col % _PER_TILE)
        return panels((height, width), offset, size=size, stride=stride, tile=_PER_TILE)

    def _region(self, panel: Panel) -> Region:
        """The cube over a panel."""
        rows = slice(panel.row, panel.row + panel.height)
        columns = slice(panel.col, panel.col + panel.width)
        return self._reader.region(self.grid.region_geobox(100)[rows, columns])

    def frame(self, progress: Progress) -> pd.DataFrame:
        """List every chip at every issue day, with its stratum. No satellite image is read.

        Parameters
        ----------
        progress : callable
            Called before each issue day.

        Returns
        -------
        pd.DataFrame
            Columns as `sampling.COLUMNS`, and `panel`.

        Raises
        ------
        SampleError
            If no window fits into the periods.
        """
        days = [
            (split, day)
            for split, periods in self._settings.splits.items()
            for day in issue_days(periods, self._settings.issue_step, self._settings.inputs.window)
        ]
        if not days:
            raise SampleError("no window fits into sample.splits: periods must exceed the horizon")
        rows: list[dict[str, object]] = []
        for number, panel in enumerate(self.panels):
            region = self._region(panel)
            for step, (split, day) in enumerate(days):
                progress(number * len(days) + step, len(self.panels) * len(days), f"fires of {day}")
                maps, size = _maps(region, day), self._settings.chip
                found = frame_of_day(maps, panel, split=split, day=day, size=size)
                rows.extend({**row, "panel": number} for row in found)
        return pd.DataFrame(rows)

    def chips(self, chosen: pd.DataFrame, progress: Progress) -> Iterator[Batch]:
        """Read chips.

        Parameters
        ----------
        chosen : pd.DataFrame
            Rows of :meth:`frame`, those of one panel and issue day together.
        progress : callable
            Called before each issue day.

        Yields
        ------
        dict of ndarray
            A chip with label and valid, in the order of `chosen`.
        """
        groups = [g for _, g in chosen.groupby(["split", "panel", "reference_day"], sort=False)]
        done = 0
        for group, fields in zip(groups, self._ahead(groups), strict=True):
            progress(done, len(chosen), f"chips of {fields.day}")
            panel = self.panels[int(group["panel"].iloc[0])]
            for row, col in zip(group["row"], group["col"], strict=True):
                where = int(row) - panel.row, int(col) - panel.col
                yield self._reader.chip(fields, *where, self._settings.chip)
            done += len(group)
        progress(done, len(chosen), "chips")

    def _ahead(self, groups: list[pd.DataFrame]) -> Iterator[DayFields]:
        """Fields of each group's day; the next is read while this one is written."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            coming: deque[Future[DayFields]] = deque()
            for group in groups:
                coming.append(pool.submit(self._fields, group))
                if len(coming) > 1:
                    yield coming.popleft().result()
            yield from (future.result() for future in coming)

    def _fields(self, group: pd.DataFrame) -> DayFields:
        """Read the day and the panel of some chips."""
        panel = self.panels[int(group["panel"].iloc[0])]
        day = str(group["reference_day"].iloc[0])
        return self._reader.day(day, self._region(panel).cells, truth=True)

    def places(self, chosen: pd.DataFrame) -> pd.DataFrame:
        """Say where chips lie on the national grid.

        Parameters
        ----------
        chosen : pd.DataFrame
            Rows of :meth:`frame`.

        Returns
        -------
        pd.DataFrame
            `tile` of the upper left cell, its `row` and `col` within that tile; same index.
        """
        row, col = (
            chosen[name].to_numpy() + start
            for name, start in zip(("row", "col"), self._offset, strict=True)
        )
        tiles = zip((col // _PER_TILE).tolist(), (row // _PER_TILE).tolist(), strict=True)
        return pd.DataFrame(
            {
                "tile": [Tile(column, line).name for column, line in tiles],
                "row": (row % _PER_TILE).astype(np.int32),
                "col": (col % _PER_TILE).astype(np.int32),
            },
            index=chosen.index,
        )


def _maps(region: Region, day: str) -> DayMaps:
    """What decides the strata of a day."""
    truth = region.truth(day)
    return DayMaps(
        burns=truth.label.any(axis=0),
        near=within(region.fire(day)[0], NEAR),
        fire_id=truth.fire_id,
    )
