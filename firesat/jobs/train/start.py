"""Before a training starts: what cannot be is refused, and a checkpoint fits settings and chips."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning import Trainer

from firesat.checkpoint import (
    describe,
    read_checkpoint,
    read_groups,
    refuse_misfit,
    refuse_other,
)
from firesat.datamodule import ChipData
from firesat.errors import CheckpointError, ConfigError
from firesat.forecast import Forecaster
from firesat.manifest import refuse_unwritable
from firesat.model_folder import load_forecaster
from firesat.optimiser import ENDLESS, adamw

log = logging.getLogger(__name__)

_SOME = 256  # chips: looked at within a second
_GRID = ("crs", "lattice")  # older chips do not say
_FROM_ONE = ("accumulate_grad_batches", "check_val_every_n_epoch")  # Lightning divides by them


def refuse_impossible(subcommand: str, trainer: Trainer, model: Forecaster, data: object) -> None:
    """Refuse what each part takes, and the whole cannot be: before any chip is read.

    Parameters
    ----------
    subcommand : {"fit", "validate", "test"}
        What is to be done.
    trainer : Trainer
        With its end, and the folder of its results.
    model : Forecaster
        With its rates.
    data : object
        The data module; of `ChipData` the split is opened.

    Raises
    ------
    ConfigError
        If the training has no end or divides by 0, its network has no layers for rates of their
        own, or its folder cannot be written.
    SampleError
        If the chips have none of the split, or none that burned to learn from.
    """
    if subcommand == "fit":
        if trainer.max_epochs == -1 and trainer.max_steps == -1:
            raise ConfigError(ENDLESS)
        for name in _FROM_ONE:
            if (value := getattr(trainer, name)) is not None and value < 1:
                raise ConfigError(f"trainer.{name}={value} is impossible: from 1 on")
        adamw(model.network, model.rates)
    if isinstance(data, ChipData):
        _open_chips(subcommand, data, validate=bool(trainer.limit_val_batches))
    if subcommand == "fit":
        refuse_unwritable(Path(trainer.default_root_dir), "trainer.default_root_dir")


def _open_chips(subcommand: str, data: ChipData, *, validate: bool) -> None:
    """Refuse chips that lack a split which is to be read, or in which nothing burned to learn."""
    if subcommand == "fit":
        data.train_dataloader()
        log.debug("base rate of the training chips: %g", data.base_rate)  # refuses 0
    if subcommand == "validate" or (subcommand == "fit" and validate):
        data.val_dataloader()
    if subcommand == "test":
        data.test_dataloader()


def say_sightless(data: object) -> None:
    """Warn of training chips in which Sentinel-2 never saw the ground.

    Parameters
    ----------
    data : object
        The data module; only `ChipData` are looked at, as far as the first clear look: nearly
        always in the first of at most `_SOME` chips.
    """
    if not isinstance(data, ChipData) or "sentinel2" in data.without or not data.channels.looks:
        return
    store = data.store
    ages = store.arrays["age"]
    age = np.empty((1, *ages.shape[1:]), dtype=ages.dtype)
    rows = np.flatnonzero(store.table["split"] == "train")
    some = rows[:: -(-len(rows) // _SOME)] if len(rows) else rows
    for row in some:
        store.read([int(row)], {"age": age})
        if np.isfinite(age).any():
            return
    log.warning(
        "no training chip has a clear look of Sentinel-2 (%d of %d looked at): the network learns "
        "from the rest alone. Ingest Sentinel-2 and run firesat sample again",
        len(some),
        len(rows),
    )


def start_from(subcommand: str, given: str | None, folder: Path, model: Forecaster) -> str | None:
    """Find the checkpoint to start from, and refuse one of other chips or another network.

    Parameters
    ----------
    subcommand : {"fit", "validate", "test"}
        What is to be done.
    given : str, optional
        A checkpoint, or to be judged a folder of a trained forecaster.
    folder : Path
        Of checkpoints, where the best is taken from if a judgement is given none.
    model : Forecaster
        As the settings and the chips ask for it; it takes the weights of a folder.

    Returns
    -------
    str or None
        For Lightning to open; None where there is nothing left to open.

    Raises
    ------
    CheckpointError
        If there is none, it is damaged or more than data, or something of it differs.
    """
    if subcommand == "fit" and given is None:
        return None
    path = Path(given or folder / "best.ckpt")
    if path.is_dir():
        _take_folder(subcommand, path, model)
        return None
    if not path.is_file():
        raise CheckpointError(
            f"there is no checkpoint at {path}: run firesat train fit, or give --ckpt_path"
        )
    record, weights = read_checkpoint(path)  # refused here, in one line
    _refuse(record, model)
    refuse_misfit(weights, model, path)
    if subcommand == "fit":
        _refuse_groups(path, model)
    log.info("%s starts from %s", subcommand, path)
    return str(path)


def _refuse_groups(path: Path, model: Forecaster) -> None:
    """Refuse an optimiser that moved other groups of weights: its moments would find no place."""
    then = read_groups(path)
    now = [len(group["params"]) for group in adamw(model.network, model.rates).param_groups]
    if not then:
        raise CheckpointError(
            f"{path} holds weights alone: give one with its optimizer, as checkpoints/last.ckpt is"
        )
    if then != now:
        raise CheckpointError(
            f"{path} does not fit these settings: its optimizer moved groups of {_some(then)} "
            f"weights, here they are of {_some(now)}. Give model.layer_decay as it was, or, if "
            "another version of firesat made it, train anew"
        )


def _some(sizes: list[int]) -> str:
    """The first sizes of groups."""
    return ", ".join(map(str, sizes[:4])) + (" and more" if len(sizes) > 4 else "")


def _take_folder(subcommand: str, path: Path, model: Forecaster) -> None:
    """Take the weights of a folder."""
    if subcommand == "fit":
        raise CheckpointError(
            f"{path} holds weights alone: a training goes on from checkpoints/last.ckpt, "
            "which knows of its optimizer too"
        )
    trained, inputs, scaler = load_forecaster(path)
    parts = {"inputs": inputs, "scaler": scaler, **trained.provenance}
    _refuse(describe(trained.network) | parts, model)
    model.load_state_dict(trained.state_dict())
    model.curves = trained.curves  # as it forecasts, so it is judged
    log.info("%s starts from %s", subcommand, path)


def _refuse(record: Mapping[str, Any], model: Forecaster) -> None:
    """Refuse another network, other bands, another scaler or grid, naming what differs."""
    now = describe(model.network) | {"inputs": model.inputs, "scaler": model.scaler}
    now |= {k: model.provenance[k] for k in _GRID if model.provenance.get(k) and record.get(k)}
    kind = "network_class"  # of another class every argument differs
    for names in ((kind,), now):
        then = {name: record.get(name) for name in names}
        refuse_other(then, {name: now[name] for name in names}, "these settings and chips")
