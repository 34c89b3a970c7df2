"""Files that declare far more than they hold, and a child that reads them: F2 of the matrix.

Run as ``python -m tests.sources.bombs FOLDER``: reads ``FOLDER/KIND/NAME/*``, each in a fork of its
own, and says for each how it ended, how many bytes its memory grew by at most, and how long it
took.
"""

import io
import json
import os
import re
import resource
import struct
import sys
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from pyhdf.SD import SD, SDC

from firesat.errors import FiresatError
from firesat.sandbox.encode.jp2 import encode_jp2
from firesat.sources.modis import Modis
from tests.sources.fuzzing import MEMORY, PLACING, READERS
from tests.sources.test_modis import KINDS, vegetation

GRANULE = "MOD13A1.A2023177.h12v03.061.2023194001533.hdf"
READS: dict[str, Callable[[Path], Any]] = {**READERS, "hdf4.zip": Modis(product="MOD13A1").read,
                                           "weather.zip": READERS["netcdf"]}  # fmt: skip

Bomb = Callable[[Path], None]
"""Writes one file into a folder."""


# --- TIFF -----------------------------------------------------------------------------------------

_SHORT, _LONG, _DOUBLE = 3, 4, 12
_COMPRESSION = {"none": 1, "lzw": 5, "deflate": 8, "zstd": 50_000, "packbits": 32_773}


def tiff(side: int, packing: str, tile: int = 0, bands: int = 14) -> bytes:
    """A GeoTIFF of UTM zone 14 whose header promises `side` x `side` pixels; it holds 64 bytes."""
    size = tile or side
    entries: list[tuple[int, int, list[float]]] = [
        (256, _LONG, [side]), (257, _LONG, [side]), (258, _SHORT, [16] * bands),
        (259, _SHORT, [_COMPRESSION[packing]]), (262, _SHORT, [1]), (277, _SHORT, [bands]),
        (284, _SHORT, [1]), (338, _SHORT, [0] * (bands - 1)),
        (33550, _DOUBLE, [100.0, 100.0, 0.0]), (33922, _DOUBLE, [0, 0, 0, 600_000, 6_000_000, 0]),
        (34735, _SHORT, [1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32614]),
    ]  # fmt: skip
    count = (-(-side // size)) ** 2
    places = [(322, _LONG, [size]), (323, _LONG, [size]), (324, _LONG, [8] * count),
              (325, _LONG, [64] * count)] if tile else [
              (273, _LONG, [8]), (278, _LONG, [side]), (279, _LONG, [64])]  # fmt: skip
    return _tiff(sorted([*entries, *places]), zlib.compress(bytes(40_000))[:64].ljust(64, b"\0"))


def _tiff(entries: list[tuple[int, int, list[float]]], data: bytes) -> bytes:
    """Classic TIFF, little-endian: header, data, values that do not fit, directory."""
    codes = {_SHORT: "H", _LONG: "I", _DOUBLE: "d"}
    body, rows = bytearray(data), []
    for tag, kind, values in entries:
        packed = struct.pack(f"<{len(values)}{codes[kind]}", *values)
        if len(packed) > 4:
            rows.append(struct.pack("<HHII", tag, kind, len(values), 8 + len(body)))
            body += packed
        else:
            rows.append(struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0"))
    directory = struct.pack("<H", len(rows)) + b"".join(rows) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + bytes(body) + directory


# --- JPEG 2000 ------------------------------------------------------------------------------------


def jp2(side: int, tile: int, components: int = 1) -> bytes:
    """A sound image whose headers are changed to promise another size."""
    cells = GeoBox((40, 40), Affine(60, 0, PLACING.left, 0, -60, PLACING.top), "EPSG:32614")
    data = bytearray(encode_jp2(np.full((40, 40), 1500, dtype="uint16"), cells))
    header = data.index(b"ihdr") + 4
    struct.pack_into(">IIH", data, header, side, side, components)
    size = data.index(b"\xff\x51") + 6  # the marker, its length, its profile
    struct.pack_into(">8IH", data, size, side, side, 0, 0, tile, tile, 0, 0, components)
    return bytes(data)


# --- NetCDF and HDF -------------------------------------------------------------------------------


def hdf5(path: Path, shape: tuple[int, ...], chunks: tuple[int, ...], filled: int = 0) -> None:
    """A NetCDF 4 file of weather; `filled` of its chunks hold the same compressed zeros."""
    with netCDF4.Dataset(path, "w") as file:
        for name, size in zip(("time", "latitude", "longitude"), shape, strict=True):
            file.createDimension(name, size)
        t2m = file.createVariable(
            "t2m", "f4", ("time", "latitude", "longitude"), zlib=True, chunksizes=chunks
        )
        t2m.units = "K"
        if shape[0] < 100:
            times = file.createVariable("time", "i4", ("time",))
            times.units, times[:] = "hours since 2023-07-01", np.arange(shape[0])
    packed = zlib.compress(bytes(4 * int(np.prod(chunks))), 9) if filled else b""
    with h5py.File(path, "r+") as raw:
        for step in range(filled):
            # NetCDF shuffles before it deflates: zeros stay zeros
            raw["t2m"].id.write_direct_chunk((step * chunks[0], 0, 0), packed)


def long_axis(path: Path) -> None:
    """A NetCDF 4 file whose axis alone is too long: an index of it would be read on opening."""
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", 1)
        file.createDimension("latitude", 400_000_000)
        file.createVariable("latitude", "f8", ("latitude",), chunksizes=(1 << 20,))
        file.createVariable("t2m", "f4", ("time",))[:] = 280.0


def classic(path: Path, kind: str) -> None:
    """A classic NetCDF file that ends after its header."""
    with netCDF4.Dataset(path, "w", format=kind) as file:
        file.createDimension("time", 1)
        file.createDimension("latitude", 311)
        file.createDimension("longitude", 313)
        file.createVariable("t2m", "f4", ("time", "latitude", "longitude")).units = "K"
    data = path.read_bytes()[:400]
    for side in (311, 313):
        data = data.replace(struct.pack(">I", side), struct.pack(">I", 20_000))
    path.write_bytes(data)


def hdf4(path: Path, shape: tuple[int, ...], compress: bool = False) -> None:
    """An HDF4 granule whose layers have other dimensions than any tile."""
    file = SD(str(path), SDC.WRITE | SDC.CREATE)
    file.setfillmode(SDC.NOFILL)
    for name, values in vegetation().items():
        data = file.create(name, KINDS[values.dtype.name], shape)
        if compress:
            data.setcompress(SDC.COMP_DEFLATE, 9)
            data[:] = np.zeros(shape, dtype=values.dtype)
        data.endaccess()
    file.end()


# --- GRIB -----------------------------------------------------------------------------------------


def grib(edition: int, width: int, height: int, copies: int = 1) -> bytes:
    """Constant fields without a number in them, whose grid is changed to promise many points."""
    import eccodes

    handle = eccodes.codes_grib_new_from_samples(f"regular_ll_sfc_grib{edition}")
    eccodes.codes_set(handle, "bitsPerValue", 0)
    eccodes.codes_set_values(handle, np.full(496, 280.0))
    data = bytearray(eccodes.codes_get_message(handle))
    eccodes.codes_release(handle)
    if edition == 1:
        struct.pack_into(">HH", data, data.index(struct.pack(">HH", 16, 31)), width, height)
    else:
        points = struct.pack(">I", 496)
        for match in list(re.finditer(re.escape(points), bytes(data))):
            struct.pack_into(">I", data, match.start(), min(width * height, 2**32 - 1))
        at = data.index(struct.pack(">II", 16, 31))
        struct.pack_into(">II", data, at, width, height)
    return bytes(data) * copies


# --- zip ------------------------------------------------------------------------------------------


def archive(*members: tuple[str, bytes]) -> bytes:
    """A zip archive in memory."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, content in members:
            file.writestr(name, content)
    return made.getvalue()


def nested(name: str, depth: int, width: int = 1) -> bytes:
    """Archives in archives: 42.zip has five levels of sixteen."""
    content = archive((name, bytes(1 << 20)))
    for _ in range(depth):
        members = [(f"{number}{name}", content) for number in range(width)]
        content = archive(*members)
    return content


def declaring(content: bytes, size: int) -> bytes:
    """An archive whose directory and headers give its first member another size."""
    data = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(mark) + offset, size)
    return bytes(data)


def dbase(records: int) -> bytes:
    """A shapefile in an archive whose tables promise many records."""
    shp = struct.pack(">7i", 9994, 0, 0, 0, 0, 0, 2**30) + struct.pack("<2i8d", 1000, 5, *[0] * 8)
    dbf = struct.pack("<B3xIHH20x", 3, records, 65, 11) + b"NFIREID\0\0\0\0N" + bytes(4)
    dbf += b"\x0a" + bytes(15) + b"\r"
    return archive(("a/x.shp", shp), ("a/x.shx", shp), ("a/x.dbf", dbf))


# --- all of them ----------------------------------------------------------------------------------


def _bytes(name: str, make: Callable[[], bytes]) -> Bomb:
    return lambda folder: (folder / name).write_bytes(make()) and None


def bombs() -> Iterator[tuple[str, str, Bomb]]:
    """Format, name and writer of each of fifty."""
    for side, packing, tile in (
        (1_000_000, "none", 0), (1_000_000, "deflate", 0), (1_000_000, "zstd", 0),
        (1_000_000, "lzw", 0), (1_000_000, "packbits", 0), (1_000_000, "deflate", 1_000_000 // 16),
        (1_000_000, "zstd", 62_512), (200_000, "zstd", 25_008), (65_536, "deflate", 16_384),
        (40_000, "zstd", 0), (30_000, "deflate", 0),
    ):  # fmt: skip
        tile -= tile % 16
        yield (
            "geotiff", f"{side}-{packing}-{tile}",
            _bytes("a.tif", lambda s=side, p=packing, t=tile: tiff(s, p, t)),
        )  # fmt: skip
    for side, tile, parts in (
        (1_000_000, 1_000_000, 1), (1_000_000, 4096, 1), (2**31 - 1, 2**31 - 1, 1),
        (2**32 - 1, 2**17, 1), (2**31 - 1, 40, 1), (65_535, 65_535, 8), (100_000, 100_000, 16_384),
    ):  # fmt: skip
        yield (
            "jp2", f"{side}-{tile}-{parts}",
            _bytes("B01.jp2", lambda s=side, t=tile, c=parts: jp2(s, t, c)),
        )  # fmt: skip
    for shape, chunks, filled in (
        ((4, 1_000_000, 1_000_000), (1, 4096, 4096), 0),
        ((4, 30_000, 30_000), (1, 30_000, 1000), 0),
        ((90, 4096, 4096), (1, 4096, 4096), 90), ((64, 8192, 4096), (1, 8192, 4096), 8),
        ((200_000, 721, 1440), (1, 721, 1440), 0), ((2, 100, 100_000_000), (1, 1, 1 << 20), 0),
    ):  # fmt: skip
        yield (
            "netcdf", f"{shape}-{filled}",
            lambda folder, s=shape, c=chunks, f=filled: hdf5(folder / "a.nc", s, c, f),
        )  # fmt: skip
    yield "netcdf", "axis", lambda folder: long_axis(folder / "a.nc")
    for kind in ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"):
        yield "netcdf", kind, lambda folder, k=kind: classic(folder / "a.nc", k)
    for shape4, packed in (
        ((30_000, 30_000), False), ((46_000, 46_000), False), ((1_000_000, 2000), False),
        ((24, 24, 100_000), False), ((5000, 5000), True),
    ):  # fmt: skip
        yield (
            "hdf4", f"{shape4}-{packed}",
            lambda folder, s=shape4, p=packed: hdf4(folder / GRANULE, s, p),
        )  # fmt: skip
    for edition, width, height, copies in (
        (1, 65_000, 65_000, 1), (2, 1_000_000, 4000, 1), (2, 60_000, 60_000, 1),
        (1, 14_000, 14_000, 1), (2, 14_000, 14_000, 20), (2, 5000, 5000, 200), (1, 5000, 4000, 100),
    ):  # fmt: skip
        yield (
            "grib", f"{edition}-{width}x{height}-{copies}",
            _bytes("a.grib", lambda e=edition, w=width, h=height, c=copies: grib(e, w, h, c)),
        )  # fmt: skip
    zeros = bytes(300 << 20)
    for kind, name, make in (
        ("weather.zip", "zeros", lambda: archive(("a.nc", zeros))),
        ("weather.zip", "many",
         lambda: archive(*((f"{n}.nc", zeros[: 20 << 20]) for n in range(16)))),
        ("weather.zip", "declared", lambda: declaring(archive(("a.nc", b"CDF")), 2**32 - 2)),
        ("weather.zip", "nested", lambda: nested("a.nc", 40)),
        ("weather.zip", "42", lambda: nested("a.nc", 3, 16)),
        ("weather.zip", "nested-grib", lambda: nested("a.grib", 5)),
        ("hdf4.zip", "declared", lambda: declaring(archive((GRANULE, b"")), 300 << 20)),
        ("hdf4.zip", "nested", lambda: nested(GRANULE, 3)),
        ("zip", "declared", lambda: declaring(archive(("a/x.shp", b"")), 2**32 - 2)),
        ("zip", "records", lambda: dbase(2**32 - 1)),
    ):  # fmt: skip
        file = f"{GRANULE}.zip" if kind == "hdf4.zip" else "NBAC_2023.zip"
        yield kind, name, _bytes(file, make)


# --- the child ------------------------------------------------------------------------------------


def measured(kind: str, path: Path) -> dict[str, Any]:
    """Read a file in a fork: its end, by how many bytes its memory had grown at most, seconds."""
    start = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, json.dumps(attempt(kind, path)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    _, status = os.waitpid(child, 0)
    found = json.loads(said) if said else {"end": f"died of {status}", "grown": 0}
    return {**found, "seconds": time.monotonic() - start}


def attempt(kind: str, path: Path) -> dict[str, Any]:
    """Read a file as its source does, without the child that tries it first."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    held, before = status("VmSize"), status("VmRSS")
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    try:
        READS[kind](path)
        end = "read"
    except FiresatError as error:
        end = "refused" if path.name in str(error) else "unnamed"
    except (MemoryError, ValueError, OSError, RuntimeError) as error:
        end = type(error).__name__
    return {"end": end, "grown": status("VmHWM") - before}


def status(key: str) -> int:
    """Bytes of memory, as the kernel counts them."""
    text = Path("/proc/self/status").read_text()
    return int(re.findall(rf"^{key}:\s+(\d+) kB", text, re.MULTILINE)[0]) * 1024


def main(folder: str) -> None:
    """Read all files below a folder."""
    warnings.simplefilter("ignore")
    for path in sorted(Path(folder).glob("*/*/*")):
        kind, name = path.parts[-3:-1]
        line = {"name": f"{kind}-{name}", **measured(kind, path)}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
