"""Rasters of one lattice, read as one picture."""

import json
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError

from firesat.errors import CorruptFileError
from firesat.raster import open_raster
from firesat.sources._declared import refuse_larger, refuse_raster
from firesat.sources._utm import Square


def mosaic(path: Path, bands: int) -> tuple[NDArray[np.uint16], GeoBox]:
    """Read a GeoTIFF, or those that a list beside them names.

    Parameters
    ----------
    path : Path
        A GeoTIFF of 16 bits; or a ``.json`` with file names of such, of one CRS and lattice.
    bands : int
        That each must have.

    Returns
    -------
    tuple of (ndarray of uint16 (bands, Y, X), GeoBox)
        0 where no raster lies.

    Raises
    ------
    CorruptFileError
        If a raster is damaged or another one; one from a list is then gone, to be fetched anew.
    """
    if path.suffix != ".json":
        return _read(path, bands)
    parts = [_member(path.parent / name, bands) for name in _names(path)]
    boxes = [cells.boundingbox for _, cells in parts]
    size = parts[0][1].resolution.x
    left, top = min(box.left for box in boxes), max(box.top for box in boxes)
    width = round((max(box.right for box in boxes) - left) / size)
    height = round((top - min(box.bottom for box in boxes)) / size)
    refuse_larger(path, 2.0 * bands * height * width, "rasters far apart")
    whole = np.zeros((bands, height, width), dtype="uint16")
    for (numbers, _), box in zip(parts, boxes, strict=True):
        row, column = round((top - box.top) / size), round((box.left - left) / size)
        whole[:, row : row + numbers.shape[1], column : column + numbers.shape[2]] = numbers
    affine = Affine(size, 0, left, 0, -size, top)
    return whole, GeoBox((height, width), affine, parts[0][1].crs)


def check_square(path: Path, square: Square, side: int, bands: int) -> None:
    """Refuse pixels that were not asked for: elsewhere, upside down, half a pixel off.

    Parameters
    ----------
    path : Path
        What a service sent.
    square : tuple of (int, tuple of float)
        EPSG code and bounds that were asked for.
    side : int
        Pixels of a side.
    bands : int
        That it must have.

    Raises
    ------
    CorruptFileError
        If it has other bands, another size or another place.
    """
    epsg, (x0, y0, x1, y1) = square
    with open_raster(path, driver="GTiff") as raster:
        place = tuple(raster.transform)[:6]
        found = raster.shape, raster.count, raster.crs and raster.crs.to_epsg(), place
    wanted = (side, side), bands, epsg, ((x1 - x0) / side, 0.0, x0, 0.0, (y0 - y1) / side, y1)
    if found[:3] != wanted[:3] or not np.allclose(found[3], wanted[3], rtol=0, atol=1e-3):
        raise CorruptFileError(
            f"{path} holds (shape, bands, EPSG, affine) {found}, asked was {wanted}: run again"
        )


def _names(path: Path) -> list[str]:
    """The names in a list."""
    try:
        names = json.loads(path.read_text())
    except ValueError as error:
        raise CorruptFileError(f"{path} is damaged ({error}): run the command again") from error
    if not isinstance(names, list) or not names or any(Path(str(n)).name != n for n in names):
        raise CorruptFileError(f"{path} is no list of files: run the command again")
    return [str(name) for name in names]


def _member(path: Path, bands: int) -> tuple[NDArray[np.uint16], GeoBox]:
    """One raster of a list; a damaged one is discarded."""
    try:
        return _read(path, bands)
    except CorruptFileError:
        path.unlink(missing_ok=True)
        raise


def _read(path: Path, bands: int) -> tuple[NDArray[np.uint16], GeoBox]:
    """One raster."""
    with open_raster(path, driver="GTiff") as raster:
        placed = raster.crs is not None and raster.crs.is_projected
        if raster.count != bands or not placed or set(raster.dtypes) != {"uint16"}:
            raise CorruptFileError(
                f"{path} has {raster.count} bands of {raster.dtypes[0]} and CRS {raster.crs}, not "
                f"{bands} of uint16 in UTM: delete it and run the command again"
            )
        refuse_raster(raster, path)
        return _pixels(raster, path), GeoBox(raster.shape, raster.transform, str(raster.crs))


def _pixels(raster: rasterio.DatasetReader, path: Path) -> NDArray[np.uint16]:
    """All numbers."""
    try:
        numbers: NDArray[np.uint16] = raster.read()
    except RasterioError as error:
        raise CorruptFileError(
            f"{path} is damaged or cut short ({error.__cause__ or error}): delete it and run the "
            "command again"
        ) from error
    return numbers
