"""A cube over some cells: its groups, each opened once."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from firesat.batch import WIDE
from firesat.cube import groups, open_cube
from firesat.errors import SampleError
from firesat.samples.inputs import COARSEST, Inputs
from firesat.samples.pieces import Array, Piece, take

EVER = 400 * 366  # days: for what does not age
_BY_DAY = ("sentinel2", "era5_land", "hotspots")  # groups that were cut into days when ingested

Opener = Callable[..., xr.Dataset]
"""Opens a group of a cube, as :func:`firesat.cube.open_cube` does."""

Part = tuple[slice, slice]
"""Rows and columns of 100 m cells."""


class Opened:
    """The groups of a cube over some cells.

    Parameters
    ----------
    path : Path
        A cube.
    inputs : Inputs
        What is read.
    cells : GeoBox
        Cells of 100 m that begin and end on 1 km lines of the grid.
    opener : callable
        Opens a group of the cube.

    Raises
    ------
    SampleError
        If the cells lie off the 1 km lines.
    """

    def __init__(
        self, path: Path, inputs: Inputs, cells: GeoBox, opener: Opener = open_cube
    ) -> None:
        self.cells, self.inputs = cells, inputs
        self.there = frozenset(groups(path))
        self._path, self._open = path, opener
        self._pieces: dict[str, Piece] = {}
        box = cells.boundingbox
        if any(edge % (100 * COARSEST) for edge in (box.left, box.bottom, box.right, box.top)):
            raise SampleError(f"the cells {box} lie off the 1 km lines: start chips at whole km")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of 100 m cells.

        Returns
        -------
        tuple of int
            (Y, X).
        """
        height, width = self.cells.shape
        return height, width

    def piece(self, group: str, margin: float = 0.0) -> Piece:
        """Give a group over the cells.

        Parameters
        ----------
        group : str
            One that is there.
        margin : float
            Metres wanted around the cells, the same for a group every time.

        Returns
        -------
        Piece
            Opened once.

        Raises
        ------
        SampleError
            If the cube does not cover the cells, or its days begin at another hour than those of
            the window.
        """
        if group not in self._pieces:
            piece = take(self._open(self._path, group), self.cells, margin)
            self._pieces[group] = self._of_these_days(group, piece)
        return self._pieces[group]

    def weather_piece(self, group: str) -> Piece:
        """Give a group of weather over the cells and as far around them as inputs reach.

        Parameters
        ----------
        group : str
            One that is there, of cells of 10 km.

        Returns
        -------
        Piece
            With at least a cell around, to interpolate between.
        """
        return self.piece(group, margin=100.0 * WIDE * (1 + self.inputs.around))

    @cached_property
    def sentinel2(self) -> Piece | None:
        """Sentinel-2 as it is stored.

        Returns
        -------
        Piece
            Packed; None where the cube has none.
        """
        if "sentinel2" not in self.there:
            return None
        piece = take(self._open(self._path, "sentinel2", packed=True), self.cells)
        if piece.level != 100:
            raise SampleError(
                f"the cube's sentinel2 has cells of {piece.level} m, chips are made from 100 m: "
                "ingest it with level 100"
            )
        return self._of_these_days("sentinel2", piece)

    def _of_these_days(self, group: str, piece: Piece) -> Piece:
        """Refuse a group whose days are not those of the window."""
        wanted = self.inputs.window.day_start
        if group in (*_BY_DAY, *self.inputs.forecasts) and piece.day_start != wanted:
            raise SampleError(
                f"the days of {group} in {self._path.name} begin at {piece.day_start} UTC, those "
                f"of the window at {wanted}: ingest with day_start {wanted}, or change "
                "window.day_start"
            )
        if group == "hotspots" and "detection_latency_hours" not in piece.data.attrs:
            raise SampleError(
                f"the hotspots of {self._path.name} rest by the day on which they were made, those "
                "of the last day before T unseen: ingest into another cube.path"
            )
        return piece

    def nothing(self, *leading: int, coarser: int = 1) -> Array:
        """Make a field of which nothing is known.

        Parameters
        ----------
        *leading : int
            Sizes before rows and columns.
        coarser : int
            Cells of 100 m in one of the field's.

        Returns
        -------
        ndarray of float32, shape (*leading, y, x)
            NaN everywhere.
        """
        height, width = self.shape
        return np.full((*leading, height // coarser, width // coarser), np.nan, dtype=np.float32)


def repeat(values: Array, times: int) -> Array:
    """Turn each cell into a square of finer ones.

    Parameters
    ----------
    values : ndarray of float32, shape (..., y, x)
        Any field.
    times : int
        Finer cells along a cell's side.

    Returns
    -------
    ndarray of float32
        `times` as many rows and columns.
    """
    return values.repeat(times, axis=-2).repeat(times, axis=-1)
