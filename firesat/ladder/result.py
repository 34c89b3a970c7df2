"""What a ladder says: rows of scores, who is ahead of whom, and what is lost without an input."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from firesat.ladder.expected import Expected, ExpectedScores
from firesat.ladder.maps import BOOSTING, MISSING
from firesat.metrics import EvaluateSettings
from firesat.metrics.calibration import calibration_slope
from firesat.metrics.case import CaseScores, Difference
from firesat.metrics.estimate import MODEL, judge
from firesat.metrics.scoring import Scoring
from firesat.metrics.tally import coarsen

CLIMATOLOGY = "climatology"
BASELINES = (CLIMATOLOGY, "persistence", "FWI x fuel", BOOSTING)
EXPECTED_AP, EXPECTED_SKILL = "expected average precision", "expected Brier skill"
"""What a difference beside a known truth is in."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model.

    Parameters
    ----------
    name : str
        Network, seed or baseline; of a network alone, the mean of its seeds.
    scores : CaseScores
        On full maps of unseen days.
    slope : float
        Of what burned on what was forecast, in log odds.
    expected : ExpectedScores, optional
        Where the law is known.
    seconds : float, optional
        Of its training.
    parameters : int, optional
        That it learned.
    """

    name: str
    scores: CaseScores
    slope: float
    expected: ExpectedScores | None = None
    seconds: float | None = None
    parameters: int | None = None


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Everything that was found.

    Parameters
    ----------
    rows : list of Row
        From the lowest rung up, then each network's seeds.
    missing : list of Row
        The first seed of each network with everything, and without each input.
    differences : dict of str to list of Difference
        Each network's mean against the other rungs, on the same cells and resamples; where the law
        is known, by expected average precision and Brier skill too.
    losses : dict of str to list of Difference
        Each network's first seed against itself without each input: above 0 where that costs skill.
    best : float, optional
        The best possible expected average precision, as far as the draws tell.
    best_brier_skill : float, optional
        The expected Brier skill of the law itself.
    facts : dict
        What the scores must not be read without.
    """

    rows: list[Row]
    missing: list[Row]
    differences: dict[str, list[Difference]]
    losses: dict[str, list[Difference]]
    best: float | None
    best_brier_skill: float | None
    facts: dict[str, Any] = field(default_factory=dict)


def compare(scoring: Scoring, expected: Expected, facts: dict[str, Any]) -> Ladder:
    """Turn tallies into rows and paired differences.

    Parameters
    ----------
    scoring : Scoring
        Of every model.
    expected : Expected
        Of every model; empty where no law is known.
    facts : dict
        With ``evaluate``, ``networks``, ``kinds``, ``members``, ``parameters`` and
        ``boosting_seconds``.

    Returns
    -------
    Ladder
        All of it.
    """
    facts = dict(facts)
    evaluate, members = facts.pop("evaluate"), facts.pop("members")
    times = {name: rung.seconds for name, rung in members.items()}
    times[BOOSTING] = facts.pop("boosting_seconds")
    sizes = facts.pop("parameters", {})
    networks: list[str] = facts["networks"]

    def row(name: str, case: CaseScores) -> Row:
        return Row(
            name=name,
            scores=case,
            slope=_slope(scoring, name),
            expected=expected.scores(name) if name in expected.levels else None,
            seconds=times.get(name),
            parameters=sizes.get(name.partition(" ")[0]),
        )

    rungs = [*BASELINES, *facts["kinds"]]
    found = {name: _against(scoring, name, rungs, evaluate) for name in networks}
    leads = {name: _expected_leads(expected, scoring.event, name, rungs) for name in networks}
    cases = found[networks[0]][0] | _against(scoring, None, list(members), evaluate)[0]
    spared = {network: f"{network} 0" for network in networks}
    less = {
        network: _against(scoring, name, [f"{name} {how}" for how in MISSING], evaluate)
        for network, name in spared.items()
    }
    without = {name: case for cases_, _ in less.values() for name, case in cases_.items()}
    without.pop(CLIMATOLOGY, None)
    return Ladder(
        rows=[row(name, cases[name]) for name in (*rungs, *members)],
        missing=[row(name, case) for name, case in without.items()],
        differences={name: [*leads[name], *compared] for name, (_, compared) in found.items()},
        losses={name: _inputs_alone(compared) for name, (_, compared) in less.items()},
        best=expected.best if expected.levels else None,
        best_brier_skill=expected.best_brier_skill if expected.levels else None,
        facts=facts,
    )


def _expected_leads(
    expected: Expected, event: str, name: str, others: Sequence[str]
) -> list[Difference]:
    """One network against the others in expected scores; none without a law."""
    return [
        Difference(
            baseline=other,
            event=event,
            zone="all",
            score=score,
            estimate=estimate(name, other),
            blocks_with_fire=expected.blocks_that_may_burn,
        )
        for score, estimate in ((EXPECTED_AP, expected.lead), (EXPECTED_SKILL, expected.gain))
        for other in others
        if other != name and {name, other} <= expected.levels.keys()
    ]


def _inputs_alone(compared: Sequence[Difference]) -> list[Difference]:
    """Without the comparison with climatology, which only serves the Brier skill."""
    return [each for each in compared if each.baseline != CLIMATOLOGY]


def _against(
    scoring: Scoring, model: str | None, others: Sequence[str], evaluate: EvaluateSettings
) -> tuple[dict[str, CaseScores], list[Difference]]:
    """Scores of some models, and of one of them against the others."""
    wanted = {name: name for name in (CLIMATOLOGY, *others)}
    if model is not None:
        wanted[model] = MODEL
    some = replace(
        scoring,
        near={new: scoring.near[old] for old, new in wanted.items()},
        beyond={new: scoring.beyond[old] for old, new in wanted.items()},
    )
    cases, compared = judge(some, "all", evaluate)
    back = {new: old for old, new in wanted.items()}
    return {back[case.forecast]: case for case in cases}, compared


def _slope(scoring: Scoring, name: str) -> float:
    """Of what burned on what was forecast."""
    tally = scoring.near[name] + scoring.beyond[name]
    cells, burned, expected = (coarsen(row) for row in tally.fine[:3])
    return calibration_slope(cells, burned, expected)
