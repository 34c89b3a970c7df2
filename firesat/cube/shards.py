"""A block of values as the bytes of its shard: packed, compressed and summed on a few threads.

The form is Zarr's ``sharding_indexed`` with the index at the end: inner chunks, each compressed and
followed by its CRC-32C, then each one's offset and length as little-endian 64-bit integers, then
the index's own CRC-32C. Chunks of fill values alone are left out, as zarr-python does.
"""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import google_crc32c
import numpy as np
from numcodecs import Blosc
from numpy.typing import NDArray

from firesat.blocks import Variable

THREADS = min(4, os.cpu_count() or 1)  # Blosc and NumPy let go of the interpreter
NOTHING = np.uint64(2**64 - 1)  # offset and length of a chunk that is left out
CODECS = {"lz4": 5, "zstd": 3}  # Blosc compressors and their level
Values = NDArray[np.generic]


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """How the shards of an array are cut.

    Parameters
    ----------
    shard, chunk : tuple of int
        Shape of a shard, and of its inner chunks; they differ in y and x alone.
    variable : Variable
        How values are stored.
    codec : {"zstd", "lz4"}
        Blosc's compressor: zstd for archives.
    """

    shard: tuple[int, ...]
    chunk: tuple[int, ...]
    variable: Variable
    codec: Literal["lz4", "zstd"] = "zstd"

    @property
    def fill(self) -> float:
        """What stands for missing.

        Returns
        -------
        float
            NaN for floats.
        """
        return self.variable.fill if self.variable.packed else np.nan

    @property
    def chunks(self) -> tuple[int, int]:
        """Count the chunks of a shard.

        Returns
        -------
        tuple of int
            Along y and x.
        """
        rows, columns = (n // m for n, m in zip(self.shard[-2:], self.chunk[-2:], strict=True))
        return rows, columns


@dataclass(frozen=True, kw_only=True)
class Shard:
    """The bytes of a shard.

    Parameters
    ----------
    pieces : list of bytes
        In their order.
    digest : bytes
        SHA-256 over its chunks' SHA-256 of their stored values.
    empty : bool
        Whether every value is missing.
    """

    pieces: list[bytes]
    digest: bytes
    empty: bool


def encode(pattern: Pattern, values: NDArray[Any]) -> Shard:
    """Make a shard.

    Parameters
    ----------
    pattern : Pattern
        How it is cut.
    values : ndarray
        Physical values, at most of the shard's shape; NaN = missing. What is lacking at the end of
        an axis is filled.

    Returns
    -------
    Shard
        The same bytes for the same values.
    """
    codec = _blosc(pattern)
    parts = list(_parts(pattern, values))
    with ThreadPoolExecutor(THREADS) as pool:
        made = list(pool.map(lambda part: _chunk(pattern, codec, part), parts))
    pieces = [piece for encoded, _ in made for piece in encoded]
    digest = hashlib.sha256(b"".join(digest for _, digest in made)).digest()
    index = _index([sum(map(len, encoded)) for encoded, _ in made])
    return Shard(pieces=[*pieces, index], digest=digest, empty=not pieces)


def _blosc(pattern: Pattern) -> Blosc:
    """The compressor, which threads share."""
    itemsize = np.dtype(pattern.variable.dtype).itemsize
    return Blosc(pattern.codec, CODECS[pattern.codec], Blosc.SHUFFLE, typesize=itemsize)


def _parts(pattern: Pattern, values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The values of each chunk, row by row."""
    height, width = pattern.chunk[-2:]
    rows, columns = pattern.chunks
    for row in range(rows):
        for column in range(columns):
            yield values[
                ...,
                row * height : (row + 1) * height,
                column * width : (column + 1) * width,
            ]


def _chunk(pattern: Pattern, codec: Blosc, part: NDArray[Any]) -> tuple[list[bytes], bytes]:
    """The bytes of a chunk in pieces, none if all is missing, and the digest of its values."""
    stored = pack(pattern.variable, part)
    if part.shape != pattern.chunk:
        whole = np.full(pattern.chunk, pattern.fill, dtype=stored.dtype)
        whole[tuple(slice(n) for n in part.shape)] = stored
        stored = whole
    digest = hashlib.sha256(stored).digest()
    if all_missing(pattern.variable, stored):
        return [], digest
    encoded = bytes(codec.encode(stored))
    return [encoded, _crc(encoded)], digest


def pack(variable: Variable, values: NDArray[Any]) -> Values:
    """Turn physical values into stored ones.

    Parameters
    ----------
    variable : Variable
        How they are stored.
    values : ndarray
        NaN = missing.

    Returns
    -------
    ndarray
        Contiguous, of the stored type; out-of-range values saturate, NaN becomes the fill.
    """
    if not variable.packed:
        return np.ascontiguousarray(values, dtype=variable.dtype)
    from firesat.loops import to_counts

    limits = np.iinfo(variable.dtype)
    largest = limits.max - (variable.fill == limits.max)  # a saturated value is not missing
    kind = values.dtype if values.dtype in (np.float32, np.float64) else np.dtype("float64")
    given = np.ascontiguousarray(values, dtype=kind).reshape(-1)
    out = np.empty(values.shape, dtype=variable.dtype)
    to_counts(
        given,
        kind.type(variable.scale),
        (limits.min, largest),
        round(variable.fill),
        out.reshape(-1),
    )
    return out


def all_missing(variable: Variable, stored: Values) -> bool:
    """Tell whether nothing was observed.

    Parameters
    ----------
    variable : Variable
        How values are stored.
    stored : ndarray
        Stored values.

    Returns
    -------
    bool
        True if every one means missing.
    """
    if variable.packed:
        return bool((stored == variable.fill).all())
    return bool(np.isnan(stored).all())


def _index(lengths: list[int]) -> bytes:
    """Where the chunks lie."""
    sizes = np.array(lengths, dtype="<u8")
    table = np.stack([np.cumsum(sizes) - sizes, sizes], axis=1)
    table[sizes == 0] = NOTHING
    raw = table.astype("<u8").tobytes()
    return raw + _crc(raw)


def damaged_chunks(chunks: tuple[int, int], content: bytes) -> list[str]:
    """Find the chunks of a damaged shard.

    Parameters
    ----------
    chunks : tuple of int
        How many a shard has along y and x.
    content : bytes
        What is on the disk.

    Returns
    -------
    list of str
        "chunk 2/3" for row 2 and column 3, or "index" where nothing can be told.
    """
    rows, columns = chunks
    raw, stored = content[-16 * rows * columns - 4 : -4], content[-4:]
    if len(raw) != 16 * rows * columns or _crc(raw) != stored:
        return ["index"]
    table = np.frombuffer(raw, dtype="<u8").reshape(-1, 2)
    pieces = {
        f"chunk {number // columns}/{number % columns}": content[int(start) : int(start + length)]
        for number, (start, length) in enumerate(table)
        if length != NOTHING
    }
    found = [name for name, piece in pieces.items() if _crc(piece[:-4]) != piece[-4:]]
    return found or ["index"]


def _crc(piece: bytes) -> bytes:
    """CRC-32C as it is stored."""
    value: int = google_crc32c.value(piece)
    return value.to_bytes(4, "little")
