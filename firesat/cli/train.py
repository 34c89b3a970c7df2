"""Fit, validate or test a forecaster: the Lightning CLI on the config's `train:` section.

Any key of that section may be overridden, as the Lightning CLI does:

Example:
  firesat train fit --config configs/sandbox.yaml
  firesat train fit --config configs/sandbox.yaml --trainer.max_epochs 3
"""

import sys
from argparse import ArgumentParser, Namespace
from contextlib import redirect_stdout

from firesat.cli.console import (
    add_config,
    add_dry_run,
    add_json,
    print_json,
    project_of,
    screen,
)

PASSES_UNKNOWN = True  # --trainer.max_epochs and the like are the Lightning CLI's


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    parser.add_argument("subcommand", choices=["fit", "validate", "test"], help="what to do")
    add_config(parser)
    add_dry_run(parser)
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Train.

    Parameters
    ----------
    arguments : Namespace
        Parsed options; `unknown` holds the Lightning CLI's.

    Returns
    -------
    int
        0 when the trainer ended well.
    """
    from firesat.jobs.train import train
    from firesat.project import read_yaml

    content = read_yaml(arguments.config)
    plain = "model" in content and "cube" not in content  # a Lightning YAML of its own
    section = content if plain else project_of(arguments).section("train")
    if arguments.dry_run:
        screen.print(f"would {arguments.subcommand} with the settings of {arguments.config}")
        return 0
    with redirect_stdout(sys.stderr):  # Lightning's bars and tables; stdout is for the report
        code = train(arguments.subcommand, section, arguments.unknown)
    if arguments.json:
        print_json({"subcommand": arguments.subcommand, "config": arguments.config})
    return code
