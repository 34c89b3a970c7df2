"""What a person sees while and after a command works."""

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from firesat.project import Project, load

Advance = Callable[[int, int, str], None]

LINE_EVERY = 30.0  # seconds between two lines where there is no terminal to redraw

LOG_WIDTH = 120  # columns of a log file: tables need them, and rich would take 80

screen = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else LOG_WIDTH)


def add_config(parser: ArgumentParser, over: str = "") -> None:
    """Add the options every command of a project has.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    over : str
        What further files are laid over, if there may be any; the option then gives a list.
    """
    more = f"; more of them are laid over {over}" if over else ""
    parser.add_argument(
        "--config", "-c", type=Path, required=True, action="append" if over else "store",
        help=f"the project's YAML{more}",
    )  # fmt: skip
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one setting, such as ingest.workers=4 (may be repeated)",
    )


def add_dry_run(parser: ArgumentParser) -> None:
    """Add ``--dry-run`` to a command that writes.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done; write nothing"
    )


def add_json(parser: ArgumentParser) -> None:
    """Add ``--json`` to a command that reports.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def project_of(arguments: Namespace) -> Project:
    """Load the project a command was given.

    Parameters
    ----------
    arguments : Namespace
        With `config` and `set`.

    Returns
    -------
    Project
        Checked as a whole, whatever section the command uses.
    """
    return load(arguments.config, arguments.set)


def print_json(content: object) -> None:
    """Print JSON on standard output.

    Parameters
    ----------
    content : object
        Anything JSON can hold; paths and times become text.
    """
    sys.stdout.write(json.dumps(content, indent=2, default=str) + "\n")


def print_table(title: str, rows: Sequence[Mapping[str, str | float]]) -> None:
    """Print rows under their keys.

    Parameters
    ----------
    title : str
        Above the table.
    rows : sequence of mapping
        The same keys in each.
    """
    table = Table(title=title, title_justify="left")
    for key in rows[0] if rows else []:
        numeric = all(isinstance(row[key], (int, float)) for row in rows)
        table.add_column(key.replace("_", " "), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    screen.print(table)


@contextmanager
def progress_bar(title: str) -> Iterator[Advance]:
    """Show how far a job is: a bar on a terminal, a line now and then elsewhere.

    Parameters
    ----------
    title : str
        What is being done.

    Yields
    ------
    callable
        To be called with (done, total, what has just ended).
    """
    if not screen.is_terminal:
        yield _lines(title)
        return
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with Progress(*columns, console=screen) as bars:
        task = bars.add_task(title, total=None, what="")

        def advance(done: int, total: int, what: str) -> None:
            """Move the bar."""
            bars.update(task, completed=done, total=total, what=what)

        yield advance


def _lines(title: str) -> Advance:
    """Progress for log files."""
    last = time.monotonic()

    def advance(done: int, total: int, what: str) -> None:
        """Write a line now and then, and the last one always."""
        nonlocal last
        if done == total or time.monotonic() - last >= LINE_EVERY:
            screen.print(f"{title}: {done}/{total} {what}", soft_wrap=True)
            last = time.monotonic()

    return advance
