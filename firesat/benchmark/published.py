"""The published scores of CanadaFireSat, from validations and tests of any forecaster."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from firesat.benchmark.canadafiresat import CanadaFireSat
from firesat.benchmark.scores import Scores, fwi_scores, pooled_scores
from firesat.errors import ConfigError
from firesat.manifest import write_json
from firesat.monitor import combine


class Cells(NamedTuple):
    """Known cells of one batch or of many, all of shape (cells,).

    Parameters
    ----------
    chance : Tensor
        0 to 1.
    burned : Tensor of bool
        What happened.
    region : Tensor
        Number of the province or territory.
    positive : Tensor of bool
        Whether any cell of the sample burned.
    fwi : Tensor
        Fire weather index before T; NaN where it was not read.
    """

    chance: Tensor
    burned: Tensor
    region: Tensor
    positive: Tensor
    fwi: Tensor

    def scores(self, which: Tensor) -> Scores:
        """Score some of the cells.

        Parameters
        ----------
        which : Tensor of bool, shape (cells,)
            Which of them.

        Returns
        -------
        dict of float
            As `pooled_scores`.
        """
        return pooled_scores(self.chance[which], self.burned[which])


class PublishedScores(pl.Callback):
    """Log the published scores after each validation and test, over all cells pooled.

    As ``published/prauc``, ``published/f1`` and so on, see `scores.pooled_scores`. After
    ``firesat train validate`` and ``test`` they also stand in ``canadafiresat_SPLIT.json`` under
    the trainer's root, for samples with fire alone and for each province and territory besides.
    """

    def __init__(self) -> None:
        self._parts: list[Cells] = []

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start from nothing.

        Parameters
        ----------
        trainer : Trainer
            Of the run.
        pl_module : LightningModule
            The forecaster.

        Raises
        ------
        ConfigError
            If it runs on other data.
        """
        _data_of(trainer)
        self._parts = []

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: Mapping[str, Tensor],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the known cells of a batch.

        Parameters
        ----------
        trainer : Trainer
            Of the run.
        pl_module : LightningModule
            The forecaster.
        outputs : object
            The logits of the step, so that nothing is computed twice.
        batch : mapping of Tensor
            What has been forecast.
        batch_idx, dataloader_idx : int
            Not used.
        """
        if isinstance(outputs, Tensor):
            self._parts.append(_cells(outputs.detach(), batch))

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Score what was kept.

        Parameters
        ----------
        trainer : Trainer
            Of the run.
        pl_module : LightningModule
            The forecaster.
        """
        if not self._parts:
            return
        cells = Cells(*(torch.cat(parts) for parts in zip(*self._parts, strict=True)))
        self._parts = []
        whole = _whole(cells)
        pl_module.log_dict({f"published/{name}": value for name, value in whole.items()})
        if trainer.state.fn != "fit":
            _write(trainer, cells, whole)

    on_test_start = on_validation_start
    on_test_batch_end = on_validation_batch_end
    on_test_epoch_end = on_validation_epoch_end


def _data_of(trainer: pl.Trainer) -> CanadaFireSat:
    """The data module of a run."""
    data = getattr(trainer, "datamodule", None)
    if not isinstance(data, CanadaFireSat):
        raise ConfigError(
            "PublishedScores goes with firesat.benchmark.canadafiresat.CanadaFireSat alone: "
            "leave it out of trainer.callbacks"
        )
    return data


def _cells(logits: Tensor, batch: Mapping[str, Tensor]) -> Cells:
    """The known cells of a batch, on the CPU."""
    known = batch["valid"].amin(dim=1) > 0
    each = known.flatten(1).sum(dim=1)
    chance = combine(logits).sigmoid()[known]
    burned = batch["label"].amax(dim=1)[known] > 0
    told = (batch[name].repeat_interleave(each) for name in ("region", "positive", "fwi"))
    return Cells(*(part.cpu() for part in (chance, burned, *told)))


def _whole(cells: Cells) -> Scores:
    """Scores of all cells."""
    references = fwi_scores(cells.fwi, cells.burned) if bool(cells.fwi.isfinite().any()) else {}
    return pooled_scores(cells.chance, cells.burned) | references


def _write(trainer: pl.Trainer, cells: Cells, whole: Scores) -> None:
    """Write the scores of the whole and of its parts."""
    data = _data_of(trainer)
    split = data.test if trainer.state.fn == "test" else "val"
    regions = {
        name: _finite(cells.scores(cells.region == number))
        for number, name in enumerate(data.regions)
        if bool((cells.region == number).any())
    }
    record = {
        "split": split,
        **_finite(whole),
        "samples_with_fire": _finite(cells.scores(cells.positive)),
        "regions": regions,
    }
    write_json(Path(trainer.default_root_dir) / f"canadafiresat_{split}.json", record)


def _finite(scores: Scores) -> dict[str, float | None]:
    """Scores as JSON has them: null for NaN."""
    return {name: value if math.isfinite(value) else None for name, value in scores.items()}
