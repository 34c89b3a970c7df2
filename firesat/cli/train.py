"""Fit, validate or test a forecaster: the Lightning CLI on the config's `train:` section.

Before `fit`, the chips are audited (see `firesat audit`), and chips that leak are refused;
--no-audit or `audit.before_training: false` turns that off, and the checkpoint says so. Any key of
the section may be overridden, as the Lightning CLI does (docs/training.md):

Example:
  firesat train fit --config configs/sandbox.yaml
  firesat train fit --config configs/sandbox.yaml --trainer.max_epochs 3
  firesat train fit --config configs/sandbox.yaml --config configs/model/vit.yaml
  firesat train fit --config configs/sandbox.yaml --config configs/trainer/ema.yaml --dry-run
  firesat train validate --config configs/sandbox.yaml --ckpt_path out/demo/model
"""

import logging
import os
import sys
from argparse import ArgumentParser, Namespace
from contextlib import redirect_stdout
from math import isfinite
from typing import TYPE_CHECKING, Any

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
    from collections.abc import Mapping

    from firesat.metrics.bootstrap import Estimate
    from firesat.project import Project

PASSES_UNKNOWN = True  # --trainer.max_epochs and the like are the Lightning CLI's

_TELLING = ("firesat", "firesat_models")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    parser.add_argument("subcommand", choices=["fit", "validate", "test"], help="what to do")
    add_config(parser, over="its train: section")
    add_dry_run(parser)
    add_json(parser)
    parser.add_argument(
        "--no-audit",
        action="store_true",
        help="fit without looking for leaks first; the checkpoint says so",
    )
    parser.add_argument(
        "--no-baselines",
        action="store_true",
        help="end a fit without the table beside baselines, which reads the chips once more",
    )


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
    from firesat.jobs.train import loggers_at, plan, train
    from firesat.project import read_yaml

    arguments.config, *over = arguments.config
    laid = [word for path in over for word in ("--config", str(path))]
    content = read_yaml(arguments.config)
    plain = "model" in content and "cube" not in content  # a Lightning YAML of its own
    project = None if plain else project_of(arguments)
    section = content if project is None else project.section("train")
    words = [*laid, *arguments.unknown]
    if any(word.startswith("--print_config") for word in words):
        train(arguments.subcommand, section, words)  # to stdout; no chips are read, and it ends
    if arguments.dry_run:
        return _tell(arguments, plan(arguments.subcommand, section, words))
    first = os.environ.get("LOCAL_RANK", "0") == "0"  # where several train, one looks for leaks
    look = _Audit(project if arguments.subcommand == "fit" and first else None, arguments.no_audit)
    # Lightning's bars and tables go to standard error: standard output is for the report. Epochs,
    # and what weights a network starts from, are never passed over in silence.
    with redirect_stdout(sys.stderr), loggers_at(logging.INFO, *_TELLING):
        scores = train(arguments.subcommand, section, words, audit=look)
    rows = []
    if arguments.subcommand == "fit" and scores and not arguments.no_baselines:
        rows = _beside(section, words)
    if arguments.json and first:
        report = {
            "subcommand": arguments.subcommand,
            "config": arguments.config,
            "audit": look.said,
        }
        print_json(_known({**report, "scores": scores, "baselines": rows}))
    return 0


def _tell(arguments: Namespace, planned: "Mapping[str, str]") -> int:
    """Say what would be done."""
    if arguments.json:
        print_json({"subcommand": arguments.subcommand, "config": arguments.config, **planned})
    else:
        words = "would {subcommand} {network} on {data}, into {output}"
        what = words.format(subcommand=arguments.subcommand, **planned)
        screen.print(what, soft_wrap=True)
    return 0


def _beside(section: "Mapping[str, Any]", words: list[str]) -> list[dict[str, Any]]:
    """Print the network beside baselines on the validation chips."""
    from dataclasses import asdict

    from firesat.jobs.train import loggers_at, standings

    # the network is built once more, from its checkpoint: nothing starts at random now
    still = loggers_at(logging.WARNING, "firesat_models")
    with still, progress_bar("baselines") as advance:
        found = standings(section, words, advance)
    if found:
        few = "" if found[0].reliable else "; few blocks with fire: intervals unreliable"
        rows: list[dict[str, str | float]] = [
            {
                "forecast": one.forecast,
                "average precision": _spell(one.ap),
                "Brier skill": _spell(one.brier_skill),
                "network ahead in AP by": "" if one is found[0] else _spell(one.behind),
            }
            for one in found
        ]
        chosen = "which chose the network's epoch, and flatter it"
        print_table(f"validation chips, {chosen}; 90 % block intervals{few}", rows)
    return [asdict(one) for one in found]


def _known(value: Any) -> Any:  # noqa: ANN401  whatever JSON holds
    """The same without NaN, which JSON does not know: the precision where nothing burned."""
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_known(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _spell(estimate: "Estimate") -> str:
    """A score with its interval."""
    return f"{estimate.value:.3g} ({estimate.low:.3g} to {estimate.high:.3g})"


class _Audit:
    """Refuse chips that leak; keep what was said of them."""

    def __init__(self, project: "Project | None", turned_off: bool) -> None:
        self._project, self._off = project, turned_off
        self.said = "none"  # a Lightning YAML names no cube to compare with

    def __call__(self, data: object) -> str:
        """Look at the chips that are to be learned from, once the settings are right."""
        if self._project is not None:
            wanted = self._project.audit.before_training and not self._off
            self.said = _audit(self._project, data, wanted=wanted)
        return self.said


def _audit(project: "Project", data: object, *, wanted: bool) -> str:
    """Refuse chips that leak; say whether they were looked at."""
    from firesat.datamodule import ChipData
    from firesat.jobs.prepare import audit, refuse_leaks

    if not wanted:
        screen.print("training without an audit of the chips")
        return "off"
    if project.sample is None:
        return "none"  # chips of others: no rule that they should keep is known
    own = project.sample.path
    if not isinstance(data, ChipData) or data.path.resolve() != own.resolve():
        what = data.path if isinstance(data, ChipData) else f"what {type(data).__name__} gives"
        screen.print(f"training without an audit: it knows the rules of {own}, not of {what}")
        return "none"
    with progress_bar("audit") as advance:
        refuse_leaks(audit(project.sample, project.cube.path, project.audit, advance))
    return "passed"
