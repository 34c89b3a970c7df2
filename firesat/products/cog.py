"""Cloud-optimized GeoTIFF: written in windows, checked, then renamed.

DEFLATE, not ZSTD: every GIS reads it, ArcGIS before 10.7 and software on libtiff without zstd
included, and on rounded probabilities it costs 6 % more bytes. Nothing goes into a ``.aux.xml``
that could get lost: statistics, units and notices are inside the file.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.shutil import copy
from rasterio.windows import Window

from firesat.errors import ProductError
from firesat.grid import crs_of
from firesat.manifest import sync_folder
from firesat.products.statistics import Statistics

BLOCK = 512
MANTISSA_BITS = 10
"""Of float32's 23: a relative error of at most 2**-11 (0.05 %), and a third of the bytes saved."""

Rows = tuple[int, NDArray[np.generic]]
Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One band of a file.

    Parameters
    ----------
    name : str
        Band description, such as "p_fire".
    units : str
        UDUNITS spelling; "1" for probabilities.
    tags : dict of str
        Band metadata, such as "long_name".
    valid_range : tuple of float
        Smallest and largest possible value: others are refused.
    """

    name: str
    units: str
    tags: Mapping[str, str] = field(default_factory=dict)
    valid_range: tuple[float, float] = (-np.inf, np.inf)


@dataclass(frozen=True, kw_only=True)
class Raster:
    """A file to be: everything but its pixels.

    Parameters
    ----------
    cells : GeoBox
        Its cells.
    layers : tuple of Layer
        Its bands.
    tags : dict of str
        Metadata of the file.
    dtype : {"float32", "uint8"}
        On disk.
    nodata : float, optional
        What stands for NaN. Finite: NaN breaks overviews and ArcGIS.
    overviews : {"average", "mode", "nearest"}
        `mode` for classes, `nearest` for numbers and days.
    rounded : bool
        Whether floats are rounded to `MANTISSA_BITS`: not where they hold whole numbers.
    colours : dict of tuple of int, optional
        Value to red, green, blue (0 to 255): a colour table.
    """

    cells: GeoBox
    layers: tuple[Layer, ...]
    tags: Mapping[str, str]
    dtype: Literal["float32", "uint8"] = "float32"
    nodata: float | None = -9999.0
    overviews: Literal["average", "mode", "nearest"] = "average"
    rounded: bool = True
    colours: Mapping[int, Colour] | None = None


def publish(path: Path, raster: Raster, windows: Iterable[Rows]) -> None:
    """Write a file; it appears under its name only when it is whole, checked and on disk.

    Parameters
    ----------
    path : Path
        Final name; its folder is made if absent.
    raster : Raster
        What it says of itself.
    windows : iterable of (int, ndarray, shape (B, n, X))
        First row and values, from top to bottom without gaps; NaN = missing.

    Raises
    ------
    ProductError
        If rows are missing, a value is impossible, the disk is full, or what was read back is not
        what was written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _parts(path) as (plain, part):
        try:
            with rasterio.Env(GDAL_PAM_ENABLED=False):
                _write(plain, raster, windows)
                _to_cog(plain, part, raster)
                _check(plain, part, path.name)
        except RasterioError as error:
            raise ProductError(
                f"{path} could not be written ({error}): free some disk space and run it again"
            ) from error
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(path)
    sync_folder(path.parent)


@contextmanager
def _parts(path: Path) -> Iterator[tuple[Path, Path]]:
    """Two temporary names beside the final one, that no ``*.tif`` finds; gone afterwards."""
    stem = f".{path.name}.{os.getpid()}"
    plain, part = path.with_name(f"{stem}.rows"), path.with_name(f"{stem}.part")
    with ExitStack() as stack:
        stack.callback(plain.unlink, missing_ok=True)
        stack.callback(part.unlink, missing_ok=True)
        yield plain, part


def round_mantissa(values: NDArray[np.float32], bits: int = MANTISSA_BITS) -> NDArray[np.float32]:
    """Round floats to fewer binary digits, so that they compress.

    Parameters
    ----------
    values : ndarray of float32
        NaN and infinities stay.
    bits : int
        Digits kept of the 23 after the leading one.

    Returns
    -------
    ndarray of float32
        To the nearest, ties to even; relative error at most ``2 ** -(bits + 1)``.
    """
    dropped = np.uint32(23 - bits)
    raw = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    half = (np.uint32(1) << (dropped - np.uint32(1))) - np.uint32(1)
    odd = (raw >> dropped) & np.uint32(1)
    rounded = ((raw + half + odd) >> dropped) << dropped
    # Adding to a NaN's mantissa could carry into its exponent and sign.
    return np.where(np.isfinite(values), rounded.view(np.float32), values)


def _write(plain: Path, raster: Raster, windows: Iterable[Rows]) -> None:
    """A tiled GeoTIFF with everything in it."""
    statistics = [Statistics() for _ in raster.layers]
    with rasterio.open(plain, "w", **_profile(raster)) as file:
        if raster.colours:
            file.write_colormap(1, dict(raster.colours))
        below = 0
        for row, values in windows:
            if row != below:
                raise ProductError(f"rows {below} to {row} of the map are missing or come twice")
            stored = _store(values, raster, statistics)
            file.write(stored, window=Window(0, row, stored.shape[2], stored.shape[1]))
            below = row + stored.shape[1]
        if below != file.height:
            raise ProductError(f"the map ends at row {below} of {file.height}: predict it again")
        _describe(file, raster, statistics)
        file.build_overviews(_factors((file.height, file.width)), Resampling[raster.overviews])


def _profile(raster: Raster) -> dict[str, object]:
    """How the plain file is laid out."""
    height, width = raster.cells.shape
    nodata = {} if raster.nodata is None else {"nodata": raster.nodata}
    # GDAL's overviews look for a palette only where the file was announced as one
    photometric = {"photometric": "PALETTE"} if raster.colours else {}
    return {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": len(raster.layers),
        "dtype": raster.dtype,
        "crs": crs_of(raster.cells).to_wkt(),
        "transform": raster.cells.affine,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "bigtiff": "IF_SAFER",
        "interleave": "band",
        "sparse_ok": True,  # a band that is empty far and wide, as of dates, takes no room
        **nodata,
        **photometric,
    }


def _store(
    values: NDArray[np.generic], raster: Raster, statistics: list[Statistics]
) -> NDArray[np.generic]:
    """Values as they stand on disk, counted on the way."""
    if values.shape[0] != len(raster.layers) or values.shape[2] != raster.cells.shape[1]:
        raise ProductError(
            f"rows of shape {values.shape} do not fit {len(raster.layers)} bands of "
            f"{raster.cells.shape[1]} columns"
        )
    if raster.dtype == "float32" and raster.rounded:
        values = round_mantissa(values.astype(np.float32))
    # After the rounding: -9999 has more digits than it would keep.
    stored = values.astype(np.float64)
    missing = np.isnan(stored) | (stored == raster.nodata)
    for layer, band, gone, counted in zip(raster.layers, stored, missing, statistics, strict=True):
        counted.add(band, ~gone)
        if not counted.within(layer.valid_range):
            raise ProductError(
                f"{layer.name} reaches from {counted.minimum:g} to {counted.maximum:g}, outside "
                f"{layer.valid_range}: look at the network's output"
            )
    stored[missing] = 0 if raster.nodata is None else raster.nodata
    return stored.astype(raster.dtype)


def _describe(
    file: rasterio.io.DatasetWriter, raster: Raster, statistics: list[Statistics]
) -> None:
    """Names, units, statistics, tags."""
    file.descriptions = tuple(layer.name for layer in raster.layers)
    file.units = tuple(layer.units for layer in raster.layers)
    file.update_tags(AREA_OR_POINT="Area", **raster.tags)
    for number, (layer, counted) in enumerate(zip(raster.layers, statistics, strict=True), start=1):
        file.update_tags(number, **layer.tags, **counted.tags())


def _factors(shape: tuple[int, int]) -> list[int]:
    """Overviews down to half a block, and always one: even a small map has a small copy."""
    factors = [2]
    while max(shape) / factors[-1] > BLOCK / 2:
        factors.append(factors[-1] * 2)
    return factors


def _to_cog(plain: Path, part: Path, raster: Raster) -> None:
    """Let GDAL's own driver order the bytes; it takes over the overviews and the tags."""
    copy(
        plain,
        part,
        driver="COG",
        compress="DEFLATE",
        predictor="FLOATING_POINT" if raster.dtype == "float32" else "NO",
        blocksize=BLOCK,
        overviews="FORCE_USE_EXISTING",
        bigtiff="IF_SAFER",
        num_threads="ALL_CPUS",
    )


def _check(plain: Path, part: Path, name: str) -> None:
    """Read the finished file back and compare it with what was to be in it."""
    with rasterio.open(plain) as wanted, rasterio.open(part) as found:
        layout = found.tags(ns="IMAGE_STRUCTURE").get("LAYOUT")
        same = {
            "layout": layout == "COG",
            "profile": _facts(wanted) == _facts(found),
            "overviews": all(found.overviews(band) for band in found.indexes),
            "tags": all(wanted.tags(b) == found.tags(b) for b in (0, *found.indexes)),
            "pixels": all(
                np.array_equal(wanted.read(window=window), found.read(window=window))
                for _, window in found.block_windows(1)
            ),
        }
    wrong = [what for what, holds in same.items() if not holds]
    if wrong:
        raise ProductError(f"{name} came back with other {', '.join(wrong)} than written: not kept")


def _facts(file: rasterio.DatasetReader) -> tuple[object, ...]:
    """What two files must share."""
    return (
        file.shape, file.count, file.dtypes, file.nodata, file.crs, file.transform,
        file.descriptions, file.units,
    )  # fmt: skip
