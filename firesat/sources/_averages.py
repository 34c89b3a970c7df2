"""The small file that a granule becomes in the cache: 13 bands and two shares, at 100 m."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.bands import SENTINEL2_BANDS
from firesat.errors import CorruptFileError
from firesat.raster import open_raster
from firesat.sources._declared import refuse_raster
from firesat.sources._fine import CELL
from firesat.sources._msi import FILL, SCALE
from firesat.sources._placing import Placing

_SHARES = 10_000  # steps of a stored share
_UNITS = f"reflectance in steps of {SCALE:g}; shares in steps of {1 / _SHARES:g}"
_NAMES = (*SENTINEL2_BANDS, "observed", "clear")


@dataclass(frozen=True, kw_only=True)
class Average:
    """A granule at 100 m.

    Parameters
    ----------
    reflectance : ndarray of float32, shape (13, Y, X)
        Means over what is clear of each cell, over all of it where nothing is; NaN where not
        measured.
    observed : ndarray of float32, shape (Y, X)
        Share of the cell that was measured in all bands, 0 to 1.
    clear : ndarray of float32, shape (Y, X)
        Share of what was observed that is clear, 0 to 1; NaN where no mask could be made.
    """

    reflectance: NDArray[np.float32]
    observed: NDArray[np.float32]
    clear: NDArray[np.float32]


def write_average(path: Path, average: Average, placing: Placing, tags: Mapping[str, str]) -> None:
    """Write a granule's averages as a GeoTIFF.

    Parameters
    ----------
    path : Path
        Where to.
    average : Average
        What.
    placing : Placing
        Where the granule lies.
    tags : mapping of str
        Where the numbers came from.
    """
    shares = np.stack([average.observed, average.clear])
    numbers = np.concatenate([_packed(average.reflectance, SCALE), _packed(shares, 1 / _SHARES)])
    profile = {
        "driver": "GTiff",
        "count": len(numbers),
        "height": numbers.shape[1],
        "width": numbers.shape[2],
        "dtype": "uint16",
        "crs": f"EPSG:{placing.epsg}",
        "transform": Affine(CELL, 0, placing.left, 0, -CELL, placing.top),
        "compress": "deflate",
        "predictor": 2,
        "interleave": "band",
    }
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(numbers)
        raster.descriptions = _NAMES
        raster.update_tags(**tags, UNITS=_UNITS)


def _packed(values: NDArray[np.float32], step: float) -> NDArray[np.uint16]:
    """Values in whole steps."""
    steps = np.rint(np.nan_to_num(values, nan=0.0) / step)
    numbers = np.minimum(steps, FILL - 1).astype("uint16")
    numbers[np.isnan(values)] = FILL
    return numbers


def _unpacked(numbers: NDArray[np.uint16], step: float) -> NDArray[np.float32]:
    """The reverse."""
    values = numbers * np.float32(step)
    values[numbers == FILL] = np.nan
    return values


def read_average(path: Path) -> tuple[Average, GeoBox]:
    """Read what `write_average` wrote.

    Parameters
    ----------
    path : Path
        The GeoTIFF.

    Returns
    -------
    tuple of (Average, GeoBox)
        What it holds, and its cells.

    Raises
    ------
    CorruptFileError
        If the file is damaged or another one.
    """
    with open_raster(path, driver="GTiff") as raster:
        if raster.descriptions != _NAMES or not (raster.crs and raster.crs.is_projected):
            raise CorruptFileError(
                f"{path} has the bands {raster.descriptions} and CRS {raster.crs}, not "
                f"{', '.join(_NAMES)} in UTM: delete it and run the command again"
            )
        refuse_raster(raster, path)
        numbers = raster.read()
        cells = GeoBox(raster.shape, raster.transform, str(raster.crs))
    bands = len(SENTINEL2_BANDS)
    observed, clear = _unpacked(numbers[bands:], 1 / _SHARES)
    reflectance = _unpacked(numbers[:bands], SCALE)
    return Average(reflectance=reflectance, observed=observed, clear=clear), cells
