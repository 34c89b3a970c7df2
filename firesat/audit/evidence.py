"""Chips beside the cube they were cut from, read without the reader that cut them.

Times of arrival come from the ledger's receipts, which workers left when they wrote, and not from
the table in the cube that the reader goes by; a cube without receipts has only the latter.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from firesat.chipstore import ChipStore
from firesat.cube import grid_of, groups, open_cube
from firesat.grid import TILE_SIZE, Tile
from firesat.labels import SCORING_ONLY, VARIABLES
from firesat.manifest import Manifest
from firesat.store import in_bucket

PER_TILE = TILE_SIZE // 100
_NEVER = np.datetime64("NaT", "s")
_PLACE = ["split", "stratum", "tile", "row", "col", "pi"]
_LAYERS = ("fraction", "fire_id", "earliest", "latest")

Days = NDArray[np.datetime64]
Moments = NDArray[np.datetime64]


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A row of the table, placed on the cube.

    Parameters
    ----------
    number : int
        In the store.
    split, stratum : str
        Its split and stratum.
    tile : Tile
        Of its upper left cell.
    row, col : int
        Within that tile.
    time : np.datetime64
        T, UTC, in seconds.
    pi : float
        Its inclusion probability.
    size : int
        Cells of its side.
    """

    number: int
    split: str
    stratum: str
    tile: Tile
    row: int
    col: int
    time: np.datetime64
    pi: float
    size: int

    @property
    def day(self) -> np.datetime64:
        """Its issue day.

        Returns
        -------
        np.datetime64
            A date.
        """
        return np.datetime64(self.time, "D")

    @property
    def corner(self) -> tuple[int, int]:
        """Row and column of its upper left cell in the national box.

        Returns
        -------
        tuple of int
            Cells of 100 m.
        """
        return self.tile.row * PER_TILE + self.row, self.tile.column * PER_TILE + self.col

    def __str__(self) -> str:
        """Name it, so that it can be found."""
        return f"{self.split} chip {self.tile.name} r{self.row:03d} c{self.col:03d} {self.day}"


class Evidence:
    """A store of chips and its cube.

    Parameters
    ----------
    store : ChipStore
        The chips.
    cube_path : Path
        The cube.
    """

    def __init__(self, store: ChipStore, cube_path: Path) -> None:
        self.store, self.cube_path = store, cube_path
        self.there = frozenset(groups(cube_path))
        self._labels: tuple[object, dict[str, NDArray[np.float32]]] = (None, {})
        self._arrivals: dict[str, tuple[Days, Moments]] = {}
        self._opened: dict[tuple[str, bool], xr.Dataset] = {}

    @cached_property
    def chips(self) -> list[Chip]:
        """All chips.

        Returns
        -------
        list of Chip
            In the order of the store.
        """
        size = int(self.store.attrs["channels"]["size"])
        times = pd.to_datetime(self.store.table["reference_time"], utc=True).dt.tz_localize(None)
        rows: list[dict[Any, Any]] = self.store.table[_PLACE].to_dict("records")
        return [
            Chip(
                number=number,
                split=row["split"],
                stratum=row["stratum"],
                tile=Tile.parse(row["tile"]),
                row=row["row"],
                col=row["col"],
                time=np.datetime64(moment, "s"),
                pi=row["pi"],
                size=size,
            )
            for number, (row, moment) in enumerate(zip(rows, times, strict=True))
        ]

    @cached_property
    def first_tile(self) -> Tile:
        """The cube's upper left tile.

        Returns
        -------
        Tile
            Where its arrays begin.
        """
        tiles = grid_of(self.cube_path).tiles()
        return Tile(min(tile.column for tile in tiles), min(tile.row for tile in tiles))

    def arrivals(self, group: str) -> tuple[Days, Moments]:
        """Tell when each step of a group was in a forecaster's hands.

        Parameters
        ----------
        group : str
            Name of the group.

        Returns
        -------
        days : ndarray of datetime64[D], shape (T,)
            Its time axis.
        arrived : ndarray of datetime64[s], shape (T, tile_y, tile_x)
            As the receipts say, or the cube where there are none; NaT = never.
        """
        if group not in self._arrivals:
            opened = self.open(group)
            days = opened["time"].values.astype("datetime64[D]")
            table = opened["available_time"].values.astype("datetime64[s]")
            steps = int(opened.attrs["firesat_layout"]["steps"])
            vouched = self.receipts(group, table.shape, steps)
            self._arrivals[group] = days, table if vouched is None else vouched
        return self._arrivals[group]

    def receipts(self, group: str, shape: tuple[int, ...], steps: int) -> Moments | None:
        """Lay out what the ledger says of a group.

        Parameters
        ----------
        group : str
            Name of the group.
        shape : tuple of int
            Steps and tiles of the group.
        steps : int
            Steps of a block.

        Returns
        -------
        ndarray of datetime64[s], of `shape`
            NaT where nothing is vouched for; None where the ledger knows nothing of the group.
        """
        ledger = self.cube_path.with_suffix(".ledger")
        if not (in_bucket(ledger) or ledger.is_dir()):
            return None
        manifest = Manifest(ledger)
        loose = [receipt for receipt in manifest.loose() if receipt.group == group]
        rows = [row for row in [*manifest.rows(group), *loose] if row.status == "done"]
        if not rows:
            return None
        table = np.full(shape, _NEVER)
        for receipt in rows:
            step, row, column = receipt.index
            known = [np.datetime64(text, "s") if text else _NEVER for text in receipt.available]
            table[step * steps : step * steps + len(known), row, column] = known
        return table

    def inside(self, chip: Chip) -> tuple[slice, slice]:
        """Place a chip in the cube's arrays of 100 m.

        Parameters
        ----------
        chip : Chip
            Any.

        Returns
        -------
        tuple of slice
            Rows and columns.
        """
        row = chip.corner[0] - self.first_tile.row * PER_TILE
        col = chip.corner[1] - self.first_tile.column * PER_TILE
        return slice(row, row + chip.size), slice(col, col + chip.size)

    def labels(self, chip: Chip) -> dict[str, NDArray[np.float32]]:
        """Read what burned on a chip's ground in its year.

        Parameters
        ----------
        chip : Chip
            Any; those of one tile and year in a row are read at once.

        Returns
        -------
        dict of ndarray of float32, shape (size, size)
            `fraction`, `fire_id`, `earliest` and `latest`; see :mod:`firesat.labels`.
        """
        year, key = str(chip.day)[:4], (chip.tile, str(chip.day)[:4])
        rows, cols = self.inside(chip)
        top = (chip.tile.row - self.first_tile.row) * PER_TILE
        left = (chip.tile.column - self.first_tile.column) * PER_TILE
        if self._labels[0] != key:
            opened = self.open("labels")
            step = np.flatnonzero(opened["time"].values.astype("datetime64[Y]").astype(str) == year)
            reach = PER_TILE + chip.size
            part = opened.isel(
                time=int(step[0]), y=slice(top, top + reach), x=slice(left, left + reach)
            )
            self._labels = key, {name: part[name].values for name in _LAYERS}
        within = (
            slice(rows.start - top, rows.stop - top),
            slice(cols.start - left, cols.stop - left),
        )
        return {name: values[within] for name, values in self._labels[1].items()}

    def open(self, group: str, *, packed: bool = False) -> xr.Dataset:
        """Open a group of the cube, once.

        Parameters
        ----------
        group : str
            Name of the group.
        packed : bool
            Leave scaled integers as they are stored.

        Returns
        -------
        xr.Dataset
            Lazily.
        """
        key = group, packed
        if key not in self._opened:
            self._opened[key] = open_cube(self.cube_path, group, packed=packed)
        return self._opened[key]

    @property
    def truths(self) -> frozenset[str]:
        """Names that no input may have.

        Returns
        -------
        frozenset of str
            Everything that is derived from perimeters.
        """
        return frozenset({*VARIABLES, *SCORING_ONLY, "label", "valid", "lead", "starts"})
