"""One array of chips, read without Zarr: mapped files, a parsed index, one decoding per chip.

The format is plain Zarr v3 (zarr-specs.readthedocs.io, sharding codec v1.0): a shard holds the
chunks one after the other and ends with an index of (offset, length) pairs and its CRC-32C. Here a
chunk is one chip, Blosc's or plain, and each chunk ends with a CRC-32C of its own.
"""

import json
import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from firesat.errors import CorruptChipError, SampleError

OPEN = 48
"""Shards of an array that stay mapped. Each takes a file descriptor, of which systems give 1024."""

_AGAIN = "run firesat sample again"
_CRC = 4  # bytes of a CRC-32C
_ABSENT = 2**64 - 1  # offset and length of a chunk that was never written
_CODECS = (["bytes", "blosc", "crc32c"], ["bytes", "crc32c"])
_BLOSC = struct.Struct("<4xI4xI")  # header: version, ..., bytes decoded, block size, bytes encoded

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class _Shard:
    """A mapped file and where its chunks lie."""

    data: Bytes
    places: list[tuple[int, int]]


class ShardedArray:
    """An array whose first axis counts chips, one chunk each.

    Parameters
    ----------
    folder : Path
        Of the array, in a store made by :func:`firesat.chipstore.write_chips`.

    Attributes
    ----------
    shape : tuple of int
        Chips first.
    dtype : numpy.dtype
        As stored.
    shard : int
        Chips in a file.
    packed : bool
        Whether Blosc decodes the chips; otherwise they lie there as they are in memory.

    Raises
    ------
    SampleError
        If there is no such array, or its layout is another.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shape, self.dtype, self.shard, self.packed = _layout(folder)
        self._bytes = self.dtype.itemsize * math.prod(self.shape[1:])
        self._least = (16 if self.packed else self._bytes) + _CRC  # a Blosc header has 16 bytes
        self._shard = lru_cache(maxsize=OPEN)(self._map)

    def read(self, row: int, out: NDArray[Any]) -> None:
        """Decode one chip.

        Parameters
        ----------
        row : int
            From 0.
        out : ndarray, shape `shape[1:]`
            Filled; contiguous, of `dtype`.

        Raises
        ------
        CorruptChipError
            If the chip is not what was written.
        """
        whole = self._whole(row)
        chunk = whole[:-_CRC]
        # Before its checksum: waiting for a disk here lets other threads run.
        if self.packed:
            try:
                blosc.decompress(chunk, out)  # refuses what would lead it out of its buffers
            except (RuntimeError, ValueError) as error:
                raise self._damaged(row, str(error)) from None
        else:
            np.copyto(out.reshape(-1).view(np.uint8), chunk)
        if google_crc32c.value(chunk) != int.from_bytes(whole[-_CRC:], "little"):
            raise self._damaged(row, "it does not match its checksum")

    def chunk(self, row: int) -> Bytes:
        """Give a chip as it is stored.

        Parameters
        ----------
        row : int
            From 0.

        Returns
        -------
        ndarray of uint8
            What Blosc decodes or what is copied, mapped; without the checksum.

        Raises
        ------
        CorruptChipError
            If there is no such chunk.
        """
        return self._whole(row)[:-_CRC]

    def _whole(self, row: int) -> Bytes:
        """A chunk with its checksum."""
        shard = self._shard(row // self.shard)
        offset, length = shard.places[row % self.shard]
        chunk = shard.data[offset : offset + length]
        self._check(chunk, offset, length, row)
        return chunk

    def _check(self, chunk: Bytes, offset: int, length: int, row: int) -> None:
        """Refuse what cannot be decoded into a chip."""
        if offset == _ABSENT:
            raise self._damaged(row, "it was never written")
        if chunk.size < length or length < self._least:
            raise self._damaged(row, f"{length} bytes should be at {offset}, {chunk.size} are")
        told = _BLOSC.unpack_from(chunk) if self.packed else (length - _CRC, length - _CRC)
        if told != (self._bytes, length - _CRC):
            raise self._damaged(row, "its size is of another chip")

    def _damaged(self, row: int, what: str) -> CorruptChipError:
        """The error that names the chip."""
        return CorruptChipError(f"chip {row} is damaged in {self.folder}: {what}: {_AGAIN}")

    def _map(self, number: int) -> _Shard:
        """Map a file into memory and read its index."""
        name = "/".join(["c", str(number), *["0"] * (len(self.shape) - 1)])
        first = number * self.shard
        try:
            with (self.folder / name).open("rb") as file:
                data = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
        except (FileNotFoundError, ValueError):  # mmap refuses an empty file with ValueError
            raise self._damaged(first, f"{name} is missing or empty") from None
        index = data[-(16 * self.shard + _CRC) :]
        stored = int.from_bytes(index[-_CRC:], "little")
        if len(index) != 16 * self.shard + _CRC or google_crc32c.value(index[:-_CRC]) != stored:
            raise self._damaged(first, f"{name} is truncated or its index changed")
        pairs = index[:-_CRC].view("<u8").reshape(-1, 2).tolist()
        return _Shard(data=data[: -index.size], places=[(start, size) for start, size in pairs])


def _layout(folder: Path) -> tuple[tuple[int, ...], np.dtype[Any], int, bool]:
    """Shape, type, chips in a shard and whether packed, of an array laid out as chips are."""
    try:
        meta = json.loads((folder / "zarr.json").read_text())
        shape, shard = tuple(meta["shape"]), meta["chunk_grid"]["configuration"]["chunk_shape"]
        (sharding,) = meta["codecs"]
        settings = sharding["configuration"]
        codecs = _names(settings["codecs"])
        told = (
            sharding["name"], settings["chunk_shape"], codecs in _CODECS,
            _names(settings["index_codecs"]), settings["index_location"], shard[1:],
            meta["chunk_key_encoding"]["configuration"]["separator"],
        )  # fmt: skip
        dtype = np.dtype(meta["data_type"])
    except FileNotFoundError:
        raise SampleError(f"{folder.parent} has no {folder.name}: {_AGAIN}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise SampleError(f"{folder} is no array of chips ({error}): {_AGAIN}") from None
    wanted = (
        "sharding_indexed", [1, *shape[1:]], True, ["bytes", "crc32c"],
        "end", list(shape[1:]), "/",
    )  # fmt: skip
    if told != wanted:
        raise SampleError(f"{folder} is laid out as no chips of this version are: {_AGAIN}")
    return shape, dtype, shard[0], "blosc" in codecs


def _names(codecs: list[Mapping[str, Any]]) -> list[str]:
    """Names of codecs."""
    return [codec["name"] for codec in codecs]
