"""The scores as a person reads them in a terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from firesat.metrics.bootstrap import LEAST_BLOCKS, Estimate
from firesat.metrics.case import ZONES, CaseScores
from firesat.metrics.estimate import MODEL
from firesat.metrics.result import Scores
from firesat.products.report.words import brackets, count, counted, left_out

_COLUMNS = ("forecast", "AP", "lift", "Brier skill", "top 1 %", "top 10 %", "exp./obs.")


def summary(scores: Scores) -> Group:
    """Lay the scores out for a terminal.

    Parameters
    ----------
    scores : Scores
        What an evaluation found.

    Returns
    -------
    rich.console.Group
        One table per zone, then how much of the map was scored, and who is ahead of whom.
    """
    tables = [
        _table(zone, cases)
        for zone in ZONES
        if (cases := [c for c in scores.cases if c.zone == zone and c.event == "fire"])
    ]
    regime = f"Regime: {scores.facts.get('regime')}. Negatives: full map."
    note = " Measured on the sandbox." if scores.facts.get("sandbox") else ""
    missing = [Text(words, style="yellow")] if (words := left_out(scores)) else []
    return Group(*tables, Text(regime + note, style="bold"), *missing, *_verdicts(scores))


STYLES = {"ahead": "green", "behind": "red", "not told apart": "yellow", "undefined": "dim"}
"""Of a verdict."""


def _verdicts(scores: Scores) -> list[Text]:
    """Who is ahead of whom, if anything burned to judge by."""
    model = scores.case(MODEL)
    if model is None or not model.burned:
        return [Text("Nothing burned in the scored cells: the forecasts cannot be judged.")]
    return [
        Text(item.sentence, style=STYLES[item.verdict])
        for item in scores.differences
        if item.zone == "all" and item.event == "fire"
    ]


def _table(zone: str, cases: list[CaseScores]) -> Table:
    """One zone."""
    first = cases[0]
    title = (
        f"{ZONES[zone]}\n{count(first.burned)} of {count(first.cells)} cells burned (prevalence "
        f"{first.prevalence:.2e}); {counted(first.fires, 'fire')} in {first.blocks_with_fire} of "
        f"{counted(first.blocks, 'block')}"
    )
    if not first.reliable:
        title += f"; intervals unreliable (under {LEAST_BLOCKS} blocks with fire)"
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD,
        collapse_padding=True,
    )  # fmt: skip
    for column in _COLUMNS:
        table.add_column(
            column, justify="left" if column == "forecast" else "right", overflow="fold"
        )
    for case in cases:
        table.add_row(
            case.forecast,
            _spell(case.ap, 4),
            _spell(case.lift, 1, alone=True),
            _spell(case.brier_skill, 3),
            *(_spell(case.capture[share], 2, alone=True) for share in ("0.01", "0.1")),
            _spell(case.ratio, 2),
        )
    return table


def _spell(estimate: Estimate | None, digits: int, *, alone: bool = False) -> str:
    """A score with its interval below it, or alone; a dash where there is none."""
    if estimate is None or estimate.value != estimate.value:
        return "-"
    number = f"{estimate.value:.{digits}f}"
    return number if alone else f"{number}\n{brackets(estimate, 1, digits).replace(' ', '')}"
