"""CanadaFireSat on disk: which files a split has, and what is in them.

Published as `EPFL-ECEO/CanadaFireSat`: a folder for each province or territory, in it files of four
kinds, in each file one row per sample and its arrays as nested lists::

    Alberta/train-00000-of-00123.parquet     validation-*.parquet     test-*.parquet
            test_hard-*.parquet              meta_hf.json: column -> names of its variables
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from firesat.errors import ConfigError, CorruptFileError, SampleError

SPLITS: dict[str, dict[str, str | None]] = {
    "train": {"train": None},
    "val": {"validation": None},
    "test": {"test": None},
    "test_hard": {"test": "POS", "test_hard": "NEG"},
}
"""Split to its kinds of files, and which rows of them count; None = all."""

KINDS = ("POS", "NEG")
"""What `file_id` says of a sample: some of it burned, or none of it."""

PIXELS = 264
"""Side of a sample in pixels of 10 m."""
CELLS = 26
"""Side of its map in cells of 100 m: the inner 260 pixels."""
STEPS = 8
"""Steps of 8 days before T in every column of the environment."""

IMAGES: dict[str, tuple[tuple[str, ...], int]] = {
    "10x": (("B04", "B03", "B02", "B08"), 264),
    "20x": (("B05", "B06", "B07", "B8A", "B11", "B12"), 132),
    "60x": (("B01", "B09", "B10"), 44),
}
"""Column to its bands, in its order, and the side of its pixels."""

RASTERS = ("env_modis11", "env_modis13_15")
"""Columns of MODIS, each with the places of its pixels in a column named ``_loc``."""
TABLES = ("tab_era5", "tab_cds")
"""Columns of the weather: one value for the whole sample, step and variable."""


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


def regions(path: Path, wanted: Sequence[str] | None = None) -> tuple[str, ...]:
    """List provinces and territories.

    Parameters
    ----------
    path : Path
        Folder of the data set.
    wanted : sequence of str, optional
        Some of them, as the folders are called; default all.

    Returns
    -------
    tuple of str
        By name.

    Raises
    ------
    SampleError
        If there are no Parquet files.
    ConfigError
        If one that is wanted has no folder.
    """
    if any(path.glob("*.parquet")):
        raise SampleError(
            f"{path} holds Parquet files itself: give the folder above, which has one folder for "
            "each province or territory"
        )
    there = tuple(sorted(folder.name for folder in _folders(path)))
    if not there:
        raise SampleError(
            f"there is no CanadaFireSat at {path}: it should hold folders such as Alberta with "
            "files such as train-00000-of-00001.parquet"
        )
    for name in wanted or ():
        if name not in there:
            near = get_close_matches(name, there, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(there)}"
            raise ConfigError(f"{path} has no province or territory {name!r}: {hint}")
    return there if wanted is None else tuple(sorted(set(wanted)))


def _folders(path: Path) -> list[Path]:
    """Folders that hold Parquet files."""
    inside = path.iterdir() if path.is_dir() else []
    shown = [folder for folder in inside if folder.is_dir() and not folder.name.startswith(".")]
    return [folder for folder in shown if any(folder.rglob("*.parquet"))]


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
    if split not in SPLITS:
        raise ConfigError(f"CanadaFireSat has no split {split!r}: there are {', '.join(SPLITS)}")
    names = tuple(names)
    found = [
        piece
        for region in names
        for kind, keep in SPLITS[split].items()
        for file in sorted((path / region).rglob(f"{kind}-*.parquet"))
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


def brief(error: Exception) -> str:
    """Give an error of another library in one short line.

    Parameters
    ----------
    error : Exception
        Any.

    Returns
    -------
    str
        At most 100 characters.
    """
    return " ".join(str(error).split())[:100]
