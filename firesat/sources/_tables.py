"""Tables as text: CSV files, in whichever encoding agencies save them."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from firesat.errors import CorruptFileError

TABLES = (".csv", ".txt")
"""Endings of tables; the National Fire Database calls its list of points ``.txt``."""


def is_table(path: Path) -> bool:
    """Tell whether a file is a table.

    Parameters
    ----------
    path : Path
        Any file.

    Returns
    -------
    bool
        By its ending.
    """
    return path.suffix.lower() in TABLES


def read_table(
    path: Path, *, wanted: Callable[[str], bool] | None = None, empty_is_text: bool = False
) -> pd.DataFrame:
    """Read a CSV file.

    Parameters
    ----------
    path : Path
        Separated by commas; UTF-8 with or without byte order mark, or Windows-1252.
    wanted : callable, optional
        Tells by its name whether a column is read. None = all are.
    empty_is_text : bool
        Whether empty cells are "", not missing.

    Returns
    -------
    pd.DataFrame
        All cells as text; names of columns without blanks around.

    Raises
    ------
    CorruptFileError
        If it is no table.
    """
    try:
        return _read(path, wanted, empty_is_text, ("utf-8-sig", "strict"))
    except UnicodeDecodeError:  # French names, as Windows saves them
        return _read(path, wanted, empty_is_text, ("cp1252", "replace"))


def _read(
    path: Path,
    wanted: Callable[[str], bool] | None,
    empty_is_text: bool,
    encoding: tuple[str, str],
) -> pd.DataFrame:
    """The table, if it is in an encoding."""
    try:
        table = pd.read_csv(
            path,
            dtype="str",
            usecols=wanted and (lambda name: wanted(name.strip())),
            keep_default_na=not empty_is_text,
            skipinitialspace=True,
            encoding=encoding[0],
            encoding_errors=encoding[1],
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise CorruptFileError(f"{path} is no CSV table ({error}): fetch it again") from error
    return table.rename(columns=lambda name: str(name).strip())
