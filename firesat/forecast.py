"""Forecaster: the one way a network learns, and the one way it speaks.

A network maps a batch (`firesat.batch`) to ``(N, channels.outputs, Y, X)``: log odds of the window,
then what shares them among its days (`firesat.hazard`). It is a plain module that keeps its
constructor's arguments under their own names and declares ``halo``, the cells at a chip's edge that
are dropped since it knows too little about them, ``reach``, the cells beyond which nothing in a
chip changes a forecast (None: all of the chip may; no more than the halo: a map is the same from
chips of any size that begin on multiples of the stride), and ``stride``, which divides its side.
"""

from dataclasses import asdict
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from firesat import hazard, regression
from firesat.batch import HEADS
from firesat.calibration import Curve
from firesat.checkpoint import RECORD, record_of
from firesat.errors import TrainingError
from firesat.losses import Loss, UsualWeight, cell_weight
from firesat.mishaps import diverged, refuse_broken, say_random
from firesat.monitor import probabilities
from firesat.optimiser import Rates, adamw_to_the_end
from firesat.precision import PRECISIONS, cast, quickest
from firesat.watch import Watch

PROBABILITIES = ("fire", *HEADS)
"""Maps of a forecast: any fire, then one for each process."""

_BASE_RATE = 1e-3  # a cell's chance in a summer week


class Forecaster(LightningModule):
    """Teach a network to give the probability that a cell burns.

    Parameters
    ----------
    network : nn.Module
        From a batch to logits.
    learning_rate : float
        Highest rate of AdamW, reached at the end of the warm-up; a half cosine leads to 0.
    weight_decay, warmup, lowest_rate, layer_decay
        As `firesat.optimiser.Rates`; the last: of each layer of the encoder beside the next one.
    loss : Loss
        Default the cross-entropy; with any other the outputs are not calibrated.
    prior : float, optional
        Chance that a cell burns, shared by the heads; default the training chips', else 0.001.
    precision : str
        "auto": whichever the first step shows to be quicker; kept by a training that goes on.
    inputs, scaler : dict, optional
        What a batch is made of and how it is scaled; stored, so that a forecast cannot differ.
    """

    offset: Tensor

    def __init__(  # noqa: PLR0913  each is a key of the config
        self,
        network: nn.Module,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.01,
        warmup: float = 0.1,
        lowest_rate: float = 0.0,
        layer_decay: float = 1.0,
        loss: Loss = Loss(),  # noqa: B008  frozen
        prior: float | None = None,
        precision: Literal["auto", "float32", "bfloat16"] = "float32",
        inputs: dict[str, Any] | None = None,
        scaler: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        # channels_last: a third faster for the small ResNet on AVX2, no slower for the ViT
        self.network = network.to(memory_format=torch.channels_last)
        self.rates = Rates(
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            warmup=warmup,
            lowest_rate=lowest_rate,
            layer_decay=layer_decay,
        )
        self.loss, self.prior, self.precision = loss, prior, str(precision)
        self.inputs, self.scaler = dict(inputs or {}), dict(scaler or {})
        self.provenance: dict[str, Any] = {}
        channels = getattr(network, "channels", None)
        self.processes = () if channels is not None and channels.heads == 1 else HEADS
        self.leads: int = getattr(channels, "leads", 0)
        heads = max(1, len(self.processes))
        self._usual = partial(hazard.usual_odds, heads=heads, starts=self.leads > 0)
        self.register_buffer("offset", self._usual(prior or _BASE_RATE))
        self.curves: dict[str, Curve] = {}  # calibration by process; learning has none
        self.usual = UsualWeight()
        self.watch = Watch(self.processes)

    def on_fit_start(self) -> None:
        """Start from the base rate of the training chips, and fit the network's drivers to them."""
        if self.trainer.ckpt_path:
            return
        data: Any = getattr(self.trainer, "datamodule", None)
        drivers: Any = getattr(self.network, "drivers", None)
        if not self.prior and (rate := getattr(data, "base_rate", None)):
            self.offset.copy_(self._usual(rate))
        if drivers is not None and data is not None:
            validate = bool(self.trainer.limit_val_batches)
            seasons, val = regression.batches_of(data, validate=validate)
            start = regression.start(drivers, seasons, val)
            drivers.bias.copy_(start.to(self.device) - self.offset)
        say_random(self.network)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Give the log odds of burning within the window.

        Parameters
        ----------
        batch : dict of Tensor
            Fields of `firesat.batch`, scaled.

        Returns
        -------
        Tensor
            ``(N, L, Y, X)``; heads as `firesat.batch.HEADS`.
        """
        return self.outputs(batch).odds

    def outputs(self, batch: dict[str, Tensor]) -> hazard.Outputs:
        """Give everything that the network says of one batch.

        Parameters
        ----------
        batch : dict of Tensor
            Fields of `firesat.batch`, scaled.

        Returns
        -------
        Outputs
            float32; the base rate is counted in.
        """
        with cast(self.device, self.precision):
            values: Tensor = self.network(batch)
        heads = max(1, len(self.processes))
        window, scores = hazard.take_apart(values, self.leads, heads)
        # the network learns what departs from the base rate, so that rare events start out rare;
        # in bfloat16 a sum of -8 would be rounded to steps of 3 to 6 % of the odds
        offset = self.offset[: window.shape[1], None, None]
        return hazard.Outputs(self._calibrated(window.float() + offset), scores)

    def _calibrated(self, window: Tensor) -> Tensor:
        """Each process by its curve; what has none stays."""
        if not self.curves:
            return window
        maps = list(window.unbind(dim=1))
        maps[: len(self.curves)] = [
            curve(values) for curve, values in zip(self.curves.values(), maps, strict=False)
        ]
        return torch.stack(maps, dim=1)

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
        return probabilities(self(batch))

    def outlook(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give the probabilities of one batch, day by day too.

        Parameters
        ----------
        batch : dict of Tensor
            Fields of `firesat.batch`, scaled.

        Returns
        -------
        dict of Tensor
            ``probability`` as in `forecast`; of a network with leads also ``leads`` ``(N, H, Y,
            X)``, the chance to burn by the end of each, and ``starts`` ``(N, H, Y / 10, X / 10)``,
            new fires for each 1 km cell and day.
        """
        found = self.outputs(batch)
        out = {"probability": probabilities(found.odds)}
        if found.leads:
            out |= {"leads": hazard.burning_by(found), "starts": hazard.starts(found)}
        return out

    def training_step(self, batch: dict[str, Tensor], number: int) -> Tensor:
        """Compute the loss of one batch.

        Parameters
        ----------
        batch, number
            With ``label``, ``valid`` and ``weight``; and its number.

        Returns
        -------
        Tensor
            Scalar.

        Raises
        ------
        TrainingError
            If it is no number.
        """
        if self.precision not in PRECISIONS:
            found_here = quickest(self.network, batch, learn=True)
            self.precision = self.trainer.strategy.broadcast(found_here)  # one for all processes
        cells = cell_weight(batch["valid"], batch["weight"])
        found, total = self.outputs(batch), self.usual(cells)
        loss = self.loss(found.odds, batch["label"], cells, total)
        if found.leads and "lead" in batch:
            loss = loss + hazard.day_loss(found, batch, cells, total)
        if not loss.isfinite():
            raise TrainingError(diverged(self, batch, number))
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True,
                 batch_size=len(cells), sync_dist=True)  # fmt: skip
        return loss

    def validation_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        """Add one batch to the scores.

        Parameters
        ----------
        batch, _
            With ``label``, ``valid`` and ``weight``; and its number.

        Returns
        -------
        Tensor
            Log odds of the window, for callbacks.
        """
        found = self.outputs(batch)
        self.watch.update(found, batch)
        return found.odds

    def on_validation_epoch_end(self) -> None:
        """Log what all batches together say."""
        for name, value in self.watch.finish().items():
            self.log(name, value, prog_bar=name in ("val/loss", "val/ap"), sync_dist=True)

    test_step = validation_step

    def on_test_epoch_end(self) -> None:
        """Log the same of the test split, under its own name."""
        scores = {f"test/{k.removeprefix('val/')}": v for k, v in self.watch.finish().items()}
        self.log_dict(scores, sync_dist=True)

    def predict_step(self, batch: dict[str, Tensor], _: int) -> dict[str, Tensor]:
        """Forecast one batch, with the ``row`` and ``col`` of each chip.

        Parameters
        ----------
        batch, _
            Fields of `firesat.batch`, scaled, and the places; and its number.

        Returns
        -------
        dict of Tensor
            As `outlook`, and the places that came with the batch.
        """
        return self.outlook(batch) | {name: batch[name] for name in ("row", "col") if name in batch}

    def configure_optimizers(self) -> Any:  # noqa: ANN401  Lightning's own union of mappings
        """Set up AdamW, with a warm-up and a half cosine over all steps.

        Returns
        -------
        dict
            As Lightning asks for it.
        """
        return adamw_to_the_end(self.network, self.trainer.estimated_stepping_batches, self.rates)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write down what is needed to forecast with these weights.

        Parameters
        ----------
        checkpoint : dict
            Lightning's, before it is written; never with a weight that is no number.
        """
        refuse_broken(self)
        own = {name: getattr(self, name) for name in ("precision", "inputs", "scaler")}
        loss = {} if self.loss.proper else {"loss": asdict(self.loss)}
        more = own | {"scores": self.watch.last} | loss | self.provenance
        checkpoint[RECORD] = record_of(self.network, more)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on in the precision so far, where none is asked for.

        Parameters
        ----------
        checkpoint : dict
            Lightning's.
        """
        if self.precision not in PRECISIONS:
            self.precision = checkpoint.get(RECORD, {}).get("precision", self.precision)

    def on_train_batch_start(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Let a step's dropout follow from seed, epoch and batch, wherever the training began.

        Parameters
        ----------
        batch, batch_idx
            A batch and its number.
        """
        place = (self.trainer.global_rank, self.current_epoch, batch_idx)
        mixed = np.random.SeedSequence([int(self.provenance.get("seed") or 0), *place])
        torch.manual_seed(int(mixed.generate_state(1)[0]))
