"""Cut the chips a forecaster learns from out of the cube.

Chips are drawn by strata with known inclusion probability, each with nothing that was not available
at its reference time.

Example:
  firesat sample --config configs/sandbox.yaml
"""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from firesat.cli.console import (
    add_config,
    add_dry_run,
    add_json,
    print_json,
    progress_bar,
    project_of,
    screen,
)


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
        screen.print(str(report))
    return 0
