"""What an evaluation finds: plain values, ready for JSON, a table or a page."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from firesat.metrics.bootstrap import Estimate
from firesat.metrics.case import CaseScores, DayCounts, Difference


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Everything an evaluation found.

    Parameters
    ----------
    cases : list of CaseScores
        Every forecast, event and zone.
    differences : list of Difference
        The model against each baseline.
    days : list of DayCounts
        Issue day by issue day.
    facts : dict
        What was scored: regime, seasons, whether on the sandbox, versions, settings.
    """

    cases: list[CaseScores]
    differences: list[Difference]
    days: list[DayCounts]
    facts: dict[str, Any]

    def case(self, forecast: str, zone: str = "all", event: str = "fire") -> CaseScores | None:
        """Look scores up.

        Parameters
        ----------
        forecast : str
            "model" or the name of a baseline.
        zone, event : str
            As in :class:`CaseScores`.

        Returns
        -------
        CaseScores or None
            None where nothing of the kind was scored.
        """
        for case in self.cases:
            if (case.forecast, case.zone, case.event) == (forecast, zone, event):
                return case
        return None

    def difference(self, baseline: str, zone: str = "all") -> Difference | None:
        """Look the model's lead in average precision up.

        Parameters
        ----------
        baseline : str
            Name of the baseline.
        zone : str
            As in :class:`CaseScores`.

        Returns
        -------
        Difference or None
            None where they were not compared.
        """
        for difference in self.differences:
            found = (difference.baseline, difference.zone, difference.score)
            if found == (baseline, zone, "average precision"):
                return difference
        return None

    @property
    def unforecast(self) -> float:
        """Share of the headline cells without a forecast, which no score counts.

        Returns
        -------
        float
            0 to 1.
        """
        missing = int(self.facts.get("cells_without_forecast", 0))
        model = self.case("model")
        headline = missing + (model.cells if model else 0)
        return missing / headline if headline else 0.0

    def to_json(self) -> str:
        """Write everything down.

        Returns
        -------
        str
            JSON in which every case carries the facts that it must not be read without; undefined
            numbers are null.
        """
        shared = {key: self.facts.get(key) for key in ("regime", "sandbox", "level")}
        cases = [
            {**asdict(case), **shared, "interval_reliable": case.reliable} for case in self.cases
        ]
        differences = [
            {**asdict(item), **shared, "verdict": item.verdict, "sentence": item.sentence}
            for item in self.differences
        ]
        plain = {
            "facts": self.facts,
            "scores": cases,
            "differences": differences,
            "days": [asdict(day) for day in self.days],
        }
        return json.dumps(_plain(plain), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:  # noqa: ANN401  any JSON value
    """Estimates as objects with names, NaN as null."""
    if isinstance(value, Estimate):
        return _plain(value._asdict())
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
