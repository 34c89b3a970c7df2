"""One band of a granule, from its JPEG 2000 file to sums at 20 m of what was measured."""

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.windows import Window

from firesat.errors import CorruptFileError
from firesat.raster import open_raster
from firesat.sources._fine import FINE, Fine
from firesat.sources._placing import Placing

_STRIP = 1024  # rows read at once: the files' own tiles are as high

_START, _END = b"\xff\x4f\xff\x51", b"\xff\xd9"  # codestream and its size; its end

# With more threads GDAL's driver reads ahead and a tile that cannot be decoded comes back as zeros
# without any error (seen with 3.12 on truncated files): those would pass for "not observed".
_ONE_THREAD = {"GDAL_NUM_THREADS": "1"}

# Planes of a quality mask whose pixels are no measurement, counted from 1: lost packets of the
# instrument, defective, no data, saturated. Degraded packets, ancillary ones and corrected
# cross-talk still measure. Source: S2-PDGS-TAS-DI-PSD, level 1C, MSK_QUALIT.
_BAD_PLANES = (3, 5, 6, 8)
_PLANES = 8


def read_band(
    path: Path,
    placing: Placing,
    size: int,
    special: tuple[int, int],
    *,
    part: Placing | None = None,
    quality: Path | None = None,
) -> Fine:
    """Read the digital numbers of a band.

    Parameters
    ----------
    path : Path
        A JPEG 2000 file of one band.
    placing : Placing
        Where it has to lie.
    size : {10, 20, 60}
        Metres of its pixels.
    special : tuple of int
        Numbers that are no measurement.
    part : Placing, optional
        A `Placing.cut`: only its tiles of the image are decoded. None = the whole granule.
    quality : Path, optional
        The band's quality mask, whose bad pixels are left out.

    Returns
    -------
    Fine
        Of the part.

    Raises
    ------
    CorruptFileError
        If the file is damaged, or lies elsewhere than the metadata say.
    """
    wanted = part or placing
    fine = Fine.of_shape(wanted.shapes[FINE])
    with rasterio.Env(**_ONE_THREAD), ExitStack() as files:
        image = files.enter_context(_opened(path, placing, size, ("uint16",)))
        planes = ("uint8",) * _PLANES
        mask = quality and files.enter_context(_opened(quality, placing, size, planes))
        special = special[0], min(special[1], _largest(image))
        for first, window in _strips(placing, wanted, size):
            numbers = _read(image, path, window, (1,))[0]
            if quality and mask:
                bad = _read(mask, quality, window, _BAD_PLANES).any(axis=0)
                numbers[bad] = special[0]
            fine.add(numbers, first, size, special)
    return fine


def _opened(
    path: Path, placing: Placing, size: int, dtypes: tuple[str, ...]
) -> rasterio.DatasetReader:
    """An image that is whole and lies where it should."""
    _check_end(path, placing.shapes[size])
    raster = open_raster(path, driver="JP2OpenJPEG")
    _check(raster, path, placing, size, dtypes)
    return raster


def _largest(image: rasterio.DatasetReader) -> int:
    """Largest number of an image's bits, mostly 15: what exceeds it, as 65535 does, stands there.

    Before baseline 04.00 no image tells saturated pixels otherwise: their masks were outlines.
    """
    bits = int(image.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 16))
    return int(2**bits - 1)


def _strips(placing: Placing, wanted: Placing, size: int) -> Iterator[tuple[int, Window]]:
    """Strips of the part, each with the number of its first row there."""
    rows, columns = wanted.shapes[size]
    above = round((placing.top - wanted.top) / size)
    before = round((wanted.left - placing.left) / size)
    for first in range(-(above % _STRIP), rows, _STRIP):  # those of the image's own tiles
        start, end = max(first, 0), min(first + _STRIP, rows)
        yield start, Window(before, above + start, columns, end - start)


def _read(
    raster: rasterio.DatasetReader, path: Path, window: Window, planes: tuple[int, ...]
) -> NDArray[np.generic]:
    """Some planes of a window."""
    try:
        return np.asarray(raster.read(planes, window=window))
    except RasterioError as error:
        raise CorruptFileError(
            f"{path} is damaged or cut short ({error.__cause__ or error}): run again"
        ) from error


def _check_end(path: Path, shape: tuple[int, int]) -> None:
    """Refuse a codestream of another size, or without its end: OpenJPEG would only warn.

    Its size is looked at here because OpenJPEG makes room for all tiles of an image on opening it.
    Source: ISO/IEC 15444-1, annex I.4 (boxes: length, type, content), A.5.1 (image and tile size)
    and A.4.4 (end of codestream).
    """
    with path.open("rb") as file:
        place, size = 0, path.stat().st_size
        while place + 16 <= size:
            file.seek(place)
            length, kind, long = struct.unpack(">I4sQ", file.read(16))
            long_form = length == 1
            length = {0: size - place, 1: long}.get(length, length)
            if kind == b"jp2c" and place + length <= size:
                start = place + (16 if long_form else 8)
                _check_size(path, file, start, shape)
                file.seek(place + length - 2)
                if file.read(2) == _END:
                    return
            if length < 8:
                break
            place += length
    raise CorruptFileError(f"{path} is damaged or cut short, or no JPEG 2000: run again")


def _check_size(path: Path, file: BinaryIO, start: int, shape: tuple[int, int]) -> None:
    """Refuse a codestream that begins with another size."""
    file.seek(start)
    head = file.read(26)
    x1, y1, x0, y0 = struct.unpack(">4I", head[8:24]) if len(head) == 26 else (0, 0, 0, 0)
    if not head.startswith(_START) or (y1 - y0, x1 - x0) != shape:
        raise CorruptFileError(
            f"{path} holds an image of {y1 - y0} x {x1 - x0} pixels, the granule's metadata "
            f"{shape[0]} x {shape[1]}: run again"
        )


def _check(
    raster: rasterio.DatasetReader,
    path: Path,
    placing: Placing,
    size: int,
    dtypes: tuple[str, ...],
) -> None:
    """Refuse a raster of another shape, type or place, before any of it is decoded."""
    wanted = (placing.epsg, (size, 0, placing.left, 0, -size, placing.top), placing.shapes[size])
    crs, place = raster.crs, tuple(raster.transform)[:6]
    found = (crs.to_epsg() if crs else None, place, raster.shape)
    if found != wanted or raster.dtypes != dtypes:
        held = f"{raster.count} x {raster.dtypes[0]}"
        raster.close()
        raise CorruptFileError(
            f"{path} holds {held} at {found}, the granule's metadata say {wanted}: run again"
        )
