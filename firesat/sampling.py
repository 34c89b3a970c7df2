"""Which chips are taken: a frame of all that could be, strata, and a draw with known chances.

The frame is every chip (on its stride) at every issue day. Each belongs to one stratum; a stratum
of N gives n chips at random, so that each had the inclusion probability ``pi = n / N > 0`` and sums
weighted by ``1 / pi`` estimate sums over the whole frame without bias (Horvitz & Thompson 1952,
doi:10.1080/01621459.1952.10483446).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from firesat.errors import SampleError
from firesat.grid import chip_origins
from firesat.window import Period, Window

STRATA = ("positive", "near_fire", "random")
"""With a burning cell; without, but within 10 km of a recent hotspot; all others."""

COLUMNS = ("split", "stratum", "reference_day", "row", "col", "fires")


@dataclass(frozen=True, kw_only=True)
class DayMaps:
    """What decides a chip's stratum on one issue day.

    Parameters
    ----------
    burns : ndarray of bool, shape (Y, X)
        Cells with label 1 in any head.
    near : ndarray of bool, shape (Y, X)
        Cells within 10 km of an active fire known at T.
    fire_id : ndarray of int, shape (Y, X)
        Fire that burns, or may burn, the cell within the window; 0 = none.
    """

    burns: NDArray[np.bool_]
    near: NDArray[np.bool_]
    fire_id: NDArray[np.int64]


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
        Upper left cell of the panel, counted from that of the region.
    height, width : int
        Cells that the chips cover together.
    origins : tuple of tuple of int
        Row and column of each chip within the panel.
    """

    row: int
    col: int
    height: int
    width: int
    origins: tuple[tuple[int, int], ...]


def panels(
    shape: tuple[int, int], offset: tuple[int, int], *, size: int, stride: int, tile: int = 1000
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

    Returns
    -------
    list of Panel
        From the top left; every cell of the region lies in at least one chip.
    """
    groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, col in chip_origins(*shape, size, stride):
        key = (row + offset[0]) // tile, (col + offset[1]) // tile
        groups.setdefault(key, []).append((row, col))
    return [_panel(origins, size) for _, origins in sorted(groups.items())]


def _panel(origins: list[tuple[int, int]], size: int) -> Panel:
    """The box around some chips."""
    (top, left), (bottom, right) = np.min(origins, axis=0), np.max(origins, axis=0)
    return Panel(
        row=int(top),
        col=int(left),
        height=int(bottom - top) + size,
        width=int(right - left) + size,
        origins=tuple((row - int(top), col - int(left)) for row, col in origins),
    )


def frame_of_day(
    maps: DayMaps, panel: Panel, *, split: str, day: str, size: int
) -> Iterator[dict[str, object]]:
    """Walk over a panel's chips of one issue day.

    Parameters
    ----------
    maps : DayMaps
        Of the panel.
    panel : Panel
        Its chips.
    split : str
        Name of the split.
    day : str
        Issue day.
    size : int
        Cells of a chip's side.

    Yields
    ------
    dict
        One row of the frame, keys as `COLUMNS`; `row` and `col` count from the region's upper left
        cell; `fires` lists the ids in the chip, those with most cells first.
    """
    for row, col in panel.origins:
        inside = np.s_[row : row + size, col : col + size]
        yield {
            "split": split,
            "stratum": _stratum(maps.burns[inside], maps.near[inside]),
            "reference_day": day,
            "row": panel.row + row,
            "col": panel.col + col,
            "fires": _fires(maps.fire_id[inside]),
        }


def _stratum(burns: NDArray[np.bool_], near: NDArray[np.bool_]) -> str:
    """The one stratum of a chip."""
    if burns.any():
        return "positive"
    return "near_fire" if near.any() else "random"


def _fires(fire_id: NDArray[np.int64]) -> list[int]:
    """Ids in a chip, the largest fire first."""
    if not fire_id.any():
        return []
    ids, cells = np.unique(fire_id[fire_id > 0], return_counts=True)
    return [int(ids[i]) for i in np.lexsort((ids, -cells))]


def keep_fires_whole(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop the training chips that hold a fire of another split in the same season.

    Parameters
    ----------
    frame : pd.DataFrame
        Columns as `COLUMNS`.

    Returns
    -------
    pd.DataFrame
        Without them; how many is the difference of the lengths.
    """
    season = frame["reference_day"].str[:4]
    held_out = {
        (year, fire)
        for year, fires, split in zip(season, frame["fires"], frame["split"], strict=True)
        if split != "train"
        for fire in fires
    }
    shared = [
        split == "train" and any((year, fire) in held_out for fire in fires)
        for year, fires, split in zip(season, frame["fires"], frame["split"], strict=True)
    ]
    return frame[~np.array(shared, dtype=bool)].reset_index(drop=True)


def draw(frame: pd.DataFrame, wanted: Mapping[str, Mapping[str, int]], seed: int) -> pd.DataFrame:
    """Draw chips without replacement, stratum by stratum.

    Parameters
    ----------
    frame : pd.DataFrame
        Columns as `COLUMNS`.
    wanted : mapping of mapping of int
        Split to stratum to number; a stratum that has fewer gives all.
    seed : int
        Same seed, same frame: same chips.

    Returns
    -------
    pd.DataFrame
        The chips taken with `pi`, the inclusion probability, and `frame_size`, N of the stratum; by
        split, day, row and column.

    Raises
    ------
    SampleError
        If a split of the frame is empty or would leave out a stratum altogether (pi = 0).
    """
    parts = []
    for i, split in enumerate(sorted(wanted)):
        chips = frame[frame["split"] == split]
        if chips.empty:
            raise SampleError(
                f"the split {split} has no chip: its periods must be longer than the horizon"
            )
        for j, stratum in enumerate(STRATA):
            rng = np.random.default_rng([seed, i, j])
            parts.append(_take(chips[chips["stratum"] == stratum], wanted[split][stratum], rng))
    taken = pd.concat(parts)
    order = ["reference_day", "row", "col"]
    return taken.sort_values(["split", *order], kind="stable").reset_index(drop=True)


def _take(chips: pd.DataFrame, number: int, rng: np.random.Generator) -> pd.DataFrame:
    """Take `number` chips of one stratum, or all."""
    if number < 1:
        raise SampleError(f"{number} chips of a stratum were asked for: give 1 or more")
    size = len(chips)
    taken = min(number, size)
    chosen = np.sort(rng.choice(size, taken, replace=False))
    return chips.iloc[chosen].assign(pi=taken / max(size, 1), frame_size=size)


def weights(pi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn inclusion probabilities into weights.

    Parameters
    ----------
    pi : ndarray of float, shape (n,)
        Above 0, at most 1.

    Returns
    -------
    ndarray of float, shape (n,)
        ``1 / pi``, divided by its mean: a loss keeps its size whatever the design.
    """
    raw = 1.0 / pi
    scaled: NDArray[np.float64] = raw / raw.mean()
    return scaled
