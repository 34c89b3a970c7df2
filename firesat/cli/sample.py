"""Cut the chips a forecaster learns from out of the cube.

Chips are drawn by strata with known inclusion probability, each with nothing that was not available
at its reference time. With --dry-run the draw is made and counted, and nothing is written; with
--table its table is saved, and no image is read.

Example:
  firesat sample --config configs/sandbox.yaml
  firesat sample --config configs/sandbox.yaml --dry-run
"""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from firesat.cli.console import (
    add_config,
    add_dry_run,
    add_json,
    print_json,
    print_table,
    progress_bar,
    project_of,
    screen,
)

if TYPE_CHECKING:
    from firesat.jobs.prepare import SampleReport


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    add_config(parser)
    add_dry_run(parser)
    add_json(parser)
    parser.add_argument(
        "--table", type=Path, metavar="FILE", help="write only the table of chips, a .parquet file"
    )


def run(arguments: Namespace) -> int:
    """Sample.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0.
    """
    from firesat.jobs.prepare import draw_chips, sample

    project = project_of(arguments)
    settings, cube = project.section("sample"), project.cube.path
    with progress_bar("sample") as advance:
        if arguments.dry_run or arguments.table:
            file = None if arguments.dry_run else arguments.table
            report = draw_chips(settings, cube, file, advance)
        else:
            report = sample(settings, cube, advance)
    if arguments.json:
        print_json(asdict(report))
    else:
        _show(report, "would be cut into" if arguments.dry_run else "in")
    return 0


def _show(report: "SampleReport", verb: str) -> None:
    """Print what was taken of what there was."""
    print_table(f"chips {verb} {report.path} (regime {report.regime})", _rows(report))
    left_out = {reason: number for reason, number in report.dropped.items() if number}
    if left_out:
        words = ", ".join(f"{number} {reason}" for reason, number in left_out.items())
        screen.print(f"left out of the frame: {words.replace('_', ' ')}")
    if report.missing:
        screen.print(f"masked, because the cube has none: {', '.join(report.missing)}")


def _rows(report: "SampleReport") -> list[dict[str, str | int]]:
    """One line a split: what was taken of what there was."""
    rows: list[dict[str, str | int]] = []
    for split, taken in report.taken.items():
        row: dict[str, str | int] = {"split": split}
        row |= {name: f"{n} of {report.frame[split][name]}" for name, n in taken.items()}
        row["fires"] = report.fires[split]
        if report.prevalence:
            row["burning_cells"] = report.burning_cells[split]
            row["prevalence"] = f"{report.prevalence[split]:.1e}"
        rows.append(row)
    return rows
