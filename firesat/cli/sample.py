"""Cut the chips a forecaster learns from out of the cube.

Chips are drawn by strata with known inclusion probability, each with nothing that was not available
at its reference time.

Example:
  firesat sample --config configs/sandbox.yaml
"""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
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
    from firesat.jobs.prepare import sample

    project = project_of(arguments)
    settings = project.section("sample")
    if arguments.dry_run:
        screen.print(f"would cut chips of {project.cube.path} into {settings.path}")
        return 0
    with progress_bar("sample") as advance:
        report = sample(settings, project.cube.path, advance)
    if arguments.json:
        print_json(asdict(report))
    else:
        print_table(f"chips in {report.path} (regime {report.regime})", _rows(report))
        if report.missing:
            screen.print(f"masked, because the cube has none: {', '.join(report.missing)}")
    return 0


def _rows(report: "SampleReport") -> list[dict[str, str | int]]:
    """One line a split: what was taken of what there was."""
    return [
        {
            "split": split,
            **{name: f"{n} of {report.frame[split][name]}" for name, n in taken.items()},
            "burning_cells": report.burning_cells[split],
            "fires": report.fires[split],
            "prevalence": f"{report.prevalence[split]:.1e}",
        }
        for split, taken in report.taken.items()
    ]
