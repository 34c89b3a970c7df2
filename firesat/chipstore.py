"""Chips on disk: one sample is one contiguous read of each field.

A plain Zarr v3 hierarchy, one array per field of :mod:`firesat.batch` with the chip first, and
beside it a table with one row per chip::

    chips.zarr/sentinel2    (chip, look, band, y, x)  uint16   chunk = 1 chip, shard = 32
    chips.parquet           split, stratum, pi, tile, row, col, reference_time, fires, ...

Masks are not stored: they say where the fields are NaN.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import batched
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from firesat.errors import SampleError
from firesat.manifest import sync_folder
from firesat.scaling import Batch, add_masks

SHARD = 32  # chips in a file: small enough to rewrite, large enough for a file system

Attrs = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Field:
    """How a field is stored.

    Parameters
    ----------
    dims : tuple of str
        Names of its dimensions after the chip.
    dtype : str
        NumPy type; floats keep NaN.
    scale : float
        Value of one step, for uint16, whose 65535 means missing.
    """

    dims: tuple[str, ...]
    dtype: str = "float32"
    scale: float | None = None


FIELDS = {
    "sentinel2": Field(dims=("look", "band", "y", "x"), dtype="uint16", scale=1e-4),
    "age": Field(dims=("look", "y", "x"), dtype="float16"),
    "modis": Field(dims=("modis_step", "modis_band", "y_500m", "x_500m")),
    "weather": Field(dims=("weather_step", "weather_band", "y_1km", "x_1km")),
    "fire": Field(dims=("fire_band", "y", "x"), dtype="float16"),
    "static": Field(dims=("static_band", "y", "x"), dtype="float16"),
    "season": Field(dims=("wave",)),
    "label": Field(dims=("head", "y", "x"), dtype="uint8"),
    "valid": Field(dims=("head", "y", "x"), dtype="uint8"),
}
_FILL = 65535


def write_chips(
    path: Path,
    table: Callable[[], pd.DataFrame],
    chips: Iterable[Mapping[str, NDArray[Any]]],
    number: int,
    attrs: Callable[[], Attrs],
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
        written = _write_fields(root, chips, number)
        if written != number:
            raise SampleError(f"{number} chips were announced, {written} came")
        rows = part / _table_of(path).name
        table().to_parquet(rows, index=False)
        root.attrs.update({**attrs(), "table_sha256": _digest(rows), "chips": number})
        _publish(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_fields(
    root: zarr.Group, chips: Iterable[Mapping[str, NDArray[Any]]], number: int
) -> int:
    """Write whole shards; returns the number of chips."""
    written = 0
    for some in batched(chips, SHARD):
        for name, field in FIELDS.items():
            values = _pack(field, np.stack([chip[name] for chip in some]))
            if written == 0:
                _create(root, name, field, (number, *values.shape[1:]))
            _array(root, name)[written : written + len(some)] = values
        written += len(some)
    return written


def _create(root: zarr.Group, name: str, field: Field, shape: tuple[int, ...]) -> None:
    """Make a field's empty array."""
    packed = field.scale is not None
    root.create_array(
        name,
        shape=shape,
        dtype=field.dtype,
        chunks=(1, *shape[1:]),
        shards=(SHARD, *shape[1:]),
        dimension_names=["chip", *field.dims],
        fill_value=_FILL if packed else 0,
        compressors=BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"),
        attributes={"scale_factor": field.scale, "_FillValue": _FILL} if packed else {},
    )


def _pack(field: Field, values: NDArray[Any]) -> NDArray[Any]:
    """Physical values to stored ones."""
    if field.scale is None:
        return values.astype(field.dtype)
    steps = values / np.float32(field.scale)
    np.rint(steps, out=steps)
    np.clip(steps, 0, _FILL - 1, out=steps)  # leaves NaN
    return np.nan_to_num(steps, copy=False, nan=_FILL).astype(field.dtype)


def _unpack(field: Field, values: NDArray[Any]) -> NDArray[np.float32]:
    """Stored values to physical ones."""
    out = values.astype(np.float32)
    if field.scale is not None:
        out *= np.float32(field.scale)
        out[values == _FILL] = np.nan
    return out


def _array(root: zarr.Group, name: str) -> zarr.Array:  # type: ignore[type-arg]
    """A field's array."""
    member = root[name]
    if not isinstance(member, zarr.Array):
        raise SampleError(f"{name} is no array: run firesat sample again")
    return member


def _publish(part: Path, path: Path) -> None:
    """Make the files durable, then give them their names, the store's last."""
    for file in sorted(part.rglob("*")):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
    if path.exists():
        path.rename(part / "replaced.zarr")
    (part / _table_of(path).name).rename(_table_of(path))
    (part / path.name).rename(path)
    sync_folder(path.parent)


def _table_of(path: Path) -> Path:
    """Where a store's table lies."""
    return path.with_suffix(".parquet")


def _digest(file: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


class ChipStore:
    """Chips to read.

    Parameters
    ----------
    path : Path
        A result of :func:`write_chips`.

    Raises
    ------
    SampleError
        If there is none, or the table beside it is of another.
    """

    def __init__(self, path: Path) -> None:
        if not (path / "zarr.json").is_file():
            raise SampleError(f"there are no chips at {path}: make them with firesat sample")
        self.path = path
        rows = _table_of(path)
        if not rows.is_file() or _digest(rows) != self.attrs.get("table_sha256"):
            raise SampleError(f"{rows} is not the table of {path}: run firesat sample again")

        self._held: dict[str, NDArray[Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Travel to another process as a path; what is open or held stays here."""
        return {"path": self.path, "_held": {}}

    @cached_property
    def _root(self) -> zarr.Group:
        """The hierarchy, for reading."""
        return zarr.open_group(self.path, mode="r", zarr_format=3)

    @cached_property
    def _arrays(self) -> dict[str, Any]:
        """Every field's array, opened once."""
        return {name: _array(self._root, name) for name in FIELDS}

    @property
    def attrs(self) -> dict[str, Any]:
        """What the store says of itself.

        Returns
        -------
        dict
            `inputs`, `channels`, `scaler`, `seed`, ...
        """
        return dict(self._root.attrs)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per chip.

        Returns
        -------
        pd.DataFrame
            In the order of the chips.
        """
        return pd.read_parquet(_table_of(self.path))

    @property
    def bytes(self) -> int:
        """Memory that all chips would take.

        Returns
        -------
        int
            Bytes, as stored but not compressed.
        """
        return sum(int(array.nbytes) for array in self._arrays.values())

    def hold(self) -> None:
        """Read everything into memory: five times faster to read from than the disk."""
        self._held = {name: np.asarray(array[:]) for name, array in self._arrays.items()}

    def __len__(self) -> int:
        """Count the chips."""
        return int(self.attrs["chips"])

    def __getitem__(self, index: int) -> Batch:
        """Read a chip: fields of `firesat.batch` without N, physical units, NaN = missing."""
        arrays = self._held or self._arrays
        return add_masks(
            {name: _unpack(f, np.asarray(arrays[name][index])) for name, f in FIELDS.items()}
        )

    def __iter__(self) -> Iterator[Batch]:
        """Read all chips in their order."""
        return (self[index] for index in range(len(self)))
