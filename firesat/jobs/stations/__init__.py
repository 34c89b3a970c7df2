"""Fire weather of stations: a table of daily weather in, the same table with the codes out."""

import csv
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from firesat.errors import ConfigError, ProductError
from firesat.jobs.stations.series import Computed, Gap, Opened, Options, compute
from firesat.jobs.stations.table import CODES, NOON, Table, read_table

__all__ = ["Form", "Options", "Report", "fire_weather"]


@dataclass(frozen=True, kw_only=True)
class Form:
    """What the written table looks like.

    Parameters
    ----------
    codes_only : bool
        Whether to leave out the columns that were read.
    upper_case : bool
        Whether to write all names in capitals.
    """

    codes_only: bool = False
    upper_case: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was done.

    Parameters
    ----------
    table, output : str
        Files.
    written : bool
        False in a dry run.
    rows, stations : int
        Counts.
    first, last : str
        Dates.
    without_weather : int
        Rows that have no codes for want of weather.
    season_by : str or None
        Column that the season went by.
    gaps : list of Gap
        Days without weather, absent rows included.
    seasons : list of Opened
        With season logic.
    """

    table: str
    output: str
    written: bool
    rows: int
    stations: int
    first: str
    last: str
    without_weather: int
    season_by: str | None
    gaps: list[Gap] = field(default_factory=list)
    seasons: list[Opened] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """Give what JSON can hold.

        Returns
        -------
        dict
            Of plain values.
        """
        return asdict(self)


def fire_weather(
    path: Path,
    output: Path,
    options: Options,
    form: Form | None = None,
    *,
    dry_run: bool = False,
) -> Report:
    """Add the FWI System's codes to a table.

    Parameters
    ----------
    path : Path
        CSV of daily noon weather.
    output : Path
        CSV to write: the columns and rows of the first in its order, then ffmc, dmc, dc, isi, bui,
        fwi, dsr; with season logic also `season`, 1 or 0. Codes are empty without weather and out
        of season.
    options : Options
        Rules.
    form : Form, optional
        What is written.
    dry_run : bool
        Whether to check everything and write nothing.

    Returns
    -------
    Report
        With the gaps found.

    Raises
    ------
    ConfigError
        If the output cannot be written there, or the table cannot be right.
    ProductError
        If writing fails; then there is no output.
    """
    _check_output(path, output)
    table = read_table(path, seasonal=options.season is not None)
    made = compute(table, options, dry_run=dry_run)
    if not dry_run:
        _write(table, made, output, form or Form(), seasonal=options.season is not None)
    return _report(path, output, table, made, options, written=not dry_run)


def _check_output(path: Path, output: Path) -> None:
    """Refuse an output before the work that would be lost."""
    folder = output.parent
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder} for {output.name}: make it first")
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{folder} may not be written to: give -o another place")
    if output.is_dir():
        raise ConfigError(f"{output} is a folder: give -o the name of a CSV")
    if output.exists() and path.exists() and output.samefile(path):
        raise ConfigError(f"{output} is the table itself: give -o another name")


def _write(table: Table, made: Computed, output: Path, form: Form, *, seasonal: bool) -> None:
    """Write the whole table beside its place, then put it there."""
    header = [] if form.codes_only else list(table.header)
    header += CODES + (("season",) if seasonal else ())
    columns = [[_text(value) for value in made.codes[name].tolist()] for name in CODES]
    if seasonal:
        columns.append(["1" if inside else "0" for inside in made.in_season])
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([name.upper() for name in header] if form.upper_case else header)
            for row, codes in zip(table.rows, zip(*columns, strict=True), strict=True):
                writer.writerow(codes if form.codes_only else [*row, *codes])
        part.replace(output)
    except OSError as error:
        raise ProductError(f"cannot write {output}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _text(value: float) -> str:
    """The shortest text that gives the same number back; none where it is missing."""
    return repr(value) if value == value else ""


def _report(
    path: Path, output: Path, table: Table, made: Computed, options: Options, *, written: bool
) -> Report:
    """Sum up."""
    lost = sum(table.weather[name] != table.weather[name] for name in NOON) > 0
    by = "snow_depth" if options.season and options.season.method == "LA08" else "tmax"
    return Report(
        table=str(path),
        output=str(output),
        written=written,
        rows=len(table.rows),
        stations=len(table.labels),
        first=str(table.day.min()),
        last=str(table.day.max()),
        without_weather=int((lost & made.in_season).sum()),
        season_by=None if options.season is None else (by if by in table.weather else "temp"),
        gaps=made.gaps,
        seasons=made.seasons,
    )
