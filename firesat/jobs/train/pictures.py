"""What a person looks at after a training: its curves, and maps of the chips that burned most."""

import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from firesat.products.training import Example, draw_curves, draw_examples

EVERY = 60.0
"""Seconds between two drawings of the curves while a training runs."""

_EXAMPLES = 4
_COLOURS = (3, 2, 1)  # B04, B03, B02: red, green, blue


class Pictures(Callback):
    """Draw ``curves.png`` and ``examples.png`` beside the log of a training.

    The examples are those validation chips of which most burned, the same in every epoch, as the
    epoch with the lowest ``val/loss`` forecasts them: of those since the training went on.
    """

    def __init__(self) -> None:
        self._curves: list[dict[str, float]] = []
        self._lowest, self._epoch, self._drawn = float("inf"), 0, time.monotonic()
        self._found: list[tuple[int, Example]] = []
        self._best: list[Example] = []

    def state_dict(self) -> dict[str, Any]:
        """Give what a training that goes on must know.

        Returns
        -------
        dict
            Scores of the epochs so far.
        """
        return {"curves": self._curves}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the curves of a checkpoint.

        Parameters
        ----------
        state_dict : dict
            From `state_dict`.
        """
        self._curves = list(state_dict["curves"])

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the examples of the last epoch.

        Parameters
        ----------
        trainer, pl_module
            Of the run.
        """
        self._found = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401
        batch: dict[str, Tensor],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the chips of which most burned.

        Parameters
        ----------
        trainer, pl_module
            Of the run.
        outputs : Tensor
            Log odds of the window, ``(N, L, Y, X)``.
        batch : dict of Tensor
            The chips.
        batch_idx, dataloader_idx : int
            Not used.
        """
        if trainer.state.fn != "fit" or not trainer.is_global_zero:
            return
        burned = ((batch["label"] > 0) & (batch["valid"] > 0)).flatten(1).sum(dim=1).tolist()
        # a stable sort: of equals the first
        ranked = sorted(range(len(burned)), key=lambda number: -burned[number])
        ahead = [chip for chip in ranked[:_EXAMPLES] if self._among_first(burned[chip])]
        self._found += [(burned[chip], example_of(batch, outputs, chip)) for chip in ahead]
        self._found = sorted(self._found, key=lambda found: -found[0])[:_EXAMPLES]

    def _among_first(self, burned: int) -> bool:
        """Whether a chip belongs to those that are kept."""
        return len(self._found) < _EXAMPLES or burned > self._found[-1][0]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember the scores of an epoch; draw the curves now and then.

        Parameters
        ----------
        trainer, pl_module
            Of the run.
        """
        scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self._curves.append({**scores, "epoch": trainer.current_epoch + 1.0})
        if self._found and scores.get("val/loss", float("inf")) <= self._lowest:
            self._lowest, self._epoch = scores["val/loss"], trainer.current_epoch + 1
            self._best = [example for _, example in self._found]
        folder = trainer.log_dir  # every process must ask, one draws
        if trainer.is_global_zero and time.monotonic() - self._drawn > EVERY:
            self._draw(Path(folder or trainer.default_root_dir))
            self._drawn = time.monotonic()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw curves and examples.

        Parameters
        ----------
        trainer, pl_module
            Of the run.
        """
        folder = trainer.log_dir
        if trainer.is_global_zero:
            self._draw(Path(folder or trainer.default_root_dir))

    def _draw(self, folder: Path) -> None:
        """Write what there is to see."""
        if self._curves:
            draw_curves(self._curves, folder / "curves.png")
        if self._best:
            draw_examples(self._best, self._epoch, folder / "examples.png")


def example_of(batch: dict[str, Tensor], odds: Tensor, chip: int) -> Example:
    """Take one chip of a batch, with its forecast.

    Parameters
    ----------
    batch : dict of Tensor
        Fields of `firesat.batch`, scaled.
    odds : Tensor
        Log odds of the window, ``(N, L, Y, X)``.
    chip : int
        Its number.

    Returns
    -------
    Example
        On the CPU.
    """
    look = batch["sentinel2"][chip, 0, list(_COLOURS)] if batch["sentinel2"].shape[1] else None
    unlikely = torch.nn.functional.logsigmoid(-odds[chip].float()).sum(dim=0)
    return Example(
        look=None if look is None else look.float().cpu().numpy(),
        clear=None if look is None else batch["clear"][chip, 0].float().cpu().numpy(),
        chance=(-torch.expm1(unlikely)).detach().cpu().numpy(),
        burned=(batch["label"][chip] > 0).cpu().numpy(),
        known=(batch["valid"][chip] > 0).all(dim=0).cpu().numpy(),
    )
