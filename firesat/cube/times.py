"""When each time step of a group became available: one small array, written by the coordinator."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from firesat.cube.arrays import NEVER
from firesat.cube.hierarchy import NODE, Draft, array_of, root_of
from firesat.manifest import Receipt
from firesat.store import store_of

Table = NDArray[np.int64]


class Times:
    """A group's ``available_time``: seconds since 1970, `NEVER` where there is nothing.

    Parameters
    ----------
    path : Path
        A cube.
    group : str
        Name of the group.
    """

    def __init__(self, path: Path, group: str) -> None:
        root = root_of(path)
        self._name = f"{group}/available_time"
        self._array = array_of(root, self._name)
        self._store = store_of(path)
        layout: Any = dict(root[group].attrs)["firesat_layout"]
        self._steps = int(layout["steps"])

    def read(self) -> Table:
        """Read the table.

        Returns
        -------
        ndarray of int, shape (time, tile_y, tile_x)
            As it is stored.

        Raises
        ------
        ValueError
            By zarr, if a bit of it has flipped.
        """
        return np.asarray(self._array[:], dtype=np.int64)

    def table(self, receipts: Iterable[Receipt], start: Table | None = None) -> Table:
        """Enter the times of some blocks.

        Parameters
        ----------
        receipts : iterable of Receipt
            Blocks that are done.
        start : ndarray of int, optional
            Table to begin with; None = nothing is available.

        Returns
        -------
        ndarray of int, shape (time, tile_y, tile_x)
            A new table.
        """
        table = np.full(self._array.shape, NEVER) if start is None else start.copy()
        for receipt in receipts:
            where, known = self._entry(receipt)
            table[where] = known
        return table

    def differing(self, table: Table, receipts: Iterable[Receipt]) -> Iterator[Receipt]:
        """Find the blocks whose times are not in a table.

        Parameters
        ----------
        table : ndarray of int, shape (time, tile_y, tile_x)
            As it is stored.
        receipts : iterable of Receipt
            Blocks that are done.

        Yields
        ------
        Receipt
            Those whose times differ.
        """
        for receipt in receipts:
            where, known = self._entry(receipt)
            if (table[where] != known).any():
                yield receipt

    def _entry(self, receipt: Receipt) -> tuple[tuple[slice, int, int], Table]:
        """Where a block's times stand, and what they are."""
        step, row, column = receipt.index
        known = np.array([_to_seconds(text) for text in receipt.available], dtype=np.int64)
        first = step * self._steps
        return (slice(first, first + len(known)), row, column), known

    def write(self, table: Table) -> None:
        """Replace the table, whole.

        Parameters
        ----------
        table : ndarray of int, shape (time, tile_y, tile_x)
            Seconds since 1970.
        """
        key = f"{self._name}/{NODE}"
        draft = Draft({key: self._store.read(key)})
        with zarr.config.set({"array.write_empty_chunks": True}):  # else a file would have to go
            array = zarr.open_array(draft.store, path=self._name, mode="r+")  # takes the setting
            array[:] = table
        self._store.put((k, [content]) for k, content in draft.files(f"{self._name}/c/").items())


def _to_seconds(text: str) -> int:
    """ISO time to the stored integer; "" means never."""
    if not text:
        return NEVER
    seconds = np.datetime64(text, "s").astype(np.int64)
    return int(seconds)
