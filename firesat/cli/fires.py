"""Read an agency's list of fires into one schema; name every row that cannot be used, and why.

Lists of CIFFC, points or perimeters of the National Fire Database and NBAC, the BC Wildfire
Service, or any table with coordinates and a start date. Times are UTC; a mere date is local, its
fire day begins at 12 UTC. Nothing is mended: a longitude without its minus is refused.

Example:
  firesat fires ciffc_2024.csv --json
  firesat fires NFDB_point.zip -o out/fires.gpkg
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from firesat.cli.console import add_dry_run, add_json, print_json, screen

SHOWN = 20  # rows that are listed where no JSON is asked for


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    parser.add_argument("list", type=Path, help="CSV or vector file of fires, or a zip of one")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="GPKG", help="GeoPackage to write in the schema"
    )
    add_dry_run(parser)
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Read.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0: rows that are refused are named, the others are there.
    """
    from firesat.jobs.fires import check_output, normalise

    if arguments.output is not None:
        check_output(arguments.output)
    with screen.status(f"reading {arguments.list.name}"):
        _, report = normalise(arguments.list, None if arguments.dry_run else arguments.output)
    if arguments.json:
        print_json(report)
        return 0
    for name, value in report.items():
        if not isinstance(value, list):
            sys.stdout.write(f"{name:12} {_short(value)}\n")
    _rows(report, "refused_rows", "left out")
    _rows(report, "doubtful_rows", "doubtful")
    return 0


def _short(value: object) -> object:
    """A value on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "none"
    return "none" if value is None else value


def _rows(report: dict[str, object], key: str, word: str) -> None:
    """List rows with their reasons."""
    rows = report[key]
    if not isinstance(rows, list):
        return
    for entry in rows[:SHOWN]:
        sys.stdout.write(f"{word}: row {entry['row']}: {entry['reason']}\n")
    if len(rows) > SHOWN:
        sys.stdout.write(f"and {len(rows) - SHOWN} more: see --json\n")
