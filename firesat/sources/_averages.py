"""The small file that a granule becomes in the cache: 13 bands and their share, at 100 m."""

from collections.abc import Mapping
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
from firesat.sources._jp2 import CELL
from firesat.sources._msi import FILL, SCALE
from firesat.sources._placing import Placing

_SHARES = 10_000  # steps of the stored share that was observed
_UNITS = f"reflectance in steps of {SCALE:g}; observed in steps of {1 / _SHARES:g}"


def write_average(
    path: Path,
    pixels: tuple[NDArray[np.float32], NDArray[np.float64]],
    placing: Placing,
    tags: Mapping[str, str],
) -> None:
    """Write a granule's averages as a GeoTIFF.

    Parameters
    ----------
    path : Path
        Where to.
    pixels : tuple of ndarray
        Reflectance ``(13, Y, X)``, NaN where not measured; share ``(Y, X)`` observed, 0 to 1.
    placing : Placing
        Where the granule lies.
    tags : mapping of str
        Where the numbers came from.
    """
    reflectance, observed = pixels
    steps = np.rint(np.nan_to_num(reflectance, nan=0.0) / SCALE)
    numbers = np.minimum(steps, FILL - 1).astype("uint16")
    numbers[np.isnan(reflectance)] = FILL
    shares = np.rint(observed * _SHARES).astype("uint16")
    profile = {
        "driver": "GTiff",
        "count": len(numbers) + 1,
        "height": shares.shape[0],
        "width": shares.shape[1],
        "dtype": "uint16",
        "crs": f"EPSG:{placing.epsg}",
        "transform": Affine(CELL, 0, placing.left, 0, -CELL, placing.top),
        "compress": "deflate",
        "predictor": 2,
        "interleave": "band",
    }
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(np.concatenate([numbers, shares[np.newaxis]]))
        raster.descriptions = (*SENTINEL2_BANDS, "observed")
        raster.update_tags(**tags, UNITS=_UNITS)


def read_average(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32], GeoBox]:
    """Read what `write_average` wrote.

    Parameters
    ----------
    path : Path
        The GeoTIFF.

    Returns
    -------
    tuple of (ndarray, ndarray, GeoBox)
        float32 reflectance ``(13, Y, X)``, NaN where not measured; float32 share ``(Y, X)`` that
        was observed in all bands, 0 to 1; their cells.

    Raises
    ------
    CorruptFileError
        If the file is damaged or another one.
    """
    with open_raster(path, driver="GTiff") as raster:
        if raster.count != len(SENTINEL2_BANDS) + 1 or not (raster.crs and raster.crs.is_projected):
            raise CorruptFileError(
                f"{path} has {raster.count} bands and CRS {raster.crs}, not 13 and their share in "
                "UTM: delete it and run the command again"
            )
        refuse_raster(raster, path)
        numbers = raster.read()
        cells = GeoBox(raster.shape, raster.transform, str(raster.crs))
    reflectance = numbers[:-1] * np.float32(SCALE)
    reflectance[numbers[:-1] == FILL] = np.nan
    return reflectance, numbers[-1] / np.float32(_SHARES), cells
