"""The precision in which a network is quickest on this machine: measured once, never believed.

bfloat16 halves the time on processors that multiply it (AVX512-BF16, AMX, GPUs since Ampere) and
takes ten times as long on others; on one machine it may speed one network and slow another.
"""

import copy
import logging
import time
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)

Precision = Literal["float32", "bfloat16"]

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")

APART = 0.05
"""Log odds by which 99 of 100 forecasts in bfloat16 may differ, else it is not used: 5 % of the
odds."""

_REPEATS = 3
_GAIN = 0.9  # of the time: less is not told from a busy machine


def cast(device: torch.device, precision: str) -> Any:  # noqa: ANN401  torch's own context
    """Let a network compute in a precision.

    Parameters
    ----------
    device : torch.device
        Where it stands.
    precision : str
        "bfloat16": products and convolutions; sums, norms and weights stay in float32. Anything
        else changes nothing.

    Returns
    -------
    context manager
        `torch.autocast`.
    """
    if precision != "bfloat16":
        return torch.autocast(device.type, enabled=torch.is_autocast_enabled(device.type))
    return torch.autocast(device.type, torch.bfloat16)


def quickest(network: nn.Module, batch: Mapping[str, Tensor], *, learn: bool) -> Precision:
    """Measure a network in both precisions, in turns, and choose.

    Parameters
    ----------
    network : nn.Module
        It is not changed, nor are the random numbers.
    batch : mapping of Tensor
        Such as it will be given.
    learn : bool
        Whether a step of training is measured, forward and backward; else a forecast.

    Returns
    -------
    {"float32", "bfloat16"}
        bfloat16 where it saves a tenth of the time, and forecasts stay within `APART`; float32
        where torch was told to be deterministic, since a clock is not.
    """
    if torch.are_deterministic_algorithms_enabled():
        log.info("float32: no clock decides where results shall be the same bit for bit")
        return "float32"
    trial = copy.deepcopy(network).train(learn)
    device = next(trial.parameters()).device
    best: dict[Precision, float] = {}
    answers: dict[Precision, Tensor] = {}
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        for _ in range(1 + _REPEATS):
            for precision in PRECISIONS:
                start = time.perf_counter()
                answers[precision] = _run(trial, dict(batch), device, precision, learn=learn)
                seconds = time.perf_counter() - start
                best[precision] = min(seconds, best.get(precision, torch.inf))
    apart = (answers["bfloat16"] - answers["float32"]).abs().flatten().quantile(0.99).item()
    wins = best["bfloat16"] < _GAIN * best["float32"] and (learn or apart <= APART)
    log.info(
        "%s of %d chips: float32 %.3f s, bfloat16 %.3f s, %.3f apart in log odds: %s",
        "step" if learn else "forecast",
        len(batch["age"]),
        best["float32"],
        best["bfloat16"],
        apart,
        PRECISIONS[wins],
    )
    return PRECISIONS[wins]


def _run(
    network: nn.Module,
    batch: dict[str, Tensor],
    device: torch.device,
    precision: Precision,
    *,
    learn: bool,
) -> Tensor:
    """Some logits of one run, back on the CPU, so that the clock waits for the device."""
    with torch.set_grad_enabled(learn), cast(device, precision):
        logits: Tensor = network(batch)
    if learn:
        logits.float().square().mean().backward()  # type: ignore[no-untyped-call]
        network.zero_grad()
    # a quantile takes no more than 16 million
    return logits.detach().flatten()[:1_000_000].float().cpu()
