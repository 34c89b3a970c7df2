"""Run a training, or judge one."""

import logging
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import torch
import yaml
from pytorch_lightning import Trainer

from firesat.checkpoint import read_checkpoint
from firesat.errors import ConfigError, TrainingError
from firesat.jobs.train.keys import ALLOWED, CHIPS, NETWORK, assemble, check, digest
from firesat.jobs.train.lightning import MISTAKES, Command, build, parse, quiet
from firesat.jobs.train.start import refuse_impossible, say_sightless, start_from
from firesat.mishaps import out_of_memory
from firesat.model_folder import is_calibrated, write_folder

log = logging.getLogger(__name__)

SUBCOMMANDS = ("fit", "validate", "test")
_FLAGS = ("-h", "--help", "--print_config")

_NO_ORDER = "train on a CPU, or give --trainer.deterministic warn, and such sums may vary"

Audit = Callable[[Any], str]
"""From the data module to what is known of its leaks."""


def train(
    subcommand: str,
    settings: Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    allowed: Sequence[str] = ALLOWED,
    audit: Audit | None = None,
) -> dict[str, float]:
    """Fit, validate or test a forecaster.

    Writes under ``trainer.default_root_dir``: ``checkpoints/best.ckpt`` (lowest ``val/loss``) and
    ``last.ckpt``, ``model/`` (the best as a folder, `firesat.model_folder`), and
    ``logs/version_N/`` with ``metrics.csv`` and the whole ``config.yaml``.

    Parameters
    ----------
    subcommand : {"fit", "validate", "test"}
        What to do; the last two take ``ckpt_path``, by default the best checkpoint.
    settings : mapping
        The `train` section, or a plain Lightning YAML: ``model``, ``data``, ``trainer``,
        ``checkpoint``, ``seed_everything``, ``ckpt_path``.
    overrides : sequence of str
        Such as ``["--trainer.max_epochs=3"]`` or ``["--config", "configs/model/x.yaml"]``.
    allowed : sequence of str
        Prefixes of the class paths that the settings may name.
    audit : callable, optional
        Called with the data module once the settings have been found right, and before anything is
        learned: looks for leaks and says "passed", "off" or "none", which the checkpoint keeps.
        Default "none".

    Returns
    -------
    dict of str to float
        Scores: of the best checkpoint after a fit, else what was asked for.

    Raises
    ------
    ConfigError
        If the settings are wrong; no data have been read.
    CheckpointError
        If a checkpoint that is asked for is missing.
    """
    if subcommand not in SUBCOMMANDS:
        raise ConfigError(f"train {subcommand}: choose one of {', '.join(SUBCOMMANDS)}")
    with quiet():
        flags = [word for word in overrides if word.split("=")[0] in _FLAGS]
        if "-h" in flags or "--help" in flags:
            build(flags, allowed)
        given = [word for word in overrides if word not in flags]
        content = complete(assemble(settings, given))
        check(content, allowed)
        if flags:
            _tell(content, flags, allowed)
        command, checkpoint = _built(subcommand, content, allowed)
        if subcommand == "fit" and command.trainer.is_global_zero:
            say_sightless(command.datamodule)
        # last of all: an audit of many chips takes minutes, a wrong setting is found in a second
        command.model.provenance["audit"] = audit(command.datamodule) if audit else "none"
        return _run(subcommand, command, checkpoint)


def plan(
    subcommand: str, settings: Mapping[str, Any], overrides: Sequence[str] = ()
) -> dict[str, str]:
    """Check settings as `train` would, and say what it would do; no chip is read.

    With firesat's own chips everything is built, weights and checkpoint are opened; others may
    have to be read as a whole to be opened, and settings of theirs are parsed alone.

    Parameters
    ----------
    subcommand, settings, overrides
        As for `train`.

    Returns
    -------
    dict
        ``network``, ``data`` and the folder ``output``.

    Raises
    ------
    ConfigError, SampleError, CheckpointError
        If the settings are wrong, or something that they name is not there.
    """
    content = complete(assemble(settings, overrides))
    check(content)
    data = content["data"]
    with quiet():
        if data["class_path"] == CHIPS:
            _built(subcommand, content, ALLOWED)
        else:
            parse(content, ALLOWED)
    return {
        "network": content["model"]["network"]["class_path"],
        "data": str(data.get("init_args", {}).get("path", data["class_path"])),
        "output": str(content["trainer"]["default_root_dir"]),
    }


def check_section(settings: Mapping[str, Any]) -> None:
    """Check a section whose chips are still to be made: keys, classes and types of values.

    Parameters
    ----------
    settings : mapping
        As for `train`.

    Raises
    ------
    ConfigError
        For the first thing that is wrong.
    """
    content = complete(assemble(settings, ()))
    check(content)
    with quiet():
        parse(content, ALLOWED)


def _tell(content: Mapping[str, Any], flags: Sequence[str], allowed: Sequence[str]) -> None:
    """Have the Lightning CLI print the whole config, and end."""
    with NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(dict(content), file)
        file.flush()
        build(["--config", file.name, *flags], allowed)


def complete(content: dict[str, Any]) -> dict[str, Any]:
    """Add what a section may leave out: the network, and a log in plain text.

    Parameters
    ----------
    content : dict
        From `assemble`; changed.

    Returns
    -------
    dict
        The same.

    Raises
    ------
    ConfigError
        If it names no chips, or a section is none.
    """
    if not content.get("data"):
        raise ConfigError("train: say under data: which chips to learn from, such as path: x.zarr")
    for name in ("model", "trainer", "data"):
        part = content[name] = content.get(name) or {}
        if not isinstance(part, Mapping):
            raise ConfigError(f"train.{name} holds {part!r}, not keys and values")
    model, trainer = content["model"], content["trainer"]
    root = trainer.setdefault("default_root_dir", "out")
    model.setdefault("network", {"class_path": NETWORK})
    trainer.setdefault(
        "logger",
        {
            "class_path": "pytorch_lightning.loggers.CSVLogger",
            "init_args": {"save_dir": str(root), "name": "logs"},
        },
    )
    return content


def _built(
    subcommand: str, content: dict[str, Any], allowed: Sequence[str]
) -> tuple[Command, str | None]:
    """Build what the settings name and open what they start from, or refuse; read no chip."""
    command = build(content, allowed)
    data, model = command.datamodule, command.model
    model.provenance = {
        "config_hash": digest(content),
        "seed": command.config["seed_everything"],
        "git_revision": _revision(),
        **_data_facts(data),
    }
    refuse_impossible(subcommand, command.trainer, model, data)
    folder = Path(command.config["checkpoint"]["dirpath"])
    return command, start_from(subcommand, command.config["ckpt_path"], folder, model)


def _run(subcommand: str, command: Command, checkpoint: str | None) -> dict[str, float]:
    """Do the work with what has been built."""
    action = getattr(command.trainer, subcommand)
    try:
        action(
            command.model,
            datamodule=command.datamodule,
            ckpt_path=checkpoint,
            weights_only=True,  # a checkpoint is data, never code
        )
    except torch.OutOfMemoryError as error:
        chips = getattr(command.datamodule, "batch_size", None)
        raise TrainingError(out_of_memory(error, chips)) from None
    except (*MISTAKES, RuntimeError) as error:
        words = " ".join(str(error).split())
        # neither what watches a score that nobody gives, nor what torch can only do in any order,
        # has a class of its own
        if "deterministic implementation" in words:
            words = f"trainer.deterministic: {words.partition(',')[0]}: {_NO_ORDER}"
        elif isinstance(error, RuntimeError) and "conditioned on metric" not in words:
            raise
        raise ConfigError(f"train: {words[:300]}") from None
    if subcommand == "fit":
        # where several processes train, one writes
        return _leave_folder(command.trainer) if command.trainer.is_global_zero else {}
    return {name: float(value) for name, value in command.trainer.callback_metrics.items()}


def _data_facts(data: Any) -> dict[str, Any]:  # noqa: ANN401  any data module
    """Hash and grid of what is learned from, where the data know them."""
    return {name: getattr(data, name, "") for name in ("data_sha256", "crs", "lattice")}


def _revision() -> str:
    """Commit of the code; empty outside a checkout."""
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(git, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()


def _leave_folder(trainer: Trainer) -> dict[str, float]:
    """Write the best checkpoint as a folder, to forecast with and to hand on; give its scores."""
    callback: Any = trainer.checkpoint_callback
    best = Path(getattr(callback, "best_model_path", ""))
    if not best.is_file():
        log.warning("no epoch was validated: there is no best checkpoint, and no folder of it")
        return {}
    folder = best.parent.parent / "model"
    if is_calibrated(folder):
        log.warning("%s replaces a calibrated forecaster: run firesat calibrate again", folder)
    write_folder(best, folder)
    log.info("the best checkpoint is %s, as a folder %s", best, folder)
    scores: dict[str, float] = read_checkpoint(best)[0].get("scores", {})
    return scores
