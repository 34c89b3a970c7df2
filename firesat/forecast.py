"""Forecaster: the one way a network learns, and the one way it speaks.

A network maps a batch (`firesat.batch`) to logits ``(N, L, Y, X)``. It is a plain module that keeps
its constructor's arguments under their own names and declares ``halo``, the cells at a chip's edge
that it knows too little about, and ``stride``, of which a chip's side must be a multiple.
"""

import logging
import math
from pathlib import Path
from typing import Any, Literal
from typing import cast as typed

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torchmetrics import MeanMetric

from firesat import __version__, regression
from firesat.batch import HEADS
from firesat.checkpoint import RECORD, describe, plain, read_checkpoint, rebuild
from firesat.errors import CheckpointError, ConfigError, TrainingError
from firesat.losses import Loss, cell_weight, masked_bce
from firesat.monitor import RunningScores, combine
from firesat.optimiser import adamw, warm_cosine
from firesat.precision import PRECISIONS, cast, quickest

log = logging.getLogger(__name__)

PROBABILITIES = ("fire", *HEADS)
"""Maps of a forecast: any fire, then one for each process."""

_BASE_RATE = 1e-3  # a cell's chance in a summer week, before anything is known
_EPOCHS, _BATCHES = 1 << 16, 1 << 24  # more than any training has
_MEMORY = 100  # batches over which the mean weight is taken


class Forecaster(LightningModule):
    """Teach a network to give the probability that a cell burns.

    Parameters
    ----------
    network : nn.Module
        From a batch to logits.
    learning_rate : float
        Highest rate of AdamW, reached at the end of the warm-up; a half cosine leads to 0.
    weight_decay : float
        Of matrices and kernels; biases and norms are free.
    warmup : float
        Share of all steps, 0..1.
    lowest_rate : float
        Where the warm-up begins and the cosine ends.
    loss : Loss
        Default the cross-entropy; with any other the outputs are not calibrated.
    prior : float, optional
        Chance that a cell burns before anything is known, shared by the heads; default what the
        training chips say (``base_rate`` of the data), else one in a thousand.
    precision : str
        "float32"; "bfloat16"; or "auto": whichever the first step shows to be quicker on this
        machine. A training that goes on keeps what it began with.
    inputs : dict, optional
        What a batch is made of; stored in the checkpoint, so that a forecast cannot differ.
    scaler : dict, optional
        How it is scaled; stored too.
    """

    offset: Tensor
    mean_weight: Tensor
    batches: Tensor

    def __init__(  # noqa: PLR0913  each is a key of the config
        self,
        network: nn.Module,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.01,
        warmup: float = 0.1,
        lowest_rate: float = 0.0,
        loss: Loss = Loss(),  # noqa: B008  frozen
        prior: float | None = None,
        precision: Literal["auto", "float32", "bfloat16"] = "float32",
        inputs: dict[str, Any] | None = None,
        scaler: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        # channels_last: a third faster for the small ResNet on AVX2, no slower for the ViT
        self.network = network.to(memory_format=torch.channels_last)
        self.learning_rate, self.weight_decay, self.warmup = learning_rate, weight_decay, warmup
        self.lowest_rate, self.loss, self.prior = lowest_rate, loss, prior
        self.precision: str = precision
        self.inputs, self.scaler = dict(inputs or {}), dict(scaler or {})
        self.provenance: dict[str, Any] = {}
        self.processes = _processes(network)
        self.register_buffer("offset", self._offset(prior or _BASE_RATE))
        self.register_buffer("mean_weight", torch.zeros(()))
        self.register_buffer("batches", torch.zeros((), dtype=torch.long))
        self.scores = nn.ModuleDict({name: RunningScores() for name in ("fire", *self.processes)})
        self.val_loss = MeanMetric()

    def setup(self, stage: str) -> None:
        """Start from the base rate of the training chips, unless one was given.

        Parameters
        ----------
        stage : str
            "fit", "validate", "test" or "predict".
        """
        data = getattr(self.trainer, "datamodule", None)
        rate: float | None = getattr(data, "base_rate", None)
        if stage == "fit" and not self.prior and rate:
            self.offset.copy_(self._offset(rate))

    def on_fit_start(self) -> None:
        """Fit the network's drivers; say aloud what starts from scratch and was meant not to."""
        data: Any = getattr(self.trainer, "datamodule", None)
        drivers: Any = getattr(self.network, "drivers", None)
        if drivers is not None and data is not None and not self.trainer.ckpt_path:
            val = data.val_dataloader() if self.trainer.limit_val_batches else None
            start = regression.start(drivers, data.train_dataloader(), val)
            drivers.bias.copy_(start.to(self.device) - self.offset)
        for name in () if self.trainer.ckpt_path else getattr(self.network, "random_start", ()):
            log.warning(
                "%s starts from RANDOM weights, the published model from learned ones: give a "
                "local file with --model.network.%s FILE",
                type(self.network).__name__,
                name,
            )

    def _offset(self, rate: float) -> Tensor:
        """Log odds of each head when together they have this chance."""
        heads = max(1, len(self.processes))
        return torch.logit(torch.full((heads,), rate / heads), eps=1e-7)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Give the logits of one batch.

        Parameters
        ----------
        batch : dict of Tensor
            Fields of `firesat.batch`, scaled.

        Returns
        -------
        Tensor
            ``(N, L, Y, X)``; heads as `firesat.batch.HEADS`.
        """
        # the network learns what departs from the base rate: rare events start out rare
        with cast(self.device, self.precision):
            logits: Tensor = self.network(batch)
        # in bfloat16 a sum of -8 would be rounded to steps of 3 to 6 % of the odds
        return logits.float() + self.offset[:, None, None]

    def forecast(self, batch: dict[str, Tensor]) -> Tensor:
        """Give the probabilities of one batch.

        Parameters
        ----------
        batch : dict of Tensor
            Fields of `firesat.batch`, scaled.

        Returns
        -------
        Tensor
            float32 ``(N, 3, Y, X)``, 0..1, maps as `PROBABILITIES`; fire = 1 - (1 - growth)(1 -
            new). Of a network with one head fire alone, ``(N, 1, Y, X)``.
        """
        logits = self(batch).float()
        fire = combine(logits)[:, None]
        return torch.cat([fire, logits] if self.processes else [fire], dim=1).sigmoid()

    def training_step(self, batch: dict[str, Tensor], number: int) -> Tensor:
        """Compute the loss of one batch.

        Parameters
        ----------
        batch : dict of Tensor
            With ``label``, ``valid`` and ``weight``.
        number : int
            Of the batch.

        Returns
        -------
        Tensor
            Scalar.

        Raises
        ------
        TrainingError
            If it is no number; checkpoints stay as they are.
        """
        if self.precision not in PRECISIONS:
            self.precision = quickest(self.network, batch, learn=True)
        cells = cell_weight(batch["valid"], batch["weight"])
        loss = self.loss(self(batch), batch["label"], cells, self._usual_total(cells))
        if not loss.isfinite():
            raise TrainingError(self._diverged(batch, number))
        self.log(
            "train/loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(cells)
        )
        return loss

    def _diverged(self, batch: dict[str, Tensor], number: int) -> str:
        """What to say of a batch whose loss is no number."""
        broken = [name for name, value in batch.items() if not value.isfinite().all()]
        why = (
            f"{broken[0]} of it is not finite: remove or mend these samples"
            if broken
            else "its samples are finite, so the training diverged: lower model.learning_rate"
        )
        folder: str | None = getattr(self.trainer.checkpoint_callback, "dirpath", None)
        last = Path(folder) / "last.ckpt" if folder and self.current_epoch else "none yet"
        return (
            f"the loss of batch {number} in epoch {self.current_epoch + 1} is no number; {why}. "
            f"The last good checkpoint is {last}"
        )

    def _usual_total(self, cells: Tensor) -> Tensor:
        """The weight that a batch of this size usually has.

        Divided by its own weight, a batch with many light fire chips would count as much as one of
        heavy quiet chips, and fire would be forecast too often.
        """
        self.batches += 1
        own = cells.sum() / len(cells)
        self.mean_weight += (own - self.mean_weight) / self.batches.clamp(max=_MEMORY)
        return self.mean_weight * len(cells)

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        """Add one batch to the scores.

        Parameters
        ----------
        batch : dict of Tensor
            With ``label``, ``valid`` and ``weight``.
        _ : int
            Number of the batch.
        """
        logits, label = self(batch).float(), batch["label"]
        cells = cell_weight(batch["valid"], batch["weight"])
        self.val_loss.update(masked_bce(logits, label, cells), cells.sum())
        self._scores("fire").update(combine(logits), label.amax(dim=1), cells.amin(dim=1))
        for head, name in enumerate(self.processes):
            self._scores(name).update(logits[:, head], label[:, head], cells[:, head])

    def on_validation_epoch_end(self) -> None:
        """Log what all batches together say."""
        self.log("val/loss", self.val_loss.compute(), prog_bar=True)
        self.val_loss.reset()
        for name in self.scores:
            scores = self._scores(name)
            for score, value in scores.compute().items():
                suffix = "" if name == "fire" else f"_{name}"
                self.log(f"val/{score}{suffix}", value, prog_bar=score == "ap" and not suffix)
            scores.reset()

    test_step = validation_step
    on_test_epoch_end = on_validation_epoch_end

    def _scores(self, name: str) -> RunningScores:
        """The running scores of one map."""
        return typed("RunningScores", self.scores[name])

    def predict_step(self, batch: dict[str, Tensor], _: int) -> dict[str, Tensor]:
        """Forecast one batch, with the place of each chip.

        Parameters
        ----------
        batch : dict of Tensor
            Fields of `firesat.batch`, scaled, and ``row`` and ``col``.
        _ : int
            Number of the batch.

        Returns
        -------
        dict of Tensor
            ``probability`` as in `forecast`, and the places that came with the batch.
        """
        out = {"probability": self.forecast(batch)}
        return out | {name: batch[name] for name in ("row", "col") if name in batch}

    def configure_optimizers(self) -> Any:  # noqa: ANN401  Lightning's own union of mappings
        """Set up AdamW, with a warm-up and a half cosine over all steps.

        Returns
        -------
        dict
            Optimizer and schedule.

        Raises
        ------
        ConfigError
            If the training has no end.
        """
        steps = self.trainer.estimated_stepping_batches
        if math.isinf(steps):
            raise ConfigError("the training has no end: give trainer.max_epochs or max_steps")
        optimizer = adamw(self.network, self.learning_rate, self.weight_decay)
        floor = self.lowest_rate / self.learning_rate
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: warm_cosine(step, int(steps), self.warmup, floor)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write down what is needed to forecast with these weights.

        Parameters
        ----------
        checkpoint : dict
            Lightning's, before it is written.

        Raises
        ------
        TrainingError
            If a weight is no number: what was written before is not replaced.
        """
        for name, weight in self.state_dict().items():
            if not weight.isfinite().all():
                raise TrainingError(
                    f"{name} is not finite after epoch {self.current_epoch + 1}: the training "
                    "diverged, lower model.learning_rate; earlier checkpoints are whole"
                )
        checkpoint[RECORD] = {
            **describe(self.network),
            "firesat_version": __version__,
            "precision": self.precision,
            "inputs": plain(self.inputs, "inputs"),
            "scaler": plain(self.scaler, "scaler"),
            **plain(self.provenance, "provenance"),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on in the precision of the training so far, where none is asked for.

        Parameters
        ----------
        checkpoint : dict
            Lightning's, as it was written.
        """
        if self.precision not in PRECISIONS:
            self.precision = checkpoint.get(RECORD, {}).get("precision", self.precision)

    def on_train_batch_start(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Let a step's dropout follow from seed, epoch and batch, wherever the training began.

        Parameters
        ----------
        batch : dict of Tensor
            Not used.
        batch_idx : int
            Number of the batch.
        """
        seed = int(self.provenance.get("seed") or 0) + self.trainer.global_rank
        torch.manual_seed((seed * _EPOCHS + self.current_epoch) * _BATCHES + batch_idx)


def load_forecaster(path: Path) -> tuple[Forecaster, dict[str, Any], dict[str, Any]]:
    """Open a trained forecaster.

    Parameters
    ----------
    path : Path
        Checkpoint.

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
        If the file is missing, damaged, made for other networks, or holds a weight that is no
        number.
    """
    record, weights = read_checkpoint(path)
    broken = [name for name, value in weights.items() if not torch.isfinite(value).all()]
    if broken:
        raise CheckpointError(f"{path}: {broken[0]} is not finite: the training diverged")
    forecaster = Forecaster(
        rebuild(record, path),
        inputs=record.get("inputs"),
        scaler=record.get("scaler"),
    )
    try:
        forecaster.load_state_dict(weights)
    except RuntimeError as error:
        words = " ".join(str(error).split())
        raise CheckpointError(f"{path} does not fit its own network: {words[:160]}") from None
    return forecaster.eval(), forecaster.inputs, forecaster.scaler


def _processes(network: nn.Module) -> tuple[str, ...]:
    """Heads with a score of their own: none where a benchmark knows of fire and no more."""
    channels = getattr(network, "channels", None)
    return () if channels is not None and channels.heads == 1 else HEADS
