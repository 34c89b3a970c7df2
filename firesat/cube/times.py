"""When each time step of a group became available: one small array, written by the coordinator."""

import numpy as np
import zarr
from numpy.typing import NDArray

from firesat.cube.arrays import NEVER
from firesat.cube.hierarchy import NODE, Draft
from firesat.manifest import Receipt
from firesat.store import Store


def enter_times(table: NDArray[np.int64], receipt: Receipt, steps: int) -> None:
    """Put the times of one block into the table of its group.

    Parameters
    ----------
    table : ndarray of int, shape (time, tile_y, tile_x)
        Seconds since 1970; changed in place.
    receipt : Receipt
        Of a block that is done.
    steps : int
        Time steps in a block.
    """
    step, row, column = receipt.index
    known = [_to_seconds(text) for text in receipt.available]
    table[step * steps : step * steps + len(known), row, column] = known


def write_times(store: Store, group: str, table: NDArray[np.int64]) -> None:
    """Replace a group's times, whole.

    Parameters
    ----------
    store : Store
        Of the cube.
    group : str
        Name of the group.
    table : ndarray of int, shape (time, tile_y, tile_x)
        Seconds since 1970; `NEVER` where there is nothing.
    """
    name = f"{group}/available_time"
    draft = Draft({f"{name}/{NODE}": store.read(f"{name}/{NODE}")})
    zarr.open_array(draft.store, path=name, mode="r+")[:] = table
    chunks = draft.files(f"{name}/c/")
    store.put((key, [content]) for key, content in chunks.items())


def _to_seconds(text: str) -> int:
    """ISO time to the stored integer; "" means never."""
    if not text:
        return NEVER
    seconds = np.datetime64(text, "s").astype(np.int64)
    return int(seconds)
