"""Gradient boosting on tabular drivers, behind the same batches as the networks.

Each cell is a row: the weather of its newest day and of longer spans, fires, ground, season, and
the newest look and composite, as studies of fire occurrence tabulate them (Jain et al. 2020,
Environ. Rev. 28, 478). Cells that do not burn are sub-sampled and weighted, so that the
probabilities are those of full maps.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import Tensor
from torch.nn import functional

from firesat.batch import HEADS
from firesat.penalised import Rows
from firesat.regression import gather

log = logging.getLogger(__name__)

SPANS = (8, 32)
"""Days over which the weather is averaged besides: the horizon, and a month."""

LEAVES = (4, 15)
"""Sizes of a tree to choose from, by the surprise of the validation chips."""

_TREES, _RATE, _LEAST_CELLS, _PENALTY = 300, 0.05, 200, 1.0
_LOWEST, _HIGHEST = 1e-7, 0.99

Batches = Iterable[dict[str, Tensor]]


class Tabular:
    """The drivers of a cell as one row; NaN where one is not known."""

    bias = torch.zeros(len(HEADS))
    """One for each head: what :func:`firesat.regression.gather` counts them by."""

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """Give the row of every cell.

        Parameters
        ----------
        batch : dict of Tensor
            Fields of `firesat.batch`, scaled.

        Returns
        -------
        Tensor
            ``(N, F, Y, X)``; coarse fields are those of the cell that each lies in.
        """
        size = batch["age"].shape[-2:]
        weather = _unknown_as_nan(batch["weather"], batch["weather_mask"][..., None, None])
        modis = _unknown_as_nan(batch["modis"], batch["modis_mask"])
        look = _unknown_as_nan(batch["sentinel2"], batch["clear"][:, :, None])
        fires = _unknown_as_nan(batch["fire"], batch["fire_mask"][..., None, None])
        season = batch["season"][..., None, None].expand(-1, -1, *size)
        coarse = [_newest(weather), *(weather[:, -span:].nanmean(dim=1) for span in SPANS)]
        coarse.append(_newest(modis))
        enlarged = [functional.interpolate(part, size=size, mode="nearest") for part in coarse]
        newest = [look[:, 0], _unknown_as_nan(batch["age"][:, :1], batch["clear"][:, :1])]
        return torch.cat([*enlarged, fires, batch["static"], season, *newest], dim=1)


def _unknown_as_nan(values: Tensor, mask: Tensor) -> Tensor:
    """NaN, which trees take as a value of its own."""
    return torch.where(mask > 0, values, torch.nan)


def _newest(values: Tensor) -> Tensor:
    """The last known step of each variable, (N, V, y, x)."""
    known = ~values.isnan()
    steps = torch.arange(1, values.shape[1] + 1, device=values.device)[:, None, None, None]
    last = (known * steps).amax(dim=1, keepdim=True) - 1
    found = values.take_along_dim(last.clamp(min=0), dim=1)[:, 0]
    return torch.where(last[:, 0] >= 0, found, torch.nan)


@dataclass(frozen=True, kw_only=True)
class Boosting:
    """One ensemble of trees for each head.

    Parameters
    ----------
    trees : tuple
        Fitted classifiers in the order of `firesat.batch.HEADS`; None where nothing burned, which
        then never does.
    """

    trees: tuple[HistGradientBoostingClassifier | None, ...]

    @classmethod
    def fit(cls, train: Batches, val: Batches, seed: int = 0) -> "Boosting":
        """Fit it.

        Parameters
        ----------
        train, val : iterable of dict of Tensor
            Batches to learn from, and to choose the size and number of the trees by.
        seed : int
            Of the rows that are drawn.

        Returns
        -------
        Boosting
            Fitted.
        """
        learned, judged = (gather(Tabular(), batches, seed) for batches in (train, val))
        return cls(trees=tuple(_best(learned, judged, head, seed) for head in range(len(HEADS))))

    def predict(self, batch: dict[str, Tensor]) -> NDArray[np.float32]:
        """Forecast one batch.

        Parameters
        ----------
        batch : dict of Tensor
            Fields of `firesat.batch`, scaled.

        Returns
        -------
        ndarray of float32, shape (N, 2, Y, X)
            Probability of each head.
        """
        features = Tabular().features(batch)
        number, _, height, width = features.shape
        rows = features.movedim(1, -1).flatten(0, 2).numpy()
        heads = [_chance(trees, rows) for trees in self.trees]
        return np.stack(heads, axis=1).reshape(number, height, width, -1).transpose(0, 3, 1, 2)


def _chance(
    trees: HistGradientBoostingClassifier | None, rows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Probability of each row."""
    if trees is None:
        return np.full(len(rows), _LOWEST, dtype=np.float32)
    found = np.clip(trees.predict_proba(rows)[:, 1], _LOWEST, _HIGHEST)
    return np.asarray(found, dtype=np.float32)


def _best(train: Rows, val: Rows, head: int, seed: int) -> HistGradientBoostingClassifier | None:
    """The size and number of trees under which the validation rows are least surprising."""
    x, y, weight = _known(train, head)
    if not y.any():
        return None
    x_val, y_val, weight_val = _known(val, head)
    found: list[tuple[float, int, int]] = []
    for leaves in LEAVES:
        trees = _trees(leaves, _TREES, seed).fit(x, y, sample_weight=weight)
        staged = (_surprise(p[:, 1], y_val, weight_val) for p in trees.staged_predict_proba(x_val))
        found += [(value, leaves, number + 1) for number, value in enumerate(staged)]
    value, leaves, number = min(found)
    log.info(
        "boosting of %s: %d trees of %d leaves, entropy %.6f", HEADS[head], number, leaves, value
    )
    return _trees(leaves, number, seed).fit(x, y, sample_weight=weight)


def _known(
    rows: Rows, head: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
    """Rows with a label of this head."""
    known = rows.weight[:, head] > 0
    weight = rows.weight[known, head].double().numpy()
    # of mean 1, so that the penalty means the same for rare and for common chips
    return (
        rows.features[known].numpy(),
        (rows.label[known, head] > 0).numpy(),
        weight / weight.mean(),
    )


def _trees(leaves: int, number: int, seed: int) -> HistGradientBoostingClassifier:
    """A classifier before it is fitted."""
    return HistGradientBoostingClassifier(
        learning_rate=_RATE,
        max_iter=number,
        max_leaf_nodes=leaves,
        min_samples_leaf=_LEAST_CELLS,
        l2_regularization=_PENALTY,
        early_stopping=False,
        random_state=seed,
    )


def _surprise(
    chance: NDArray[np.float64], burned: NDArray[np.bool_], weight: NDArray[np.float64]
) -> float:
    """Weighted mean cross-entropy."""
    given = np.clip(np.where(burned, chance, 1 - chance), _LOWEST, 1.0)
    return float(-(weight * np.log(given)).sum() / weight.sum())
