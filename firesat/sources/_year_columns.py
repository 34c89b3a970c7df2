"""In which year a feature was disturbed, by whatever its maker calls the column."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyogrio

from firesat.errors import CorruptFileError
from firesat.sources._perimeters import days_of, text_of
from firesat.sources._vector_places import one_layer
from firesat.sources._vectors import unpacked

# The surest first. BC's cutblocks, Alberta's and Ontario's harvest, NBAC, NFDB, provincial fires.
_YEARS = (
    "harvest_year", "harvest_start_year_calendar", "harvest_end_year_calendar", "cut_year",
    "yr_cut", "logged_year", "fire_year", "year", "season",
)  # fmt: skip
_DATES = (
    "disturbance_end_date", "disturbance_start_date", "harvest_date", "ag_sdate", "hs_sdate",
    "rep_date", "fire_date", "ignition_date", "start_date",
)  # fmt: skip


def year_columns(path: Path) -> list[str]:
    """Find the columns that tell the year of a file's features.

    Parameters
    ----------
    path : Path
        Vector file, or a zip of one.

    Returns
    -------
    list of str
        The surest first; of later ones only what the first leaves open is read.

    Raises
    ------
    CorruptFileError
        If there is none.
    """
    with unpacked(path) as plain:
        given = [str(n) for n in pyogrio.read_info(plain, layer=one_layer(path, plain))["fields"]]
    lower = {name.lower(): name for name in given}
    found = [lower[cut] for name in (*_YEARS, *_DATES) for cut in (name, name[:10]) if cut in lower]
    if not found:
        raise CorruptFileError(
            f"{path} has no column of the year, such as {_listed(_YEARS)}, but {_listed(given)}: "
            "name one so"
        )
    return list(dict.fromkeys(found))


def _listed(names: Iterable[str]) -> str:
    """Names in a message."""
    return ", ".join(names) or "none"


def years_of(frame: pd.DataFrame, columns: Iterable[str]) -> "pd.Series[float]":
    """Tell the year of each feature.

    Parameters
    ----------
    frame : pd.DataFrame
        Features.
    columns : iterable of str
        Of :func:`year_columns`.

    Returns
    -------
    pd.Series of float
        NaN where no column says; NFDB writes -9999.
    """
    years = pd.Series(np.nan, index=frame.index)
    for name in columns:
        text = text_of(frame, name)
        number = pd.to_numeric(text, errors="coerce")
        plain = number.where(number.between(1500, 2200))
        days = pd.Series(days_of(text.where(plain.isna(), "")), index=frame.index)
        dated = pd.to_datetime(days, unit="D").dt.year.astype("float64")
        years = years.fillna(plain).fillna(dated)
    return years
