"""Days as strips of characters: a row for each month or, of what is not daily, for each year."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from statistics import median

import numpy as np

from firesat.cube.calendar import Step

LEGEND = "# there   + in part   - the provider has nothing   ! failed   ? not asked for yet"


def strips(calendar: Mapping[str, Sequence[Step]]) -> Iterator[str]:
    """Draw a cube's days.

    Parameters
    ----------
    calendar : mapping of list of Step
        By group.

    Yields
    ------
    str
        Lines: what the characters mean, then each group's name and rows. Beside a row stands how
        long after its day, at 00 UTC, a step became available: the least, the middle and the most.
    """
    yield LEGEND
    for name, steps in calendar.items():
        days = np.array([step.day for step in steps], dtype="datetime64[D]")
        cut = 7 if (np.diff(days) == np.timedelta64(1, "D")).any() else 4
        yield ""
        yield name
        for label, some in groupby(steps, key=lambda step: step.day[:cut]):
            row = list(some)
            marks = _month(row) if cut == 7 else "".join(step.mark for step in row)
            yield f"  {label}  {marks:{31 if cut == 7 else 46}}  {_latency(row)}".rstrip()


def _month(steps: Sequence[Step]) -> str:
    """A character for each day of a month, from its first."""
    marks = {int(step.day[8:]): step.mark for step in steps}
    return "".join(marks.get(day, " ") for day in range(1, max(marks) + 1))


def _latency(steps: Sequence[Step]) -> str:
    """Days from the beginning of a step to when it could be had."""
    waits = [
        float((np.datetime64(moment) - np.datetime64(step.day)) / np.timedelta64(1, "D"))
        for step in steps
        for moment in (step.first, step.last)
        if moment
    ]
    if not waits:
        return ""
    told = dict.fromkeys(f"{wait:.1f}" for wait in (min(waits), median(waits), max(waits)))
    return f"known {', '.join(told)} days later"
