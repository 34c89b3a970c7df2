"""A training step fed from disk, beside the same step on a batch that is already there."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import torch
import zarr
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.chips_rows import store
from benchmarks.timing import Timing, interleaved
from firesat.chipstore import FIELDS
from firesat.datamodule import ChipData
from firesat.forecast import Forecaster
from firesat.losses import cell_weight, masked_bce
from firesat.scaling import Scaler, add_masks
from firesat_models import TemporalCNN

BATCH, STEPS = 16, 12
WAIT, RATE = 0.03, 0.97  # targets: share of the step spent waiting, and of the rate without

Batch = dict[str, Tensor]
Step = Callable[[Batch], None]


class Plain(Dataset[Batch]):
    """What one writes without this library's reader: zarr-python and NumPy, chip by chip."""

    def __init__(self) -> None:
        self._root = zarr.open_group(store().path, mode="r")
        self._scaler = Scaler.from_record(self._root.attrs["scaler"])

    def __len__(self) -> int:
        return int(self._root.attrs["chips"])

    def __getitem__(self, row: int) -> Batch:
        chip = {}
        for name, field in FIELDS.items():
            stored = np.asarray(self._root[name][row])
            chip[name] = stored.astype("f4")
            if field.scale is not None:
                chip[name] *= np.float32(field.scale)
                chip[name][stored == 65535] = np.nan
        scaled = self._scaler.apply(add_masks(chip))
        return {name: torch.from_numpy(values) for name, values in scaled.items()} | {
            "weight": torch.ones(())
        }


def feed() -> list[Timing]:
    """Twelve steps of a small network, 16 chips each."""
    path = store().path
    real = ChipData(path, batch_size=BATCH)
    step = _step(real)
    resident = next(iter(real.train_dataloader()))
    waits: dict[str, list[float]] = {}

    def fed(name: str, loader: Iterable[Batch]) -> Callable[[], None]:
        return lambda: waits.setdefault(name, []).append(_epoch(loader, step))

    contenders = {
        "ChipData": real.train_dataloader(),
        "resident batch": [resident] * (STEPS + 1),
        "DataLoader, zarr-python": DataLoader(Plain(), BATCH),
    }
    timings = interleaved({name: fed(name, loader) for name, loader in contenders.items()})
    shares = {name: float(np.median(some[1:])) for name, some in waits.items()}
    noted = [replace(timing, note=f"waits {shares[timing.name]:.1%}") for timing in timings]
    rate = timings[1].median / timings[0].median
    words = f"{noted[0].note} (target {WAIT:.0%}), {rate:.1%} of the resident rate ({RATE:.0%})"
    if shares["ChipData"] > WAIT or rate < RATE:
        words += ": MISSED"
    return [replace(noted[0], note=words + _differs(path)), *noted[1:]]


def _epoch(loader: Iterable[Batch], step: Step) -> float:
    """Some steps; returns the share of the time spent waiting for batches after the first."""
    batches, waited = iter(loader), 0.0
    step(next(batches))
    start = time.perf_counter()
    for _ in range(STEPS):
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        step(batch)
    return waited / (time.perf_counter() - start)


def _step(data: ChipData) -> Step:
    """Forward, backward and update, as the Forecaster's."""
    forecaster = Forecaster(TemporalCNN(channels=data.channels))
    optimizer = torch.optim.AdamW(forecaster.parameters(), 1e-3)

    def step(batch: Batch) -> None:
        cells = cell_weight(batch["valid"], batch["weight"])
        loss = masked_bce(forecaster(batch), batch["label"], cells, total=cells.sum())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _differs(path: object) -> str:
    """Whether the two loaders give different batches, where both give them in order."""
    ours = ChipData(path, batch_size=BATCH).train_dataloader().chips.batch(range(BATCH))
    theirs = next(iter(DataLoader(Plain(), BATCH)))
    same = all(torch.equal(ours[name], values) for name, values in theirs.items())
    return "" if same else " (DIFFERENT ANSWER)"
