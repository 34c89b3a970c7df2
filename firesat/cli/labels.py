r"""Label what burned in a season, and when, from perimeters and hotspots: one GeoTIFF.

Bands: fraction (burned share of the 100 m cell, nodata = unknown), fire_id, burn_day, earliest,
latest, fire_start (days since 1970-01-01). Perimeters: NBAC, NFDB, BC Wildfire Service, or any
vector file with dates such as START_DATE and END_DATE. Hotspots: CWFIS or FIRMS.

Example:
  firesat labels NBAC_2023_20240530.zip --hotspots 2023_hotspots.zip --year 2023 \
      --bbox -123 57 -120 58.5 -o out/labels_2023.tif
  firesat labels fire-perimeters.json --year 2026 --bbox -122 52 -120 53 -o labels.tif --dry-run
"""

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from firesat.cli.console import add_dry_run, add_json, print_json, progress_bar, screen

if TYPE_CHECKING:
    from firesat.jobs.labels import LabelReport

SHOWN = 10  # outliers, and rows left out, that are listed where no JSON is asked for


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    parser.add_argument("perimeters", type=Path, help="vector file of fires, or a zip of one")
    parser.add_argument(
        "--hotspots",
        type=Path,
        action="append",
        default=[],
        metavar="CSV",
        help="detections of CWFIS or FIRMS (may be repeated)",
    )
    parser.add_argument("--year", type=int, required=True, help="season")
    parser.add_argument(
        "--bbox",
        type=float,
        nargs=4,
        required=True,
        metavar=("W", "S", "E", "N"),
        help="degrees; the file covers it in whole 10 km",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="TIF", help="GeoTIFF to write"
    )
    add_dry_run(parser)
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Label.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0.
    """
    from firesat.jobs.labels import Request, gather, label, plan

    west, south, east, north = arguments.bbox
    request = Request(
        perimeters=arguments.perimeters,
        year=arguments.year,
        bbox=(west, south, east, north),
        output=arguments.output,
        hotspots=tuple(arguments.hotspots),
    )
    with screen.status(f"reading {request.perimeters.name}"):
        evidence = gather(request)
    planned = plan(request, evidence)
    for note in planned.notes:
        screen.print(f"note: {note}", soft_wrap=True, markup=False)
    if not arguments.json:
        _show_left_out(planned.refused_list)
    if arguments.dry_run:
        screen.print(f"would write {request.output}", soft_wrap=True, markup=False)
        _show(asdict(planned), as_json=arguments.json)
        return 0
    with progress_bar("labels") as advance:
        made = label(request, evidence, advance)
    _show(made.record, as_json=arguments.json)
    if not arguments.json:
        _show_outliers(made)
    return 0


def _show(facts: dict[str, object], *, as_json: bool) -> None:
    """Print a report, one line a fact or as JSON."""
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        if name in ("notes", "outliers", "fire_ids", "refused_list"):
            continue
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        sys.stdout.write(f"{name.replace('_', ' '):20} {text or 0}\n")


def _show_left_out(rows: "tuple[dict[str, object], ...]") -> None:
    """Print which rows of the files were left out, and why."""
    for row in rows[:SHOWN]:
        screen.print(
            f"left out: {row['file']} row {row['row']}: {row['reason']}",
            soft_wrap=True,
            markup=False,
        )
    if len(rows) > SHOWN:
        screen.print(f"and {len(rows) - SHOWN} more rows left out: see --json")


def _show_outliers(made: "LabelReport") -> None:
    """Print the fires whose cells miss the official size by most."""
    for fire in made.outliers[:SHOWN]:
        sys.stdout.write(
            f"off by more than 1 %: {fire.fire} official {fire.official} ha, polygon "
            f"{fire.polygon} ha, cells {fire.fraction} ha: {fire.reason}\n"
        )
    if len(made.outliers) > SHOWN:
        sys.stdout.write(f"and {len(made.outliers) - SHOWN} more: see --json\n")
