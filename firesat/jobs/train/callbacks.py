"""What firesat does beside every training: a checkpoint to go on from, a line for each epoch."""

import logging
import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint

log = logging.getLogger(__name__)


class Last(Checkpoint):
    """Keep ``last.ckpt`` of every epoch, to go on from: Lightning's own writes it beside a best.

    A checkpoint callback, since these come last: what is kept knows which epoch is the best.
    """

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write it; what stood there is replaced once it is whole.

        Parameters
        ----------
        trainer : Trainer
            Of the run.
        pl_module : LightningModule
            The forecaster.
        """
        best = trainer.checkpoint_callback
        if isinstance(best, ModelCheckpoint) and best.dirpath:
            trainer.save_checkpoint(Path(best.dirpath) / "last.ckpt")


class EpochLog(Callback):
    """Log one line an epoch: scores, and chips per second."""

    _warned = False

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock.

        Parameters
        ----------
        trainer : Trainer
            Of the run.
        pl_module : LightningModule
            The forecaster.
        """
        self._start, self._chips = time.monotonic(), 0

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: dict[str, Any],
        batch_idx: int,
    ) -> None:
        """Count the chips.

        Parameters
        ----------
        trainer : Trainer
            Of the run.
        pl_module : LightningModule
            The forecaster.
        outputs : object
            Not used.
        batch : dict
            What has been learned from.
        batch_idx : int
            Its number.
        """
        self._chips += len(batch["label"])
        self._seconds = time.monotonic() - self._start

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the line.

        Parameters
        ----------
        trainer : Trainer
            Of the run.
        pl_module : LightningModule
            The forecaster.
        """
        if not trainer.is_global_zero:
            return
        metrics = trainer.callback_metrics
        if metrics.get("val/ap", torch.zeros(())).isnan() and not self._warned:
            log.warning("nothing burned in the validation chips: their val/ap is not defined")
            self._warned = True
        names = ("train/loss", "val/loss", "val/ap", "val/ratio")
        scores = "  ".join(f"{n} {float(metrics[n]):.4g}" for n in names if n in metrics)
        log.info(
            "epoch %d/%s  %s  %.0f chips/s",
            trainer.current_epoch + 1,
            trainer.max_epochs,
            scores,
            self._chips * trainer.world_size / max(self._seconds, 1e-9),
        )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say so if the training ended before its last epoch.

        Parameters
        ----------
        trainer : Trainer
            Of the run.
        pl_module : LightningModule
            The forecaster.
        """
        ran, wanted = trainer.current_epoch, trainer.max_epochs or 0
        if trainer.is_global_zero and trainer.should_stop and ran < wanted:
            log.info("stopped after %d of %d epochs, as a callback asked", ran, wanted)
