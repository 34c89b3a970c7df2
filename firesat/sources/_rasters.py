"""Raster files: bands as arrays with a CRS, whole or cut to a region."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from rasterio.enums import MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterWindow

from firesat.bands import band
from firesat.errors import CorruptFileError, GridError
from firesat.grid import Bounds, crs_of
from firesat.raster import open_raster
from firesat.sources._declared import refuse_raster
from firesat.sources._layers import bounds_in, georeferenced

_SLACK = 1 << 30  # bytes: maps of a country's classes, mostly one class, pack into almost nothing


def read_bands(
    path: Path,
    bands: Mapping[str, int],
    *,
    scale: float = 1.0,
    offset: float = 0.0,
    nodata: float | None = None,
    crs: str | None = None,
) -> xr.Dataset:
    """Read bands of a raster.

    Parameters
    ----------
    path : Path
        A raster of a format that holds its own pixels.
    bands : mapping of str to int
        Name of the lexicon: number in the file, from 1.
    scale, offset : float
        Physical value = number * scale + offset; 1 and 0 = by what the file itself says.
    nodata : float, optional
        Number that means missing; None = what the file says.
    crs : str, optional
        To assume where the file names none.

    Returns
    -------
    xr.Dataset
        float32, dims ``(y, x)``, rows from the north; NaN where missing or masked out.

    Raises
    ------
    CorruptFileError
        If the file is damaged, declares more than it can hold, or lacks a band.
    GridError
        If it has no CRS and none is given.
    """
    with open_raster(path) as raster:
        cells = _cells(raster, path, crs)
        _check_bands(raster, path, bands)
        refuse_raster(raster, path, slack=_SLACK)
        missing = raster.nodata if nodata is None else nodata
        try:
            variables = {}
            for name, number in bands.items():
                own = raster.scales[number - 1], raster.offsets[number - 1]
                factor, shift = own if (scale, offset) == (1.0, 0.0) else (scale, offset)
                layer = _variable(raster.read(number), name, factor, shift, missing)
                variables[name] = layer.where(_unmasked(raster, number))
        except RasterioError as error:
            raise CorruptFileError(
                f"{path} is damaged ({error}): delete it and fetch it again"
            ) from error
    if cells.affine.e > 0:  # as converted from NetCDF: rows from the south
        variables = {name: layer[::-1] for name, layer in variables.items()}
        cells = cells.flipy()
    return georeferenced(variables, cells)


def _unmasked(raster: rasterio.DatasetReader, number: int) -> NDArray[np.bool_] | bool:
    """Where a mask of its own, which some files have instead of a nodata value, shows a band."""
    masked = MaskFlags.per_dataset in raster.mask_flag_enums[number - 1]
    return np.asarray(raster.read_masks(number) > 0) if masked else True


def _cells(raster: rasterio.DatasetReader, path: Path, crs: str | None) -> GeoBox:
    """The raster's cells."""
    known = raster.crs.to_wkt() if raster.crs else crs
    if known is None or raster.transform.is_identity:
        raise GridError(
            f"{path} has no {'CRS' if known is None else 'georeference'}: give crs, such as "
            "EPSG:32611, or repair it with gdal_translate -a_srs -a_ullr"
        )
    crs_found = CRS(known)
    if not (crs_found.projected or crs_found.geographic):
        raise GridError(f"{path} has the CRS {str(known)[:60]!r} of no map: give crs")
    return GeoBox(raster.shape, raster.transform, crs_found)


def _check_bands(raster: rasterio.DatasetReader, path: Path, bands: Mapping[str, int]) -> None:
    """Refuse bands that the file lacks."""
    wrong = [
        f"{name}: {number}" for name, number in bands.items() if not 0 < number <= raster.count
    ]
    if wrong:
        raise CorruptFileError(
            f"{path} has {raster.count} bands, the mapping asks for {', '.join(wrong)}: correct it"
        )


def _variable(
    numbers: NDArray[np.generic], name: str, scale: float, offset: float, nodata: float | None
) -> xr.DataArray:
    """Numbers to physical values."""
    values = numbers.astype("float32") * np.float32(scale) + np.float32(offset)
    if nodata is not None:
        values[numbers == nodata] = np.nan
    return xr.DataArray(values, dims=("y", "x"), attrs={"units": band(name).units})


def stack_bands(dataset: xr.Dataset, names: list[str], into: str, *, fine: bool) -> xr.Dataset:
    """Put all bands into one array.

    Parameters
    ----------
    dataset : xr.Dataset
        What :func:`read_bands` gives, perhaps with more.
    names : list of str
        The bands, in order.
    into : str
        Name of the array.
    fine : bool
        Whether its pixels are finer than the cells that it is meant for, to be averaged.

    Returns
    -------
    xr.Dataset
        The array, dims ``(band, y, x)``, instead of the bands.
    """
    first = dataset[names[0]]
    stacked = xr.DataArray(
        np.stack([dataset[name].values for name in names]),
        dims=("band", "y", "x"),
        coords={"band": names},
        attrs={**first.attrs, "resampling": "average" if fine else "bilinear"},
    )
    return dataset.drop_vars(names).assign({into: stacked})


def cut_raster(path: Path, target: Path, region: GeoBox, *, margin: int) -> None:
    """Copy the part of a raster that covers a region.

    Parameters
    ----------
    path : Path
        A raster, possibly national.
    target : Path
        GeoTIFF to write.
    region : GeoBox
        Cells of any CRS.
    margin : int
        Pixels to add on each side.

    Raises
    ------
    CorruptFileError
        If the raster is damaged, or lies elsewhere.
    GridError
        If it has no CRS.
    """
    with open_raster(path) as raster:
        cells = _cells(raster, path, None)
        whole = RasterWindow(0, 0, raster.width, raster.height)
        grown = _window(raster.transform, bounds_in(region, crs_of(cells).to_wkt()), margin)
        if not rasterio.windows.intersect(grown, whole):
            raise CorruptFileError(f"{path} does not cover the region: give a file that does")
        window = grown.intersection(whole)
        refuse_raster(raster, path, pixels=window.width * window.height, slack=_SLACK)
        profile = {
            "driver": "GTiff",
            "width": window.width,
            "height": window.height,
            "count": raster.count,
            "dtype": raster.dtypes[0],
            "crs": raster.crs,
            "transform": raster.window_transform(window),
            "nodata": raster.nodata,
            "compress": "deflate",
        }
        inside = rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True)
        with inside, rasterio.open(target, "w", **profile) as copy:
            copy.write(raster.read(window=window))
            copy.scales, copy.offsets = raster.scales, raster.offsets
            if MaskFlags.per_dataset in raster.mask_flag_enums[0]:
                copy.write_mask(raster.read_masks(1, window=window))


def _window(affine: Affine, box: Bounds, margin: int) -> RasterWindow:
    """Whole pixels around a box, whichever way the rows run."""
    left, bottom, right, top = box
    corners = [~affine * (x, y) for x in (left, right) for y in (bottom, top)]
    (first, up), (last, down) = np.floor(np.min(corners, axis=0)), np.ceil(np.max(corners, axis=0))
    return RasterWindow(
        first - margin, up - margin, last - first + 2 * margin, down - up + 2 * margin
    )
