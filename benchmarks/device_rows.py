"""Training on a device: chips a second, share of its peak, memory, and the wait for the loader.

Not part of `make bench`, which has no GPU:

    python -m benchmarks.device_rows --device cuda --batch 64
    python -m benchmarks.device_rows --device cpu --batch 2 --steps 2 --size 40
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from firesat.datamodule import ChipData
from firesat.forecast import Forecaster
from firesat.jobs.train.models import build_network
from firesat.precision import cast
from firesat.project import shipped
from firesat.samples import Inputs
from tests.tiny_chips import write_tiny_chips

NETWORKS = ("cnn", "vit", "conv_lstm")
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L4": 121e12, "RTX 4090": 165e12}
"""Dense bfloat16 operations a second, by the makers' data sheets."""
CHIPS = 64
WARM = 3  # steps that are not timed


@dataclass(frozen=True, kw_only=True)
class Row:
    """One network on one device."""

    network: str
    device: str
    precision: str
    batch: int
    chips_per_second: float
    compute_chips_per_second: float
    loader_wait: float
    tflops: float
    share_of_peak: float | None
    memory_gib: float | None


def measure(name: str, data: ChipData, device: torch.device, precision: str, steps: int) -> Row:
    """Train some steps from the store, then the same steps from one batch that stays."""
    torch.manual_seed(0)
    network = build_network(shipped("configs/model") / f"{name}.yaml", data.channels)
    forecaster = Forecaster(network).to(device).train()
    optimizer = torch.optim.AdamW(forecaster.network.parameters(), lr=1e-4)
    batches = cycle(data.train_dataloader())
    first = _onto(next(batches), device)
    flops = _flops(forecaster, first, device, precision)
    _steps(forecaster, optimizer, [first] * WARM, device, precision)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    fed = (_onto(batch, device) for batch in islice(batches, steps))
    whole = _steps(forecaster, optimizer, fed, device, precision)
    alone = _steps(forecaster, optimizer, [first] * steps, device, precision)
    chips = data.batch_size
    rate = steps * flops / alone
    peak = next((value for key, value in PEAKS.items() if key in _name(device)), None)
    memory = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None
    return Row(
        network=name,
        device=_name(device),
        precision=precision,
        batch=chips,
        chips_per_second=steps * chips / whole,
        compute_chips_per_second=steps * chips / alone,
        loader_wait=max(0.0, 1.0 - alone / whole),
        tflops=rate / 1e12,
        share_of_peak=None if peak is None else rate / peak,
        memory_gib=memory,
    )


def _steps(
    forecaster: Forecaster,
    optimizer: torch.optim.Optimizer,
    batches: Any,  # noqa: ANN401  a list or a generator
    device: torch.device,
    precision: str,
) -> float:
    """Seconds of some steps of training, the device's work done."""
    start = time.perf_counter()
    for batch in batches:
        _loss(forecaster, batch, device, precision).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _loss(
    forecaster: Forecaster, batch: dict[str, Tensor], device: torch.device, precision: str
) -> Tensor:
    """What a step makes small; the loss itself is a few operations a cell."""
    with cast(device, precision):
        found = forecaster.network(batch)
    return found.float().square().mean()


def _flops(
    forecaster: Forecaster, batch: dict[str, Tensor], device: torch.device, precision: str
) -> float:
    """Operations of one step, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        _loss(forecaster, batch, device, precision).backward()
    forecaster.zero_grad(set_to_none=True)
    return float(counter.get_total_flops())


def _onto(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """A batch where the network stands."""
    return {name: value.to(device, non_blocking=True) for name, value in batch.items()}


def _name(device: torch.device) -> str:
    """What the device calls itself."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def rows(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure every network in both precisions."""
    device = torch.device(arguments.device)
    with tempfile.TemporaryDirectory() as folder:
        path = write_tiny_chips(
            Path(folder) / "chips.zarr", CHIPS, 4, Inputs(), size=arguments.size
        )
        data = ChipData(path, batch_size=arguments.batch, workers=arguments.workers)
        for name in arguments.networks.split(","):
            for precision in ("float32", "bfloat16"):
                yield measure(name, data, device, precision, arguments.steps)


def main(words: list[str] | None = None) -> int:
    """Measure, and print a line of JSON for each network and precision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--size", type=int, default=80, help="cells of a chip's side")
    parser.add_argument("--workers", type=int, default=4, help="threads that read ahead")
    for row in rows(parser.parse_args(words)):
        sys.stdout.write(json.dumps(asdict(row)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
