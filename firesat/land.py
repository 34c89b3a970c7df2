"""Where Canada is: cells of 10 km that touch land, shipped as ``land_10km.tif``.

Adapted from Statistics Canada, boundaries of provinces and territories, 2021 (Statistics Canada
Open Licence; this does not constitute an endorsement by Statistics Canada of this product), as
published by OpenDataSoft as georef-canada-province. Made once, by hand: the 13 polygons,
projected to EPSG:3979, drawn with GDAL into the national box's cells of 10 km; 1 in every cell that
they touch (101 101 cells, inland waters included). Drawing the same source again gives the same.
"""

from functools import cache
from importlib.resources import as_file, files

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer

_STEP = 5_000.0  # metres between the places looked up in a square: half a cell


def touches_land(squares: NDArray[np.float64], crs: str) -> NDArray[np.bool_]:
    """Tell which squares have land in them.

    Parameters
    ----------
    squares : ndarray of float64, shape (N, 4)
        x0, y0, x1, y1 in metres.
    crs : str
        Their CRS.

    Returns
    -------
    ndarray of bool, shape (N,)
        True where a cell of 10 km that touches Canada has its centre, or near it a place on a
        lattice of 5 km, within the square.
    """
    land, affine, mask_crs = _mask()
    count = max(1, round(float((squares[0, 2] - squares[0, 0]) / _STEP)))
    steps = (np.arange(count) + 0.5) / count
    x = squares[:, 0, None] + (squares[:, 2] - squares[:, 0])[:, None] * steps
    y = squares[:, 1, None] + (squares[:, 3] - squares[:, 1])[:, None] * steps
    u, v = np.broadcast_arrays(x[:, None, :], y[:, :, None])
    if crs != mask_crs:
        u, v = Transformer.from_crs(crs, mask_crs, always_xy=True).transform(u, v)
    column, row = (
        np.floor(place).astype("int64")
        for place in ((u - affine.c) / affine.a, (v - affine.f) / affine.e)
    )
    within = (row >= 0) & (row < land.shape[0]) & (column >= 0) & (column < land.shape[1])
    found = np.zeros(within.shape, dtype=bool)
    found[within] = land[row[within], column[within]]
    return np.asarray(found.any(axis=(1, 2)))


@cache
def _mask() -> tuple[NDArray[np.bool_], Affine, str]:
    """The cells, their place and their CRS."""
    import rasterio  # only a national grid asks

    with (
        as_file(files("firesat") / "land_10km.tif") as path,
        rasterio.open(path, driver="GTiff") as raster,
    ):
        return raster.read(1) > 0, raster.transform, f"EPSG:{raster.crs.to_epsg()}"
