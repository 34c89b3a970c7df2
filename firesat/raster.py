"""Rasters: opening them with care, and putting them on our cells."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import odc.geo.xr  # noqa: F401  registers the .odc accessor
import rasterio
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from rasterio.errors import RasterioError
from rasterio.warp import reproject

from firesat import footprint, gather
from firesat.bands import BANDS, Resampling
from firesat.errors import CorruptFileError, GridError
from firesat.geometry import Lattice, both_metric, interpolates, remembered_geometry
from firesat.grid import crs_of

# Formats that cannot point at other files or hosts: a VRT or a WMS file could.
SAFE_DRIVERS = ("GTiff", "COG", "JP2OpenJPEG", "ENVI", "AAIGrid", "GRIB", "PNG")


def align(
    scene: xr.Dataset, cells: GeoBox, *, masks: Mapping[str, str] | None = None
) -> xr.Dataset:
    """Resample a scene onto cells, each variable by the rule of its band.

    Parameters
    ----------
    scene : xr.Dataset
        Dims ``(..., y, x)`` in the sensor's own CRS; NaN where not observed. A variable's
        ``resampling`` attribute overrides the lexicon's rule.
    cells : GeoBox
        Target cells.
    masks : mapping of str, optional
        Name of a variable to that of another ``(y, x)``, which is 1 where the first may be used, 0
        where better not, NaN where neither was observed. An average of finer pixels is then over
        the ones alone, wherever a cell has any.

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
    grades = {name: _grade(scene[mask].values) for name, mask in (masks or {}).items()}
    aligned = {
        name: _align(scene[name], source, cells, grades.get(str(name))) for name in scene.data_vars
    }
    return xr.Dataset(aligned, coords=xr_coords(cells), attrs=scene.attrs)


def _grade(mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0 not observed, 1 better not used, 2 usable."""
    return np.where(np.isnan(mask), 0, 1 + (mask > 0)).astype("uint8")


def _rule(variable: xr.DataArray) -> Resampling:
    """How a variable may be resampled."""
    chosen = variable.attrs.get("resampling")
    if chosen is not None:
        rule: Resampling = chosen
        return rule
    known = BANDS.get(str(variable.name))
    return known.resampling if known else "bilinear"


def _align(
    variable: xr.DataArray, source: GeoBox, cells: GeoBox, grade: NDArray[np.uint8] | None
) -> xr.DataArray:
    """Warp the last two dims; the leading ones are warped together, sharing the geometry."""
    leading = variable.dims[:-2]
    values = np.ascontiguousarray(variable.values, dtype="float32")
    stack, rule = values.reshape(-1, *values.shape[-2:]), _rule(variable)
    if rule == "average" and both_metric(source, cells):
        out = _average(stack, grade, remembered_geometry(source, cells))
    else:
        out = warp(stack, source, cells, rule, missing=np.nan)
    shape = (*(variable.sizes[dim] for dim in leading), *cells.shape)
    coords = {dim: variable.coords[dim] for dim in leading if dim in variable.coords}
    return xr.DataArray(
        out.reshape(shape), dims=(*leading, "y", "x"), coords=coords, attrs=variable.attrs
    )


def _average(
    stack: NDArray[np.float32],
    grade: NDArray[np.uint8] | None,
    lattice: Lattice,
) -> NDArray[np.float32]:
    """Average layers together where the same pixels are missing in all, else one by one."""
    out = np.empty((len(stack), *lattice.shape), dtype="float32")
    measured = ~np.isnan(stack)
    usable = np.uint8(2) if grade is None else grade
    alike = len(stack) > 0 and bool((measured == measured[0]).all())
    parts = [slice(0, len(stack))] if alike else [slice(n, n + 1) for n in range(len(stack))]
    for part in parts:
        seen = np.where(measured[part.start], usable, np.uint8(0))
        out[part] = footprint.average(stack[part], seen, lattice).mean
    return out


def warp(
    stack: NDArray[Any], source: GeoBox, cells: GeoBox, rule: Resampling, *, missing: float
) -> NDArray[Any]:
    """Warp layers together.

    Parameters
    ----------
    stack : ndarray of uint16 or float32, shape (B, H, W)
        Layers on the source's pixels.
    source, cells : GeoBox
        Pixels there are, cells wanted.
    rule : {"nearest", "bilinear", "average", "mode"}
        How values are found between pixels.
    missing : float
        Value of pixels and cells without measurement.

    Returns
    -------
    ndarray of the same type, shape (B, Y, X)
        The layers on the cells. The nearest pixel, and pixels of at least the cells' size between
        metric CRSs, are looked up by our own loops, the rest is left to GDAL.
    """
    out = np.full((len(stack), *cells.shape), missing, dtype=stack.dtype)
    if rule == "bilinear" and interpolates(source, cells):
        gather.bilinear(stack, remembered_geometry(source, cells), missing, out)
    elif rule == "nearest" and both_metric(source, cells):
        gather.nearest(stack, remembered_geometry(source, cells), missing, out)
    elif len(stack):
        reproject(
            stack,
            out,
            src_transform=source.affine,
            src_crs=crs_of(source).to_wkt(),
            src_nodata=missing,
            dst_transform=cells.affine,
            dst_crs=crs_of(cells).to_wkt(),
            dst_nodata=missing,
            resampling=rasterio.enums.Resampling[rule],
        )
    return out


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
    if not path.is_file():
        what = (
            "is a folder, no raster" if path.is_dir() else "cannot be read, there is no such file"
        )
        raise CorruptFileError(f"{path} {what}: give a raster, such as a GeoTIFF")
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
    with path.open("rb") as file:
        return repr(file.read(16))
