"""Fit what a forecaster says to what happened, on full maps of the held-out season.

The days are those of `sample.splits.val`; the curves go into the forecaster's folder, which
`firesat predict` then forecasts with. An interrupted run goes on where it was.

Example:
  firesat calibrate --config configs/sandbox.yaml
"""

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
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
    from firesat.jobs.evaluate.calibrate import Fitted
    from firesat.products.settings import PredictSettings
    from firesat.project import Project


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    add_config(parser)
    parser.add_argument("--checkpoint", type=Path, help="folder (default predict.checkpoint)")
    parser.add_argument(
        "--if-held-out",
        action="store_true",
        help="do nothing where sample.splits.val holds no whole window (the pipeline asks so)",
    )
    add_dry_run(parser)
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Calibrate.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0.
    """
    from firesat.cube import check_place
    from firesat.jobs.evaluate import held_out_days

    project = project_of(arguments)
    check_place(project.cube.path, project.grid)
    sample, settings = project.section("sample"), project.section("predict")
    days = held_out_days(sample.splits, sample.inputs.window, needed=not arguments.if_held_out)
    if not days:
        screen.print("nothing is held out: the forecaster stays as it is")
        if arguments.json:
            print_json({"days": [], "would_forecast": [], "kept": []})
        return 0
    folder = _folder(arguments.checkpoint or settings.checkpoint)
    work = settings.output.parent / "calibration"
    if arguments.dry_run:
        missing = _rehearse(project, folder, work, days)
        if arguments.json:
            kept = [day for day in days if day not in missing]
            print_json({"checkpoint": folder, "would_forecast": missing, "kept": kept})
        else:
            made = (
                f"would forecast {', '.join(missing)} into {work}, then " if missing else "would "
            )
            screen.print(f"{made}fit {folder} to its maps of {', '.join(days)}", soft_wrap=True)
        return 0
    fitted = _fit(project, folder, work, days)
    if arguments.json:
        seen = {head: each.record for head, each in fitted.items()}
        print_json({"checkpoint": folder, "days": days, "rests_on": seen})
    else:
        rows = [_row(head, each.record) for head, each in fitted.items()]
        print_table(f"{folder} is calibrated; its maps had been so", rows)
    return 0


def _rehearse(project: "Project", folder: Path, work: Path, days: list[str]) -> list[str]:
    """Refuse what the work would refuse, and list the days to be forecast for it."""
    from firesat.jobs.predict import rehearse
    from firesat.model_folder import IDENTITY, with_calibration

    _refuse_unwritable(folder, work)
    with TemporaryDirectory() as scratch:
        drawing = Path(scratch) / "model"
        with_calibration(folder, drawing, IDENTITY)
        plans = rehearse(_drawn(project, drawing, work, days), project.cube.path)
    return [planned.day for planned in plans if not planned.kept]


def _refuse_unwritable(folder: Path, work: Path) -> None:
    """Refuse places that could not be written to in the end."""
    from firesat.manifest import refuse_unwritable

    for place, setting in ((work, "predict.output"), (folder.parent, "--checkpoint")):
        refuse_unwritable(place, setting)


def _drawn(project: "Project", drawing: Path, work: Path, days: list[str]) -> "PredictSettings":
    """How the maps are drawn that a forecaster is calibrated on."""
    from firesat.products.probability import Probability

    settings: PredictSettings = project.section("predict")
    return replace(
        settings,
        days=tuple(days),
        checkpoint=drawing,
        output=work / "maps",
        products=[Probability()],
    )


def _fit(project: "Project", folder: Path, work: Path, days: list[str]) -> dict[str, "Fitted"]:
    """Draw maps as the forecaster was trained, fit it to what burned, and write it so."""
    from firesat.jobs.evaluate import calibrate, record_of
    from firesat.jobs.predict import predict
    from firesat.metrics import EvaluateSettings
    from firesat.model_folder import CURVES, IDENTITY, with_calibration

    _refuse_unwritable(folder, work)
    with_calibration(folder, work / "model", IDENTITY)
    maps = _drawn(project, work / "model", work, days)
    with progress_bar("predict") as advance:
        predict(maps, project.cube.path, advance)
    settings = project.evaluate or EvaluateSettings()
    with progress_bar("calibrate") as advance:
        fitted = calibrate(settings, project.cube.path, maps.output, days, advance)
    with_calibration(folder, folder, {"method": CURVES, **record_of(fitted, days)})
    return fitted


def _row(process: str, seen: dict[str, float]) -> dict[str, str | float]:
    """One process, as people read it."""
    whole: dict[str, str | float] = {name: round(v) for name, v in seen.items() if name != "slope"}
    return {"process": process, **whole, "slope": f"{seen['slope']:.2f}"}


def _folder(given: Path | None) -> Path:
    """The folder to calibrate, which must be one."""
    from firesat.errors import CheckpointError

    if given is None or not given.is_dir():
        raise CheckpointError(
            f"{given} is no folder of a forecaster: firesat train fit leaves one called model "
            "under trainer.default_root_dir; give it as predict.checkpoint or --checkpoint"
        )
    return given
