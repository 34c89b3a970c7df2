"""GeoTIFF bytes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.io import MemoryFile

from firesat.grid import crs_of


def encode_geotiff(
    values: NDArray[Any], cells: GeoBox, *, nodata: float | None = None, names: tuple[str, ...] = ()
) -> bytes:
    """Write bands as one georeferenced GeoTIFF.

    Parameters
    ----------
    values : ndarray, shape (B, Y, X)
        Any type that GeoTIFF holds.
    cells : GeoBox
        The pixels.
    nodata : float, optional
        Value that means missing.
    names : tuple of str
        Descriptions of the bands; none by default, as Sentinel Hub sends them.

    Returns
    -------
    bytes
        Pixel-interleaved (so that readers without GDAL see ``(Y, X, B)``), deflate.
    """
    bands, height, width = values.shape
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "count": bands,
        "height": height,
        "width": width,
        "dtype": values.dtype.name,
        "crs": crs_of(cells).to_wkt(),
        "transform": cells.affine,
        "nodata": nodata,
        "interleave": "pixel",
        "compress": "deflate",
        "zlevel": 1,  # loopback is faster than any better compression
    }
    with MemoryFile() as memory:
        with memory.open(**profile) as file:
            file.write(np.ascontiguousarray(values))
            if names:
                file.descriptions = names
        return bytes(memory.getbuffer())
