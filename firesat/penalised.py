"""A logistic regression with a penalty, on cells that stand for others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

_STEPS = 50  # of a search at most; ten are usual
_GAIN = 1e-6  # of the loss: with less a search is at its end
_LEAST = 1e-9


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Cells to learn from.

    Parameters
    ----------
    features : Tensor
        ``(cells, F)``.
    label : Tensor
        ``(cells, L)``, 0 to 1.
    weight : Tensor
        ``(cells, L)``: for how many cells each stands.
    """

    features: Tensor
    label: Tensor
    weight: Tensor

    def columns(self, which: Sequence[int]) -> "Rows":
        """Give the same cells with some of their features.

        Parameters
        ----------
        which : sequence of int
            Features.

        Returns
        -------
        Rows
            Shares what it can.
        """
        return replace(self, features=self.features[:, list(which)])

    def heads(self, which: Sequence[int]) -> "Rows":
        """Give the same cells with some of their labels.

        Parameters
        ----------
        which : sequence of int
            Heads.

        Returns
        -------
        Rows
            Shares what it can.
        """
        some = list(which)
        return replace(self, label=self.label[:, some], weight=self.weight[:, some])


def together(parts: Sequence[Rows]) -> Rows:
    """Give all cells of all parts.

    Parameters
    ----------
    parts : sequence of Rows
        One or more, of the same features and heads.

    Returns
    -------
    Rows
        One after the other.
    """
    return Rows(
        features=torch.cat([part.features for part in parts]),
        label=torch.cat([part.label for part in parts]),
        weight=torch.cat([part.weight for part in parts]),
    )


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A logistic regression.

    Parameters
    ----------
    weight : Tensor
        ``(L, F)``.
    bias : Tensor
        ``(L,)``.
    """

    weight: Tensor
    bias: Tensor

    def surprise(self, rows: Rows) -> Tensor:
        """Give the cross-entropy of each head, summed over cells.

        Parameters
        ----------
        rows : Rows
            Cells.

        Returns
        -------
        Tensor
            ``(L,)``.
        """
        return _entropy(rows.features @ self.weight.T + self.bias, rows)


def fit(rows: Rows, penalty: float, begin: Fit | None = None) -> Fit:
    """Fit each head by its penalised likelihood.

    Parameters
    ----------
    rows : Rows
        Cells.
    penalty : float
        Of the squared weights of standardised features. The likelihood is counted for each unit of
        weight that burns, so that it means the same for rare and for common fires.
    begin : Fit, optional
        To search from, such as under another penalty: a few steps are then enough.

    Returns
    -------
    Fit
        For features as they come.
    """
    mean, deviation = rows.features.mean(dim=0), rows.features.std(dim=0).clamp(min=1e-3)
    scaled = functional.pad((rows.features - mean) / deviation, (0, 1), value=1.0)
    burning = (rows.weight * rows.label).sum(dim=0)
    rate = (burning / rows.weight.sum(dim=0)).nan_to_num().clamp(1e-7, 0.5)
    # a head without fire has nothing to learn but its rate
    found = functional.pad(torch.zeros(len(rate), len(mean)), (0, 1))
    found[:, -1] = rate.logit()
    for head in burning.nonzero()[:, 0].tolist():
        if begin is not None:
            found[head, :-1] = begin.weight[head] * deviation
            found[head, -1] = begin.bias[head] + begin.weight[head] @ mean
        weight = rows.weight[:, head] / burning[head]
        found[head] = _newton(scaled, rows.label[:, head], weight, found[head], penalty)
    weight = found[:, :-1] / deviation
    return Fit(weight=weight, bias=found[:, -1] - weight @ mean)


def _newton(features: Tensor, label: Tensor, weight: Tensor, at: Tensor, penalty: float) -> Tensor:
    """Weights of one head, the last that of the constant, by Newton's method with halved steps."""
    ridge = torch.full_like(at, 2.0 * penalty)
    ridge[-1] = _LEAST

    def loss(at: Tensor) -> Tensor:
        """Entropy and penalty."""
        logits = features @ at
        entropy = (functional.softplus(logits) - logits * label) @ weight
        return entropy + 0.5 * (ridge * at.square()).sum()

    now = loss(at)
    for _ in range(_STEPS):
        chance = (features @ at).sigmoid()
        slope = features.T @ (weight * (chance - label)) + ridge * at
        bend = (features * (weight * chance * (1.0 - chance))[:, None]).T @ features
        step = torch.linalg.solve(bend + ridge.diag(), slope)
        while (after := loss(at - step)) > now and step.abs().max() > _LEAST:
            step = step / 2
        if after > now:  # no shorter step is better
            break
        at, gain, now = at - step, now - after, after
        if gain < _GAIN * now:
            break
    return at


def _entropy(logits: Tensor, rows: Rows) -> Tensor:
    """Sum of the cross-entropy of each head."""
    return ((functional.softplus(logits) - logits * rows.label) * rows.weight).sum(dim=0)
