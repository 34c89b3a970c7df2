"""The frame: every chip on its stride, at every issue day."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firesat.grid import chip_origins
from firesat.window import Period, Window


def issue_days(periods: Iterable[Period], step: int, window: Window) -> list[str]:
    """List the issue days of a split.

    Parameters
    ----------
    periods : iterable of Period
        Fire days of the split.
    step : int
        Days between issue days, counted anew in each period.
    window : Window
        Its whole horizon must lie inside one period: no window reaches into the next split.

    Returns
    -------
    list of str
        ISO 8601, ascending.
    """
    days: list[str] = []
    for period in periods:
        last = max(0, len(period.days) - window.horizon + 1)
        days.extend(str(day) for day in period.days[:last:step])
    return days


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Chips that are read together: those that begin in one tile.

    Parameters
    ----------
    row, col : int
        Upper left cell of the panel, counted from that of the region; on a line.
    height, width : int
        Cells that the chips cover together, up to the next lines.
    rows, cols : tuple of int
        First row and column of the chips within the panel; there is a chip at each crossing.
    """

    row: int
    col: int
    height: int
    width: int
    rows: tuple[int, ...]
    cols: tuple[int, ...]

    @property
    def origins(self) -> list[tuple[int, int]]:
        """Upper left cell of each chip within the panel.

        Returns
        -------
        list of tuple of int
            Row by row.
        """
        return [(row, col) for row in self.rows for col in self.cols]


def panels(
    shape: tuple[int, int],
    offset: tuple[int, int],
    *,
    size: int,
    stride: int,
    tile: int = 1000,
    line: int = 10,
) -> list[Panel]:
    """Lay the chips of the frame over a region and group them by tile.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the region.
    offset : tuple of int
        Row and column of its upper left cell within its tile.
    size, stride : int
        Cells of a chip's side, and between chips.
    tile : int
        Cells of a tile's side.
    line : int
        Cells between the lines on which a panel begins and ends, where the region goes so far.

    Returns
    -------
    list of Panel
        From the top left; every cell of the region lies in at least one chip.
    """
    origins = list(chip_origins(*shape, size, stride))
    lines = [
        _grouped(sorted({origin[axis] for origin in origins}), offset[axis], tile)
        for axis in (0, 1)
    ]
    return [_panel(rows, cols, size, line, shape) for rows in lines[0] for cols in lines[1]]


def _grouped(starts: list[int], offset: int, tile: int) -> list[list[int]]:
    """Starts along one axis, those in one tile together."""
    groups: dict[int, list[int]] = {}
    for start in starts:
        groups.setdefault((start + offset) // tile, []).append(start)
    return list(groups.values())


def _panel(rows: list[int], cols: list[int], size: int, line: int, shape: tuple[int, int]) -> Panel:
    """The box around some chips."""
    (top, height), (left, width) = (
        _span(starts, size, line, edge) for starts, edge in zip((rows, cols), shape, strict=True)
    )
    return Panel(
        row=top,
        col=left,
        height=height,
        width=width,
        rows=tuple(row - top for row in rows),
        cols=tuple(col - left for col in cols),
    )


def _span(starts: list[int], size: int, line: int, edge: int) -> tuple[int, int]:
    """First line and length along one axis."""
    first = starts[0] // line * line
    last = min(-(-(starts[-1] + size) // line) * line, edge)
    return first, last - first


def chips_with(
    cells: tuple[NDArray[np.integer], NDArray[np.integer]], panel: Panel, size: int
) -> NDArray[np.int64]:
    """Count cells in each chip.

    Parameters
    ----------
    cells : tuple of ndarray of int, shapes (n,) and (n,)
        Rows and columns of the cells within the panel.
    panel : Panel
        Its chips.
    size : int
        Cells of a chip's side.

    Returns
    -------
    ndarray of int64, shape (chips,)
        Of these cells, in the order of ``panel.origins``.
    """
    inside = [
        (place[:, None] >= starts) & (place[:, None] < starts + size)
        for place, starts in zip(cells, (np.array(panel.rows), np.array(panel.cols)), strict=True)
    ]
    counts = inside[0].T.astype(np.float64) @ inside[1].astype(np.float64)
    return np.rint(counts).astype(np.int64).ravel()
