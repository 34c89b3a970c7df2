"""What Sentinel-2 last saw of each cell: masks of doubtful pixels, and the latest clear looks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from firesat.bands import SENTINEL2_BANDS
from firesat.errors import BandError
from firesat.grid import TILE_SIZE
from firesat.window import Window, parse_day

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Scene = tuple[float, NDArray[np.generic], NDArray[np.generic]]
"""Age in days, reflectance (band, Y, X) and clear fraction (Y, X) of one acquisition."""

REFLECTANCE_FILL, REFLECTANCE_SCALE = 65535, 1e-4
CLEAR_FILL, CLEAR_SCALE = 255, 0.01

# Thresholds on top-of-atmosphere reflectance.
CIRRUS = 0.01  # B10: Zhu, Wang and Woodcock 2015, Remote Sens. Environ. 159, sec. 3.1
CLOUD_GREEN = 0.175  # B03, whiter than red: Braaten, Cohen and Yang 2015, RSE 169, eqs 1 and 2
BRIGHT_GREEN = 0.39  # B03, whatever the colour: as above
WHITENESS = (
    0.7  # sum of |band - mean| / mean over the visible: Zhu and Woodcock 2012, RSE 118, eq 2
)
# Haze-optimised transformation B02 - 0.5 B04 - 0.08: Zhu and Woodcock 2012, eq 3. Theirs ends at 0
# and takes thin haze and low sun for cloud; 0.04 keeps what still shows the ground. Thin smoke is
# information.
HAZE = 0.04
SNOW_NDSI, SNOW_GREEN, SNOW_NIR = (
    0.4,
    0.1,
    0.11,
)  # Hall et al. 1995 (RSE 54); dark water is not snow
# A shadow is dark where burnt ground is not: a fresh scar is dark at 833 nm, bright at 1612 nm.
SHADOW_NIR, SHADOW_SWIR = 0.12, 0.09
SHADOW_REACH = 1500.0  # metres: clouds at 1.5 km under a sun 45 degrees high
CLOUD_EDGE = 100.0  # metres around a cloud: Zhu and Woodcock 2012 grow clouds by three 30 m pixels


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


def clear_mask(reflectance: Floats, *, resolution: float = 100.0) -> Floats:
    """Tell which pixels show the ground.

    Cloud, cirrus, dense haze or smoke, snow, and shadow near clouds do not; thin smoke and burnt
    ground do. The rules and their sources stand beside the thresholds of this module. They look at
    a scene alone: over mountains above 2 km, B10 may see the ground and call it cirrus.

    Parameters
    ----------
    reflectance : ndarray of float32, shape (13, ..., Y, X)
        Level 1C, bands in the order of `bands.SENTINEL2_BANDS`, 0 to above 1; NaN = not observed.
    resolution : float
        Pixel size in metres.

    Returns
    -------
    ndarray of float32, shape (..., Y, X)
        1 clear, 0 not, NaN where any band that is needed was not observed.

    Raises
    ------
    BandError
        If there are not 13 bands.
    """
    if len(reflectance) != len(SENTINEL2_BANDS):
        raise BandError(
            f"a Sentinel-2 L1C scene has 13 bands, this one {len(reflectance)}: request "
            f"{', '.join(SENTINEL2_BANDS)}"
        )
    band = dict(zip(SENTINEL2_BANDS, reflectance, strict=True))
    needed = ("B02", "B03", "B04", "B08", "B10", "B11")
    missing = np.logical_or.reduce([np.isnan(band[name]) for name in needed])
    snow = _snow(band)
    cloud = (_cloud(band) & ~snow) | (band["B10"] > CIRRUS)
    shadow = _shadow(band) & _near(cloud, SHADOW_REACH / resolution)
    doubtful = _near(cloud, CLOUD_EDGE / resolution) | snow | shadow
    return np.where(missing, np.float32(np.nan), (~doubtful).astype("float32"))


def _cloud(band: dict[str, Floats]) -> Mask:
    """Thick cloud, or haze and smoke that hide the ground."""
    blue, green, red = band["B02"], band["B03"], band["B04"]
    mean = (blue + green + red) / 3
    spread = abs(blue - mean) + abs(green - mean) + abs(red - mean)
    white = (green > CLOUD_GREEN) & (green > red) & (spread < WHITENESS * mean)
    hazy = blue - 0.5 * red - 0.08 > HAZE
    return np.asarray(white | (green > BRIGHT_GREEN) | hazy)


def _snow(band: dict[str, Floats]) -> Mask:
    """Snow and ice: bright in the green, dark at 1612 nm."""
    green, swir = band["B03"], band["B11"]
    # NDSI > s written without a division, which black pixels would break
    frozen = green - swir > SNOW_NDSI * (green + swir)
    return np.asarray(frozen & (green > SNOW_GREEN) & (band["B08"] > SNOW_NIR))


def _shadow(band: dict[str, Floats]) -> Mask:
    """Dark land: in the near and the short-wave infrared, but not water."""
    dark = (band["B08"] < SHADOW_NIR) & (band["B11"] < SHADOW_SWIR)
    return np.asarray(dark & (band["B08"] > band["B03"]))


def _near(mask: Mask, reach: float) -> Mask:
    """Pixels within `reach` pixels of the mask along both axes."""
    side = 2 * round(reach) + 1
    size = (*(1,) * (mask.ndim - 2), side, side)
    grown = maximum_filter(mask.astype("uint8"), size=size, mode="nearest")
    return np.asarray(grown > 0)


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
        good = _clear_enough(clear, min_clear) & _whole(reflectance) & (count < looks)
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


def _clear_enough(clear: NDArray[np.generic], min_clear: float) -> Mask:
    """Where a scene's clear fraction is known and large enough."""
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


def _whole(reflectance: NDArray[np.generic]) -> Mask:
    """Cells that miss no band; the largest value tells, as NaN and the fill win over all others."""
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
    """Row or column of the tile of each cell, in ``available_time``."""
    if dataset.sizes[f"tile_{dim}"] == 1:
        return np.zeros(dataset.sizes[dim], dtype="int64")
    left, _, _, top = dataset.attrs["spatial:bbox"]  # of the whole group, whatever part is given
    metres = top - dataset[dim].values if dim == "y" else dataset[dim].values - left
    return np.asarray(metres // TILE_SIZE, dtype="int64")
