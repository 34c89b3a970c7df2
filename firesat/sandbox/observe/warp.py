"""Images on other pixels, and outlines of their patches: one at a time in a process.

rasterio opens each array as a data set without a place, before it gives it one, and silences its
own warning of that by ``warnings.catch_warnings``, which holds for all threads together: of two at
once one ends the silence of the other (docs.python.org/3/library/warnings.html, "Concurrent safety
of Context Managers"). Servers answer in threads.
"""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio import features
from rasterio.enums import Resampling
from rasterio.warp import reproject

from firesat.grid import crs_of

_ONE_AT_A_TIME = threading.Lock()
_GDAL_S_OWN = 0.125  # pixels that GDAL may be off, to be fast


def warp[T: np.generic](
    layers: NDArray[T],
    native: GeoBox,
    cells: GeoBox,
    *,
    missing: float,
    rule: Resampling = Resampling.nearest,
    tolerance: float = _GDAL_S_OWN,
) -> NDArray[T]:
    """Draw layers on other pixels.

    Parameters
    ----------
    layers : ndarray, shape (N, Y, X)
        Values.
    native, cells : GeoBox
        Their pixels, and those wanted.
    missing : float
        Value of pixels without data, before and after.
    rule : Resampling
        How values are chosen or mixed.
    tolerance : float
        Pixels that places may be off.

    Returns
    -------
    ndarray, shape (N, y, x)
        The layers on `cells`.
    """
    out = np.full((len(layers), *cells.shape), missing, dtype=layers.dtype)
    with _ONE_AT_A_TIME:
        reproject(
            layers,
            out,
            src_transform=native.affine,
            src_crs=crs_of(native).to_wkt(),
            src_nodata=missing,
            dst_transform=cells.affine,
            dst_crs=crs_of(cells).to_wkt(),
            dst_nodata=missing,
            resampling=rule,
            tolerance=tolerance,
        )
    return out


def outlines(
    patches: NDArray[Any], mask: NDArray[np.bool_], cells: GeoBox
) -> list[tuple[dict[str, Any], float]]:
    """Draw lines around patches of one value.

    Parameters
    ----------
    patches : ndarray of int, shape (Y, X)
        Values.
    mask : ndarray of bool, shape (Y, X)
        Where to look.
    cells : GeoBox
        The pixels.

    Returns
    -------
    list of (dict, float)
        Polygons as GeoJSON has them, and their values.
    """
    with _ONE_AT_A_TIME:
        return list(features.shapes(patches, mask=mask, transform=cells.affine))
