"""Whether the splits keep apart: in ground, in time, and fire by fire."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from firesat.audit.evidence import Chip, Evidence
from firesat.audit.result import Check, Leaks
from firesat.samples import SampleSettings
from firesat.splits import Boxes, Groups, days_between, kilometres

Pair = tuple[str, str]


def pairs(chips: list[Chip], hard: Mapping[str, str]) -> Iterator[Pair]:
    """List the pairs of splits that must not know each other.

    Parameters
    ----------
    chips : list of Chip
        All chips.
    hard : mapping
        Hard split to the one that it shares chips with.

    Yields
    ------
    tuple of str
        Two splits.
    """
    names = list(dict.fromkeys(chip.split for chip in chips))
    for one, other in combinations(names, 2):
        if hard.get(one, one) != hard.get(other, other):
            yield one, other


def check_fires(evidence: Evidence, groups: Groups, settings: SampleSettings) -> Check:
    """Look for a fire that two splits hold.

    Parameters
    ----------
    evidence : Evidence
        Store and cube. Fires are read from the cube's labels, not from the store's table.
    groups : Groups
        Which fires are one.
    settings : SampleSettings
        Hard splits, window and label.

    Returns
    -------
    Check
        Named "same_fire".
    """
    inputs, holders = settings.inputs, defaultdict[str, dict[str, Chip]](dict)
    for chip in evidence.chips:
        labels = evidence.labels(chip)
        first = chip.day.astype(int)
        last = first + inputs.window.horizon - 1
        burnt = labels["fraction"] >= inputs.burnt
        # an undated fire may burn on any day: comparisons with NaN are False
        outside = (labels["latest"] < first) | (labels["earliest"] > last)
        numbers = labels["fire_id"][burnt & ~outside]
        for number in np.unique(numbers[numbers > 0]).astype(int).tolist():
            name = groups.name(int(str(chip.day)[:4]), number)
            holders[name].setdefault(chip.split, chip)
    leaks = Leaks()
    for one, other in pairs(evidence.chips, settings.hard):
        for name, of in holders.items():
            if one in of and other in of:
                leaks.add(f"fire {name} is in {one} and {other}: {of[one]}, {of[other]}")
    wintered = f", {len(groups)} of which overwintered" if len(groups) else ""
    return leaks.check(
        "same_fire",
        "a fire, winters included, in two splits",
        f"{len(holders)} fires{wintered}",
    )


@dataclass(frozen=True, kw_only=True)
class _Nearest:
    """The nearest chips of two splits, each in the dimension that the other leaves open."""

    km: float
    days: float
    worst: tuple[Chip, Chip, float, float] | None


def check_apart(evidence: Evidence, settings: SampleSettings) -> Check:
    """Measure how far apart the chips of two splits lie.

    Parameters
    ----------
    evidence : Evidence
        Store and cube.
    settings : SampleSettings
        The rule that they must keep.

    Returns
    -------
    Check
        Named "apart".
    """
    leaks, found = Leaks(), []
    for one, other in pairs(evidence.chips, settings.hard):
        some = [chip for chip in evidence.chips if chip.split == one]
        others = [chip for chip in evidence.chips if chip.split == other]
        nearest = _nearest(some, others, settings)
        parts = [
            f"{value:.3g} {unit}"
            for value, unit, limit in (
                (nearest.km, "km", settings.apart.km),
                (nearest.days, "days", settings.apart.days),
            )
            if np.isfinite(value) and np.isfinite(limit)
        ]
        found.append(f"{one} and {other} {' or '.join(parts) or 'never near'}")
        if nearest.worst:
            first, second, km, days = nearest.worst
            leaks.add(
                f"{first} and {second} are {km:.3g} km and {days:.0f} days apart, not "
                f"{settings.apart}"
            )
    return leaks.check(
        "apart",
        f"chips of two splits nearer than {settings.apart}",
        "; ".join(found) or "one split",
    )


def _nearest(some: list[Chip], others: list[Chip], settings: SampleSettings) -> _Nearest:
    """Go through the places of one split, each against all of the other."""
    rule, horizon = settings.apart, settings.inputs.window.horizon
    mine, theirs = _by_place(some), _by_place(others)
    boxes = _boxes(list(theirs))
    lists = [np.array([chip.day for chip in chips]) for chips in theirs.values()]
    lengths = np.array([len(days) for days in lists])
    days, owners = np.concatenate(lists), np.repeat(np.arange(len(lists)), lengths)
    every = [chip for chips in theirs.values() for chip in chips]
    least, shortest, worst = np.inf, np.inf, None
    for place, chips in mine.items():
        km = kilometres(_boxes([place]), boxes)[0][owners]
        for chip in chips:
            gap = days_between(days, chip.day, horizon)
            least = min(least, float(km[gap < rule.days].min(initial=np.inf)))
            shortest = min(shortest, float(gap[km < rule.km].min(initial=np.inf)))
            near = ~rule.holds(km, gap)
            if worst is None and near.any():
                which = int(np.flatnonzero(near)[np.lexsort((gap[near], km[near]))[0]])
                worst = chip, every[which], float(km[which]), float(gap[which])
    return _Nearest(km=least, days=shortest, worst=worst)


def _by_place(chips: list[Chip]) -> dict[tuple[int, int, int], list[Chip]]:
    """Chips by their ground: row, column and side."""
    places = defaultdict(list)
    for chip in chips:
        places[(*chip.corner, chip.size)].append(chip)
    return dict(places)


def _boxes(places: list[tuple[int, int, int]]) -> Boxes:
    """Ground of some places in metres, from the national corner; rows run south."""
    row, col, size = np.array(places, dtype=np.float64).T * 100
    boxes: NDArray[np.float64] = np.stack([col, -row - size, col + size, -row], axis=1)
    return boxes
