"""The page of an evaluation: one HTML file with all in it, nothing fetched from elsewhere."""

import base64
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path

from firesat.manifest import sync_folder
from firesat.metrics.case import CaseScores
from firesat.metrics.result import Scores
from firesat.products.report.answer import answer, next_steps
from firesat.products.report.charts import NAMES, as_image, captures, days, reliability
from firesat.products.report.parts import figure
from firesat.products.report.style import STYLE
from firesat.products.report.tables import facts, tables
from firesat.products.report.words import count, span
from firesat.products.wording import NOTICE, chance

SANDBOX = (
    "Measured on the sandbox, a made world: this shows that the software works, not that Canada's "
    "fires are predictable."
)


def write_report(scores: Scores, path: Path, *, picture: Path | None = None) -> Path:
    """Write the page.

    Parameters
    ----------
    scores : Scores
        What an evaluation found, with its facts.
    path : Path
        The page; it appears when it is whole. Its folder is made if absent.
    picture : Path, optional
        A PNG to embed.

    Returns
    -------
    Path
        `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(page(scores, picture=picture))
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    sync_folder(path.parent)
    return path


def page(scores: Scores, *, picture: Path | None = None) -> str:
    """Lay the page out.

    Parameters
    ----------
    scores : Scores
        What an evaluation found.
    picture : Path, optional
        A PNG to embed.

    Returns
    -------
    str
        HTML.
    """
    model = scores.case("model")
    sections = [
        _head(scores),
        answer(scores, model),
        _picture(picture),
        tables(scores),
        _charts(scores, model),
        facts(scores),
        next_steps(scores, model),
        _notices(scores),
    ]
    body = "\n".join(section for section in sections if section)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_title(scores)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"{body}\n</body>\n</html>\n"
    )


def _title(scores: Scores) -> str:
    """What the page is about."""
    return f"Wildfire forecasts, {span(scores)}: how good were they?"


def _head(scores: Scores) -> str:
    """Title, and the label that must not be missed."""
    badge = f'<p class="badge">{SANDBOX}</p>' if scores.facts.get("sandbox") else ""
    number = len(scores.facts["issue_days"])
    noun = "forecast" if number == 1 else "forecasts"
    return (
        f"<header>\n<p class=kicker>firesat evaluation</p>\n<h1>{_title(scores)}</h1>\n"
        f"<p>{number} {noun} of {scores.facts['horizon_days']} days, scored on every "
        f"100 m cell at risk. Weather regime: <strong>{escape(str(scores.facts['regime']))}"
        f"</strong>.</p>\n{badge}\n</header>"
    )


def _picture(picture: Path | None) -> str:
    """The quicklook."""
    if picture is None:
        return ""
    data = base64.b64encode(picture.read_bytes()).decode()
    return (
        "<section>\n<h2>The issue day with most fire</h2>\n<figure class=wide>"
        f'<img src="data:image/png;base64,{data}" alt="Three maps side by side: the forecast '
        "probability in logarithmic classes, the cells that burned in the window, and the Fire "
        'Weather Index at the start."></figure>\n</section>'
    )


def _charts(scores: Scores, model: CaseScores | None) -> str:
    """The three charts."""
    if model is None or not model.burned:
        return ""
    cases = [c for c in scores.cases if c.zone == "all" and c.event == "fire"]
    found = "; ".join(f"{NAMES[c.forecast]} {100 * c.capture['0.1'].value:.0f} %" for c in cases)
    windows = "; ".join(
        f"{day.day}: {day.observed_ha:.0f} ha burned, {day.expected_ha['model']:.0f} expected"
        for day in scores.days
    )
    capture = figure(
        as_image(captures(cases)),
        f"Burned area in the likeliest 10 % of the map: {found}.",
        "Where would you look first? Further up is better. The area axis is logarithmic.",
    )
    amounts = figure(
        as_image(days(scores)),
        f"Hectares by issue day. {windows}.",
        "How much was expected, and how much burned, window by window. A season holds few large "
        "fires: single windows are expected to miss.",
    )
    charts = f"{_reliability(model)}{capture}{amounts}"
    return f"<section>\n<h2>Charts</h2>\n<div class=charts>{charts}</div>\n</section>"


def _reliability(model: CaseScores) -> str:
    """The reliability diagram, unless the forecast is nothing everywhere."""
    if not model.expected:
        return ""
    bins = "; ".join(
        f"forecast {chance(b.forecast)}: {count(round(b.burned))} burned, {b.expected:.0f} expected"
        for b in model.reliability
    )
    return figure(
        as_image(reliability(model)),
        f"Reliability of the model. {bins}.",
        "Is a chance of 1 in 100 really 1 in 100? On the line, yes; below it, the forecast is too "
        "high. Dotted: the overall rate. Triangles: nothing burned.",
    )


def _notices(scores: Scores) -> str:
    """What every page must say, in both languages."""
    issued: Sequence[str] = scores.facts["issue_days"]
    last = datetime.fromisoformat(issued[-1]).replace(tzinfo=UTC)
    end = f"{last + timedelta(days=int(scores.facts['horizon_days'])):%Y-%m-%d}"
    notices: Mapping[str, str] = {
        language: text.format(start=issued[0], end=end) for language, text in NOTICE.items()
    }
    parts = "".join(
        f'<p lang="{language}">{escape(text)}</p>' for language, text in notices.items()
    )
    return f"<footer>\n{parts}\n</footer>"
