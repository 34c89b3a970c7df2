"""Nested lists of a Parquet file as arrays, and what to say when they are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from firesat.errors import SampleError

Shape = Sequence[int | None]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a file.

    Parameters
    ----------
    file : Path
        For messages.
    number : int
        Of the row within the file.
    batch : pa.RecordBatch
        What has been read.
    place : int
        Of the row within `batch`.
    """

    file: Path
    number: int
    batch: pa.RecordBatch
    place: int

    def has(self, column: str) -> bool:
        """Tell whether a column was read.

        Parameters
        ----------
        column : str
            Its name.

        Returns
        -------
        bool
            Whether it is there; its value may be null.
        """
        return column in self.batch.schema.names

    def array(self, column: str, shape: Shape) -> NDArray[Any]:
        """Give an array.

        Parameters
        ----------
        column : str
            Its name.
        shape : sequence of int or None
            Expected lengths; None = any.

        Returns
        -------
        ndarray
            Type as stored; float64 with NaN where a number is null.

        Raises
        ------
        SampleError
            If it is missing, ragged, no numbers, or has another shape.
        """
        found = self.optional(column, shape)
        if found is None:
            raise self.error(column, "is null")
        return found

    def optional(self, column: str, shape: Shape) -> NDArray[Any] | None:
        """Give an array that may be missing.

        Parameters
        ----------
        column, shape : object
            As for `array`.

        Returns
        -------
        ndarray or None
            None where the row has a null.

        Raises
        ------
        SampleError
            If it is ragged, no numbers, or has another shape.
        """
        cell = bare(self.batch.column(column)).slice(self.place, 1)
        if cell.null_count:
            return None
        try:
            found = unnested(cell)
        except ValueError as error:
            raise self.error(column, str(error)) from None
        fits = len(found.shape) == len(shape) and all(
            wanted in (None, length) for wanted, length in zip(shape, found.shape, strict=True)
        )
        if not fits:
            wanted = ", ".join("any" if length is None else str(length) for length in shape)
            raise self.error(column, f"has shape {found.shape}, expected ({wanted})")
        return found

    def kind(self, column: str, among: Sequence[str]) -> str:
        """Give a word.

        Parameters
        ----------
        column : str
            Its name.
        among : sequence of str
            What it may be.

        Returns
        -------
        str
            One of them.

        Raises
        ------
        SampleError
            If it is another.
        """
        word = self.batch.column(column)[self.place].as_py()
        if word not in among:
            raise self.error(column, f"is {word!r}, expected {' or '.join(among)}")
        return str(word)

    def day(self, column: str) -> date:
        """Give a day.

        Parameters
        ----------
        column : str
            A date, a timestamp, or seconds since 1970.

        Returns
        -------
        date
            UTC.

        Raises
        ------
        SampleError
            If it is something else.
        """
        value = self.batch.column(column)[self.place].as_py()
        if isinstance(value, int):
            value = datetime.fromtimestamp(value, tz=UTC)
        if isinstance(value, datetime):
            return value.date()
        if not isinstance(value, date):
            raise self.error(column, f"is {value!r}, expected a date")
        return value

    def error(self, column: str, words: str) -> SampleError:
        """Say what is wrong with a value.

        Parameters
        ----------
        column : str
            Where.
        words : str
            What.

        Returns
        -------
        SampleError
            To raise.
        """
        return SampleError(f"{self.file}, row {self.number}: {column} {words}")


def bare(values: pa.Array) -> pa.Array:
    """Take the storage of arrays that another library has given a type of its own.

    Parameters
    ----------
    values : pa.Array
        Any.

    Returns
    -------
    pa.Array
        Nested lists; the library `datasets`, once imported, makes arrays with a shape of them.
    """
    while isinstance(values.type, pa.BaseExtensionType):
        values = values.storage
    return values


def unnested(cell: pa.Array) -> NDArray[Any]:
    """Turn nested lists of equal lengths into an array.

    Parameters
    ----------
    cell : pa.Array
        One element, lists within lists, of whatever kind.

    Returns
    -------
    ndarray
        One dimension for each level.

    Raises
    ------
    ValueError
        If lists of one level differ in length, or hold no numbers.
    """
    shape = []
    values = bare(cell)
    while _is_list(values.type):
        lengths = pc.list_value_length(values)
        sizes = pc.unique(lengths).to_pylist() or [0]
        if len(sizes) > 1 or sizes[0] is None:
            raise ValueError(f"has lists of different lengths ({sizes[0]}, {sizes[-1]})")
        shape.append(sizes[0])
        values = bare(values.flatten())
    kind = values.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise ValueError(f"holds {kind}, expected numbers")
    flat: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return flat.astype(np.float64).reshape(shape) if flat.dtype == object else flat.reshape(shape)


def _is_list(kind: pa.DataType) -> bool:
    """Whether a type is one of Arrow's lists."""
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))
