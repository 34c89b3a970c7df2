"""Rasters: opening them with care, and putting them on our cells."""

from pathlib import Path

import numpy as np
import odc.geo.xr  # noqa: F401  registers the .odc accessor
import rasterio
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from rasterio.errors import RasterioError
from rasterio.warp import reproject

from firesat.bands import BANDS, Resampling
from firesat.errors import CorruptFileError, GridError
from firesat.geometry import interpolate, interpolates, remembered_geometry
from firesat.grid import crs_of

# Formats that cannot point at other files or hosts: a VRT or a WMS file could.
SAFE_DRIVERS = ("GTiff", "COG", "JP2OpenJPEG", "ENVI", "AAIGrid", "GRIB", "PNG")


def align(scene: xr.Dataset, cells: GeoBox) -> xr.Dataset:
    """Resample a scene onto cells, each variable by the rule of its band.

    Parameters
    ----------
    scene : xr.Dataset
        Dims ``(..., y, x)`` in the sensor's own CRS; NaN where not observed. A variable's
        ``resampling`` attribute overrides the lexicon's rule.
    cells : GeoBox
        Target cells.

    Returns
    -------
    xr.Dataset
        float32 variables of the same names, units and leading dims on ``cells``; NaN where the
        scene has nothing. Averages weigh source pixels by overlap and skip NaN.

    Raises
    ------
    GridError
        If the scene has no CRS.
    """
    source = scene.odc.geobox
    if source is None or source.crs is None:
        raise GridError("scene has no CRS: set it in the source's read(), by assign_crs(...)")
    aligned = {name: _align(scene[name], source, cells) for name in scene.data_vars}
    return xr.Dataset(aligned, coords=xr_coords(cells), attrs=scene.attrs)


def _rule(variable: xr.DataArray) -> Resampling:
    """How a variable may be resampled."""
    chosen = variable.attrs.get("resampling")
    if chosen is not None:
        rule: Resampling = chosen
        return rule
    known = BANDS.get(str(variable.name))
    return known.resampling if known else "bilinear"


def _align(variable: xr.DataArray, source: GeoBox, cells: GeoBox) -> xr.DataArray:
    """Warp the last two dims; the leading ones are warped together, sharing the geometry."""
    leading = variable.dims[:-2]
    values = np.ascontiguousarray(variable.values, dtype="float32")
    stack = values.reshape(-1, *values.shape[-2:])
    out = np.full((len(stack), *cells.shape), np.nan, dtype="float32")
    if _rule(variable) == "bilinear" and interpolates(source, cells):
        lattice = remembered_geometry(source, cells)
        interpolate(stack, lattice.rows, lattice.columns, lattice.step, out)
    elif len(stack):
        reproject(
            stack,
            out,
            src_transform=source.affine,
            src_crs=crs_of(source).to_wkt(),
            src_nodata=np.nan,
            dst_transform=cells.affine,
            dst_crs=crs_of(cells).to_wkt(),
            dst_nodata=np.nan,
            resampling=rasterio.enums.Resampling[_rule(variable)],
        )
    shape = (*(variable.sizes[dim] for dim in leading), *cells.shape)
    coords = {dim: variable.coords[dim] for dim in leading if dim in variable.coords}
    return xr.DataArray(
        out.reshape(shape), dims=(*leading, "y", "x"), coords=coords, attrs=variable.attrs
    )


def on_cells(values: NDArray[np.generic], cells: GeoBox, dims: tuple[str, ...]) -> xr.DataArray:
    """Give an array the coordinates and the CRS of cells.

    Parameters
    ----------
    values : ndarray, shape (..., Y, X)
        Any type.
    cells : GeoBox
        Cells of the last two axes.
    dims : tuple of str
        Names of the leading axes.

    Returns
    -------
    xr.DataArray
        Dims ``(*dims, y, x)`` with coordinates ``y``, ``x`` and ``spatial_ref``.
    """
    return xr.DataArray(values, dims=(*dims, "y", "x"), coords=xr_coords(cells))


def open_raster(path: Path, *, driver: str | None = None) -> rasterio.DatasetReader:
    """Open a raster file of a format that holds its own pixels.

    Parameters
    ----------
    path : Path
        A local file.
    driver : str, optional
        The one GDAL driver to try; default any of `SAFE_DRIVERS`.

    Returns
    -------
    rasterio.DatasetReader
        Open; the caller closes it.

    Raises
    ------
    CorruptFileError
        If the file is missing, damaged, or of another format.
    """
    allowed = [driver] if driver else list(SAFE_DRIVERS)
    try:
        with rasterio.Env():  # rasterio.open takes one driver, its reader a list
            return rasterio.DatasetReader(path, driver=allowed)
    except RasterioError as error:
        start = _first_words(path)
        raise CorruptFileError(
            f"{path} is no {' or '.join(allowed)} raster ({error}); it starts with {start}: "
            "delete it and run the command again"
        ) from error


def _first_words(path: Path) -> str:
    """First bytes of a file, for messages."""
    if not path.is_file():
        return "nothing: there is no such file"
    with path.open("rb") as file:
        return repr(file.read(16))
