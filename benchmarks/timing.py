"""Timing that a busy machine cannot fool much: interleaved repetitions, medians, spreads."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

REPETITIONS = 5


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds of one contender."""

    name: str
    median: float
    spread: float
    note: str = ""


def interleaved(
    contenders: Mapping[str, Callable[[], object]], repetitions: int = REPETITIONS
) -> list[Timing]:
    """Time contenders in turns (A B C A B C ...), after one warm-up each.

    Returns medians and interquartile ranges in seconds.
    """
    for run in contenders.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repetitions):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    timings = []
    for name, values in seconds.items():
        quarters = statistics.quantiles(values, n=4)
        timings.append(
            Timing(name=name, median=statistics.median(values), spread=quarters[2] - quarters[0])
        )
    return timings
