"""Fit a network's drivers: a logistic regression with a penalty, before its training begins."""

import logging
from collections.abc import Iterable, Sequence
from itertools import chain, islice, product
from typing import Any, Protocol

import torch
from torch import Tensor

from firesat.errors import SampleError
from firesat.hazard import targets
from firesat.losses import cell_weight
from firesat.penalised import Rows, fit, together

log = logging.getLogger(__name__)

PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
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


def batches_of(
    data: Any,  # noqa: ANN401  any data module
    *,
    validate: bool,
) -> tuple[list[Batches], Batches | None]:
    """Give the batches to fit on and to choose by, alike in all processes where several train.

    Parameters
    ----------
    data : LightningDataModule
        Such as `firesat.datamodule.ChipData`, which tells seasons apart.
    validate : bool
        Whether there are validation chips.

    Returns
    -------
    seasons : list of iterables of dict of Tensor
        Of the training chips.
    val : iterable of dict of Tensor, optional
        Of the validation chips.
    """
    if hasattr(data, "seasons"):
        val = chain(*data.seasons("val").values()) if validate else None
        return list(data.seasons("train").values()), val
    return [data.train_dataloader()], data.val_dataloader() if validate else None


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
    everything = together(learned)
    if len(everything.label) < 2:  # one has no spread
        raise SampleError(
            f"of {len(everything.label)} cells of the training chips it is known whether they "
            "burned: give sample.splits with labels, and run firesat sample again"
        )
    folds = _folds(learned if val is None else [*learned, gather(drivers, val)])
    ways = list(product(drivers.choices, PENALTIES))
    best = [len(ways) - 1] * len(drivers.bias)
    if len(folds) > 1:
        turns = [(part, together([*folds[:n], *folds[n + 1 :]])) for n, part in enumerate(folds)]
        surprise = torch.cat([_left_out(turns, columns) for columns in drivers.choices])
        best = surprise.argmin(dim=0).tolist()
    weight, bias = torch.zeros(drivers.weight.shape), torch.zeros(len(best))
    for way in set(best):
        columns, penalty = ways[way]
        heads = [head for head, its in enumerate(best) if its == way]
        found = fit(everything.columns(columns).heads(heads), penalty)
        bias[heads] = found.bias
        for head, weights in zip(heads, found.weight, strict=True):
            weight[head, columns] = weights
    drivers.weight.copy_(weight)
    log.info(
        "drivers fitted on %d cells: %s",
        len(everything.label),
        ", ".join(f"{len(ways[way][0])} features with penalty {ways[way][1]:g}" for way in best),
    )
    return bias


def _folds(seasons: Sequence[Rows]) -> list[Rows]:
    """Seasons in at most `FOLDS` parts, thinned; those with fewer than two known cells are none."""
    known = [rows for rows in seasons if (rows.weight > 0).any(dim=1).sum() > 1]
    parts = [together(known[first::FOLDS]) for first in range(min(FOLDS, len(known)))]
    return [_thinned(part) for part in parts]


def _thinned(rows: Rows) -> Rows:
    """Some of the cells, which count for the rest."""
    step = -(-len(rows.label) // ENOUGH)
    return Rows(
        features=rows.features[::step], label=rows.label[::step], weight=step * rows.weight[::step]
    )


def _left_out(turns: Sequence[tuple[Rows, Rows]], columns: Sequence[int]) -> Tensor:
    """Cross-entropy by penalty and head, each part forecast by the others."""
    total = torch.zeros(len(PENALTIES), turns[0][0].label.shape[1])
    for part, others in turns:
        judged, learned, found = part.columns(columns), others.columns(columns), None
        for n in reversed(range(len(PENALTIES))):  # the strongest is found at once
            found = fit(learned, PENALTIES[n], found)
            total[n] += found.surprise(judged)
    return total
