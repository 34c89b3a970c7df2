"""The published networks on 8 looks: a step of training, and a forecast, beside plain float32."""

import copy
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import psutil
import torch
from torch import Tensor, nn

from benchmarks.timing import Timing, interleaved
from firesat.benchmark.settings import BenchmarkInputs
from firesat.compiling import compile_if_quicker
from firesat.precision import cast, quickest
from firesat_models.canadafiresat import ResNetConvLSTM, ViTConvLSTM

MANY = 1_000_000  # batches: a map for which compiling is worth while
LOOKS, CELLS = 8, 12  # 120 x 120 pixels a look
CPU = torch.device("cpu")
TRAIN = {"cnn": 3.0, "vit": 2.5}  # targets: times as fast as float32 as it comes
FORECAST = {"cnn": 6.0, "vit": 4.0}
BRIER, ODDS = 1e-4, 0.01  # targets: what precision may cost


def _network(kind: str) -> nn.Module:
    """One of the published models, from random weights."""
    torch.manual_seed(0)
    channels = replace(BenchmarkInputs(resolution=10, looks=LOOKS).channels, size=CELLS)
    return (ResNetConvLSTM if kind == "cnn" else ViTConvLSTM)(channels)


def _sample() -> dict[str, Tensor]:
    """One sample of noise."""
    rng = torch.Generator().manual_seed(1)
    side = 10 * CELLS + 4
    return {
        "sentinel2": torch.randn(1, LOOKS, 13, side, side, generator=rng),
        "age": 60 * torch.rand(1, LOOKS, CELLS, CELLS, generator=rng),
        "clear": torch.ones(1, LOOKS, CELLS, CELLS),
        "season": torch.randn(1, 2, generator=rng),
    }


def _learn(network: nn.Module, batch: dict[str, Tensor], precision: str) -> None:
    """Forward and backward."""
    with cast(CPU, precision):
        loss = network(batch).float().square().mean()
    loss.backward()
    network.zero_grad()


def _forecast(network: nn.Module, batch: dict[str, Tensor], precision: str) -> Tensor:
    """Chances of one batch."""
    with torch.inference_mode(), cast(CPU, precision):
        return network(batch).float().sigmoid()


def step(kind: str) -> list[Timing]:
    """B7: a training step; ours is what the first step of a training would choose."""
    return _row(kind, _learn, TRAIN[kind], learn=True)


def forecast(kind: str) -> list[Timing]:
    """B8: a forecast; ours is what the first chips of a long map would choose."""
    timings = _row(kind, _forecast, FORECAST[kind], learn=False)
    return [replace(timings[0], note=timings[0].note + _differs(kind)), *timings[1:]]


def _row(
    kind: str,
    run: Callable[[nn.Module, dict[str, Tensor], str], object],
    target: float,
    *,
    learn: bool,
) -> list[Timing]:
    """Time one network in its layouts and precisions."""
    logging.getLogger("firesat.precision").setLevel(logging.WARNING)
    plain, batch = _network(kind).train(learn), _sample()
    packed = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    chosen, ours = quickest(packed, batch, learn=learn), copy.deepcopy(packed)
    compiled = not learn and compile_if_quicker(ours, batch, chosen, runs=MANY)
    timings = interleaved(
        {
            f"chosen: {chosen}, channels_last{', compiled' if compiled else ''}": partial(
                run, ours, batch, chosen
            ),
            "float32 as it comes": partial(run, plain, batch, "float32"),
            "float32, channels_last": partial(run, packed, batch, "float32"),
            "bfloat16": partial(run, plain, batch, "bfloat16"),
            "bfloat16, channels_last": partial(run, packed, batch, "bfloat16"),
        }
    )
    gain = timings[1].median / timings[0].median
    missed = "" if gain >= target else ": MISSED"
    load = psutil.getloadavg()[0]
    note = f"{gain:.2f} x float32 as it comes (target {target}){missed}, load {load:.1f}"
    return [
        replace(timing, note=f"{LOOKS / timing.median:.1f} looks/s  {note if not n else ''}")
        for n, timing in enumerate(timings)
    ]


def _differs(kind: str) -> str:
    """What bfloat16 costs: the Brier score, and 99 of 100 chances."""
    network, batch = _network(kind).eval(), _sample()
    exact, near = (_forecast(network, batch, name) for name in ("float32", "bfloat16"))
    burnt = torch.bernoulli(exact, generator=torch.Generator().manual_seed(2))
    brier = ((near - burnt).square() - (exact - burnt).square()).mean().abs().item()
    apart = (near - exact).abs().flatten().quantile(0.99).item()
    over = " (DIFFERENT ANSWER)" if brier > BRIER or apart > ODDS else ""
    return f", bfloat16: Brier {brier:.1e}, chance {apart:.4f} apart{over}"
