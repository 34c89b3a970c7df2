"""Damaged files, and a child process that reads them: F1 of the matrix of faults.

Run as ``python -m tests.sources.fuzzing FORMAT FOLDER FIRST COUNT``: reads `COUNT` damaged versions
of ``FOLDER/FORMAT/*`` and says a line before and after each, so that the parent knows which one a
crash or a hang belongs to.
"""

import resource
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from firesat.bands import BANDS, check
from firesat.errors import BandError, FiresatError
from firesat.sources._jp2 import read_band
from firesat.sources._safe import Placing, read_placing, read_radiometry
from firesat.sources._vectors import read_vectors
from firesat.sources.era5 import Era5Land
from firesat.sources.modis import Modis
from firesat.sources.sentinel2 import Sentinel2
from firesat.sources.trial import read_tried

MEMORY = 2 << 30  # bytes that reading a small file may take beyond what the process holds


PLACING = Placing(
    tile="14UPF", sensed="2021-06-29T18:16:47Z", epsg=32614, left=685_800, top=6_077_520,
    shapes={10: (240, 240), 20: (120, 120), 60: (40, 40)},
)  # fmt: skip


def read_jp2(path: Path) -> Any:
    """The means of a band of 60 m, as granules are read."""
    return read_band(path, PLACING, 60, (0, 65535))


def read_metadata(path: Path) -> Any:
    """Radiometry or placing of a product."""
    return read_radiometry(path) if "MSIL1C" in path.name else read_placing(path)


READERS: dict[str, Callable[[Path], Any]] = {
    "hdf4": Modis(product="MOD13A1").read,
    "grib": Era5Land().read,
    "netcdf": Era5Land().read,
    "geotiff": Sentinel2().read,
    "jp2": read_jp2,
    "zip": read_vectors,
    "xml": read_metadata,
}


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """A file with a few bits flipped, or a part overwritten, repeated, lost or cut off."""
    data = bytearray(content)
    # headers come first: half of all damage goes there
    at = int(rng.integers(0, min(len(data), 512 if rng.random() < 0.5 else len(data))))
    length = int(rng.integers(1, 64))
    match rng.integers(0, 6):
        case 0:
            for place in rng.integers(at, min(at + 64, len(data)), 4):
                data[int(place)] ^= 1 << int(rng.integers(0, 8))
        case 1:
            data[at : at + length] = rng.bytes(length)
        case 2:
            data[at : at + length] = bytes([int(rng.choice([0, 255]))]) * length
        case 3:
            del data[at:]
        case 4:
            del data[at : at + length]
        case _:
            data[at:at] = data[at : at + length]
    return bytes(data)


def outcome(read: Callable[[Path], Any], path: Path) -> str:
    """What becomes of a file: "read", "refused" by a typed error, or the name of another error."""
    try:
        found = read_tried(read, path)
    except FiresatError as error:
        return "refused" if path.name in str(error) else "unnamed"
    except MemoryError:
        return "memory"
    try:
        if isinstance(found, xr.Dataset):
            for name in set(found.data_vars) & set(BANDS):
                check(found[name], str(name))
    except BandError:  # for which ingest blames the file
        return "refused"
    return "read"


def cases(folder: Path, first: int, count: int) -> Iterator[tuple[int, Path, bytes]]:
    """Damaged files, by their seeds."""
    originals = sorted(folder.iterdir())
    for seed in range(first, first + count):
        original = originals[seed % len(originals)]
        yield seed, original, damaged(original.read_bytes(), np.random.default_rng(seed))


def main(kind: str, folder: str, first: str, count: str) -> None:
    """Read damaged files of a format, one after another."""
    warnings.simplefilter("ignore")  # libraries may say of damage what they like
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    work = Path(folder) / f"damaged-{kind}"
    work.mkdir(exist_ok=True)
    for seed, original, content in cases(Path(folder) / kind, int(first), int(count)):
        path = work / original.name
        path.write_bytes(content)
        sys.stdout.write(f"{seed} begun\n")
        sys.stdout.flush()
        sys.stdout.write(f"{seed} {outcome(READERS[kind], path)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
