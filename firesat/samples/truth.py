"""What burned after T, cell by cell: label, whether it is known, and by which fire."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firesat.window import Window

BURNT_SHARE = 0.5  # a cell burns when half of it does
WATER_SHARE = 0.5  # more water cannot burn
LABELS = ("fraction", "fire_id", "earliest", "latest", "fire_start")


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is to be forecast. Never an input.

    Parameters
    ----------
    label : ndarray of uint8, shape (2, Y, X)
        1 where the cell burns in ``(T, T + horizon]``; heads as `batch.HEADS`.
    valid : ndarray of uint8, shape (2, Y, X)
        1 where that is known, the cell is at risk and can burn.
    fire_id : ndarray of int64, shape (Y, X)
        Fire that burns, or may burn, the cell within the window; 0 = none.
    """

    label: NDArray[np.uint8]
    valid: NDArray[np.uint8]
    fire_id: NDArray[np.int64]


def truth(
    season: Mapping[str, NDArray[np.float32]], water: NDArray[np.float32], day: str, window: Window
) -> Truth:
    """Say what burns in the window of an issue day.

    A cell burns when its burned fraction is 0.5 or more and its possible days all lie inside the
    window. When only some of them do, it is unknown. When all lie before, it is no longer at risk.
    It belongs to the head "growth" if its fire had started by T, else to "new"; in the other head
    it is 0, as each head counts what its own fires burn. An unknown cell is unknown in both.

    Parameters
    ----------
    season : mapping of ndarray, shape (Y, X)
        `LABELS` of the year: fractions, and days since 1970-01-01 that are NaN where nothing burnt.
    water : ndarray of float32, shape (Y, X)
        Water fraction; NaN counts as land.
    day : str
        Issue day.
    window : Window
        Its horizon.

    Returns
    -------
    Truth
        Of every cell.
    """
    first = int(np.datetime64(day, "D").astype(np.int64))
    last = first + window.horizon - 1
    earliest, latest = season["earliest"], season["latest"]
    burns = season["fraction"] >= BURNT_SHARE
    dated = np.isfinite(earliest) & np.isfinite(latest) & np.isfinite(season["fire_start"])
    inside = burns & dated & (earliest >= first) & (latest <= last)
    before = burns & (latest < first)
    after = burns & dated & (earliest > last)
    unknown = (burns & ~inside & ~before & ~after) | np.isnan(season["fraction"])
    valid = ~(unknown | before | (water > WATER_SHARE))
    grows = season["fire_start"] < first
    label = np.stack([inside & grows, inside & ~grows]) & valid
    touched = inside | (burns & unknown)
    return Truth(
        label=label.astype(np.uint8),
        valid=np.broadcast_to(valid, label.shape).astype(np.uint8),
        fire_id=np.where(touched, np.nan_to_num(season["fire_id"]), 0).astype(np.int64),
    )
