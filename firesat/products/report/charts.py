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
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

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

_STYLES = {
    "model": ("#7228a0", "-", 2.4),
    "climatology": ("#5a5a5a", (0, (1, 1.2)), 1.6),
    "persistence": ("#0072b2", "--", 1.6),
    "FWI x fuel": ("#b04a00", "-.", 1.6),
    "FWI": ("#00775a", (0, (5, 1, 1, 1, 1, 1)), 1.6),
}
_SIZE = (4.6, 3.7)  # inches: about as wide as a phone, so that letters keep their size there
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
    known = [*forecast, *observed[observed > 0], case.prevalence]
    low, high = _decades([value for value in known if value > 0])
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
    axes.yaxis.set_major_formatter(FuncFormatter(_in_words))
    axes.set_ylabel("burned", fontsize=9)
    _bars(counts, forecast, [(part.expected, part.burned) for part in bins])
    counts.xaxis.set_major_locator(LogLocator(numticks=5))
    counts.xaxis.set_major_formatter(FuncFormatter(_in_words))
    counts.xaxis.set_minor_formatter(NullFormatter())
    counts.set_xlabel("forecast probability", fontsize=9)
    return figure


def _bars(axes: Axes, place: np.ndarray, pairs: Sequence[tuple[float, float]]) -> None:
    """Expected (outline) and burned (filled) cells of each bin."""
    expected, burned = (np.array(column) for column in zip(*pairs, strict=True))
    width = place * 0.22
    axes.bar(place, burned, width=width, color="#c9a9da", label="burned")
    axes.bar(place, expected, width=width, fill=False, edgecolor="black", label="expected")
    axes.set_ylabel("cells", fontsize=9)
    axes.legend(fontsize=7, frameon=False, ncols=2, loc="upper left", bbox_to_anchor=(0, 1.22))


def _decades(values: Sequence[float]) -> tuple[float, float]:
    """Whole decades around values."""
    if not values:
        return 1e-5, 1.0
    low = 10.0 ** np.floor(np.log10(min(values)) - 0.15)
    return float(low), float(10.0 ** np.ceil(np.log10(max(values)) + 0.05))


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
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
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
            label=f"{NAMES[name].lower()} expected",
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
    axes.set_xlabel("model's average precision less the baseline's", fontsize=9)
    return figure
