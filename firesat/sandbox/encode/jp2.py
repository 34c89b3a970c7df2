"""JPEG 2000 bytes, lossless and tiled as Sentinel-2's are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.io import MemoryFile

from firesat.grid import crs_of

_TILE = 1024  # pixels: as the product specification says


def encode_jp2(numbers: NDArray[np.uint16] | NDArray[np.uint8], cells: GeoBox) -> bytes:
    """Write one band, or the planes of a mask, as a georeferenced JPEG 2000 file.

    Parameters
    ----------
    numbers : ndarray of uint16 or uint8, shape (Y, X) or (plane, Y, X)
        Digital numbers.
    cells : GeoBox
        The pixels.

    Returns
    -------
    bytes
        Decodes to the same numbers.
    """
    planes = numbers.reshape(-1, *numbers.shape[-2:])
    count, height, width = planes.shape
    profile: dict[str, Any] = {
        "driver": "JP2OpenJPEG",
        "count": count,
        "height": height,
        "width": width,
        "dtype": str(numbers.dtype),
        "crs": crs_of(cells).to_wkt(),
        "transform": cells.affine,
        "QUALITY": "100",
        "REVERSIBLE": "YES",
        "BLOCKXSIZE": str(_TILE),
        "BLOCKYSIZE": str(_TILE),
    }
    with MemoryFile(ext=".jp2") as memory:
        with memory.open(**profile) as file:
            file.write(np.ascontiguousarray(planes))
        return bytes(memory.getbuffer())
