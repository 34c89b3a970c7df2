"""Pictures of a training: scores by epoch, and forecasts beside what burned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

from firesat.products.page import save
from firesat.products.style import BREAKS, COLOURS

_NOTHING = "#b4b4b0"
_OUTCOMES = {
    "did not burn": "#f2f0ea",
    "burned, by a fire known at the start": "#111111",
    "burned, by a fire that started later": "#e69f00",
    "not known, or cannot burn": "#d9c9e8",
}  # as in the quicklook: black and orange differ for every eye (Okabe and Ito 2008)
_LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # Okabe and Ito 2008
_PANELS: Mapping[str, Mapping[str, str]] = {
    "loss": {
        "train/loss": "training, with the days",
        "val/loss": "validation",
        "val/day_loss": "validation, with the days",
    },
    "average precision on the validation chips": {
        "val/ap": "any fire",
        "val/ap_growth": "growth of known fires",
        "val/ap_new": "new fires",
        "val/prevalence": "chance (prevalence)",
    },
    "burned cells: forecast / observed": {
        "val/ratio": "any fire",
        "val/ratio_growth": "growth of known fires",
        "val/ratio_new": "new fires",
    },
}


@dataclass(frozen=True, kw_only=True)
class Example:
    """One chip with its forecast.

    Parameters
    ----------
    look : ndarray of float, shape (3, Y k, X k), optional
        Red, green and blue of the newest look, in any scale; a margin of less than Y pixels may lie
        around the cells.
    clear : ndarray of float, shape (Y, X), optional
        Where there is one.
    chance : ndarray of float, shape (Y, X)
        Chance of burning within the window, 0..1.
    burned : ndarray of bool, shape (L, Y, X)
        Whether a cell burned, by known fires and by new ones; or, of one map, by any.
    known : ndarray of bool, shape (Y, X)
        Whether that is known.
    """

    look: NDArray[np.floating] | None
    clear: NDArray[np.floating] | None
    chance: NDArray[np.floating]
    burned: NDArray[np.bool_]
    known: NDArray[np.bool_]


def draw_curves(epochs: Sequence[Mapping[str, float]], path: Path) -> Path:
    """Draw the scores of a training, epoch by epoch.

    Parameters
    ----------
    epochs : sequence of mapping
        ``epoch`` and scores of each; a score that is missing or not finite is left out.
    path : Path
        A PNG; it appears when it is whole.

    Returns
    -------
    Path
        `path`.
    """
    figure = _page((4.6 * len(_PANELS), 4.8))
    for axes, (title, lines) in zip(_row(figure, len(_PANELS)), _PANELS.items(), strict=True):
        axes.set_title(title, fontsize=10, loc="left")
        for (name, label), colour in zip(lines.items(), cycle(_LINES), strict=False):
            points = [(each["epoch"], each[name]) for each in epochs if name in each]
            known = [(x, y) for x, y in points if np.isfinite(y)]
            if known:
                dashed = "--" if "prevalence" in name else "-"
                axes.plot(
                    *zip(*known, strict=True), dashed, color=colour, label=label, marker=".",
                    linewidth=1.5,
                )  # fmt: skip
        if "observed" in title:
            axes.axhline(1.0, color="#888888", linewidth=0.8)
        if title == "loss" and axes.lines:  # with the days it is a hundred times as large
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:.3g}"))
        axes.set_xlabel("epoch", fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.tick_params(labelsize=8)
        axes.grid(color="#e4e4e0", linewidth=0.6)
        if axes.lines and axes.get_legend_handles_labels()[0]:
            axes.legend(  # below: nowhere inside is free of every curve
                fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2
            )
    return save(figure, path, "curves of a training")


def draw_examples(examples: Sequence[Example], epoch: int, path: Path) -> Path:
    """Draw chips: the newest look, the forecast, and what burned.

    Parameters
    ----------
    examples : sequence of Example
        At least one; a row each.
    epoch : int
        Whose forecast it is.
    path : Path
        A PNG; it appears when it is whole.

    Returns
    -------
    Path
        `path`.
    """
    rows, side = len(examples), 2.6
    head, foot = 0.75, 1.0
    figure = _page((3 * side + 0.6, rows * side + head + foot))
    width, height = figure.get_size_inches()
    titles = ("newest Sentinel-2 look", f"forecast of epoch {epoch}", "what burned")
    for number, example in enumerate(examples):
        pictures = (_look(example), _chance(example), _outcome(example))
        for column, (title, picture) in enumerate(zip(titles, pictures, strict=True)):
            axes = figure.add_axes(
                (
                    (0.2 + column * (side + 0.1)) / width,
                    (foot + (rows - 1 - number) * side + 0.1) / height,
                    side / width,
                    (side - 0.1) / height,
                ),
                xticks=[],
                yticks=[],
            )
            axes.imshow(picture, interpolation="nearest")
            if number == 0:
                axes.set_title(title, fontsize=10, loc="left")
    figure.text(0.2 / width, 1 - 0.32 / height, "Validation chips of which most burned", size=12)
    _legend(figure, (width, height), side)
    return save(figure, path, "forecasts of validation chips")


def _page(size: tuple[float, float]) -> Figure:
    """An empty page."""
    figure = Figure(figsize=size, dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _row(figure: Figure, count: int) -> list[Axes]:
    """Axes side by side."""
    made = figure.subplots(1, count)
    figure.subplots_adjust(left=0.05, right=0.985, bottom=0.25, top=0.92, wspace=0.18)
    return list(made)


def _look(example: Example) -> NDArray[np.float64]:
    """True colours, stretched between the 2nd and the 98th percentile; grey without a look."""
    if example.look is None or example.clear is None or not example.clear.any():
        return np.broadcast_to(to_rgb(_NOTHING), (*example.chance.shape, 3)).astype(np.float64)
    colours = np.moveaxis(example.look, 0, -1).astype(np.float64)
    cells = example.clear.shape[0]
    factor = colours.shape[0] // cells
    margin = (colours.shape[0] - factor * cells) // 2  # of a benchmark, around the cells
    colours = colours[margin:, margin:][: factor * cells, : factor * cells]
    seen = np.kron(example.clear > 0, np.ones((factor, factor), dtype=bool))
    low, high = np.percentile(colours[seen], (2, 98), axis=0)
    colours = np.clip((colours - low) / np.maximum(high - low, 1e-6), 0, 1)
    colours[~seen] = to_rgb(_NOTHING)
    return np.asarray(colours)


def _chance(example: Example) -> NDArray[np.float64]:
    """Classes of the chance."""
    table = np.array([to_rgb(colour) for colour in COLOURS])
    return np.asarray(table[np.digitize(example.chance, BREAKS)])


def _outcome(example: Example) -> NDArray[np.float64]:
    """What became of each cell."""
    table = np.array([to_rgb(colour) for colour in _OUTCOMES.values()])
    codes = np.where(example.burned[0], 1, 0)
    if len(example.burned) > 1:
        codes = np.where(example.burned[1] & ~example.burned[0], 2, codes)
    return np.asarray(table[np.where(example.known | (codes > 0), codes, 3)])


def _legend(figure: Figure, size: tuple[float, float], side: float) -> None:
    """What the colours mean, under the chips."""
    width, height = size
    bar = figure.add_axes(((0.2 + side + 0.1) / width, 0.62 / height, side / width, 0.14 / height))
    norm = BoundaryNorm([0, *BREAKS, 1], len(COLOURS))
    shown = figure.colorbar(
        ScalarMappable(norm, ListedColormap(COLOURS)), cax=bar, orientation="horizontal",
        spacing="uniform", ticks=[1e-5, 1e-4, 1e-3, 1e-2],
    )  # fmt: skip
    shown.ax.set_xticklabels(["1 in 100 000", "1 in 10 000", "1 in 1 000", "1 in 100"])
    shown.ax.tick_params(labelsize=6.5, length=2, pad=2)
    shown.set_label("chance that a cell burns in the window", fontsize=7.5)
    patches = [Patch(facecolor=c, edgecolor="#888888", label=w) for w, c in _OUTCOMES.items()]
    figure.legend(
        handles=patches, loc="upper left", fontsize=7, frameon=False,
        bbox_to_anchor=((0.2 + 2 * (side + 0.1)) / width - 0.01, 0.95 / height),
    )  # fmt: skip
