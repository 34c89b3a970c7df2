"""Row groups of CanadaFireSat's files: what is read from end to end by one process."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from firesat.benchmark.layout import SPLITS, brief, files_of
from firesat.errors import CorruptFileError, SampleError


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One row group of one file: what is read from end to end by one process.

    Parameters
    ----------
    file : Path
        Parquet file.
    group : int
        Row group in it.
    first : int
        Number of its first row in the file.
    rows : int
        How many of its rows count.
    region : str
        Province or territory: the folder.
    keep : str, optional
        "POS" or "NEG": only those rows; default all.
    """

    file: Path
    group: int
    first: int
    rows: int
    region: str
    keep: str | None = None


def pieces(
    path: Path, split: str, names: Iterable[str], columns: Sequence[str]
) -> tuple[Piece, ...]:
    """List the row groups of a split; reads the files' ends and, for `test_hard`, one column.

    Parameters
    ----------
    path : Path
        Folder of the data set.
    split : str
        A key of `SPLITS`.
    names : iterable of str
        From `regions`.
    columns : sequence of str
        What will be read.

    Returns
    -------
    tuple of Piece
        By region, file and row group; those in which no row counts are left out.

    Raises
    ------
    ConfigError
        If there is no such split.
    SampleError
        If a file lacks a column, or the split has no rows.
    CorruptFileError
        If a file is no Parquet file.
    """
    names = tuple(names)
    found = [
        piece
        for file, region, keep in files_of(path, split, names)
        for piece in _pieces_of(file, region, keep, columns)
    ]
    if not found:
        kinds = " and ".join(f"{kind}-*.parquet" for kind in SPLITS[split])
        raise SampleError(
            f"{path} has no samples for {split} in {', '.join(names)}: download {kinds} of a "
            "province or territory, or choose other regions"
        )
    return tuple(found)


def open_file(file: Path) -> pq.ParquetFile:
    """Open a Parquet file for reading row by row.

    Parameters
    ----------
    file : Path
        The file.

    Returns
    -------
    pq.ParquetFile
        Mapped, so that no row group is in memory as a whole.

    Raises
    ------
    CorruptFileError
        If it is none, or is cut short.
    """
    try:
        return pq.ParquetFile(file, memory_map=True, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise CorruptFileError(
            f"{file} is no Parquet file, or cut short ({brief(error)}): download it again"
        ) from None


def read_rows(
    file: pq.ParquetFile, name: Path, group: int, columns: Sequence[str], rows: int
) -> Iterable[pa.RecordBatch]:
    """Read a row group, a few rows at a time.

    Parameters
    ----------
    file : pq.ParquetFile
        From `open_file`.
    name : Path
        Of the file, for messages.
    group : int
        Which row group.
    columns : sequence of str
        Which columns.
    rows : int
        How many rows at a time.

    Yields
    ------
    pa.RecordBatch
        In the order of the file.

    Raises
    ------
    CorruptFileError
        If the file is damaged.
    """
    try:
        yield from file.iter_batches(
            batch_size=rows, row_groups=[group], columns=list(columns), use_threads=False
        )
    except (pa.ArrowException, OSError) as error:
        raise CorruptFileError(
            f"{name} is damaged in row group {group} ({brief(error)}): download it again"
        ) from None


def _pieces_of(
    file: Path, region: str, keep: str | None, columns: Sequence[str]
) -> Iterable[Piece]:
    """The row groups of one file in which a row counts."""
    with open_file(file) as opened:
        _check_columns(file, opened.schema_arrow.names, columns)
        first = 0
        for group in range(opened.num_row_groups):
            size = opened.metadata.row_group(group).num_rows
            rows = size if keep is None else _count(opened, file, group, keep)
            if rows:
                yield Piece(
                    file=file, group=group, first=first, rows=rows, region=region, keep=keep
                )
            first += size


def _check_columns(file: Path, there: Sequence[str], wanted: Sequence[str]) -> None:
    """Refuse a file that lacks a column."""
    lacking = [name for name in wanted if name not in there]
    if lacking:
        raise SampleError(
            f"{file} has no column {lacking[0]!r}: it is not of CanadaFireSat's published layout"
        )


def _count(opened: pq.ParquetFile, file: Path, group: int, keep: str) -> int:
    """Rows of one kind in a row group."""
    batches = read_rows(opened, file, group, ["file_id"], 4096)
    return sum(int(pc.sum(pc.equal(batch.column(0), keep)).as_py() or 0) for batch in batches)
