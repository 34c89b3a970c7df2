"""Fit a network's drivers: a logistic regression with a penalty, before its training begins."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from firesat.errors import SampleError
from firesat.hazard import targets
from firesat.losses import cell_weight

log = logging.getLogger(__name__)

PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Of the squared weights, against the entropy for each unit of burning weight."""

BATCHES = 256
"""Read at most; more add little to so few weights."""

CELLS = 128
"""Cells of a chip that do not burn to look at; those that do are all taken."""

Batches = Iterable[dict[str, Tensor]]


class Tabled(Protocol):
    """What makes rows of cells."""

    bias: Tensor

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """Give what is weighed, ``(N, F, Y, X)``."""
        ...


class Linear(Tabled, Protocol):
    """What can be fitted: see `firesat_models.drivers`."""

    weight: Tensor


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

    def entropy(self, rows: Rows) -> Tensor:
        """Give the mean cross-entropy of each head.

        Parameters
        ----------
        rows : Rows
            Cells.

        Returns
        -------
        Tensor
            ``(L,)``; NaN where no cell is known.
        """
        return _entropy(rows.features @ self.weight.T + self.bias, rows) / rows.weight.sum(dim=0)


def gather(drivers: Tabled, batches: Batches, seed: int = 0) -> Rows:
    """Take cells from chips: all that burn, and some of the others, which count for the rest.

    Parameters
    ----------
    drivers : Tabled
        Whose features are taken; its bias has one entry for each map.
    batches : iterable of dict of Tensor
        With ``label``, ``valid`` and ``weight``; the first `BATCHES` are read.
    seed : int
        Of the choice.

    Returns
    -------
    Rows
        On the CPU.
    """
    rng = torch.Generator().manual_seed(seed)
    parts = []
    for batch in islice(batches, BATCHES):
        cells = cell_weight(batch["valid"], batch["weight"])
        label, weight = targets(batch, cells, len(drivers.bias))
        flat = (values.flatten(2) for values in (drivers.features(batch), label, weight))
        parts += [_take(f, y, w, rng) for f, y, w in zip(*flat, strict=True)]
    features, label, weight = (torch.cat(part) for part in zip(*parts, strict=True))
    return Rows(features=features, label=label, weight=weight)


def _take(
    features: Tensor, label: Tensor, weight: Tensor, rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Cells of one chip."""
    burning = ((label > 0) & (weight > 0)).any(dim=0)
    others = ((weight > 0).any(dim=0) & ~burning).nonzero()[:, 0]
    some = others[torch.randperm(len(others), generator=rng)[:CELLS]]
    place = torch.cat([burning.nonzero()[:, 0], some])
    times = torch.ones(len(place))
    times[len(place) - len(some) :] = len(others) / max(1, len(some))
    known = (weight[:, place] > 0).T
    return (
        features[:, place].T,
        label[:, place].T.where(known, 0.0),
        weight[:, place].T * times[:, None],
    )


def fit(rows: Rows, penalty: float) -> Fit:
    """Fit each head by its penalised likelihood.

    Parameters
    ----------
    rows : Rows
        Cells.
    penalty : float
        Of the squared weights of standardised features. The likelihood is counted for each unit of
        weight that burns, so that it means the same for rare and for common fires.

    Returns
    -------
    Fit
        For features as they come.
    """
    mean, deviation = rows.features.mean(dim=0), rows.features.std(dim=0).clamp(min=1e-3)
    scaled = Rows(features=(rows.features - mean) / deviation, label=rows.label, weight=rows.weight)
    burning = (rows.weight * rows.label).sum(dim=0)
    rate = (burning / rows.weight.sum(dim=0)).nan_to_num().clamp(1e-7, 0.5)
    weight = torch.zeros(len(rate), len(mean), requires_grad=True)
    bias = rate.logit().requires_grad_()
    search = torch.optim.LBFGS([weight, bias], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        entropy = _entropy(scaled.features @ weight.T + bias, scaled) / burning.clamp(min=1e-12)
        # a head without fire has nothing to learn but its rate
        loss = entropy.where(burning > 0, 0.0).sum() + penalty * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    search.step(closure)  # type: ignore[no-untyped-call]
    found = weight.detach() / deviation
    return Fit(weight=found, bias=bias.detach() - found @ mean)


def _entropy(logits: Tensor, rows: Rows) -> Tensor:
    """Sum of the cross-entropy of each head."""
    return ((functional.softplus(logits) - logits * rows.label) * rows.weight).sum(dim=0)


def start(
    drivers: Linear, train: Batches, val: Batches | None, penalties: Sequence[float] = PENALTIES
) -> Tensor:
    """Fit a network's drivers on the training chips, with the penalty that the others ask for.

    Parameters
    ----------
    drivers : Linear
        Gets the weights.
    train, val : iterable of dict of Tensor
        Batches to learn from, and to choose the penalty by, head by head; without the latter it is
        the largest, which trusts the training chips least.
    penalties : sequence of float
        To choose from.

    Returns
    -------
    Tensor
        ``(L,)``: the bias of each head, base rate included.

    Raises
    ------
    SampleError
        If no cell of the training chips is known.
    """
    learned = gather(drivers, train)
    if len(learned.label) < 2:  # one has no spread
        raise SampleError(
            f"of {len(learned.label)} cells of the training chips it is known whether they burned: "
            "give sample.splits with labels, and run firesat sample again"
        )
    penalties = penalties if val is not None else [max(penalties)]
    fits = [fit(learned, penalty) for penalty in penalties]
    judged = learned if val is None else gather(drivers, val)
    losses = torch.stack([each.entropy(judged) for each in fits]).nan_to_num(nan=0.0)
    best = losses.argmin(dim=0)
    heads = range(len(best))
    drivers.weight.copy_(torch.stack([fits[best[head]].weight[head] for head in heads]))
    log.info(
        "drivers fitted on %d cells: penalties %s",
        len(learned.label),
        ", ".join(f"{penalties[int(each)]:g}" for each in best),
    )
    return torch.stack([fits[best[head]].bias[head] for head in heads])
