"""Compiling a network for a long map: tried once, and kept where it is quicker and says the same.

TorchInductor fuses what a network does between its products and writes weights down in the
precision that they are used in. It needs a C++ compiler and a minute or two, which hours of
forecasting are worth and a small map is not.
"""

import copy
import logging
import time
import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from firesat.precision import APART, cast

log = logging.getLogger(__name__)

WORTH = 600.0
"""Seconds that a job must have left for a compilation to be tried; it takes a minute or two."""

_GAIN = 0.9  # of the time: less is not told from a busy machine
_REPEATS = 3


def compile_if_quicker(
    network: nn.Module,
    batch: Mapping[str, Tensor],
    precision: str,
    runs: int,
    *,
    wanted: float = 1.0,
) -> bool:
    """Compile a network in place where that shortens the job and changes no forecast.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, on its device.
    batch : mapping of Tensor
        Of the shapes that it will always be given: other ones would be compiled anew.
    precision : str
        As of `precision.cast`.
    runs : int
        Such batches to come.
    wanted : float
        Share of them that is asked for, 0 to 1: the rest only fills batches up, which a network
        that is not compiled would be spared.

    Returns
    -------
    bool
        Whether it is compiled now. It is not where the job is shorter than `WORTH`, this machine
        has no compiler, the network cannot be compiled, its device has no room for a second one,
        a tenth of the time is not saved, or more than 1 of 100 forecasts moves by more than
        `precision.APART` in log odds.
    """
    run = _runner(network, batch, precision)
    whole, answer = _quickest_of(run)
    before = wanted * whole
    if before * runs < WORTH:
        return False
    from torch._dynamo.exc import TorchDynamoException  # takes seconds to import

    log.info("trying to compile the network: a minute or two")
    start, trial = time.perf_counter(), copy.deepcopy(network)
    try:
        after, other = _compiled(trial, batch, precision)
    # no compiler, nothing that one could compile, or no room for a second network on the device
    except (TorchDynamoException, torch.OutOfMemoryError) as error:
        log.info("not compiled: %s", " ".join(str(error).split())[:200])
        return False
    apart = (other - answer).abs().flatten().quantile(0.99).item()
    wins = after < _GAIN * before and apart <= APART
    log.info(
        "compiled in %.0f s: %.3f s a batch, %.3f s before, %.3f apart in log odds: %s",
        time.perf_counter() - start,
        after,
        before,
        apart,
        "kept" if wins else "left alone",
    )
    if wins:
        _compiled(network, batch, precision)  # what was made for the trial is found again
    return wins


def _compiled(
    network: nn.Module, batch: Mapping[str, Tensor], precision: str
) -> tuple[float, Tensor]:
    """Compile a network, with its weights as they are now; seconds of a run, and its answer."""
    from torch._inductor import config

    network.compile(dynamic=False)
    with config.patch(freezing=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Guards may run slower on Python")
        return _quickest_of(_runner(network, batch, precision))


def _runner(
    network: nn.Module, batch: Mapping[str, Tensor], precision: str
) -> Callable[[], Tensor]:
    """A run that gives some logits, back on the CPU, so that the clock waits for the device."""
    device = next(network.parameters()).device

    def run() -> Tensor:
        """Forecast once."""
        with torch.inference_mode(), cast(device, precision):
            logits: Tensor = network(dict(batch))
        # a quantile takes no more than 16 million
        return logits.flatten()[:1_000_000].float().cpu()

    return run


def _quickest_of(run: Callable[[], Tensor]) -> tuple[float, Tensor]:
    """Seconds of the quickest run after a first one, and its answer."""
    answer, best = run(), torch.inf
    for _ in range(_REPEATS):
        start = time.perf_counter()
        answer = run()
        best = min(best, time.perf_counter() - start)
    return best, answer
