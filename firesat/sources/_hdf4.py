"""HDF4 files of MODIS, which GDAL's wheels cannot open: arrays, and where they lie."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyhdf.error import HDF4Error
from pyhdf.SD import SD, SDC

from firesat.errors import CorruptFileError

MAGIC = b"\x0e\x03\x13\x01"
# The grid's sphere and tiles: MODIS Land user guides, modis-land.gsfc.nasa.gov/MODLAND_grid.html
RADIUS = 6_371_007.181  # metres
SINUSOIDAL = f"+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R={RADIUS} +units=m +no_defs"
_LARGEST = 4800  # pixels of a side, at 250 m
TILE = 2 * np.pi * RADIUS / 36  # metres of a tile's side
_EAST, _NORTH = 18 * TILE, 9 * TILE
_NUMBER = r"\(\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*\)"
_LEFT_TOP = re.compile(rf"UpperLeftPointMtrs={_NUMBER}")
_RIGHT_BOTTOM = re.compile(rf"LowerRightMtrs={_NUMBER}")
_PROJECTION = re.compile(r"Projection=(\w+)")
_OFF = 0.1  # pixels that a whole tile may be off: its corners are rounded


def check_magic(path: Path, hint: str) -> None:
    """Refuse what is no HDF4 file, such as a login page saved under its name.

    Parameters
    ----------
    path : Path
        A file.
    hint : str
        What to do about it.

    Raises
    ------
    CorruptFileError
        If the first four bytes are others.
    """
    with path.open("rb") as file:
        start = file.read(40)
    if not start.startswith(MAGIC):
        raise CorruptFileError(f"{path} is no HDF4 file, it starts with {start!r}: {hint}")


def read_sds(path: Path, names: Iterable[str]) -> tuple[dict[str, NDArray[Any]], str]:
    """Read layers.

    Parameters
    ----------
    path : Path
        A local file: HDF4 has no streams.
    names : iterable of str
        Layers wanted.

    Returns
    -------
    layers : dict of str to ndarray, shape (Y, X)
        Raw numbers of the layers that the file has.
    structure : str
        Its ``StructMetadata.0``; "" if there is none.

    Raises
    ------
    CorruptFileError
        If the file is damaged, or declares layers that no tile has.
    """
    check_magic(path, "delete it and run the command again")
    try:
        file = SD(str(path), SDC.READ)
        try:
            held = set(file.datasets()) & set(names)
            layers = {name: _pixels(file.select(name), path) for name in sorted(held)}
            structure = str(file.attributes().get("StructMetadata.0", ""))
        finally:
            file.end()
    except (HDF4Error, ValueError, TypeError) as error:
        raise CorruptFileError(
            f"{path} is a damaged HDF4 file ({error}): delete it and run the command again"
        ) from error
    shapes = {array.shape for array in layers.values()}
    if len(shapes) > 1:
        raise CorruptFileError(
            f"{path} has layers of {' and '.join(map(str, sorted(shapes)))} pixels: delete it and "
            "run the command again"
        )
    return layers, structure


def _pixels(layer: Any, path: Path) -> NDArray[Any]:  # noqa: ANN401  pyhdf has no types
    """Numbers of a layer, once its header promises what a tile can have."""
    name, rank, shape, *_ = layer.info()
    if rank != 2 or max(shape) > _LARGEST:
        raise CorruptFileError(
            f"{path} declares {shape} pixels of {name}, a tile has at most {_LARGEST} a side: not "
            "opened; delete it and run the command again"
        )
    return np.asarray(layer.get())


def tile_cells(
    horizontal: int, vertical: int, shape: tuple[int, int], structure: str, name: str
) -> GeoBox:
    """Work out where the pixels of a file lie.

    Parameters
    ----------
    horizontal, vertical : int
        The tile, from the file's name.
    shape : tuple of int
        Rows and columns.
    structure : str
        ``StructMetadata.0``; it places cut-outs, which must touch the tile of the name.
    name : str
        The file, for messages.

    Returns
    -------
    GeoBox
        Sinusoidal, on MODIS' sphere.

    Raises
    ------
    CorruptFileError
        If name and metadata contradict each other.
    """
    left, top = horizontal * TILE - _EAST, _NORTH - vertical * TILE
    rows, columns = shape
    stated = [pattern.search(structure) for pattern in (_LEFT_TOP, _RIGHT_BOTTOM, _PROJECTION)]
    upper, lower, projection = stated
    if projection is not None and projection[1] != "GCTP_SNSOID":
        raise CorruptFileError(
            f"{name} is in {projection[1]}, not on the sinusoidal grid of its name: fetch the "
            "original"
        )
    if upper is None or lower is None:
        return GeoBox(shape, Affine(TILE / columns, 0, left, 0, -TILE / rows, top), SINUSOIDAL)
    x0, y1, x1, y0 = (float(number) for number in (*upper.groups(), *lower.groups()))
    right, bottom = left + TILE, top - TILE
    slack = (x1 - x0) / columns / 2
    touching = x0 < right - slack and x1 > left + slack and y0 < top - slack and y1 > bottom + slack
    whole = abs(x1 - x0 - TILE) < slack and abs(y1 - y0 - TILE) < slack
    moved = whole and max(abs(x0 - left), abs(y1 - top)) > 2 * _OFF * slack
    if slack <= 0 or y1 <= y0 or not touching or moved:
        raise CorruptFileError(
            f"{name} says it lies at x {x0:.0f}..{x1:.0f}, y {y0:.0f}..{y1:.0f}, not in tile "
            f"h{horizontal:02d}v{vertical:02d} of its name: restore the provider's name, or fetch "
            "the original"
        )
    if whole:  # its formula is exact, the text is rounded
        x0, y1, x1, y0 = left, top, right, bottom
    affine = Affine((x1 - x0) / columns, 0, x0, 0, (y0 - y1) / rows, y1)
    return GeoBox(shape, affine, SINUSOIDAL)
