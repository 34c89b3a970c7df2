"""The draw: chips taken with known chances while the frame goes by, in bounded memory.

Every chip of the frame draws a number of its own; a stratum, or a bin of it, takes the n chips with
the smallest numbers, which is simple random sampling without replacement (permanent random
numbers: Ohlsson 1995, in Business Survey Methods, Wiley, 153-169). So each of N chips had the
chance n / N. Four strata are disjoint: with a fire that grows, with new fires alone, near a known
fire, and far from all; chips far from all are reached by three independent draws, at random,
matched and hard, and their chance is that of the union. Sums weighted by ``1 / pi`` then estimate
sums over the frame without bias (Horvitz and Thompson 1952, doi:10.1080/01621459.1952.10483446).
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from firesat.sampling.matching import Matching
from firesat.sampling.part import FIRE, POSITIVE, STRATA, Facts, Part, Seen
from firesat.sampling.reservoir import ROW

_EPOCH = np.datetime64("1970-01-01", "D")


class Draw:
    """A draw, fed with the frame panel by panel and day by day.

    Parameters
    ----------
    wanted : mapping of mapping of int
        Split to stratum to number of chips, of "positive" those of both `FIRE` together, 2 or more;
        a stratum that has fewer gives all. Fewer are taken where there are fewer chips with fire,
        so that ratios stay.
    matching : Matching
        What counts as alike.
    seed : int
        Same seed, same frame: same chips, whatever its order.
    growth : float, optional
        Share of the chips with fire that show growth; default as many of them as of the frame's.
    hard : mapping of str
        Hard split to the split whose frame it shares: it takes the same chips with fire, and as
        many others as that split, all of them from the stratum hard, in a draw of its own.
    """

    def __init__(
        self,
        wanted: Mapping[str, Mapping[str, int]],
        matching: Matching,
        seed: int,
        *,
        growth: float | None = None,
        hard: Mapping[str, str] | None = None,
    ) -> None:
        self._matching, self._seed = matching, seed
        self._parts = {
            split: Part(split, numbers, tuple(wanted).index(split), growth)
            for split, numbers in wanted.items()
        }
        self._hard = {
            name: (of, Part(name, _hard_only(wanted[of]), len(wanted) + number, growth))
            for number, (name, of) in enumerate(sorted((hard or {}).items()))
        }

    def add(
        self, split: str, day: str, panel: int, facts: Facts, member: NDArray[np.bool_]
    ) -> None:
        """Let a panel's chips of one issue day go by.

        Parameters
        ----------
        split : str
            Which split they may be taken for.
        day : str
            Issue day.
        panel : int
            Its number.
        facts : Facts
            Of all its chips.
        member : ndarray of bool, shape (chips,)
            Which of them belong to the split's frame.
        """
        season, issue = self._matching.season(day), int((np.datetime64(day) - _EPOCH).astype(int))
        rows = np.zeros(len(member), dtype=ROW)
        rows["day"], rows["panel"], rows["chip"] = issue, panel, np.arange(len(member))
        rows["fuel"], rows["fwi"] = facts.fuel, facts.fwi
        classes = self._matching.fwi_class(rows["fwi"])
        seen = Seen(facts=facts, rows=rows, season=season, classes=classes, member=member)
        for part in self._feeding(split):
            rng = np.random.default_rng([self._seed, part.number, panel, issue])
            part.add(seen, rng.random((len(STRATA), len(member))))

    def _feeding(self, split: str) -> Iterator["Part"]:
        """The split's own part, and those of the hard splits that share its frame."""
        yield self._parts[split]
        yield from (part for of, part in self._hard.values() if of == split)

    def finish(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Take the chips.

        Returns
        -------
        chips : pd.DataFrame
            One row a chip: `split`, `stratum`, `drawn_by` (every draw that took it), `day` (since
            1970-01-01), `panel`, `chip`, `fuel`, `fwi`, and `pi`, its inclusion probability.
        design : pd.DataFrame
            One row for each bin: `split`, `stratum`, `season_or_fwi` and `fuel`, which are 0 where
            the stratum has no bins, `frame` chips there were and `taken`.

        Raises
        ------
        SampleError
            If a split has no chip, or none with fire.
        """
        chips, design = [], []
        for part in self._parts.values():
            part.close()
            chips.append(part.chips(self._matching))
            design += part.design()
        for name, (of, part) in sorted(self._hard.items()):
            part.close()
            taken, own = chips[tuple(self._parts).index(of)], part.chips(self._matching)
            fires = taken[taken["stratum"].isin(FIRE)]
            others = own[~own["stratum"].isin(FIRE)]
            chips.append(pd.concat([fires.assign(split=name), others]))
            design += part.design()
        return pd.concat(chips, ignore_index=True), pd.DataFrame(design)


def _hard_only(wanted: Mapping[str, int]) -> dict[str, int]:
    """As many negatives as a split takes, all of them hard."""
    negatives = sum(wanted.values()) - wanted[POSITIVE]
    return {**dict.fromkeys(STRATA, 0), POSITIVE: wanted[POSITIVE], "hard": negatives}


def weights(pi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn inclusion probabilities into weights.

    Parameters
    ----------
    pi : ndarray of float, shape (n,)
        Above 0, at most 1.

    Returns
    -------
    ndarray of float, shape (n,)
        ``1 / pi``, divided by its mean: a loss keeps its size whatever the design.
    """
    raw = 1.0 / pi
    scaled: NDArray[np.float64] = raw / raw.mean()
    return scaled
