"""Chips to read, as stored or as batches."""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from firesat.chipstore.fields import BESIDES, EVERYTHING, FIELDS, unpack
from firesat.chipstore.shards import ShardedArray
from firesat.chipstore.write import digest, table_of
from firesat.errors import SampleError
from firesat.scaling import Batch, add_masks


class ChipStore:
    """Chips to read.

    Parameters
    ----------
    path : Path
        A result of :func:`write_chips`.

    Attributes
    ----------
    path : Path
        As given.
    attrs : dict
        What the store says of itself: `inputs`, `channels`, `scaler`, `seed`, ...

    Raises
    ------
    SampleError
        If there is none, or the table beside it is of another.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pools: dict[int, ThreadPoolExecutor] = {}
        self.attrs = _attributes(path)
        rows = table_of(path)
        if not rows.is_file():
            raise SampleError(f"{path} lacks its table {rows.name}: run firesat sample again")
        if digest(rows) != self.attrs.get("table_sha256"):
            raise SampleError(f"{rows} is not the table of {path}: run firesat sample again")

    def __reduce__(self) -> tuple[type["ChipStore"], tuple[Path]]:
        """Travel to another process as a path; mapped files stay here."""
        return ChipStore, (self.path,)

    @cached_property
    def arrays(self) -> dict[str, ShardedArray]:
        """Every field's array, opened once.

        Returns
        -------
        dict of ShardedArray
            Keys as `FIELDS`.
        """
        stored = [*FIELDS, *(name for name in BESIDES if (self.path / name).is_dir())]
        arrays = {name: ShardedArray(self.path / name) for name in stored}
        for name, array in arrays.items():
            found = (array.shape[0], array.dtype.name, len(array.shape) - 1)
            wanted = (len(self), EVERYTHING[name].dtype, len(EVERYTHING[name].dims))
            if found != wanted:
                raise SampleError(
                    f"{array.folder} holds chips, type and dimensions {found}, expected {wanted}: "
                    "run firesat sample again"
                )
        return arrays

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per chip.

        Returns
        -------
        pd.DataFrame
            In the order of the chips.
        """
        return pd.read_parquet(table_of(self.path))

    @property
    def shard(self) -> int:
        """Chips in a file.

        Returns
        -------
        int
            The same in every field.
        """
        return self.arrays["label"].shard

    def buffers(self, number: int) -> Batch:
        """Make room for stored chips.

        Parameters
        ----------
        number : int
            Chips.

        Returns
        -------
        dict of ndarray
            Keys as `FIELDS`, shape (number, ...), types as stored; not filled.
        """
        return {
            name: np.empty((number, *array.shape[1:]), dtype=array.dtype)
            for name, array in self.arrays.items()
        }

    def read(self, rows: Sequence[int], out: Mapping[str, NDArray[Any]], threads: int = 1) -> None:
        """Decode chips straight into place.

        Parameters
        ----------
        rows : sequence of int
            Chips, from 0; any order, also twice.
        out : mapping of ndarray
            From :meth:`buffers`, or some of its fields: chip ``rows[i]`` goes to ``out[name][i]``.
        threads : int
            Decoding at once, each its share of the chips.

        Raises
        ------
        CorruptChipError
            If a chip is not what was written; names it.
        """
        threads = max(1, min(threads, len(rows)))

        def share(first: int) -> None:
            for place in range(first, len(rows), threads):
                for name, values in out.items():
                    self.arrays[name].read(rows[place], values[place])

        if threads == 1:
            share(0)
            return
        pool = self._pools.setdefault(threads, ThreadPoolExecutor(threads))
        list(pool.map(share, range(threads)))

    def __len__(self) -> int:
        """Count the chips."""
        return int(self.attrs["chips"])

    def __getitem__(self, index: int) -> Batch:
        """Read a chip: fields of `firesat.batch` without N, physical units, NaN = missing."""
        stored = self.buffers(1)
        self.read([range(len(self))[index]], stored)
        return add_masks(unpack({name: values[0] for name, values in stored.items()}))

    def __iter__(self) -> Iterator[Batch]:
        """Read all chips in their order."""
        return (self[index] for index in range(len(self)))


def _attributes(path: Path) -> dict[str, Any]:
    """What the store says of itself."""
    try:
        attrs: dict[str, Any] = json.loads((path / "zarr.json").read_text())["attributes"]
    except (FileNotFoundError, NotADirectoryError):
        raise SampleError(f"there are no chips at {path}: make them with firesat sample") from None
    except (KeyError, TypeError, ValueError):
        raise SampleError(f"{path} is no store of chips: run firesat sample again") from None
    return attrs
