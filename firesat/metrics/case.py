"""What is said of one forecast, of one comparison, of one issue day."""

import math
from dataclasses import dataclass, field

from firesat.metrics.bootstrap import LEAST_BLOCKS, Estimate
from firesat.metrics.scores import Murphy

ZONES = {
    "all": "every headline cell",
    "near": "growth: cells near hotspots known at T",
    "beyond": "new fires: cells farther away",
}
"""Parts of the map that are scored apart."""

EVENTS = ("fire", "growth", "new")
"""Any fire; fires that had started by T; fires that start after it."""


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Cells of like probability, and what became of them.

    Parameters
    ----------
    forecast : float
        Their mean probability.
    observed : Estimate
        Share of them that burned.
    cells, expected, burned : float
        How many, how many were expected to burn and how many did.
    """

    forecast: float
    observed: Estimate
    cells: float
    expected: float
    burned: float


@dataclass(frozen=True, kw_only=True)
class CaseScores:
    """Scores of one forecast of one event in one zone; never read one without its prevalence.

    Parameters
    ----------
    forecast : str
        "model" or the name of a baseline.
    event : {"fire", "growth", "new"}
        What was forecast.
    zone : {"all", "near", "beyond"}
        Which cells.
    negatives : str
        Where the cells that did not burn come from: every one, or a sample.
    probability : bool
        Whether the values are probabilities, or only rank the cells.
    cells, burned : int
        Scored cells times issue days, and those that burned.
    prevalence : float
        Their ratio: the average precision of a forecast without skill.
    fires, blocks, blocks_with_fire : int
        Independent things behind the numbers.
    ap, lift : Estimate
        Average precision, and its ratio to the prevalence.
    capture, capture_daily : dict of str to Estimate or float
        Share of the burned area in the likeliest 1, 2, 5 and 10 % of the burnable area: over all
        issue days together, and the mean over issue days on which anything burned.
    capture_curve : list of (float, float)
        Share of the burnable area, share of the burned area in it.
    brier, brier_skill : Estimate, optional
        Brier score, and its skill against climatology; no skill where nothing burned.
    murphy : Murphy, optional
        Parts of the Brier score.
    expected, expected_ha : float, optional
        Cells and hectares that were expected to burn.
    observed_ha : float
        Hectares that burned.
    ratio : Estimate, optional
        Expected over observed cells.
    reliability : list of ReliabilityBin
        From the least likely cells to the likeliest.
    fss : dict of str to Estimate
        Fractions skill score by side of the neighbourhood in km.
    """

    forecast: str
    event: str
    zone: str
    negatives: str = "full map"
    probability: bool
    cells: int
    burned: int
    prevalence: float
    fires: int
    blocks: int
    blocks_with_fire: int
    ap: Estimate
    lift: Estimate
    capture: dict[str, Estimate]
    capture_daily: dict[str, float]
    capture_curve: list[tuple[float, float]]
    observed_ha: float
    brier: Estimate | None = None
    brier_skill: Estimate | None = None
    murphy: Murphy | None = None
    expected: float | None = None
    expected_ha: float | None = None
    ratio: Estimate | None = None
    reliability: list[ReliabilityBin] = field(default_factory=list)
    fss: dict[str, Estimate] = field(default_factory=dict)

    @property
    def reliable(self) -> bool:
        """Whether enough blocks burned for the intervals to mean what they say.

        Returns
        -------
        bool
            True from 20 blocks with fire on.
        """
        return self.blocks_with_fire >= LEAST_BLOCKS


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The model less a baseline, on the same cells and the same resamples.

    Parameters
    ----------
    baseline : str
        Which one.
    event, zone : str
        As in :class:`CaseScores`.
    score : str
        "average precision", or "Brier skill" with the baseline as reference; of a ladder beside a
        known truth, "expected average precision" and "expected Brier skill".
    estimate : Estimate
        Above 0 where the model is better.
    blocks_with_fire : int
        Blocks behind the interval; beside a known truth, those in which fire is expected.
    """

    baseline: str
    event: str
    zone: str
    score: str
    estimate: Estimate
    blocks_with_fire: int

    @property
    def verdict(self) -> str:
        """Who is ahead.

        Returns
        -------
        {"ahead", "behind", "not told apart", "undefined"}
            By the interval alone; "undefined" where there is none, or nothing burned: whoever says
            least would then be ahead.
        """
        if not self.blocks_with_fire or math.isnan(self.estimate.low):
            return "undefined"
        if self.estimate.low > 0:
            return "ahead"
        return "behind" if self.estimate.high < 0 else "not told apart"

    @property
    def sentence(self) -> str:
        """The verdict in words.

        Returns
        -------
        str
            One sentence, with the interval and how far it can be trusted.
        """
        words = {
            "ahead": "is ahead of",
            "behind": "is BEHIND",
            "not told apart": "is NOT ahead of",
            "undefined": "cannot be compared with",
        }[self.verdict]
        if not self.blocks_with_fire:
            return (
                f"The model {words} {self.baseline} in {self.score}: nothing burned in the scored "
                "cells."
            )
        value, low, high = self.estimate
        n = self.estimate.digits(4)
        figures = f"{value:+.{n}f}, interval {low:+.{n}f} to {high:+.{n}f}"
        note = "" if self.blocks_with_fire >= LEAST_BLOCKS else _unreliable(self.blocks_with_fire)
        return f"The model {words} {self.baseline} in {self.score} ({figures}{note})."


def _unreliable(blocks: int) -> str:
    """Warning that goes with an interval from few blocks."""
    noun = "block" if blocks == 1 else "blocks"
    return f"; interval unreliable: {blocks} {noun} with fire, under {LEAST_BLOCKS}"


@dataclass(frozen=True, kw_only=True)
class DayCounts:
    """What was expected of one issue day's window, and what burned.

    Parameters
    ----------
    day : str
        Issue day, ISO 8601.
    cells : int
        Headline cells.
    observed, observed_ha : float
        Cells and hectares that burned.
    expected, expected_ha : dict of str to float
        Cells and hectares that each forecast expected.
    """

    day: str
    cells: int
    observed: float
    observed_ha: float
    expected: dict[str, float]
    expected_ha: dict[str, float]
