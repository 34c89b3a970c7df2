"""Scores to watch while a network learns: weighted like the loss, in constant memory."""

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import Metric

BINS = 260
"""Bins of log odds, each 10 % of the odds wide, for chances from 1.5e-8 to 0.9997."""

_LOWEST, _STEP = -18.0, 0.1


class RunningScores(Metric):
    """Average precision, prevalence and the ratio of expected to observed, over many batches.

    Forecasts are counted in bins of equal width in the logit, so that one in a million and one in a
    thousand are told apart; within a bin they count as ties.
    """

    full_state_update = False
    hits: Tensor
    cells: Tensor
    expected: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("hits", default=torch.zeros(BINS), dist_reduce_fx="sum")
        self.add_state("cells", default=torch.zeros(BINS), dist_reduce_fx="sum")
        self.add_state("expected", default=torch.zeros(()), dist_reduce_fx="sum")

    def update(self, logits: Tensor, label: Tensor, weight: Tensor) -> None:
        """Add forecasts and what happened.

        Parameters
        ----------
        logits : Tensor
            Any shape.
        label : Tensor
            0 or 1, same shape.
        weight : Tensor
            Same shape; 0 = not known.
        """
        known = weight > 0
        score, truth, mass = logits[known].float(), label[known].float(), weight[known].float()
        place = bin_of(score)
        self.hits += torch.bincount(place, mass * truth, minlength=BINS)
        self.cells += torch.bincount(place, mass, minlength=BINS)
        self.expected += (mass * score.sigmoid()).sum()

    def compute(self) -> dict[str, Tensor]:
        """Give the scores of everything added so far.

        Returns
        -------
        dict of Tensor
            ``ap`` (0..1), ``prevalence`` (0..1) and ``ratio`` = sum of p / sum of y; NaN where
            nothing burnt, or no cell was known.
        """
        hits, cells = self.hits.flip(0).cumsum(0), self.cells.flip(0).cumsum(0)
        burnt = hits[-1]
        # AP = sum of (recall gained) x (precision) from the highest forecast down
        gained = torch.diff(hits, prepend=hits.new_zeros(1)) / burnt
        precision = hits / cells.clamp(min=1e-12)
        return {
            "ap": (gained * precision).sum(),
            "prevalence": burnt / cells[-1],
            "ratio": self.expected / burnt,
        }


def bin_of(odds: Tensor) -> Tensor:
    """Sort log odds into bins of equal width.

    Parameters
    ----------
    odds : Tensor
        Any shape.

    Returns
    -------
    Tensor
        int64, same shape, 0 to `BINS` - 1; what lies beyond is in the first and the last.
    """
    return ((odds - _LOWEST) / _STEP).clamp(0, BINS - 1).long()


def combine(logits: Tensor) -> Tensor:
    """Join independent processes: the logit of 1 - (1 - g)(1 - n).

    Parameters
    ----------
    logits : Tensor
        ``(N, L, Y, X)``.

    Returns
    -------
    Tensor
        float32 ``(N, Y, X)``. Computed from the logarithms of (1 - p), so that chances of 1e-5 keep
        their digits.
    """
    return log_odds(functional.softplus(logits.float()).sum(dim=1))


def log_odds(hazard: Tensor) -> Tensor:
    """Turn -log(1 - p) into log(p / (1 - p)).

    Parameters
    ----------
    hazard : Tensor
        Above 0.

    Returns
    -------
    Tensor
        Same shape.
    """
    # log(exp(h) - 1), written so that it neither overflows nor cancels
    return hazard + torch.log(-torch.expm1(-hazard))


def probabilities(logits: Tensor) -> Tensor:
    """Give the chance of any fire, then that of each process where there are several.

    Parameters
    ----------
    logits : Tensor
        ``(N, L, Y, X)``.

    Returns
    -------
    Tensor
        float32 ``(N, 1 + L, Y, X)``, 0..1; of a single head ``(N, 1, Y, X)``.
    """
    fire = combine(logits)[:, None]
    return torch.cat([fire, logits] if logits.shape[1] > 1 else [fire], dim=1).sigmoid()
