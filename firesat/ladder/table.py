"""The ladder as a person reads it in a terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Group, JustifyMethod
from rich.table import Table
from rich.text import Text

from firesat.jobs.evaluate.table import STYLES
from firesat.ladder.result import Ladder, Row
from firesat.ladder.settings import UNSEEING
from firesat.metrics.bootstrap import LEAST_BLOCKS, Estimate
from firesat.metrics.case import Difference
from firesat.products.report.words import brackets

_COLUMNS = (
    "model", "AP", "lift", "E[AP]", "of\nbest", "Brier\nx1000", "skill\nE[skill]",
    "slope\nexp./obs.", "weights\nseconds",
)  # fmt: skip
_WHOLE = ("model", "AP", "E[AP]")
"""Columns whose names and intervals are never broken."""


def summary(ladder: Ladder) -> Group:
    """Lay a ladder out for a terminal.

    Parameters
    ----------
    ladder : Ladder
        What was found.

    Returns
    -------
    rich.console.Group
        The rungs, who is ahead of whom, and what is lost without each input.
    """
    first = ladder.rows[0].scores
    facts = ladder.facts
    title = (
        f"{len(facts['days'])} issue days, {first.burned} of {first.cells} cells burned "
        f"(prevalence {first.prevalence:.2e}), {first.fires} fires, {first.blocks_with_fire} "
        f"blocks with fire{'' if first.reliable else ': intervals unreliable'}"
    )
    blind = blind_verdicts(ladder) if facts["blind"] else []
    return Group(
        _table(f"The ladder. {title}", ladder.rows),
        Text(_about(ladder), style="bold"),
        *(_leads(f"{name} less", some) for name, some in ladder.differences.items()),
        *(Text(words, style="bold") for words in blind),
        _table("Without inputs, the same checkpoint", ladder.missing),
        *(_leads(f"{name} 0 less", some) for name, some in ladder.losses.items()),
    )


def _about(ladder: Ladder) -> str:
    """What the scores must not be read without."""
    facts = ladder.facts
    words = [f"Regime: {facts['regime']}. Negatives: full map."]
    if days := facts["calibrated_on"]:
        words.append(f"Networks and trees are calibrated on maps of {len(days)} held-out days.")
    if facts["sandbox"]:
        words.append("Measured on the sandbox.")
    if ladder.best is not None and ladder.best_brier_skill is not None:
        words.append(
            f"Best possible by {facts['draws']} draws a half: E[AP] {ladder.best:.4f}, Brier "
            f"skill {ladder.best_brier_skill:.3f}."
        )
    words.append("One less another is paired by blocks: above 0 the first is better.")
    if facts["blind"]:
        place = "that of another place" if facts["elsewhere"] else "blind in this world"
        words.append(f"Sentinel-2 is {place}: it must gain nothing.")
    return " ".join(words)


def blind_verdicts(ladder: Ladder) -> list[str]:
    """Say what each network gains by learning from a Sentinel-2 that can know nothing.

    Parameters
    ----------
    ladder : Ladder
        Whose networks were trained without Sentinel-2 too.

    Returns
    -------
    list of str
        One sentence for each network: by the interval of its average precision less that without,
        which knows nothing of chance in training, and by the differences seed by seed, which do.
    """
    return [
        _gain(network, each, _by_seed(network, ladder.rows))
        for network, differences in ladder.differences.items()
        for each in differences
        if each.baseline == network + UNSEEING and each.score == "average precision"
    ]


def _by_seed(network: str, rows: list[Row]) -> list[float]:
    """What each training gains over that of the same seed without Sentinel-2."""
    ap = {row.name: row.scores.ap.value for row in rows}
    pairs = ((name, name.replace(network, network + UNSEEING)) for name in ap)
    return [ap[one] - ap[two] for one, two in pairs if one.startswith(f"{network} ") and two in ap]


def _gain(network: str, difference: Difference, seeds: list[float]) -> str:
    """What a blind Sentinel-2 is worth."""
    value, low, high = difference.estimate
    gains = f"{network} GAINS by a blind Sentinel-2: something leaks"
    verdict = {
        "ahead": gains,
        "behind": f"{network} loses by a blind Sentinel-2",
        "not told apart": f"{network} gains nothing by a blind Sentinel-2",
    }
    said = verdict.get(difference.verdict, f"what {network} gains cannot be told")
    if said == gains and min(seeds, default=0.0) <= 0:
        said = f"{network} gains no more by a blind Sentinel-2 than one training over another"
    each = ", ".join(f"{seed:+.4f}" for seed in seeds)
    few = difference.blocks_with_fire
    note = f"; interval unreliable: {few} blocks with fire" if few < LEAST_BLOCKS else ""
    return (
        f"{said} (average precision {value:+.4f}, interval {low:+.4f} to {high:+.4f}{note}; "
        f"seed by seed {each or 'not known'})."
    )


def _leads(title: str, differences: list[Difference]) -> Table:
    """One network beside the others: a row for each of these, a column for each score."""
    columns = list(dict.fromkeys(each.score for each in differences))
    others = list(dict.fromkeys(each.baseline for each in differences))
    found = {(each.baseline, each.score): each for each in differences}
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for column in ("", *columns):
        table.add_column(column)
    for other in others:
        table.add_row(other, *(_lead(found.get((other, column))) for column in columns))
    return table


def _lead(difference: Difference | None) -> Text:
    """By how much, between what, and what that says."""
    if difference is None:
        return Text("-")
    value, low, high = difference.estimate
    verdict = difference.verdict
    few = "" if difference.blocks_with_fire >= LEAST_BLOCKS else " (few blocks)"
    words = f"{value:+.4f} {verdict.upper() if verdict == 'behind' else verdict}{few}"
    return Text(f"{words}\n[{low:+.4f},{high:+.4f}]", style=STYLES[verdict])


def _table(title: str, rows: list[Row]) -> Table:
    """Rows of scores."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD,
        pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    for column in _COLUMNS:
        justify: JustifyMethod = "left" if column == "model" else "right"
        # a Text: markup would take "[skill]" for a style
        table.add_column(Text(column), justify=justify, overflow="fold", no_wrap=column in _WHOLE)
    for row in rows:
        network, seed, how = (*row.name.split(" ", 2), "", "")[:3]
        lines = f"{network} {seed}\n{how}" if seed.isdigit() and how else row.name
        table.add_row(lines, *_cells(row))
    return table


def _cells(row: Row) -> list[str]:
    """One row after its name; a dash where there is nothing."""
    scores, expected = row.scores, row.expected
    brier, law = scores.brier, None if expected is None else expected.brier_skill
    return [
        _interval(scores.ap, 4),
        f"{scores.lift.value:.1f}",
        "-" if expected is None else _interval(expected.ap, 4),
        "-" if expected is None else f"{expected.share:.2f}",
        "-" if brier is None else f"{1000 * brier.value:.3f}",
        _above(
            "-" if scores.brier_skill is None else f"{scores.brier_skill.value:.3f}",
            "-" if law is None else f"{law.value:.3f}",
        ),
        _above(f"{row.slope:.2f}", "-" if scores.ratio is None else f"{scores.ratio.value:.2f}"),
        _above(
            "-" if row.parameters is None else f"{row.parameters}",
            "-" if row.seconds is None else f"{row.seconds:.0f}",
        ),
    ]


def _above(one: str, other: str) -> str:
    """Two values in one cell; one dash where neither is known."""
    return "-" if one == other == "-" else f"{one}\n{other}"


def _interval(estimate: Estimate, digits: int) -> str:
    """A score with its interval below it."""
    return f"{estimate.value:.{digits}f}\n{brackets(estimate, 1, digits).replace(' ', '')}"
