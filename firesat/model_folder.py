"""A trained forecaster on disk: what is needed to forecast with it, and what to know of it.

A folder holds ``weights.safetensors``, ``config.yaml`` (the network and its inputs),
``scaler.json``, ``calibration.json``, ``provenance.json`` (data, settings and code that it comes
from, and the SHA-256 of the other files) and ``README.md``, its card. Nothing in it can run.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from firesat.batch import HEADS
from firesat.calibration import Curve, curves_from
from firesat.checkpoint import read_checkpoint, rebuild, refuse_misfit, refuse_other
from firesat.errors import CheckpointError
from firesat.forecast import Forecaster
from firesat.manifest import sync_folder
from firesat.model_card import CALIBRATED, calibration_card, card

WEIGHTS, CONFIG, SCALER = "weights.safetensors", "config.yaml", "scaler.json"
CALIBRATION, PROVENANCE, CARD = "calibration.json", "provenance.json", "README.md"
FILES = (WEIGHTS, CONFIG, SCALER, CALIBRATION, PROVENANCE, CARD)
"""Of a folder; with one less it is not opened."""

_CONFIG = ("network_class", "network_args", "channels", "inputs", "precision")
_KNOWN = ("data_sha256", "config_hash", "git_revision", "firesat_version", "seed")
"""What a provenance must say."""

BEST = "best.ckpt"
"""What a training calls its best checkpoint."""

IDENTITY: dict[str, Any] = {"method": "identity"}
"""Calibration of probabilities as they are: the loss is a proper score at natural prevalence."""

CURVES = "rising curves"
"""Method of a calibration by `firesat.calibration`, whose ``curves`` stand beside it."""


def write_folder(checkpoint: Path, folder: Path) -> None:
    """Write a checkpoint of a training as a folder; one that is there is replaced at the end.

    Parameters
    ----------
    checkpoint : Path
        Written by a training.
    folder : Path
        Where it goes.

    Raises
    ------
    CheckpointError
        If the checkpoint is damaged, or does not say where it comes from.
    """
    record, weights = read_checkpoint(checkpoint)
    part, folder = folder.with_name(f".{folder.name}.part"), _restored(folder)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save_file({name: value.contiguous() for name, value in weights.items()}, part / WEIGHTS)
    config = {name: record[name] for name in _CONFIG}
    (part / CONFIG).write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    (part / SCALER).write_text(json.dumps(record["scaler"], indent=1), encoding="utf-8")
    (part / CALIBRATION).write_text(json.dumps(IDENTITY), encoding="utf-8")
    (part / CARD).write_text(card(record, weights), encoding="utf-8")
    known = {k: v for k, v in record.items() if k not in (*_CONFIG, "scaler")}
    sums = {name: _sha256(part / name) for name in FILES if name != PROVENANCE}
    (part / PROVENANCE).write_text(json.dumps({**known, "files": sums}, indent=1))
    _publish(part, folder)


def with_calibration(folder: Path, target: Path, calibration: Mapping[str, Any]) -> None:
    """Write a folder again with another calibration.

    Parameters
    ----------
    folder : Path
        A whole one.
    target : Path
        Where it goes; may be the same, which is replaced at the end.
    calibration : mapping
        `IDENTITY`, or with ``method`` `CURVES`, the ``curves`` and what they rest on.

    Raises
    ------
    CheckpointError
        If the folder lacks a part or is damaged, or the calibration is not one of its processes.
    """
    record, _ = _read_folder(_restored(folder))
    _curves(record | {"calibration": calibration}, folder)
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(folder, part)
    (part / CALIBRATION).write_text(json.dumps(calibration, indent=1), encoding="utf-8")
    words = (part / CARD).read_text(encoding="utf-8").partition(CALIBRATED)[0]
    (part / CARD).write_text(words + calibration_card(calibration), encoding="utf-8")
    known = json.loads((part / PROVENANCE).read_text())
    known["files"] = {name: _sha256(part / name) for name in FILES if name != PROVENANCE}
    (part / PROVENANCE).write_text(json.dumps(known, indent=1))
    _publish(part, _restored(target))


def is_calibrated(folder: Path) -> bool:
    """Say whether a folder holds a forecaster that has been fitted to what happened.

    Parameters
    ----------
    folder : Path
        Of a forecaster; it may be missing or damaged.

    Returns
    -------
    bool
        True if `with_calibration` gave it curves.
    """
    try:
        found: object = json.loads((_restored(folder) / CALIBRATION).read_text())
    except (OSError, ValueError):
        return False
    return found != IDENTITY


def _restored(folder: Path) -> Path:
    """Give a folder its name back, if its writer died between taking it and giving it anew."""
    old = folder.with_name(f".{folder.name}.old")
    if old.is_dir() and not folder.exists():
        old.rename(folder)
    return folder


def _publish(part: Path, folder: Path) -> None:
    """Make the files durable, then give the folder its name."""
    for file in part.iterdir():
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def fingerprint(path: Path) -> str:
    """Hash a trained forecaster.

    Parameters
    ----------
    path : Path
        Checkpoint or folder.

    Returns
    -------
    str
        SHA-256: of the file; of a folder that of its provenance, which has those of the others.

    Raises
    ------
    CheckpointError
        If a folder lacks a part.
    """
    if not path.is_dir():
        return _sha256(path)
    _refuse_parts_missing(path)
    return _sha256(path / PROVENANCE)


def _sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_forecaster(path: Path) -> tuple[Forecaster, dict[str, Any], dict[str, Any]]:
    """Open a trained forecaster.

    Parameters
    ----------
    path : Path
        Checkpoint, or a folder.

    Returns
    -------
    forecaster : Forecaster
        In evaluation mode, on the CPU.
    inputs : dict
        What its batches are made of.
    scaler : dict
        How they are scaled.

    Raises
    ------
    CheckpointError
        If it is missing, lacks a part, is damaged, was made for other networks, does not fit
        itself, or holds a weight that is no number.
    """
    folder = _restored(path).is_dir()
    record, weights = _read_folder(path) if folder else read_checkpoint(path)
    broken = [name for name, value in weights.items() if not torch.isfinite(value).all()]
    if broken:
        raise CheckpointError(f"{path}: {broken[0]} is not finite: the training diverged")
    forecaster = Forecaster(
        rebuild(record, path), inputs=record.get("inputs"), scaler=record.get("scaler")
    )
    forecaster.provenance = {name: record.get(name) for name in (*_KNOWN, "crs", "lattice")}
    refuse_misfit(weights, forecaster, path)
    forecaster.load_state_dict(weights)
    forecaster.curves = _curves(record, path)
    return forecaster.eval(), forecaster.inputs, forecaster.scaler


def _curves(record: Mapping[str, Any], path: Path) -> dict[str, Curve]:
    """Calibration by process; none where probabilities stay as they are."""
    calibration = record.get("calibration", IDENTITY)
    if calibration == IDENTITY:
        return {}
    method = calibration.get("method") if isinstance(calibration, Mapping) else calibration
    if method != CURVES:
        raise CheckpointError(
            f"{path} asks for a calibration by {method}, which this firesat does not know: use "
            "the version that made it"
        )
    heads = HEADS if record["channels"].get("heads", len(HEADS)) == len(HEADS) else ()
    try:
        return curves_from(calibration["curves"], heads)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"the calibration of {path} is damaged ({error}): run firesat calibrate again"
        ) from None


def _read_folder(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read every part of a folder, each as it was written."""
    _refuse_parts_missing(folder)
    try:
        known = json.loads((folder / PROVENANCE).read_text())
        sums = {name: _sha256(folder / name) for name in FILES if name != PROVENANCE}
        refuse_other(known["files"], sums, f"its own files in {folder}")
        config = yaml.safe_load((folder / CONFIG).read_text())
        parts = {name: json.loads((folder / name).read_text()) for name in (SCALER, CALIBRATION)}
        weights = load_file(folder / WEIGHTS)
    except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError, SafetensorError):
        raise CheckpointError(
            f"{folder} is damaged: copy it again, or run firesat train fit again"
        ) from None
    _check(folder, known, config, parts)
    own = {"scaler": parts[SCALER], "calibration": parts[CALIBRATION]}
    return {**known, **config, **own}, weights


def _refuse_parts_missing(folder: Path) -> None:
    """Refuse a folder without all of its files, and name the checkpoint that may be meant."""
    lacking = [name for name in FILES if not (folder / name).is_file()]
    best = folder / BEST
    if lacking and best.is_file():
        raise CheckpointError(
            f"{folder} is no folder of a forecaster, it lacks {', '.join(lacking)}; the checkpoint "
            f"in it is {best}"
        )
    if lacking:
        raise CheckpointError(
            f"{folder} lacks {', '.join(lacking)}: a forecaster without it is not opened; give the "
            "whole folder, such as model of a training, or run firesat train fit again"
        )


def _check(
    folder: Path, known: Mapping[str, Any], config: Mapping[str, Any], parts: Mapping[str, Any]
) -> None:
    """Refuse a folder that says too little of itself, or whose parts do not fit each other."""
    lacking = [name for name in _KNOWN if name not in known]
    lacking += [name for name in _CONFIG if name not in config]
    if lacking:
        raise CheckpointError(f"{folder} does not say {', '.join(lacking)}: train again")
    channels = config["channels"]
    wanted = {name: channels[name] for name in ("sentinel2", "modis", "weather", "static")}
    found = {name: len(parts[SCALER].get(name, ())) for name in wanted}
    refuse_other(wanted, found, f"the scaler of {folder}")
