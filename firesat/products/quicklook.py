"""Quicklook: maps side by side on one page, to be looked at rather than measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LightSource, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.errors import ProductError
from firesat.products.base import local_offset
from firesat.products.page import (
    LINE,
    MARGIN,
    SMALL_LINE,
    add_axes,
    print_words,
    save,
    scale_bar,
    wording,
)
from firesat.products.style import BREAKS, COLOURS

Rgb = NDArray[np.float64]
Kind = Literal["probability", "burned", "index"]


class Burned(IntEnum):
    """What became of a cell in the window; values of a "burned" panel."""

    NO = 0
    GROWTH = 1
    NEW = 2
    BEFORE = 3
    UNKNOWN = 4


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One map.

    Parameters
    ----------
    title : str
        Stands above it.
    values : ndarray of float, shape (Y, X)
        Probabilities; values of :class:`Burned`; or any index such as the FWI. NaN = nothing to
        show. May be coarser than the page's cells by a whole factor.
    kind : {"probability", "burned", "index"}
        How it is coloured: logarithmic classes, named classes, or evenly from least to most.
    units : str
        For the legend of an index.
    """

    title: str
    values: NDArray[np.floating]
    kind: Kind = "probability"
    units: str = ""


_NOTHING, _WATER = "#b4b4b0", "#c9d6de"
_BURNED = {
    Burned.NO: ("#f2f0ea", "did not burn"),
    Burned.GROWTH: ("#111111", "burned, by a fire known at the start"),
    Burned.NEW: ("#e69f00", "burned, by a fire that started later"),
    Burned.BEFORE: ("#9a9a9a", "burnt before"),
    Burned.UNKNOWN: ("#d9c9e8", "not known"),
}  # black and orange differ for every eye (Okabe and Ito 2008)
_SIDE = 4.3  # inches of a panel
_LEGEND = 0.75  # inches under the maps
_LIGHT = LightSource(azdeg=315, altdeg=45)


def quicklook(
    panels: Sequence[Panel],
    cells: GeoBox,
    title: str,
    path: Path,
    *,
    valid_time: tuple[datetime, datetime],
    elevation: NDArray[np.floating] | None = None,
    water: NDArray[np.floating] | None = None,
) -> Path:
    """Draw maps side by side, with what they mean and what they are not for.

    Parameters
    ----------
    panels : sequence of Panel
        From left to right.
    cells : GeoBox
        Cells of the page.
    title : str
        What is shown; the dates are added in UTC and local time.
    path : Path
        A PNG; it appears when it is whole. Its folder is made if absent.
    valid_time : tuple of datetime
        Start and end of the forecast, UTC.
    elevation : ndarray, shape (Y, X), optional
        Metres: the maps are shaded by its relief.
    water : ndarray, shape (Y, X), optional
        Fraction: cells of more than half are drawn as water.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ProductError
        If there is no panel, or one has another shape than the cells.
    """
    if not panels:
        raise ProductError("a quicklook without a panel: give at least one")
    width = len(panels) * _SIDE + 2 * MARGIN - 0.2
    head, small = wording(title, valid_time, local_offset(cells), width)
    top, bottom = 0.62 + LINE * len(head), MARGIN + _LEGEND + SMALL_LINE * len(small)
    figure = Figure(figsize=(width, _height(cells) + top + bottom), dpi=130, facecolor="white")
    FigureCanvasAgg(figure)
    shade = _shade(elevation, cells)
    for number, panel in enumerate(panels):
        axes = add_axes(figure, MARGIN + number * _SIDE, bottom, _SIDE - 0.2, _height(cells))
        _draw(axes, panel, cells, shade, water)
        _legend(figure, axes, panel, has_water=water is not None)
    scale_bar(figure.axes[0], cells)
    print_words(figure, head, small)
    return save(figure, path, title)


def _height(cells: GeoBox) -> float:
    """Inches of a panel's height."""
    return (_SIDE - 0.2) * float(cells.shape[0]) / float(cells.shape[1])


def _shade(elevation: NDArray[np.floating] | None, cells: GeoBox) -> Rgb | float:
    """Relief as a factor on colours, 0.84 to 1; heights are exaggerated where the land is flat."""
    if elevation is None:
        return 1.0
    heights = np.nan_to_num(np.asarray(elevation, dtype=np.float64), nan=np.nanmean(elevation))
    step = abs(cells.resolution.x)
    rise = np.hypot(*np.gradient(heights, step))
    exaggeration = 0.5 / max(float(np.quantile(rise, 0.95)), 1e-6)
    light = _LIGHT.hillshade(heights, vert_exag=exaggeration, dx=step, dy=step)
    return np.asarray(0.84 + 0.16 * light)[..., None]


def _draw(
    axes: Axes,
    panel: Panel,
    cells: GeoBox,
    shade: Rgb | float,
    water: NDArray[np.floating] | None,
) -> None:
    """One map."""
    colours = _colours(panel, _fit(panel.values, cells)) * shade
    if water is not None:
        colours[np.asarray(water) > 0.5] = to_rgb(_WATER)
    axes.imshow(np.clip(colours, 0, 1), interpolation="nearest" if len(colours) < 700 else "auto")
    axes.set_title(panel.title, fontsize=10, loc="left", pad=5)


def _fit(values: NDArray[np.floating], cells: GeoBox) -> NDArray[np.float64]:
    """Values on the page's cells, repeated where they are coarser."""
    rows, columns = (n / m for n, m in zip(cells.shape, values.shape, strict=True))
    if rows != columns or rows % 1:
        raise ProductError(
            f"a panel of {values.shape[0]} x {values.shape[1]} does not fit the page's "
            f"{cells.shape[0]} x {cells.shape[1]} cells: give its own, or a whole part of them"
        )
    factor = int(rows)
    return np.repeat(np.repeat(values.astype(np.float64), factor, axis=0), factor, axis=1)


def _colours(panel: Panel, values: NDArray[np.float64]) -> Rgb:
    """Red, green and blue of every cell."""
    if panel.kind == "index":
        low, high = _limits(panel)
        colours = np.asarray(colormaps["cividis"]((values - low) / (high - low)))[..., :3]
    else:
        table = np.array([to_rgb(colour) for colour in _table(panel.kind)])
        classes = np.digitize(values, BREAKS) if panel.kind == "probability" else values
        colours = table[np.nan_to_num(classes).astype(int).clip(0, len(table) - 1)]
    colours[np.isnan(values)] = to_rgb(_NOTHING)
    return colours


def _table(kind: Kind) -> list[str]:
    """Colours of classes."""
    return [*COLOURS] if kind == "probability" else [colour for colour, _ in _BURNED.values()]


def _limits(panel: Panel) -> tuple[float, float]:
    """Least and most of an index; never equal."""
    known = panel.values[np.isfinite(panel.values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return (low, high) if high > low else (low, low + 1.0)


def _legend(figure: Figure, axes: Axes, panel: Panel, *, has_water: bool) -> None:
    """What the colours mean, under the map."""
    entries = list(_BURNED.values()) if panel.kind == "burned" else []
    if has_water:
        entries.append((_WATER, "water"))
    if panel.kind != "burned" and np.isnan(panel.values).any():
        entries.append((_NOTHING, "no value"))
    if entries:
        below = 0.0 if panel.kind == "burned" else 0.5
        axes.legend(
            handles=[Patch(facecolor=c, edgecolor="#888888", label=words) for c, words in entries],
            loc="upper left", bbox_to_anchor=(0, -(0.03 + below) / (_SIDE - 0.2)), ncols=2,
            fontsize=7, frameon=False, handlelength=1.2, columnspacing=1.0, borderpad=0.1,
            labelspacing=0.35, borderaxespad=0,
        )  # fmt: skip
    if panel.kind != "burned":
        _colour_bar(figure, axes, panel)


def _colour_bar(figure: Figure, axes: Axes, panel: Panel) -> None:
    """Colours from least to most, with numbers."""
    place, page = axes.get_position(), figure.get_size_inches()
    bar = add_axes(
        figure, place.x0 * page[0], place.y0 * page[1] - 0.24, place.width * page[0], 0.14
    )
    bar.tick_params(labelsize=7, length=2, pad=2)
    if panel.kind == "probability":
        bar.imshow([[to_rgb(colour) for colour in COLOURS]], aspect="auto")
        decades = [number for number, bound in enumerate(BREAKS) if f"{bound:e}".startswith("1")]
        names = [f"1 in {round(1 / BREAKS[number]):,}".replace(",", " ") for number in decades]
        bar.set_xticks([number + 0.5 for number in decades], names)
        bar.set_xlabel("chance that a cell burns in the window", fontsize=7.5, labelpad=1)
        return
    low, high = _limits(panel)
    even = np.linspace(0, 1, 256)[None]
    bar.imshow(even, cmap="cividis", aspect="auto", extent=(low, high, 0, 1))
    bar.xaxis.set_major_locator(MaxNLocator(6))
    bar.set_xlabel(panel.units, fontsize=7.5, labelpad=1)
