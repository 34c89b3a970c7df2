"""Compute groups of the cube from others: fire weather from ERA5-Land, labels from perimeters.

`firesat ingest` does this by itself for the groups that the config names under `ingest.derive`.

Example:
  firesat derive --config configs/sandbox.yaml
"""

from argparse import ArgumentParser, Namespace

from firesat.cli.console import add_config, add_dry_run, progress_bar, project_of, screen


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    add_config(parser)
    add_dry_run(parser)


def run(arguments: Namespace) -> int:
    """Derive.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0.
    """
    from firesat.jobs.derive import derive

    project = project_of(arguments)
    wanted = project.ingest.derive
    if arguments.dry_run:
        screen.print(f"would derive {', '.join(wanted) or 'nothing'} in {project.cube.path}")
        return 0
    with progress_bar("derive") as advance:
        derive(project.cube.path, wanted, advance)
    return 0
