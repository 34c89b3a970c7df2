"""Fit a network's drivers: a logistic regression with a penalty, before its training begins."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
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

BATCHES = 1024
"""Read at most, for the sake of memory: 16 000 chips in batches of 16."""

FOLDS = 4
"""Parts of the seasons to choose by; more cost time."""

ENOUGH = 30_000
"""Cells of a part to choose by."""

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

    @property
    def choices(self) -> list[list[int]]:
        """Columns of the features that may get a weight together, the fewest first."""
        ...


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


def start(drivers: Linear, seasons: Sequence[Batches], val: Batches | None) -> Tensor:
    """Fit a network's drivers on the training chips.

    Which features get a weight, and how much it is held back, is what forecasts seasons best that
    it was not learned from, head by head: each in turn is left out, that of `val` too. More than
    `FOLDS` are left out some at once.

    Parameters
    ----------
    drivers : Linear
        Gets the weights.
    seasons : sequence of iterables of dict of Tensor
        Batches to learn from, of each season.
    val : iterable of dict of Tensor, optional
        Batches of other seasons, to choose by alone. Without any other season all features are
        taken and the largest penalty, which trusts the chips least.

    Returns
    -------
    Tensor
        ``(L,)``: the bias of each head, base rate included.

    Raises
    ------
    SampleError
        If no cell of the training chips is known.
    """
    learned = [gather(drivers, batches) for batches in seasons]
    everything = _together(learned)
    if len(everything.label) < 2:  # one has no spread
        raise SampleError(
            f"of {len(everything.label)} cells of the training chips it is known whether they "
            "burned: give sample.splits with labels, and run firesat sample again"
        )
    folds = _folds(learned if val is None else [*learned, gather(drivers, val)])
    ways = list(product(drivers.choices, PENALTIES))
    best = [(drivers.choices[-1], max(PENALTIES))] * len(drivers.bias)
    if len(folds) > 1:
        turns = [(part, _together([*folds[:n], *folds[n + 1 :]])) for n, part in enumerate(folds)]
        surprise = torch.stack([_left_out(turns, *way) for way in ways])
        best = [ways[int(each)] for each in surprise.argmin(dim=0)]
    drivers.weight.zero_()
    bias = torch.empty(len(best))
    for head, (columns, penalty) in enumerate(best):
        found = fit(everything.columns(columns), penalty)
        drivers.weight[head, columns] = found.weight[head].to(drivers.weight.device)
        bias[head] = found.bias[head]
    log.info(
        "drivers fitted on %d cells: %s",
        len(everything.label),
        ", ".join(f"{len(columns)} features with penalty {penalty:g}" for columns, penalty in best),
    )
    return bias


def _together(parts: Sequence[Rows]) -> Rows:
    """All cells of all parts."""
    return Rows(
        features=torch.cat([part.features for part in parts]),
        label=torch.cat([part.label for part in parts]),
        weight=torch.cat([part.weight for part in parts]),
    )


def _folds(seasons: Sequence[Rows]) -> list[Rows]:
    """Seasons in at most `FOLDS` parts, thinned; those without a known cell are none."""
    known = [rows for rows in seasons if rows.weight.any()]
    parts = [_together(known[first::FOLDS]) for first in range(min(FOLDS, len(known)))]
    return [_thinned(part) for part in parts]


def _thinned(rows: Rows) -> Rows:
    """Some of the cells, which count for the rest."""
    step = -(-len(rows.label) // ENOUGH)
    return Rows(
        features=rows.features[::step], label=rows.label[::step], weight=step * rows.weight[::step]
    )


def _left_out(turns: Sequence[tuple[Rows, Rows]], columns: Sequence[int], penalty: float) -> Tensor:
    """Cross-entropy of each head, each part forecast by the others."""
    found = [
        fit(others.columns(columns), penalty).surprise(part.columns(columns))
        for part, others in turns
    ]
    return torch.stack(found).sum(dim=0)
