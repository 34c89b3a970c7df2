"""What is watched while a network learns: loss and scores of every map over a validation."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torchmetrics import MeanMetric

from firesat.hazard import Outputs, day_loss
from firesat.losses import cell_weight, masked_bce
from firesat.monitor import RunningScores, combine


class Watch(nn.Module):
    """Loss and scores of every map, over all batches of a validation.

    Parameters
    ----------
    processes : sequence of str
        Heads with a score of their own, in their order; any fire always has one.
    """

    def __init__(self, processes: Sequence[str]) -> None:
        super().__init__()
        self._processes = tuple(processes)
        self.scores = nn.ModuleDict({name: RunningScores() for name in ("fire", *processes)})
        self.loss, self.day_loss = MeanMetric(), MeanMetric()
        self.last: dict[str, float] = {}

    def update(self, found: Outputs, batch: dict[str, Tensor]) -> None:
        """Add one batch.

        Parameters
        ----------
        found : Outputs
            What was forecast.
        batch : dict of Tensor
            With ``label``, ``valid`` and ``weight``; with ``lead`` and ``starts`` where the days
            are known.
        """
        logits, label = found.odds, batch["label"]
        cells = cell_weight(batch["valid"], batch["weight"])
        loss = masked_bce(logits, label, cells)
        self.loss.update(loss, cells.sum())
        if found.leads and "lead" in batch:
            self.day_loss.update(loss + day_loss(found, batch, cells), cells.sum())
        self._of("fire").update(combine(logits), label.amax(dim=1), cells.amin(dim=1))
        for head, name in enumerate(self._processes):
            self._of(name).update(logits[:, head], label[:, head], cells[:, head])

    def finish(self) -> dict[str, Tensor]:
        """Give what all batches together say, and forget them.

        Returns
        -------
        dict of Tensor
            ``val/loss`` of the window; ``val/day_loss``, the days counted in; ``val/ap``,
            ``val/prevalence`` and ``val/ratio`` of any fire, then with the name of each process.
        """
        out = {"val/loss": self.loss.compute()}
        if self.day_loss.update_called:
            out["val/day_loss"] = self.day_loss.compute()
        for name in self.scores:
            suffix = "" if name == "fire" else f"_{name}"
            scores = self._of(name).compute()
            out |= {f"val/{score}{suffix}": value for score, value in scores.items()}
        for metric in (self.loss, self.day_loss, *map(self._of, self.scores)):
            metric.reset()
        self.last = {name: float(value) for name, value in out.items() if value.isfinite()}
        return out

    def _of(self, name: str) -> RunningScores:
        """The running scores of one map."""
        return cast("RunningScores", self.scores[name])
