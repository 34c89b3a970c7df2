"""Write probability maps: one GeoTIFF for each issue day, with its STAC item and QGIS style.

A map that is already there, made from the same checkpoint and settings, is kept.

Example:
  firesat predict --config configs/sandbox.yaml
  firesat predict --config configs/sandbox.yaml --reference_time 2023-07-05 --output maps
"""

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from firesat.cli.console import (
    add_config,
    add_dry_run,
    add_json,
    print_json,
    progress_bar,
    project_of,
    screen,
)

if TYPE_CHECKING:
    from firesat.jobs.predict import DayPlan


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    add_config(parser)
    parser.add_argument(
        "--reference_time",
        "--reference-time",
        action="append",
        metavar="DAY",
        help="issue day, such as 2023-07-05 (may be repeated; default the config's)",
    )
    parser.add_argument("--output", type=Path, help="folder of the maps (default the config's)")
    parser.add_argument("--checkpoint", type=Path, help="checkpoint (default the best one)")
    add_dry_run(parser)
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Predict.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0.
    """
    project = project_of(arguments)
    settings = project.section("predict")
    given = {
        "days": tuple(arguments.reference_time or settings.days),
        "output": arguments.output or settings.output,
        "checkpoint": arguments.checkpoint or settings.checkpoint,
    }
    settings = replace(settings, **given)
    from firesat.cube import check_place
    from firesat.jobs.predict import empty_shares, predict, rehearse

    check_place(project.cube.path, project.grid)
    if arguments.dry_run:
        _say(rehearse(settings, project.cube.path), settings.output, as_json=arguments.json)
        return 0
    with progress_bar("predict") as advance:
        paths = predict(settings, project.cube.path, advance)
    if arguments.json:
        print_json({"maps": paths, "share_without_forecast": empty_shares(settings)})
    else:
        screen.print(f"{len(paths)} maps in {settings.output}: drag one into QGIS")
    return 0


def _say(plans: "list[DayPlan]", output: Path, *, as_json: bool) -> None:
    """Tell which days would be forecast, and which are there already."""
    missing = [planned.day for planned in plans if not planned.kept]
    kept = [planned.day for planned in plans if planned.kept]
    if as_json:
        print_json({"output": output, "would_forecast": missing, "kept": kept})
        return
    lines = {"would forecast": missing, "would keep the whole maps of": kept}
    for words, days in lines.items():
        if days:
            screen.print(f"{words} {', '.join(days)} in {output}", soft_wrap=True)
