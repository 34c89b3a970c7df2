"""The draws of one split: disjoint strata, and three draws that reach all other chips."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from firesat.errors import SampleError
from firesat.sampling.matching import Bin, Matching, allocate, union
from firesat.sampling.reservoir import Reservoir

POSITIVE = "positive"
"""Chips with fire, of both kinds together: what a draw is asked for."""

FIRE = ("growth", "new")
"""Chips with fire: in which a fire of before T burns on, among others; in which only later ones
burn."""

STRATA = (*FIRE, "near_fire", "hard", "matched", "random")
"""With fire, twice; near a known fire; of the same fire weather and land cover as chips with fire;
of the same season and land cover; any. A chip that several draws took has the first."""

FAR = ("random", "matched", "hard")
"""Draws that reach the chips without fire that are far from known ones."""

_ALL: Bin = (0, 0)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What decides the strata of a panel's chips on one issue day.

    Parameters
    ----------
    burns : ndarray of bool, shape (chips,)
        Chips with label 1 in any head.
    grows : ndarray of bool, shape (chips,)
        Those of them with label 1 for growth.
    near : ndarray of bool, shape (chips,)
        Chips near an active fire known at T.
    fuel : ndarray of int, shape (chips,)
        Commonest land cover.
    fwi : ndarray of float, shape (chips,)
        Fire Weather Index that is matched; NaN = not known.
    """

    burns: NDArray[np.bool_]
    grows: NDArray[np.bool_]
    near: NDArray[np.bool_]
    fuel: NDArray[np.integer]
    fwi: NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A panel's chips of a day, as they go by."""

    facts: Facts
    rows: NDArray[np.void]
    season: int
    classes: NDArray[np.int64]
    member: NDArray[np.bool_]

    def bins(self, stratum: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First and second number of every chip's bin."""
        fuel = np.asarray(self.facts.fuel, dtype=np.int64)
        if stratum == "hard":
            return self.classes, fuel
        if stratum == "matched":
            return np.full_like(fuel, self.season), fuel
        return np.zeros_like(fuel), np.zeros_like(fuel)


class Part:
    """One split's reservoirs."""

    def __init__(
        self, split: str, wanted: Mapping[str, int], number: int, growth: float | None
    ) -> None:
        if wanted[POSITIVE] < len(FIRE):
            raise SampleError(f"{split}: {wanted[POSITIVE]} chip with fire is too few: from 2 on")
        self.split, self.number, self._wanted, self._growth = split, number, wanted, growth
        self._reservoirs: dict[tuple[str, Bin], Reservoir] = {}
        self._positives: dict[str, Counter[Bin]] = {"matched": Counter(), "hard": Counter()}
        self._taken: dict[tuple[str, Bin], int] = {}

    def add(self, seen: Seen, numbers: NDArray[np.float64]) -> None:
        """Let chips go by every draw that may take them."""
        burns = seen.facts.burns & seen.member
        grows = seen.facts.grows & burns
        near = seen.facts.near & seen.member & ~burns
        far = seen.member & ~burns & ~near
        for stratum, mask in {
            "growth": grows, "new": burns & ~grows, "near_fire": near, **dict.fromkeys(FAR, far)
        }.items():  # fmt: skip
            draws = numbers[STRATA.index(stratum)]
            for name, chips in _by_bin(*seen.bins(stratum), mask):
                self._reservoir(stratum, name).add(draws[chips], seen.rows[chips])
        for stratum, counter in self._positives.items():
            counter.update({name: len(c) for name, c in _by_bin(*seen.bins(stratum), burns)})

    def _reservoir(self, stratum: str, name: Bin) -> Reservoir:
        """The one of a bin."""
        key = stratum, name
        if key not in self._reservoirs:
            self._reservoirs[key] = Reservoir(self._most(stratum))
        return self._reservoirs[key]

    def _most(self, stratum: str) -> int:
        """Chips that a stratum may have to give: one kind with fire makes up for the other."""
        return self._wanted[POSITIVE if stratum in FIRE else stratum]

    def _frame(self, stratum: str) -> dict[Bin, int]:
        """Chips of each bin that went by."""
        return {name: r.seen for (of, name), r in self._reservoirs.items() if of == stratum}

    def close(self) -> None:
        """Decide how many chips each bin gives."""
        fires = {stratum: self._frame(stratum).get(_ALL, 0) for stratum in FIRE}
        if not any(r.seen for r in self._reservoirs.values()):
            raise SampleError(
                f"the split {self.split} has no chip: its periods must be longer than the horizon, "
                "and its places larger than a chip and its buffers"
            )
        if not any(fires.values()):
            raise SampleError(
                f"the split {self.split} has no chip with fire: nothing burns in its periods and "
                "places that is not of another split too; choose others, or more of them"
            )
        positives = min(sum(fires.values()), self._wanted[POSITIVE])
        growth = _growing(positives, self._growth, **fires)
        self._taken = {("growth", _ALL): growth, ("new", _ALL): positives - growth}
        scale = positives / self._wanted[POSITIVE]
        for stratum in STRATA[len(FIRE) :]:
            number = round(self._wanted[stratum] * scale)
            frame = self._frame(stratum)
            if stratum in self._positives:
                numbers = allocate(number, self._positives[stratum], frame)
            else:  # at least one: every chip of the frame needs a chance
                least = min(1, self._wanted[stratum])
                numbers = {name: min(max(least, number), seen) for name, seen in frame.items()}
            self._taken.update({(stratum, name): n for name, n in numbers.items()})

    def design(self) -> list[dict[str, object]]:
        """One row for each stratum, and for each bin in which there are chips with fire."""
        return [
            {
                "split": self.split,
                "stratum": stratum,
                "season_or_fwi": name[0],
                "fuel": name[1],
                "frame": self._frame(stratum).get(name, 0),
                "taken": self._taken.get((stratum, name), 0),
            }
            for stratum, name in sorted(self._taken)
            if self._most(stratum)
        ]

    def chips(self, matching: Matching) -> pd.DataFrame:
        """The chips taken, each once, with its chance."""
        parts = [
            pd.DataFrame(reservoir.take(self._taken.get(key, 0))).assign(drawn_by=key[0])
            for key, reservoir in sorted(self._reservoirs.items())
        ]
        rows = pd.concat(parts, ignore_index=True)
        place = ["day", "panel", "chip"]
        rows["order"] = rows["drawn_by"].map(STRATA.index)
        rows = rows.sort_values([*place, "order"], kind="stable")
        drawn_by = pd.Series(rows.groupby(place)["drawn_by"].agg(list).tolist())
        rows = rows.drop_duplicates(place).reset_index(drop=True)
        rows = rows.assign(split=self.split, stratum=rows["drawn_by"], drawn_by=drawn_by)
        return rows.drop(columns="order").assign(pi=self._chances(rows, matching))

    def _chances(self, rows: pd.DataFrame, matching: Matching) -> NDArray[np.float64]:
        """Inclusion probability of each chip, whichever draw took it."""
        days = rows["day"].to_numpy().astype("datetime64[D]").astype(str)
        season = np.array([matching.season(day) for day in days], dtype=np.int64)
        fuel, fwi = rows["fuel"].to_numpy(), matching.fwi_class(rows["fwi"].to_numpy())
        none = np.zeros_like(season)
        first = {"hard": fwi, "matched": season}
        chances = {
            stratum: self._chance(
                stratum,
                first.get(stratum, none),
                fuel if stratum in first else none,
            )
            for stratum in STRATA
        }
        far = union(*(chances[stratum] for stratum in FAR))
        disjoint = (*FIRE, "near_fire")
        return np.select(
            [rows["stratum"] == stratum for stratum in disjoint],
            [chances[stratum] for stratum in disjoint],
            far,
        )

    def _chance(
        self, stratum: str, first: NDArray[np.integer], second: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Chance of each chip to be taken by one draw: n / N of its bin."""
        frame = self._frame(stratum)
        return np.array(
            [
                self._taken.get((stratum, name), 0) / frame[name] if name in frame else 0.0
                for name in zip(first.tolist(), second.tolist(), strict=True)
            ],
            dtype=np.float64,
        )


def _growing(number: int, share: float | None, growth: int, new: int) -> int:
    """How many of some chips with fire show growth, of so many of each kind that there are."""
    wanted = round(number * (growth / (growth + new) if share is None else share))
    # what one kind lacks the other gives; of each that there is, one or more
    least, most = max(number - new, min(1, growth)), min(growth, number - min(1, new))
    return max(least, min(most, wanted))


def _by_bin(
    first: NDArray[np.int64], second: NDArray[np.int64], mask: NDArray[np.bool_]
) -> Iterator[tuple[Bin, NDArray[np.intp]]]:
    """The chips of a mask, bin by bin."""
    chosen = np.flatnonzero(mask)
    pairs = np.stack([first[chosen], second[chosen]], axis=1)
    names, which = np.unique(pairs, axis=0, return_inverse=True)
    for number, (one, other) in enumerate(names.tolist()):
        yield (one, other), chosen[which.ravel() == number]
