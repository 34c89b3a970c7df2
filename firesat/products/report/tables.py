"""The scores as tables, and the facts that go with them."""

from collections.abc import Callable, Sequence
from html import escape

from firesat.metrics.bootstrap import Estimate
from firesat.metrics.case import ZONES, CaseScores
from firesat.metrics.result import Scores
from firesat.products.report.charts import NAMES
from firesat.products.report.words import brackets, count, counted, level, span, spelled
from firesat.products.wording import chance


def tables(scores: Scores) -> str:
    """Lay out the scores of every zone, and of the two processes.

    Parameters
    ----------
    scores : Scores
        What an evaluation found.

    Returns
    -------
    str
        HTML.
    """
    parts = []
    for zone, words in ZONES.items():
        cases = [c for c in scores.cases if c.zone == zone and c.event == "fire"]
        if cases:
            parts.append(_table(cases, words, near_km=float(scores.facts["near_km"])))
    return (
        f"<section>\n<h2>Scores</h2>\n<p>In brackets: {level(scores)} intervals from "
        f"{scores.facts['resamples']} resamples of blocks of {scores.facts['block_km']:g} km x "
        f"{scores.facts['block_days']} days, fires kept whole. Negatives: full map.</p>\n"
        f"{''.join(parts)}\n{_heads(scores)}\n</section>"
    )


_Column = tuple[str, int, Callable[[CaseScores], Estimate | None]]

_COLUMNS: tuple[_Column, ...] = (
    ("Average precision", 4, lambda case: case.ap),
    ("Lift", 1, lambda case: case.lift),
    ("Brier skill", 3, lambda case: case.brier_skill),
    ("Top 1 %", 2, lambda case: case.capture["0.01"]),
    ("Top 5 %", 2, lambda case: case.capture["0.05"]),
    ("Top 10 %", 2, lambda case: case.capture["0.1"]),
    ("Expected / observed", 2, lambda case: case.ratio),
    ("FSS 5 km", 2, lambda case: case.fss.get("5")),
)


def _table(cases: Sequence[CaseScores], words: str, *, near_km: float) -> str:
    """Scores of one zone; columns that no forecast has are left out."""
    first = cases[0]
    columns = [column for column in _COLUMNS if any(column[2](case) for case in cases)]
    by_name = {case.forecast: case for case in cases}
    rows = "".join(_row(name, by_name[name], columns) for name in NAMES if name in by_name)
    head = "".join(f'<th scope="col">{title}</th>' for title, _, _ in columns)
    place = words.replace("near hotspots", f"within {near_km:g} km of hotspots")
    unreliable = "" if first.reliable else "; intervals unreliable"
    return (
        "<div class=scroll tabindex=0><table><caption><span>"
        f"<strong>{escape(place[0].upper() + place[1:])}</strong>: "
        f"{count(first.burned)} of {count(first.cells)} cells burned, prevalence "
        f"{chance(first.prevalence)}; {counted(first.fires, 'fire')}, "
        f"{counted(first.blocks_with_fire, 'block')} with fire{unreliable}</span></caption>"
        f'<thead><tr><th scope="col">Forecast</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(name: str, case: CaseScores, columns: Sequence[_Column]) -> str:
    """One forecast."""
    cells = "".join(_cell(score(case), digits) for _, digits, score in columns)
    kind = ' class="model"' if name == "model" else ""
    return f'<tr{kind}><th scope="row">{NAMES[name]}</th>{cells}</tr>'


def _cell(estimate: Estimate | None, digits: int) -> str:
    """A score and its interval."""
    if estimate is None or estimate.value != estimate.value:
        return "<td><span class=none>none</span></td>"
    return f"<td>{estimate.value:.{digits}f} <small>{brackets(estimate, 1, digits)}</small></td>"


def _heads(scores: Scores) -> str:
    """The two processes apart, as the model forecasts them."""
    lines = []
    for event, words in (("growth", "fires known at the start"), ("new", "fires that start later")):
        case = scores.case("model", event=event)
        if case is not None and case.expected is not None:
            lines.append(
                f"<li>By {words}: {count(round(case.expected))} cells expected, "
                f"{count(case.burned)} burned; average precision {spelled(case.ap, 4)}, "
                f"prevalence {chance(case.prevalence)}.</li>"
            )
    return f"<h3>The two processes apart</h3><ul>{''.join(lines)}</ul>" if lines else ""


def facts(scores: Scores) -> str:
    """Lay out what was scored, and what made it.

    Parameters
    ----------
    scores : Scores
        What an evaluation found.

    Returns
    -------
    str
        HTML.
    """
    known, model = scores.facts, scores.case("model")
    masked = count(known["burned_cells_masked_as_unable"])
    rows: dict[str, str] = {
        "Trained on": ", ".join(known["train_periods"]),
        "Issue days scored": f"{len(known['issue_days'])}, {span(scores)}",
        "Left out, seen in training": str(len(known["issue_days_seen_in_training"])),
        "Headline cells": str(known["headline_cells"]),
        "Cells without a forecast": f"{count(known['cells_without_forecast'])}, of which "
        f"{count(known['burned_cells_without_forecast'])} burned",
        "Burned though the map said it could not": f"{masked} cells",
        "Known fires": f"hotspots of the last {known['active_days']} days, published by T",
        "Model": str(known["model"]),
        "Checkpoint (SHA-256)": f"{str(known['checkpoint_sha256'])[:16]}...",
        "firesat": f"{known['firesat_version']} (maps: {known['forecast_version']})",
        "Seed": str(known["seed"]),
    }
    if model is not None:
        rows["Prevalence"] = f"{chance(model.prevalence)} cells and windows"
        rows["Burned"] = f"{count(round(model.observed_ha))} ha in the scored windows"
    items = "".join(f"<dt>{key}</dt><dd>{escape(value)}</dd>" for key, value in rows.items())
    return f"<section>\n<h2>Data and model</h2>\n<dl>{items}</dl>\n</section>"
