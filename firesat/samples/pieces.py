"""A piece of the cube: one group over some cells, with what was known of it when."""

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.errors import CubeError, SampleError
from firesat.grid import TILE_SIZE
from firesat.window import DAY_START, Window

Array = NDArray[np.float32]
Table = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One group of the cube over some cells.

    Parameters
    ----------
    data : xr.Dataset
        The group, lazily; y and x cut to the piece, tiles not.
    top, left : float
        Metres from the upper left corner of the wanted cells up and left to that of the piece:
        more than 0 where the group's cells are coarser or a margin was asked for.
    level : int
        Cell size in metres.
    tile_y, tile_x : ndarray of int, shapes (y,) and (x,)
        Tile of each row and column.
    """

    data: xr.Dataset
    top: float
    left: float
    level: int
    tile_y: NDArray[np.intp]
    tile_x: NDArray[np.intp]

    @property
    def days(self) -> NDArray[np.datetime64]:
        """Its time steps as fire days.

        Returns
        -------
        ndarray of datetime64[D]
            Ascending.
        """
        days: NDArray[np.datetime64] = self.data.time.values.astype("datetime64[D]")
        return days

    @property
    def day_start(self) -> int:
        """Hour UTC at which its days begin.

        Returns
        -------
        int
            What the group says of itself; 12 if it says nothing.
        """
        return int(self.data.attrs.get("day_start", DAY_START))

    def known(self, day: str, window: Window, history: int) -> Table:
        """Tell which steps a forecaster had in hand at T.

        Parameters
        ----------
        day : str
            Issue day.
        window : Window
            Rules of the forecast.
        history : int
            Days before T at which a step may have begun.

        Returns
        -------
        ndarray of bool, shape (time, tile_y, tile_x)
            True where available by T and young enough.
        """
        begun = self.days.astype("datetime64[s]") + np.timedelta64(self.day_start, "h")
        # A step that begins exactly `history` days before T counts; admits() leaves that one out.
        rules = replace(window, history=history)
        after = begun[:, None, None] + np.timedelta64(1, "s")
        return rules.admits(after, self.data.available_time.values, day)

    def written(self) -> Table:
        """Tell which steps hold data at all, whenever they became available.

        Returns
        -------
        ndarray of bool, shape (time, tile_y, tile_x)
            For weather without latency, and nothing else.
        """
        there: Table = ~np.isnat(self.data.available_time.values)
        return there

    def over_cells(self, table: Table) -> Table:
        """Spread a table of tiles over the piece's cells.

        Parameters
        ----------
        table : ndarray of bool, shape (..., tile_y, tile_x)
            Such as a step of :meth:`known`.

        Returns
        -------
        ndarray of bool, shape (..., y, x)
            The tile's value in each of its cells.
        """
        if table.shape[-2:] == (1, 1):
            return np.broadcast_to(table, (*table.shape[:-2], len(self.tile_y), len(self.tile_x)))
        return table[..., self.tile_y[:, None], self.tile_x[None, :]]

    def touched(self, table: Table) -> Table:
        """Tell at which steps any of the piece's own tiles is True.

        Parameters
        ----------
        table : ndarray of bool, shape (time, tile_y, tile_x)
            Such as :meth:`known`.

        Returns
        -------
        ndarray of bool, shape (time,)
            Tiles outside the piece do not count.
        """
        own = table[:, np.unique(self.tile_y)[:, None], np.unique(self.tile_x)[None, :]]
        return own.any(axis=(1, 2))

    def read(self, variable: str, steps: NDArray[np.intp], allowed: Table) -> Array:
        """Read steps of a variable.

        Parameters
        ----------
        variable : str
            Name in the group.
        steps : ndarray of int, shape (n,)
            Positions on the time axis; -1 = no such step.
        allowed : ndarray of bool, shape (time, tile_y, tile_x)
            What may be seen.

        Returns
        -------
        ndarray of float32, shape (n, [lead_time,] y, x)
            Physical units; NaN where missing, not allowed, or there is no such step.

        Raises
        ------
        CubeError
            If the group lacks the variable.
        """
        if variable not in self.data:
            raise CubeError(f"the cube's groups hold no {variable}: ingest it, or leave it out")
        inner = self.data[variable].shape[1:-2]
        shape = (len(steps), *inner, len(self.tile_y), len(self.tile_x))
        out = np.full(shape, np.nan, dtype=np.float32)
        there = np.flatnonzero(steps >= 0)
        if there.size:
            first, last = int(steps[there].min()), int(steps[there].max())
            values = self.data[variable].isel(time=slice(first, last + 1)).values
            seen = self.over_cells(allowed[steps[there]])
            seen = seen.reshape(len(there), *(1 for _ in inner), *shape[-2:])
            out[there] = np.where(seen, values[steps[there] - first], np.nan)
        return out


def positions(axis: NDArray[np.datetime64], wanted: NDArray[np.datetime64]) -> NDArray[np.intp]:
    """Find days on a time axis.

    Parameters
    ----------
    axis : ndarray of datetime64[D]
        Ascending.
    wanted : ndarray of datetime64[D], shape (n,)
        Days.

    Returns
    -------
    ndarray of int, shape (n,)
        Positions, -1 where there is no such day.
    """
    if not len(axis):
        return np.full(len(wanted), -1)
    place = np.minimum(np.searchsorted(axis, wanted), len(axis) - 1)
    return np.where(axis[place] == wanted, place, -1)


def take(group: xr.Dataset, cells: GeoBox, margin: float = 0.0) -> Piece:
    """Cut the piece of a group that covers some cells.

    Parameters
    ----------
    group : xr.Dataset
        A result of ``open_cube``.
    cells : GeoBox
        Wanted cells, of any level.
    margin : float
        Metres wanted around them, where the cube has them.

    Returns
    -------
    Piece
        Whole cells of the group.

    Raises
    ------
    SampleError
        If the cube does not cover the cells.
    """
    layout = group.attrs["firesat_layout"]
    level = int(layout["level"])
    box = cells.boundingbox
    x0 = float(group.x[0]) - level / 2
    y1 = float(group.y[0]) + level / 2
    columns = _span(box.left - x0, box.right - x0, level, margin, group.sizes["x"])
    rows = _span(y1 - box.top, y1 - box.bottom, level, margin, group.sizes["y"])
    per_tile = max(group.sizes["x"], group.sizes["y"])
    if not layout["whole_box"]:
        per_tile = int(layout.get("side", TILE_SIZE)) // level
    return Piece(
        data=group.isel(y=rows, x=columns),
        top=(y1 - box.top) - rows.start * level,
        left=(box.left - x0) - columns.start * level,
        level=level,
        tile_y=np.arange(rows.start, rows.stop) // per_tile,
        tile_x=np.arange(columns.start, columns.stop) // per_tile,
    )


def _span(low: float, high: float, level: int, margin: float, size: int) -> slice:
    """Cells that cover low..high metres, with a margin as far as there are any."""
    first, last = int(np.floor(low / level)), int(np.ceil(high / level))
    if first < 0 or last > size:
        raise SampleError(
            f"the cube has cells from 0 to {size * level} m here, wanted are {low:g} to {high:g} "
            "m: ask for cells inside the config's grid"
        )
    extra = int(np.ceil(margin / level))
    return slice(max(0, first - extra), min(size, last + extra))
