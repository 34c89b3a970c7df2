"""The answer in short: who is ahead, by how much, how sure that is, and what to do next."""

from collections.abc import Sequence
from html import escape

from firesat.metrics.bootstrap import LEAST_BLOCKS
from firesat.metrics.case import CaseScores, Difference
from firesat.metrics.result import Scores
from firesat.products.report.charts import IN_TEXT, as_image, leads
from firesat.products.report.parts import figure
from firesat.products.report.words import brackets, counted, left_out, level, spelled, spoken
from firesat.products.wording import chance


def answer(scores: Scores, model: CaseScores | None) -> str:
    """Answer in one sentence, with the figures behind it.

    Parameters
    ----------
    scores : Scores
        What an evaluation found.
    model : CaseScores or None
        Scores of the model, every cell.

    Returns
    -------
    str
        HTML.
    """
    missing = f"<p class=warn>{escape(words)}</p>" if (words := left_out(scores)) else ""
    if model is None or not model.burned:
        return (
            "<section><h2>In short</h2><p>Nothing burned in the scored windows where it could be "
            f"known, so the forecasts cannot be judged.</p>{missing}</section>"
        )
    everywhere = [d for d in scores.differences if (d.zone, d.event) == ("all", "fire")]
    compared = [item for item in everywhere if item.score == "average precision"]
    ordered = compared + [item for item in everywhere if item not in compared]
    sentences = "".join(f'<li class="{_css(item)}">{escape(_say(item))}</li>' for item in ordered)
    chart = figure(
        as_image(leads(compared)),
        "The model's lead in average precision over "
        + "; ".join(f"{IN_TEXT[d.baseline]}: {spoken(d.estimate, 3)}" for d in compared),
        f"Dots: difference on the same cells. Bars: {level(scores)} interval. Right of the line "
        "the model is ahead.",
    )
    return (
        f"<section>\n<h2>In short</h2>\n<p class=lead>{escape(_verdict(compared, model))}</p>\n"
        f"{_cards(model)}\n<ul class=verdicts>{sentences}</ul>\n{_warning(model)}\n"
        f"{missing}\n{chart if compared else ''}\n</section>"
    )


def _css(item: Difference) -> str:
    """Class of a sentence."""
    return {"ahead": "ahead", "behind": "behind"}.get(item.verdict, "open")


def _say(item: Difference) -> str:
    """The comparison in words, with the baseline's name in words."""
    return item.sentence.replace(item.baseline, IN_TEXT[item.baseline], 1)


def _verdict(compared: Sequence[Difference], model: CaseScores) -> str:
    """One sentence for all comparisons, and another where it cannot be trusted."""
    doubt = "" if model.reliable else " Too little burned to be sure of it: see below."
    return _standing(compared) + doubt


def _standing(compared: Sequence[Difference]) -> str:
    """Of whom the model is ahead, and of whom not."""
    ahead = [IN_TEXT[item.baseline] for item in compared if item.verdict == "ahead"]
    rest = [IN_TEXT[item.baseline] for item in compared if item.verdict != "ahead"]
    if not compared:
        return "The model was compared with nothing."
    if not rest:
        return f"The model ranks cells better than every baseline: {', '.join(ahead)}."
    if not ahead:
        return f"In average precision the model is not ahead of any baseline: {', '.join(rest)}."
    return (
        f"In average precision the model is ahead of {', '.join(ahead)}, and not ahead of "
        f"{', '.join(rest)}."
    )


def _cards(model: CaseScores) -> str:
    """The figures that matter, each with what it means."""
    captured = model.capture["0.1"]
    precise = f"average precision {spelled(model.ap, 3)} where {chance(model.prevalence)} burn"
    share = "of the burned area lay in the likeliest 10 % of the map"
    cards = [
        (f"{model.lift.value:.1f} x", f"as precise as chance: {precise}"),
        (f"{100 * captured.value:.0f} %", f"{share} {brackets(captured, 100, 0)}"),
    ]
    if model.ratio is not None:
        words = f"expected over observed burned cells {brackets(model.ratio, 1, 2)}; 1 is perfect"
        cards.append((f"{model.ratio.value:.2f}", words))
    if model.brier_skill is not None:
        reach = brackets(model.brier_skill, 1, 3)
        words = f"Brier skill against climatology {reach}; above 0 is better"
        cards.append((f"{model.brier_skill.value:+.3f}", words))
    items = "".join(f"<li><strong>{big}</strong><span>{small}</span></li>" for big, small in cards)
    return f"<ul class=cards>{items}</ul>"


def _warning(model: CaseScores) -> str:
    """How far the intervals can be trusted."""
    text = (
        f"Behind these numbers: {counted(model.fires, 'fire')} in {model.blocks_with_fire} of "
        f"{counted(model.blocks, 'block')} of space and time."
    )
    if model.reliable:
        return f"<p>{text}</p>"
    return (
        f"<p class=warn><strong>Interval unreliable.</strong> {text} Under {LEAST_BLOCKS} blocks "
        "with fire, an interval says little.</p>"
    )


def next_steps(scores: Scores, model: CaseScores | None) -> str:
    """Say what to do now.

    Parameters
    ----------
    scores : Scores
        What an evaluation found.
    model : CaseScores or None
        Scores of the model, every cell.

    Returns
    -------
    str
        HTML.
    """
    steps = []
    if model is not None and not model.reliable:
        steps.append("Score more seasons or a larger region: the intervals need "
                     f"{LEAST_BLOCKS} blocks with fire.")  # fmt: skip
    if model is not None and model.ratio is not None and not 0.9 <= model.ratio.value <= 1.1:
        steps.append("Expected and observed differ: calibrate on full maps of a held-out season "
                     "before anybody reads the probabilities as chances.")  # fmt: skip
    burned = model is not None and model.burned
    if burned and any(item.verdict != "ahead" for item in scores.differences):
        steps.append("Until the model is ahead, a baseline is the better forecast: train longer, "
                     "on more chips, or change the model (firesat train fit --help).")  # fmt: skip
    steps.append("Drag a map of the forecast folder into QGIS; its style comes along. firesat show "
                 "tells what one pixel means and where it comes from.")  # fmt: skip
    if scores.facts.get("sandbox"):
        steps.append("firesat doctor tells what real data would need.")
    items = "".join(f"<li>{escape(step)}</li>" for step in steps)
    return f"<section>\n<h2>What next</h2>\n<ol>{items}</ol>\n</section>"
