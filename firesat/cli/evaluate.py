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
    from firesat.jobs.evaluate import evaluate, rehearse, summary

    project = project_of(arguments)
    settings, maps = project.section("evaluate"), project.section("predict").output
    check_place(project.cube.path, project.grid)
    splits = project.section("sample").splits
    if arguments.dry_run:
        found = rehearse(settings, maps, splits)
        scored, seen = ([str(made.day) for made in part] for part in found)
        if arguments.json:
            print_json({"output": settings.output, "would_score": scored, "left_out": seen})
        else:
            told = f"would score the maps of {', '.join(scored)} in {maps} into {settings.output}"
            left = f"; left out, seen in training: {', '.join(seen)}" if seen else ""
            screen.print(told + left, soft_wrap=True)
        return 0
    with progress_bar("evaluate") as advance:
        scores = evaluate(
            settings,
            project.cube.path,
            maps,
            splits,
            progress=advance,
            sandbox=project.sandbox is not None,
        )
    screen.print(summary(scores))
    if arguments.json:
        print_json(
            {"scores": settings.output / "scores.json", "report": settings.output / "report.html"}
        )
    return 0
