"""A trained network beside baselines, on the validation chips and with intervals.

The baselines are logistic regressions on what the network sees, fitted on the training chips, and
the base rate. Chips are resampled in blocks of 200 km and 16 days, the same for all, so that
differences are paired (`firesat.metrics.bootstrap`). Maps are the better judge: `firesat evaluate`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from firesat.checkpoint import read_checkpoint
from firesat.datamodule import ChipData
from firesat.forecast import Forecaster
from firesat.jobs.train.keys import ALLOWED, assemble, check
from firesat.jobs.train.lightning import build, quiet
from firesat.jobs.train.run import complete
from firesat.losses import cell_weight
from firesat.metrics.bootstrap import LEAST_BLOCKS, Estimate, interval
from firesat.monitor import BINS, bin_of, combine
from firesat.penalised import Fit, Rows, fit, together
from firesat.regression import gather

NETWORK, BASE = "network", "base rate"

_DAYS, _TILES = 16, 2  # of a block: 200 km are two tiles
_RESAMPLES, _LEVEL = 1000, 0.9
_PENALTY = 1.0
_ALONE = {"accelerator": "cpu", "devices": 1, "num_nodes": 1, "strategy": "auto", "logger": False}

Floats = NDArray[np.float64]
Batch = dict[str, Tensor]
Progress = Callable[[int, int, str], None]
Forecasts = Mapping[str, Callable[[Batch], Tensor]]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one forecast did.

    Parameters
    ----------
    forecast : str
        `NETWORK`, or a baseline.
    ap : Estimate
        Average precision.
    brier_skill : Estimate
        1 - Brier score / that of the base rate.
    behind : Estimate
        Average precision of the network less this one's, paired.
    reliable : bool
        Whether enough blocks hold a fire for the intervals to mean something.
    """

    forecast: str
    ap: Estimate
    brier_skill: Estimate
    behind: Estimate
    reliable: bool


def standings(
    settings: Mapping[str, Any], overrides: Sequence[str], progress: Progress
) -> list[Standing]:
    """Put the best checkpoint of a training beside baselines.

    Parameters
    ----------
    settings, overrides
        As for `firesat.jobs.train.train`.
    progress : callable
        Called with (batches done, batches in all, what they are).

    Returns
    -------
    list of Standing
        The network first; empty for chips or networks that firesat's baselines cannot read, where
        nothing of the validation chips burned, and without ``best.ckpt``.

    Raises
    ------
    ConfigError, CheckpointError
        If the settings are wrong, or the checkpoint is damaged.
    """
    content = complete(assemble(settings, overrides))
    check(content)
    content["trainer"].update(_ALONE)
    with quiet():
        command = build(content, ALLOWED)
    model, data = command.model, command.datamodule
    best = Path(command.config["checkpoint"]["dirpath"]) / "best.ckpt"
    readable = isinstance(data, ChipData) and hasattr(model.network, "drivers")
    if not (readable and best.is_file()):
        return []
    model.load_state_dict(read_checkpoint(best)[1])
    forecasts = {NETWORK: _network(model), **baselines(model, data)}
    table = data.store.table
    blocks = blocks_of(table[table["split"] == "val"])
    batches = data.val_dataloader()
    return judge(tally(forecasts, _watched(batches, len(batches), progress)), blocks)


def _watched(batches: Iterable[Batch], number: int, progress: Progress) -> Iterator[Batch]:
    """Batches, of which each is told when it is done."""
    for done, batch in enumerate(batches, start=1):
        yield batch
        progress(done, number, "validation batches")


def _network(model: Forecaster) -> Callable[[Batch], Tensor]:
    """The trained network, on the CPU as it was built."""
    model.eval()
    return lambda batch: combine(model(batch))


def baselines(model: Forecaster, data: ChipData) -> dict[str, Callable[[Batch], Tensor]]:
    """Fit the baselines on the training chips.

    Parameters
    ----------
    model : Forecaster
        Of a network with drivers, which say what the regressions read.
    data : ChipData
        The chips.

    Returns
    -------
    dict
        From a batch to the log odds of any fire, ``(N, Y, X)``, by name.
    """
    network: Any = model.network
    heads = max(1, len(model.processes))
    # chips that have lost nothing, and of every season
    rows = together([gather(network.drivers, some) for some in data.seasons().values()])
    rate = float(np.log(data.base_rate / (1.0 - data.base_rate)))
    made: dict[str, Callable[[Batch], Tensor]] = {
        BASE: lambda batch: torch.full_like(batch["label"][:, 0], rate)
    }
    for name, columns in _columns(data, network.drivers).items():
        chosen = Rows(
            features=rows.features[:, columns],
            label=rows.label[:, :heads],
            weight=rows.weight[:, :heads],
        )
        made[name] = partial(_odds, fit(chosen, _PENALTY), network.drivers, columns)
    return made


def _columns(data: ChipData, drivers: Any) -> dict[str, list[int]]:  # noqa: ANN401
    """Which drivers each regression reads, as `firesat_models.drivers.Drivers.columns`."""
    weather, fires, products, *others = drivers.columns.values()
    names = data.inputs.names["weather"]
    codes = [n for n, name in enumerate(names) if name in data.inputs.fire_weather]
    return {
        "known fires": fires + products,
        "fire weather": codes or weather,
        "all drivers": sum(others, [*weather, *fires, *products]),
    }


def _odds(found: Fit, drivers: Any, columns: list[int], batch: Batch) -> Tensor:  # noqa: ANN401
    """Log odds of any fire by a regression."""
    features = drivers.features(batch)[:, columns]
    heads = torch.einsum("lf,nfyx->nlyx", found.weight, features)
    return combine(heads + found.bias[:, None, None])


def blocks_of(table: pd.DataFrame) -> NDArray[np.int64]:
    """Number the block of each chip.

    Parameters
    ----------
    table : DataFrame
        With ``tile``, such as "x23y17", and ``reference_time``.

    Returns
    -------
    ndarray of int64, shape (chips,)
        From 0 on; equal within 200 km and 16 days of a year.
    """
    place = table["tile"].str.extract(r"x(\d+)y(\d+)").astype(int) // _TILES
    time = table["reference_time"].dt
    keys = [place[0], place[1], time.year, time.day_of_year // _DAYS]
    frame = pd.concat(keys, axis=1, keys=range(len(keys)))
    found: NDArray[np.int64] = frame.groupby(list(frame)).ngroup().to_numpy(np.int64)
    return found


@torch.no_grad()
def tally(forecasts: Forecasts, batches: Iterable[Batch]) -> dict[str, Floats]:
    """Count forecasts beside what burned, chip by chip.

    Parameters
    ----------
    forecasts : mapping
        From a batch to log odds of any fire.
    batches : iterable of dict of Tensor
        In the order of the table.

    Returns
    -------
    dict of ndarray, shape (chips, 2 B + 1)
        By name: burned weight and weight in each bin of the log odds, and the weighted square of
        what the chance missed.
    """
    counted: dict[str, list[Floats]] = {name: [] for name in forecasts}
    for batch in batches:
        truth = batch["label"].amax(dim=1)
        weight = cell_weight(batch["valid"], batch["weight"]).amin(dim=1)
        for name, forecast in forecasts.items():
            counted[name].append(_count(forecast(batch).float(), truth, weight))
    return {name: np.concatenate(parts) for name, parts in counted.items()}


def _count(odds: Tensor, truth: Tensor, weight: Tensor) -> Floats:
    """Counts of the chips of one batch."""
    chips = len(odds)
    chip = torch.arange(chips)[:, None, None] * BINS
    place = (bin_of(odds) + chip).flatten()
    burned, mass = (weight * truth).flatten().double(), weight.flatten().double()
    parts = [
        torch.bincount(place, some, chips * BINS).reshape(chips, -1) for some in (burned, mass)
    ]
    missed = (weight * (odds.sigmoid() - truth).square()).double().flatten(1).sum(dim=1)
    return torch.cat([*parts, missed[:, None]], dim=1).numpy()


def judge(
    counted: Mapping[str, Floats], blocks: NDArray[np.int64], seed: int = 0
) -> list[Standing]:
    """Score every forecast, on all chips and on resampled blocks of them.

    Parameters
    ----------
    counted : mapping of str to ndarray
        From `tally`, with `NETWORK` and `BASE`.
    blocks : ndarray of int64, shape (chips,)
        From `blocks_of`.
    seed : int
        Of the resampling.

    Returns
    -------
    list of Standing
        In the order of `counted`; empty where nothing burned.
    """
    sums = {name: _by_block(values, blocks) for name, values in counted.items()}
    burning = (sums[NETWORK][:, :BINS].sum(axis=1) > 0).sum()
    if not burning:
        return []
    number = len(sums[NETWORK])
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(number, np.full(number, 1 / number), size=_RESAMPLES)
    taken = np.concatenate([np.ones((1, number)), drawn])  # all of them, then the resamples
    totals = {name: taken @ values for name, values in sums.items()}
    ap = {name: _precision(values) for name, values in totals.items()}
    with np.errstate(invalid="ignore", divide="ignore"):
        skill = {name: 1.0 - v[:, -1] / totals[BASE][:, -1] for name, v in totals.items()}
    return [
        Standing(
            forecast=name,
            ap=_estimate(ap[name]),
            brier_skill=_estimate(skill[name]),
            behind=_estimate(ap[NETWORK] - ap[name]),
            reliable=bool(burning >= LEAST_BLOCKS),
        )
        for name in counted
    ]


def _by_block(values: Floats, blocks: NDArray[np.int64]) -> Floats:
    """Sums over the chips of each block."""
    out = np.zeros((blocks.max() + 1, values.shape[1]))
    np.add.at(out, blocks, values)
    return out


def _precision(totals: Floats) -> Floats:
    """Average precision of each row; NaN where nothing burned."""
    hits = totals[:, BINS - 1 :: -1].cumsum(axis=1)
    cells = totals[:, 2 * BINS - 1 : BINS - 1 : -1].cumsum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        gained = np.diff(hits, axis=1, prepend=0.0) / hits[:, -1:]
        return np.asarray((gained * hits / np.maximum(cells, 1e-12)).sum(axis=1))


def _estimate(values: Floats) -> Estimate:
    """The first, which is of all chips, and the interval of the others."""
    return Estimate(float(values[0]), *interval(values[1:], _LEVEL))
