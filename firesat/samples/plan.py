"""Where the chips of a region lie, and the pixels of those that were chosen."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property

import numpy as np
import pandas as pd

from firesat.cube import grid_of
from firesat.grid import TILE_SIZE, Grid, Tile
from firesat.samples.facts import PanelFacts
from firesat.samples.inputs import COARSEST
from firesat.samples.opened import Part
from firesat.samples.reader import DayFields, Reader
from firesat.samples.region import Region
from firesat.samples.settings import SampleSettings
from firesat.sampling import Panel, panels
from firesat.scaling import Batch
from firesat.splits import Boxes

Progress = Callable[[int, int, str], None]
"""Called with steps done, steps in all, and what is being done."""

_PER_TILE = TILE_SIZE // 100


def silent(done: int, total: int, text: str) -> None:
    """Report no progress.

    Parameters
    ----------
    done, total : int
        Steps.
    text : str
        What is being done.
    """


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

    def facts(self, panel: Panel) -> PanelFacts:
        """Open what decides the strata of a panel's chips.

        Parameters
        ----------
        panel : Panel
            One of :attr:`panels`.

        Returns
        -------
        PanelFacts
            Of its chips.
        """
        return PanelFacts(self._region(panel), panel, self._settings)

    def boxes(self, panel: Panel) -> Boxes:
        """Give the ground of a panel's chips.

        Parameters
        ----------
        panel : Panel
            One of :attr:`panels`.

        Returns
        -------
        ndarray of float64, shape (chips, 4)
            x0, y0, x1, y1 in metres.
        """
        x0, _, _, y1 = self.grid.extent
        origins = np.array(panel.origins, dtype=np.float64)
        left = x0 + 100 * (panel.col + origins[:, 1])
        top = y1 - 100 * (panel.row + origins[:, 0])
        side = 100 * self._settings.chip
        return np.stack([left, top - side, left + side, top], axis=1)

    def chips(self, table: pd.DataFrame, progress: Progress) -> Iterator[Batch]:
        """Read chips.

        Parameters
        ----------
        table : pd.DataFrame
            Rows with `tile`, `row`, `col` and `reference_time`, those of one tile and time
            together.
        progress : callable
            Called before each issue day.

        Yields
        ------
        dict of ndarray
            A chip with label and valid, in the order of the table.
        """
        keys = ["split", "tile", "reference_time"]
        groups = [group for _, group in table.groupby(keys, sort=False)]
        done = 0
        for group, fields in zip(groups, self._ahead(groups), strict=True):
            progress(done, len(table), f"chips of {fields.day}")
            rows, cols = self._part(group)
            for row, col in self._within(group):
                yield self._reader.chip(
                    fields, row - rows.start, col - cols.start, self._settings.chip
                )
            done += len(group)
        progress(done, len(table), "chips")

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
        """Read the day of some chips, and of their panel as much as they need."""
        day = str(group["reference_time"].iloc[0].date())
        cells = self._region(self._panel_of(group)).cells
        return self._reader.day(day, cells, truth=True, part=self._part(group))

    @cached_property
    def _by_tile(self) -> dict[str, Panel]:
        """Panels by the tile in which their chips begin."""
        starts = (
            (panel, panel.row + panel.rows[0], panel.col + panel.cols[0]) for panel in self.panels
        )
        return {self._tile(row, col).name: panel for panel, row, col in starts}

    def _tile(self, row: int, col: int) -> Tile:
        """The tile in which a cell of the region lies."""
        top, left = self._offset
        return Tile((col + left) // _PER_TILE, (row + top) // _PER_TILE)

    def _panel_of(self, group: pd.DataFrame) -> Panel:
        """The panel of some chips of one tile."""
        return self._by_tile[str(group["tile"].iloc[0])]

    def _within(self, group: pd.DataFrame) -> list[tuple[int, int]]:
        """Upper left cells of chips of one tile, counted from their panel's."""
        panel, tile = self._panel_of(group), Tile.parse(str(group["tile"].iloc[0]))
        top, left = self._offset
        rows = group["row"].to_numpy(np.int64) + tile.row * _PER_TILE - top - panel.row
        cols = group["col"].to_numpy(np.int64) + tile.column * _PER_TILE - left - panel.col
        return list(zip(rows.tolist(), cols.tolist(), strict=True))

    def _part(self, group: pd.DataFrame) -> Part:
        """The cells of the panel, on 1 km lines, that hold some chips."""
        places = np.array(self._within(group))
        first = places.min(axis=0) // COARSEST * COARSEST
        last = -(-(places.max(axis=0) + self._settings.chip) // COARSEST) * COARSEST
        return slice(int(first[0]), int(last[0])), slice(int(first[1]), int(last[1]))

    def places(self, chosen: pd.DataFrame) -> pd.DataFrame:
        """Say where chips lie on the national grid.

        Parameters
        ----------
        chosen : pd.DataFrame
            Rows with `panel`, number in :attr:`panels`, and `chip`, number in the panel.

        Returns
        -------
        pd.DataFrame
            `tile` of the upper left cell, its `row` and `col` within that tile; same index.
        """
        top, left = self._offset
        corners = []
        for number, chip in zip(chosen["panel"], chosen["chip"], strict=True):
            panel = self.panels[int(number)]
            row, col = panel.origins[int(chip)]
            corners.append((panel.row + row + top, panel.col + col + left))
        rows, cols = np.array(corners, dtype=np.int64).reshape(-1, 2).T
        tiles = zip((cols // _PER_TILE).tolist(), (rows // _PER_TILE).tolist(), strict=True)
        return pd.DataFrame(
            {
                "tile": [Tile(column, line).name for column, line in tiles],
                "row": (rows % _PER_TILE).astype(np.int32),
                "col": (cols % _PER_TILE).astype(np.int32),
            },
            index=chosen.index,
        )
