"""What is said when a training cannot go on, or not as it was meant."""

import logging
from pathlib import Path

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from firesat.errors import TrainingError

log = logging.getLogger(__name__)


def diverged(module: LightningModule, batch: dict[str, Tensor], number: int) -> str:
    """Say what is known of a batch whose loss is no number.

    Parameters
    ----------
    module : LightningModule
        In training.
    batch : dict of Tensor
        The batch.
    number : int
        Of it, in its epoch.

    Returns
    -------
    str
        One line: which batch, why, and which checkpoint is good.
    """
    broken = [name for name, value in batch.items() if not value.isfinite().all()]
    why = (
        f"{broken[0]} of it is not finite: remove or mend these samples"
        if broken
        else "its samples are finite, so the training diverged: lower model.learning_rate"
    )
    folder: str | None = getattr(module.trainer.checkpoint_callback, "dirpath", None)
    last = Path(folder) / "last.ckpt" if folder else None
    good = (
        f"The last good checkpoint is {last}"
        if last is not None and module.current_epoch and last.is_file()
        else "There is no checkpoint of this training yet"
    )
    return (
        f"the loss of batch {number} in epoch {module.current_epoch + 1} is no number; {why}. "
        f"{good}"
    )


def out_of_memory(
    error: torch.OutOfMemoryError, chips: int | None, *, learning: bool = True
) -> str:
    """Say what to do when a batch does not fit into a GPU's memory.

    Parameters
    ----------
    error : OutOfMemoryError
        Of torch.
    chips : int, optional
        Chips of a batch.
    learning : bool
        Whether a network was trained; else it forecast a map.

    Returns
    -------
    str
        One line.
    """
    words = " ".join(str(error).split())[:120]
    if chips is None or chips < 2:
        return f"one chip at a time is too much for this device ({words}): use smaller chips"
    less = (
        f"--data.batch_size {chips // 2}, with --trainer.accumulate_grad_batches 2 for the same "
        "training"
        if learning
        else f"--set predict.batch_size={chips // 2}"
    )
    return f"batches of {chips} chips do not fit into the device's memory ({words}): give {less}"


def refuse_broken(module: LightningModule) -> None:
    """Refuse to write weights that are no numbers.

    Parameters
    ----------
    module : LightningModule
        In training.

    Raises
    ------
    TrainingError
        If one is not finite: what was written before is not replaced.
    """
    for name, weight in module.state_dict().items():
        if not weight.isfinite().all():
            raise TrainingError(
                f"{name} is not finite after epoch {module.current_epoch + 1}: the training "
                "diverged, lower model.learning_rate; earlier checkpoints are whole"
            )


def say_random(network: nn.Module) -> None:
    """Say aloud what starts from scratch and was meant not to.

    Parameters
    ----------
    network : nn.Module
        About to be trained.
    """
    for name in getattr(network, "random_start", ()):
        log.warning(
            "%s starts from RANDOM weights, the published model from learned ones: give a "
            "local file with --model.network.%s FILE",
            type(network).__name__,
            name,
        )
