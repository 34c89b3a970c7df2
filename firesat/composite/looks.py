"""The latest clear looks of every cell, stacked from the scenes that were in hand."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.bands import SENTINEL2_BANDS
from firesat.grid import TILE_SIZE
from firesat.window import Window, parse_day

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Scene = tuple[float, NDArray[np.generic], NDArray[np.generic]]
"""Age in days, reflectance (band, Y, X) and clear fraction (Y, X) of one acquisition."""

REFLECTANCE_FILL, REFLECTANCE_SCALE = 65535, 1e-4
CLEAR_FILL, CLEAR_SCALE = 255, 0.01


@dataclass(frozen=True, kw_only=True)
class Looks:
    """The latest clear looks of every cell, newest first.

    Parameters
    ----------
    reflectance : ndarray of float32, shape (K, band, Y, X)
        Top-of-atmosphere reflectance; NaN where there is no such look.
    age : ndarray of float32, shape (K, Y, X)
        Days from the look's fire day to the issue day, 1 or more; NaN where there is none.
    """

    reflectance: Floats
    age: Floats


def stack_looks(scenes: Iterable[Scene], looks: int, *, min_clear: float = 0.5) -> Looks:
    """Stack the latest clear looks of every cell.

    Every cell is treated alone, so the result does not depend on how a region is cut. Scenes are
    taken from the iterable one by one, and no more once every cell has all its looks.

    Parameters
    ----------
    scenes : iterable of (float, ndarray, ndarray)
        Newest first, at least one: age in days; reflectance ``(band, Y, X)``, uint16 as stored
        (steps of 1e-4, 65535 = missing) or float with NaN; clear fraction ``(Y, X)``, uint8 as
        stored (percent, 255 = never looked) or float 0 to 1 with NaN.
    looks : int
        K, how many to keep.
    min_clear : float
        Smallest clear fraction of a cell that counts as a look.

    Returns
    -------
    Looks
        A look has every band: where one is missing, the scene does not count. Without any scene,
        arrays of shape ``(K, 13, 0, 0)`` and ``(K, 0, 0)``.
    """
    found = Looks(
        reflectance=np.empty((looks, len(SENTINEL2_BANDS), 0, 0), dtype="float32"),
        age=np.empty((looks, 0, 0), dtype="float32"),
    )
    count = np.zeros((0, 0), dtype="int16")
    for age, reflectance, clear in scenes:
        if not found.age.size:
            found = empty_looks(looks, *reflectance.shape)
            count = np.zeros(clear.shape, dtype="int16")
        good = clear_enough(clear, min_clear) & whole(reflectance) & (count < looks)
        for place in range(looks):
            _put(found, place, np.flatnonzero(good & (count == place)), (age, reflectance))
        count += good
        if count.min(initial=looks) == looks:
            break
    return found


def empty_looks(looks: int, bands: int, height: int, width: int) -> Looks:
    """Give the looks of a region that was never seen.

    Parameters
    ----------
    looks : int
        K, how many would be kept.
    bands : int
        Number of bands.
    height, width : int
        Cells of the region.

    Returns
    -------
    Looks
        NaN everywhere.
    """
    return Looks(
        reflectance=np.full((looks, bands, height, width), np.nan, dtype="float32"),
        age=np.full((looks, height, width), np.nan, dtype="float32"),
    )


def clear_enough(clear: NDArray[np.generic], min_clear: float) -> Mask:
    """Find where a scene's clear fraction is known and large enough.

    Parameters
    ----------
    clear : ndarray, shape (Y, X)
        uint8 as stored, or float 0 to 1 with NaN.
    min_clear : float
        Smallest fraction that counts, 0 to 1.

    Returns
    -------
    ndarray of bool, shape (Y, X)
        False where nobody looked.
    """
    if clear.dtype == np.uint8:
        return np.asarray(_enough_percent(min_clear)[clear])
    return np.asarray(clear.astype("float32") >= np.float32(min_clear))


def _enough_percent(min_clear: float) -> Mask:
    """Which stored clear fractions are known and large enough."""
    fraction = (np.arange(CLEAR_FILL + 1) * CLEAR_SCALE).astype("float32")
    fraction[CLEAR_FILL] = np.nan
    return np.asarray(fraction >= np.float32(min_clear))


@cache
def _decoded() -> Floats:
    """Reflectance of every stored integer, to the bit what xarray's decoding gives as float32."""
    return (np.arange(REFLECTANCE_FILL + 1) * REFLECTANCE_SCALE).astype("float32")


def decode_reflectance(stored: NDArray[np.uint16]) -> Floats:
    """Turn stored integers into reflectance.

    Parameters
    ----------
    stored : ndarray of uint16
        Steps of 1e-4; 65535 has to be masked by the caller.

    Returns
    -------
    ndarray of float32
        To the bit what xarray's decoding gives.
    """
    return np.asarray(_decoded()[stored])


def whole(reflectance: NDArray[np.generic]) -> Mask:
    """Find the cells that miss no band.

    Parameters
    ----------
    reflectance : ndarray, shape (band, Y, X)
        uint16 as stored, or float with NaN.

    Returns
    -------
    ndarray of bool, shape (Y, X)
        The largest value tells, as NaN and the fill win over all others.
    """
    largest = reflectance.max(axis=0)
    if reflectance.dtype == np.uint16:
        return np.asarray(largest != REFLECTANCE_FILL)
    return np.asarray(~np.isnan(largest.astype("float32")))


def _put(
    found: Looks,
    place: int,
    cells: NDArray[np.int64],
    scene: tuple[float, NDArray[np.generic]],
) -> None:
    """Write a scene's age and reflectance at the flat indices `cells` of look number `place`."""
    age, reflectance = scene
    found.age[place].reshape(-1)[cells] = age
    for into, band in zip(found.reflectance[place], reflectance, strict=True):
        values = band.reshape(-1)[cells]
        into.reshape(-1)[cells] = _decoded()[values] if band.dtype == np.uint16 else values


def recent_looks(
    dataset: xr.Dataset,
    day: str | date,
    *,
    window: Window,
    looks: int,
    min_clear: float = 0.5,
) -> Looks:
    """Find the latest clear looks that a forecaster had in hand.

    Parameters
    ----------
    dataset : xr.Dataset
        The cube's group ``sentinel2``, or a part of its region: ``reflectance (time, band, y, x)``,
        ``clear (time, y, x)`` and ``available_time (time, tile_y, tile_x)``.
    day : str or date
        Issue day.
    window : Window
        Its history limits the age of looks.
    looks : int
        K, how many to keep.
    min_clear : float
        Smallest clear fraction of a cell that counts as a look.

    Returns
    -------
    Looks
        Only of scenes that were available by the reference time; arrays of the dataset's y and x.
    """
    found = stack_looks(_admitted(dataset, day, window), looks, min_clear=min_clear)
    if found.age.size:
        return found
    return empty_looks(looks, *(dataset.sizes[name] for name in ("band", "y", "x")))


def _admitted(dataset: xr.Dataset, day: str | date, window: Window) -> Iterator[Scene]:
    """Scenes in hand at the reference time, newest first; clear is NaN in tiles not yet in hand."""
    times = dataset["time"].values.astype("datetime64[s]")
    ended = times + np.timedelta64(24 + window.day_start, "h")  # D ends as D+1 begins
    admitted = window.admits(ended[:, None, None], dataset["available_time"].values, day)
    rows, columns = (_tiles(dataset, dim) for dim in ("y", "x"))
    issued = np.datetime64(parse_day(day), "D")
    for step in np.flatnonzero(admitted.any(axis=(1, 2)))[::-1]:
        age = float((issued - times[step].astype("datetime64[D]")) / np.timedelta64(1, "D"))
        scene = dataset[["reflectance", "clear"]].isel(time=step)
        here = admitted[step][rows[:, None], columns]
        yield age, scene["reflectance"].values, np.where(here, scene["clear"].values, np.nan)


def _tiles(dataset: xr.Dataset, dim: str) -> NDArray[np.int64]:
    """Row or column of the block of each cell, in ``available_time``."""
    if dataset.sizes[f"tile_{dim}"] == 1:
        return np.zeros(dataset.sizes[dim], dtype="int64")
    left, _, _, top = dataset.attrs["spatial:bbox"]  # of the whole group, whatever part is given
    metres = top - dataset[dim].values if dim == "y" else dataset[dim].values - left
    side = dataset.attrs.get("firesat_layout", {}).get("side", TILE_SIZE)
    return np.asarray(metres // side, dtype="int64")
