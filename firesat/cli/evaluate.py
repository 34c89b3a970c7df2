"""Judge maps against what burned, beside climatology, persistence and FWI x fuel.

Every score comes with its prevalence, the negatives' regime and a paired block interval.

Example:
  firesat evaluate --config configs/sandbox.yaml
"""

from argparse import ArgumentParser, Namespace

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
    """Evaluate.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0, whether the model is ahead or not.
    """
    from firesat.cube import check_place

    project = project_of(arguments)
    settings, maps = project.section("evaluate"), project.section("predict").output
    check_place(project.cube.path, project.grid)
    if arguments.dry_run:
        screen.print(f"would score the maps of {maps} into {settings.output}")
        return 0
    from firesat.jobs.evaluate import evaluate, summary

    with progress_bar("evaluate") as advance:
        scores = evaluate(
            settings,
            project.cube.path,
            maps,
            project.section("sample").splits,
            progress=advance,
            sandbox=project.sandbox is not None,
        )
    screen.print(summary(scores))
    if arguments.json:
        print_json(
            {"scores": settings.output / "scores.json", "report": settings.output / "report.html"}
        )
    return 0
