"""Charts of an evaluation, drawn to be read on a phone and in print.

Colours are those of Okabe and Ito (2008), which differ for every eye; each line has its own dashes
and is named beside its end, so no chart depends on colour.
"""

import base64
import io
from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from firesat.metrics.case import CaseScores, Difference
from firesat.metrics.result import Scores

NAMES = {
    "model": "Model",
    "climatology": "Climatology",
    "persistence": "Persistence",
    "FWI x fuel": "FWI by fuel",
    "FWI": "FWI alone",
}
"""Forecasts in words, in the order in which they are shown."""

IN_TEXT = {name: words if "FWI" in words else words.lower() for name, words in NAMES.items()}
"""The same within a sentence."""

_STYLES = {
    "model": ("#7228a0", "-", 2.4),
    "climatology": ("#5a5a5a", (0, (1, 1.2)), 1.6),
    "persistence": ("#0072b2", "--", 1.6),
    "FWI x fuel": ("#b04a00", "-.", 1.6),
    "FWI": ("#00775a", (0, (5, 1, 1, 1, 1, 1)), 1.6),
}
_SIZE = (4.6, 3.7)  # inches: about as wide as a phone, so that letters keep their size there
Floats = NDArray[np.float64]

_GREY = "#5a5a5a"


def as_image(figure: Figure) -> str:
    """Turn a chart into an address that an HTML page can hold.

    Parameters
    ----------
    figure : Figure
        A chart.

    Returns
    -------
    str
        ``data:`` URI of an SVG; the same chart gives the same text.
    """
    text = io.StringIO()
    with rc_context({"svg.hashsalt": "firesat"}):
        FigureCanvasSVG(figure)
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    encoded = base64.b64encode(text.getvalue().encode()).decode()
    return f"data:image/svg+xml;base64,{encoded}"


def _figure(rows: Sequence[int] = (1,)) -> tuple[Figure, list[Axes]]:
    """A figure of one or more axes above each other, sharing x."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    grid = figure.subplots(
        len(rows), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": list(rows)}
    )
    axes = [row[0] for row in grid]
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.tick_params(labelsize=8)
        one.grid(color="#e4e4e4", linewidth=0.6)
        one.set_axisbelow(True)
    return figure, axes


def _in_words(value: float, _position: int) -> str:
    """A probability on an axis: 1 in N."""
    if value <= 0 or value >= 1:
        return f"{value:g}"
    return f"1 in {round(1 / value):,}".replace(",", " ")


def reliability(case: CaseScores) -> Figure:
    """Draw forecast probability against what happened.

    Parameters
    ----------
    case : CaseScores
        Of a probability.

    Returns
    -------
    Figure
        Above, observed frequency with intervals, in bins of equal expected fires; bins in which
        nothing burned are triangles on the lower edge. Below, how many cells burned, and how many
        were expected to.
    """
    figure, (axes, counts) = _figure((5, 2))
    bins = [part for part in case.reliability if part.forecast > 0]
    forecast = np.array([part.forecast for part in bins])
    observed = np.array([part.observed.value for part in bins])
    known = [*forecast, *observed, case.prevalence, *(part.observed.high for part in bins)]
    low, high = _limits([float(value) for value in known])
    axes.plot([low, high], [low, high], color=_GREY, linewidth=1, zorder=1)
    hit = observed > 0
    ends = np.array([part.observed for part in bins])[hit]
    reach = np.nan_to_num(np.abs(ends[:, 1:] - ends[:, :1])).T
    axes.errorbar(
        forecast[hit], observed[hit], yerr=reach, color=_STYLES["model"][0], fmt="o-", markersize=5,
        linewidth=1.2, capsize=2.5,
    )  # fmt: skip
    axes.plot(forecast[~hit], np.full((~hit).sum(), low * 1.3), "v", color=_STYLES["model"][0])
    axes.axhline(case.prevalence, color=_GREY, linewidth=0.8, linestyle=":")
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    axes.set_ylabel("burned", fontsize=9)
    _counts(counts, forecast, [(part.expected, part.burned) for part in bins])
    for axis in (axes.yaxis, counts.xaxis):
        axis.set_major_locator(FixedLocator(_round_chances(low, high)))
        axis.set_major_formatter(FuncFormatter(_in_words))
        axis.set_minor_locator(NullLocator())
    counts.tick_params(axis="x", labelrotation=20)
    counts.set_xlabel("forecast probability", fontsize=9)
    return figure


def _counts(axes: Axes, place: Floats, pairs: Sequence[tuple[float, float]]) -> None:
    """Expected (ring) and burned (dot) cells of each bin, joined."""
    expected, burned = (np.array(column) for column in zip(*pairs, strict=True))
    axes.vlines(place, expected, burned, color=_GREY, linewidth=1)
    axes.plot(place, burned, "o", color=_STYLES["model"][0], markersize=5, label="burned")
    axes.plot(
        place, expected, "o", markerfacecolor="white", markeredgecolor="black", markersize=5,
        label="expected",
    )  # fmt: skip
    axes.set_ylim(0, 1.25 * max(*expected, *burned))
    axes.set_ylabel("cells", fontsize=9)
    axes.legend(fontsize=7.5, frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 0.95))


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """A stretch of the probability axis around values, of two factors of ten at least."""
    known = [value for value in values if value > 0]
    low, high = (min(known) / 2, max(known) * 2) if known else (1e-5, 1.0)
    high = min(high, 1.0)
    return min(low, high / 100), high


def _round_chances(low: float, high: float) -> list[float]:
    """Chances such as 1 in 20 between two probabilities: few where the stretch is long."""
    steps = (1, 2, 5) if high / low < 300 else (1,)
    numbers = [step * 10**power for power in range(8) for step in steps]
    return [1 / number for number in numbers if low <= 1 / number <= high]


def captures(cases: Sequence[CaseScores]) -> Figure:
    """Draw how much of the burned area lies in the likeliest part of the map.

    Parameters
    ----------
    cases : sequence of CaseScores
        Every forecast in one zone.

    Returns
    -------
    Figure
        One line for each; the grey one is chance.
    """
    figure, (axes,) = _figure()
    share = np.geomspace(0.001, 1, 60)
    axes.plot(share, share, color="#b0b0b0", linewidth=1)
    axes.text(0.3, 0.27, "chance", fontsize=7.5, color=_GREY, ha="left", va="top")
    for case in _ordered(cases):
        colour, dashes, width = _STYLES[case.forecast]
        x, y = zip(*case.capture_curve, strict=True)
        axes.plot(x, y, color=colour, linestyle=dashes, linewidth=width, label=NAMES[case.forecast])
    axes.set(xscale="log", xlim=(0.001, 1), ylim=(0, 1.01))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    axes.set_xlabel("likeliest part of the burnable area", fontsize=9)
    axes.set_ylabel("share of the burned area in it", fontsize=9)
    axes.legend(fontsize=8, frameon=False, loc="upper left", handlelength=3.4)
    return figure


def _ordered(cases: Sequence[CaseScores]) -> list[CaseScores]:
    """Cases in the order of `NAMES`."""
    return [case for name in NAMES for case in cases if case.forecast == name]


def days(scores: Scores) -> Figure:
    """Draw expected and observed hectares of each issue day.

    Parameters
    ----------
    scores : Scores
        With at least one day.

    Returns
    -------
    Figure
        Bars of what burned; marks of what the model and climatology expected.
    """
    figure, (axes,) = _figure()
    place = np.arange(len(scores.days))
    observed = [day.observed_ha for day in scores.days]
    axes.bar(place, observed, color="#c9a9da", width=0.7, label="burned")
    marks = (("model", "D", 5.0), ("climatology", "_", 9.0))
    for name, mark, size in marks:
        expected = [day.expected_ha.get(name, np.nan) for day in scores.days]
        axes.plot(
            place, expected, mark, color=_STYLES[name][0], markersize=size, markeredgewidth=1.8,
            label=f"{IN_TEXT[name]} expected",
        )  # fmt: skip
    step = max(1, -(-len(place) // 6))
    axes.set_xticks(place[::step], [day.day[5:] for day in scores.days[::step]])
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}".replace(",", " ")))
    axes.set_xlabel("issue day (month-day)", fontsize=9)
    axes.set_ylabel("hectares in 8 days", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    return figure


def leads(differences: Sequence[Difference]) -> Figure:
    """Draw the model's lead over each baseline.

    Parameters
    ----------
    differences : sequence of Difference
        Of average precision, in one zone.

    Returns
    -------
    Figure
        A dot and an interval for each; right of the line the model is ahead.
    """
    figure, (axes,) = _figure()
    figure.set_figheight(0.9 + 0.42 * max(1, len(differences)))
    axes.axvline(0, color="black", linewidth=1)
    for row, item in enumerate(differences):
        value, low, high = item.estimate
        colour = _STYLES["model"][0] if item.verdict == "ahead" else "#b04a00"
        axes.plot([low, high], [row, row], color=colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot(value, row, "o", color=colour, markersize=7)
    names = [NAMES.get(item.baseline, item.baseline) for item in differences]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(4))  # long labels such as -0.00125 stay apart
    axes.set_xlabel("model's average precision less the baseline's", fontsize=9)
    return figure
