"""Train every rung and compare: climatology, persistence, FWI, trees, ConvLSTM, CNN, ViT.

What has been trained with the same settings on the same chips is kept: run it again to go on.
With --blind each network is also trained without Sentinel-2, where Sentinel-2 can know nothing: in
a made world of `sandbox.s2_blind` as it is, elsewhere with the looks of another place.

Example:
  firesat run sample --config configs/ladder.yaml
  firesat ladder --config configs/ladder.yaml --dry-run
  firesat ladder --config configs/ladder.yaml --draws 25
  firesat ladder --config configs/blind.yaml --networks cnn --blind
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

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
    parser.add_argument(
        "--networks",
        default="conv_lstm,cnn,vit",
        help="names of configs/model, with commas (default conv_lstm,cnn,vit)",
    )
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each (default 3)")
    parser.add_argument("--epochs", type=int, help="of each training (default: as the project's)")
    parser.add_argument(
        "--draws",
        type=int,
        default=0,
        help="draws of each window from the sandbox's hidden state, in each of two halves, for "
        "expected scores (default 0: none)",
    )
    parser.add_argument(
        "--blind",
        action="store_true",
        help="train with and without a Sentinel-2 that can know nothing, and say what it gains",
    )
    parser.add_argument("--output", type=Path, help="folder (default ladder beside the scores)")
    add_dry_run(parser)
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Climb.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0, whichever model is ahead.
    """
    import sys
    from contextlib import redirect_stdout

    from firesat.ladder import LadderSettings, climb, refuse_elsewhere, summary, to_train

    project = project_of(arguments)
    own = project.section("train").get("trainer", {}).get("max_epochs")
    unseeing = project.sandbox is not None and project.sandbox.s2_blind
    settings = LadderSettings(
        output=arguments.output or project.section("evaluate").output / "ladder",
        networks=tuple(arguments.networks.split(",")),
        seeds=arguments.seeds,
        epochs=arguments.epochs or own or LadderSettings.epochs,
        draws=arguments.draws,
        blind=arguments.blind,
        elsewhere=arguments.blind and not unseeing,
    )
    refuse_elsewhere(project, settings)
    if arguments.dry_run:
        left = [f"{network} {seed}" for network, seed in to_train(project, settings)]
        screen.print(f"would train {', '.join(left) or 'nothing'} into {settings.output}")
        screen.print(f"would score {len(project.section('predict').days)} issue days")
        return 0
    world = None
    if settings.draws:
        from firesat.jobs.ingest.providers import world_path

        world = world_path(project)
    with redirect_stdout(sys.stderr), progress_bar("ladder") as advance:
        found = climb(project, settings, world, advance)
    screen.print(summary(found))
    if arguments.json:
        print_json({"ladder": settings.output / "ladder.json", "rungs": len(found.rows)})
    return 0
