"""The scores as a person reads them in a terminal."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from firesat.metrics.bootstrap import LEAST_BLOCKS, Estimate
from firesat.metrics.case import ZONES, CaseScores
from firesat.metrics.result import Scores

_COLUMNS = (
    "forecast",
    "AP",
    "lift",
    "Brier skill",
    "in top 1 %",
    "in top 10 %",
    "expected/observed",
)


def summary(scores: Scores) -> Group:
    """Lay the scores out for a terminal.

    Parameters
    ----------
    scores : Scores
        What an evaluation found.

    Returns
    -------
    rich.console.Group
        One table per zone, then who is ahead of whom.
    """
    tables = [
        _table(zone, cases)
        for zone in ZONES
        if (cases := [c for c in scores.cases if c.zone == zone and c.event == "fire"])
    ]
    regime = f"Regime: {scores.facts.get('regime')}. Negatives: full map."
    note = " Measured on the sandbox." if scores.facts.get("sandbox") else ""
    lines = [
        Text(item.sentence, style=_STYLES[item.verdict])
        for item in scores.differences
        if item.zone == "all" and item.event == "fire"
    ]
    return Group(*tables, Text(regime + note, style="bold"), *lines)


_STYLES = {"ahead": "green", "behind": "red", "not told apart": "yellow", "undefined": "dim"}


def _table(zone: str, cases: list[CaseScores]) -> Table:
    """One zone."""
    first = cases[0]
    title = (
        f"{ZONES[zone]}: {first.burned:,} of {first.cells:,} cells burned "
        f"(prevalence {first.prevalence:.2e}); {first.fires} fires in {first.blocks_with_fire} "
        f"of {first.blocks} blocks"
    ).replace(",", " ")
    if not first.reliable:
        title += f"; intervals unreliable (under {LEAST_BLOCKS} blocks with fire)"
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column == "forecast" else "right")
    for case in cases:
        table.add_row(
            case.forecast,
            spell(case.ap, 4),
            spell(case.lift, 1),
            spell(case.brier_skill, 3),
            spell(case.capture["0.01"], 2),
            spell(case.capture["0.1"], 2),
            spell(case.ratio, 2),
        )
    return table


def spell(estimate: Estimate | None, digits: int) -> str:
    """Write a score with its interval.

    Parameters
    ----------
    estimate : Estimate, optional
        A score; None where the forecast cannot have it.
    digits : int
        After the point.

    Returns
    -------
    str
        Such as "0.12 [0.08, 0.17]"; "-" without a score.
    """
    if estimate is None or estimate.value != estimate.value:
        return "-"
    text = f"{estimate.value:.{digits}f}"
    if estimate.low != estimate.low:
        return text
    return f"{text} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"
