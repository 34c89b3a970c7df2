"""Which variables the columns of CanadaFireSat's environment hold, and where."""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from firesat.benchmark.layout import brief
from firesat.errors import ConfigError, SampleError

NAMES = "meta_hf.json"
"""The data set's own file that names them, column by column."""


def read_names(path: Path, columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read which variables some columns of the environment hold.

    Parameters
    ----------
    path : Path
        JSON: column to names, in the order of the arrays.
    columns : sequence of str
        Which columns; if none, nothing is read.

    Returns
    -------
    dict of tuple of str
        Of these columns.

    Raises
    ------
    SampleError
        If there is no such file, or it is not what it should be.
    """
    if not columns:
        return {}
    if not path.is_file():
        raise SampleError(
            f"there is no {path}: this JSON of the data set maps columns such as tab_era5 to the "
            "names of their variables; say where it is with data.names"
        )
    try:
        content: Any = json.loads(path.read_text())
        return {column: tuple(map(str, content[column])) for column in columns}
    except (ValueError, KeyError, TypeError) as error:
        raise SampleError(
            f"{path} does not name the variables of {', '.join(columns)} "
            f"({type(error).__name__}: {brief(error)})"
        ) from None


def places(
    names: Mapping[str, Sequence[str]], wanted: Sequence[str], columns: Sequence[str]
) -> dict[str, tuple[str, int]]:
    """Find variables in the columns.

    Parameters
    ----------
    names : mapping
        From `read_names`.
    wanted : sequence of str
        Variables.
    columns : sequence of str
        Where to look.

    Returns
    -------
    dict of (str, int)
        Variable to its column and its number there, in the order that was asked for.

    Raises
    ------
    ConfigError
        If no column has one.
    """
    there = {name: (c, i) for c in columns for i, name in enumerate(names[c])}
    for name in wanted:
        if name not in there:
            near = get_close_matches(name, there, n=1)
            some = f"the first of {len(there)} are {', '.join(list(there)[:3])}"
            hint = f"did you mean {near[0]}?" if near else some
            raise ConfigError(f"{' and '.join(columns)} have no variable {name!r}: {hint}")
    return {name: there[name] for name in wanted}
