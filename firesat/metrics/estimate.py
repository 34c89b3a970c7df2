"""From tallies to scores with paired intervals."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from firesat.metrics import scores
from firesat.metrics.bootstrap import Estimate, interval
from firesat.metrics.case import CaseScores, DayCounts, Difference, ReliabilityBin
from firesat.metrics.neighbourhood import FSS_KM
from firesat.metrics.resample import Table, Zone, points, reliability_starts, resamples
from firesat.metrics.scores import CAPTURE_SHARES
from firesat.metrics.scoring import Scoring
from firesat.metrics.settings import EvaluateSettings
from firesat.metrics.tally import TOTALS, Tally

HECTARE = 10_000.0  # m2
MODEL = "model"
"""Name of the forecast that is compared with the others."""

_CURVE = tuple(np.geomspace(0.001, 1.0, 31).tolist())

Floats = NDArray[np.float64]


class _Found:
    """One forecast's scores and their resamples."""

    def __init__(self, value: Table, resampled: Table, level: float) -> None:
        self.value, self._resampled, self._level = value, resampled, level

    def estimate(self, key: str, index: int | None = None) -> Estimate:
        """Put a score and its interval together; `index` chooses among several values."""
        value, resampled = self.value[key], self._resampled[key]
        if index is not None:
            value, resampled = value[..., index], resampled[..., index]
        return Estimate(float(value), *interval(resampled, self._level))

    def each(self, key: str, names: list[str]) -> dict[str, Estimate]:
        """The estimates of a score that has several values; none where it was not computed."""
        if key not in self.value:
            return {}
        return {name: self.estimate(key, i) for i, name in enumerate(names)}


def judge(
    scoring: Scoring, zone: str, settings: EvaluateSettings
) -> tuple[list[CaseScores], list[Difference]]:
    """Score every forecast in a zone and compare the model with the others.

    Parameters
    ----------
    scoring : Scoring
        Tallies of one event.
    zone : {"all", "near", "beyond"}
        Which cells.
    settings : EvaluateSettings
        Resamples, level and seed of the intervals.

    Returns
    -------
    list of CaseScores
        One per forecast; empty where no cell was scored.
    list of Difference
        "model" against every other forecast: average precision, and Brier skill where both are
        probabilities.
    """
    tallies = {name: tally for name, tally in scoring.zone(zone).items() if tally.blocks}
    blocks = sorted({block for tally in tallies.values() for block in tally.blocks})
    if not blocks:
        return [], []
    part = Zone(zone, tallies, blocks)
    values, resampled = points(part, scoring), resamples(part, scoring, settings)
    found = {name: _Found(values[name], resampled[name], settings.level) for name in tallies}
    cases = [_case(part, name, scoring, found[name]) for name in tallies]
    compared = [
        _difference(part, name, scoring, lead, settings.level)
        for name in tallies
        if name != MODEL and MODEL in tallies
        for lead in _leads(values, resampled, name).items()
    ]
    return cases, compared


def _case(zone: Zone, name: str, scoring: Scoring, found: _Found) -> CaseScores:
    """Put the scores of one forecast together."""
    tally = zone.tallies[name]
    totals = tally.totals
    shares = [f"{share:g}" for share in CAPTURE_SHARES]
    case = CaseScores(
        forecast=name,
        event=scoring.event,
        zone=zone.name,
        probability=name not in scoring.ranks,
        cells=round(totals["cells"]),
        burned=round(totals["burned"]),
        prevalence=totals["burned"] / totals["cells"],
        fires=scoring.fires_in(zone.name),
        blocks=len(zone.blocks),
        blocks_with_fire=_with_fire(tally),
        ap=found.estimate("ap"),
        lift=found.estimate("lift"),
        capture=found.each("capture", shares),
        capture_daily=dict(zip(shares, _daily_capture(tally), strict=True)),
        capture_curve=_curve(tally),
        observed_ha=totals["burned_area"] / HECTARE,
    )
    return _with_probability(case, tally, found) if case.probability else case


def _with_fire(tally: Tally) -> int:
    """Blocks in which anything burned."""
    return sum(bool(bins.totals[1]) for bins in tally.blocks.values())


def _daily_capture(tally: Tally) -> list[float]:
    """Mean capture over the issue days on which anything burned."""
    found = [
        scores.capture(np.asarray(bins.all), np.asarray(bins.burned))
        for bins in tally.days.values()
        if bins.totals[1] > 0
    ]
    if not found:
        return [float("nan")] * len(CAPTURE_SHARES)
    return [float(value) for value in np.mean(found, axis=0)]


def _curve(tally: Tally) -> list[tuple[float, float]]:
    """Points of the capture curve."""
    found = scores.capture(tally.fine[3], tally.fine[4], _CURVE)
    return [(share, float(value)) for share, value in zip(_CURVE, found, strict=True)]


def _with_probability(case: CaseScores, tally: Tally, found: _Found) -> CaseScores:
    """Add what only probabilities have."""
    starts = reliability_starts(tally)
    cells, burned, expected = (np.add.reduceat(row, starts) for row in tally.fine[:3])
    bins = [
        ReliabilityBin(
            forecast=float(expected[i] / cells[i]),
            observed=found.estimate("observed", i),
            cells=float(cells[i]),
            expected=float(expected[i]),
            burned=float(burned[i]),
        )
        for i in range(len(starts))
        if cells[i] > 0
    ]
    brier = found.estimate("brier")
    judged = case.burned > 0 and "brier_skill" in found.value  # else 0 everywhere would be best
    fields = {
        **case.__dict__,
        "brier": brier,
        "brier_skill": found.estimate("brier_skill") if judged else None,
        "murphy": scores.murphy(cells, burned, expected, brier.value),
        "expected": tally.totals["expected"],
        "expected_ha": tally.totals["expected_area"] / HECTARE,
        "ratio": found.estimate("ratio"),
        "reliability": bins,
        "fss": found.each("fss", [f"{side:g}" for side in FSS_KM]),
    }
    return CaseScores(**fields)


def _difference(
    zone: Zone,
    name: str,
    scoring: Scoring,
    lead: tuple[str, tuple[Floats, Floats]],
    level: float,
) -> Difference:
    """Put one comparison together."""
    score, (value, resampled) = lead
    return Difference(
        baseline=name,
        event=scoring.event,
        zone=zone.name,
        score=score,
        estimate=Estimate(float(value), *interval(resampled, level)),
        blocks_with_fire=_with_fire(zone.tallies[MODEL]),
    )


def _leads(
    values: Mapping[str, Table], resampled: Mapping[str, Table], name: str
) -> dict[str, tuple[Floats, Floats]]:
    """The model's lead over one baseline: on everything, and in each resample."""
    pairs = [(table[MODEL], table[name]) for table in (values, resampled)]
    ap = [mine["ap"] - other["ap"] for mine, other in pairs]
    leads = {"average precision": (ap[0], ap[1])}
    if all("brier" in other and "brier" in mine for mine, other in pairs):
        gain = [scores.skill(mine["brier"], other["brier"]) for mine, other in pairs]
        leads["Brier skill"] = (gain[0], gain[1])
    return leads


def day_counts(scoring: Scoring) -> list[DayCounts]:
    """Compare expectation and outcome, issue day by issue day.

    Parameters
    ----------
    scoring : Scoring
        Tallies of one event.

    Returns
    -------
    list of DayCounts
        In order of time.
    """
    tallies = {key: tally for key, tally in scoring.zone("all").items() if key not in scoring.ranks}
    days = sorted({day for tally in tallies.values() for day in tally.days})
    return [_day_counts(day, tallies) for day in days]


def _day_counts(day: np.datetime64, tallies: Mapping[str, Tally]) -> DayCounts:
    """Expectation and outcome of one issue day."""
    sums = {
        name: dict(zip(TOTALS, map(float, tally.days[day].totals), strict=True))
        for name, tally in tallies.items()
    }
    outcome = next(iter(sums.values()))
    return DayCounts(
        day=str(day),
        cells=round(outcome["cells"]),
        observed=outcome["burned"],
        observed_ha=outcome["burned_area"] / HECTARE,
        expected={name: row["expected"] for name, row in sums.items()},
        expected_ha={name: row["expected_area"] / HECTARE for name, row in sums.items()},
    )
