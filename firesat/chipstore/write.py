"""Chips to disk: beside the store that is there, then in its place."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from itertools import batched
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec

from firesat.chipstore.fields import BESIDES, EVERYTHING, FIELDS, MISSING, SHARD, Codec, Field
from firesat.errors import SampleError
from firesat.manifest import sync_folder

Attrs = Mapping[str, Any]

# lz4 decodes twice as fast as zstd for a fifth more bytes
_CODECS: Mapping[Codec, list[BloscCodec]] = {
    "lz4": [BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")],
    "none": [],
}


def write_chips(
    path: Path,
    table: Callable[[], pd.DataFrame],
    chips: Iterable[Mapping[str, NDArray[Any]]],
    number: int,
    attrs: Callable[[], Attrs],
    codec: Codec = "lz4",
) -> None:
    """Write a store and its table, so that either all of it has its name or nothing.

    Parameters
    ----------
    path : Path
        The store, ending in ``.zarr``; one that is there is replaced at the end.
    table : callable
        Gives the table when the last chip has been written: one row per chip, in their order.
    chips : iterable of mapping
        Fields of `FIELDS`, physical units, NaN = missing. Other fields are not stored.
    number : int
        How many chips will come.
    attrs : callable
        Gives the store's attributes, JSON, when the last chip has been written.
    codec : {"lz4", "none"}
        How chips lie on disk; either way with a checksum.

    Raises
    ------
    SampleError
        If another number of chips came.
    """
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        root = zarr.open_group(part / path.name, mode="w", zarr_format=3)
        written = _write_fields(root, chips, number, codec)
        if written != number:
            raise SampleError(f"{number} chips were announced, {written} came")
        rows = part / table_of(path).name
        table().to_parquet(rows, index=False)
        root.attrs.update({**attrs(), "table_sha256": digest(rows), "chips": number})
        _publish(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_fields(
    root: zarr.Group, chips: Iterable[Mapping[str, NDArray[Any]]], number: int, codec: Codec
) -> int:
    """Write whole shards; returns the number of chips."""
    arrays: dict[str, zarr.Array[Any]] = {}
    written = 0
    packed = (
        {name: EVERYTHING[name].pack(chip[name]) for name in _present(chip)} for chip in chips
    )
    for some in batched(packed, SHARD):
        for name in some[0]:
            field, values = EVERYTHING[name], np.stack([chip[name] for chip in some])
            if name not in arrays:
                arrays[name] = create_field(
                    root, name, field, (number, *values.shape[1:]), codec=codec
                )
            arrays[name][written : written + len(some)] = values
        written += len(some)
    return written


def _present(chip: Mapping[str, NDArray[Any]]) -> list[str]:
    """Fields of a chip that are stored."""
    return [*FIELDS, *(name for name in BESIDES if name in chip)]


def create_field(
    root: zarr.Group,
    name: str,
    field: Field,
    shape: tuple[int, ...],
    shard: int = SHARD,
    codec: Codec = "lz4",
) -> "zarr.Array[Any]":
    """Make a field's empty array, laid out as `firesat.chipstore.shards` reads it.

    Parameters
    ----------
    root : zarr.Group
        The store.
    name : str
        Of the field.
    field : Field
        How it is stored.
    shape : tuple of int
        Chips first.
    shard : int
        Chips in a file.
    codec : {"lz4", "none"}
        How chips lie on disk; either way with a checksum.

    Returns
    -------
    zarr.Array
        To be written whole shards at a time.
    """
    packed = field.scale is not None
    return root.create_array(
        name,
        shape=shape,
        dtype=field.dtype,
        chunks=(1, *shape[1:]),
        shards=(shard, *shape[1:]),
        dimension_names=["chip", *field.dims],
        fill_value=MISSING if packed else 0,
        compressors=[*_CODECS[codec], Crc32cCodec()],
        attributes={"scale_factor": field.scale, "_FillValue": MISSING} if packed else {},
        # a chip that is all fill is written too, so that an absent one is known to be lost
        config={"write_empty_chunks": True},
    )


def _publish(part: Path, path: Path) -> None:
    """Make the files durable, then give them their names, the store's last."""
    for file in sorted(part.rglob("*")):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
    if path.exists():
        path.rename(part / "replaced.zarr")
    (part / table_of(path).name).rename(table_of(path))
    (part / path.name).rename(path)
    sync_folder(path.parent)


def table_of(path: Path) -> Path:
    """Tell where a store's table lies.

    Parameters
    ----------
    path : Path
        The store.

    Returns
    -------
    Path
        Beside it, ``.parquet``.
    """
    return path.with_suffix(".parquet")


def digest(file: Path) -> str:
    """Give the SHA-256 of a file.

    Parameters
    ----------
    file : Path
        Small enough for memory.

    Returns
    -------
    str
        Hexadecimal.
    """
    return hashlib.sha256(file.read_bytes()).hexdigest()
