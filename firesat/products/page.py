"""The page around maps: axes in inches, scale bar, words, and the file."""

import io
import os
import textwrap
from datetime import datetime
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from odc.geo.geobox import GeoBox

from firesat.manifest import sync_folder
from firesat.products.wording import LANGUAGES, RESOLUTION, moment, notice

MARGIN = 0.3  # inches around the page
LINE = 0.25  # inches from line to line of the title
SMALL_LINE = 0.125  # and of the small print


def add_axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Place axes in inches.

    Parameters
    ----------
    figure : Figure
        The page.
    left, bottom, width, height : float
        Inches from the page's lower left corner.

    Returns
    -------
    Axes
        Without ticks.
    """
    page = figure.get_size_inches()
    return figure.add_axes(
        (left / page[0], bottom / page[1], width / page[0], height / page[1]),
        xticks=[],
        yticks=[],
    )


def scale_bar(axes: Axes, cells: GeoBox) -> None:
    """Draw a bar of about a fifth of the map, and an arrow to grid north.

    Parameters
    ----------
    axes : Axes
        A map drawn cell by cell, row 0 on top.
    cells : GeoBox
        Its cells.
    """
    height, width = cells.shape
    metres = abs(cells.resolution.x)
    wanted = width * metres / 5
    length = max(step for step in _nice(wanted) if step <= wanted) if wanted >= 1000 else 1000.0
    bar, thick = length / metres, height / 120
    left, top = width * 0.04, height * 0.95
    frame = Rectangle((left - width * 0.02, top - height * 0.055), bar + width * 0.04,
                      height * 0.085, color="white", alpha=0.8, linewidth=0)  # fmt: skip
    axes.add_patch(frame)
    axes.add_patch(Rectangle((left, top), bar, thick, color="black"))
    axes.text(left + bar / 2, top - thick, f"{length / 1000:g} km", fontsize=8, ha="center")
    axes.add_patch(Rectangle((width * 0.92, height * 0.015), width * 0.065, height * 0.1,
                             color="white", alpha=0.8, linewidth=0))  # fmt: skip
    axes.annotate(
        "N",
        xy=(width * 0.9525, height * 0.02),
        xytext=(width * 0.9525, height * 0.085),
        ha="center",
        va="center",
        fontsize=9,
        arrowprops={"arrowstyle": "-|>", "color": "black", "shrinkA": 2, "shrinkB": 0},
    )


def _nice(wanted: float) -> list[float]:
    """Lengths in metres that read well, around a wanted one."""
    decade = 10.0 ** np.floor(np.log10(wanted))
    return [factor * decade for factor in (1, 2, 5)]


def wording(
    title: str, valid_time: tuple[datetime, datetime], offset: int, width: float
) -> tuple[list[str], list[str]]:
    """Break the page's words into lines.

    Parameters
    ----------
    title : str
        What is shown.
    valid_time : tuple of datetime
        Start and end of the forecast, UTC.
    offset : int
        Local standard time minus UTC, whole hours.
    width : float
        Inches of the page.

    Returns
    -------
    tuple of list of str
        Title and dates, in UTC and local time; the notice in both languages.
    """
    start, end = (moment(time, offset) for time in valid_time)
    head = [
        *textwrap.wrap(title, int(width * 7)),
        *textwrap.wrap(f"{start} to {end}", int(width * 11)),
    ]
    small = [
        line
        for language in LANGUAGES
        for line in textwrap.wrap(
            f"{notice(valid_time, offset, language)} {RESOLUTION[language]}.", int(width * 17)
        )
    ]
    return head, small


def print_words(figure: Figure, head: list[str], small: list[str]) -> None:
    """Put the title above the maps and the small print below.

    Parameters
    ----------
    figure : Figure
        The page.
    head, small : list of str
        As from :func:`wording`.
    """
    width, height = figure.get_size_inches()
    for number, line in enumerate(head):
        title = number == 0
        y = 1 - (0.38 + LINE * number) / height
        style = {"fontsize": 14, "weight": "bold"} if title else {"fontsize": 10}
        figure.text(MARGIN / width, y, line, **style)
    for number, line in enumerate(reversed(small)):
        y = (0.15 + SMALL_LINE * number) / height
        figure.text(MARGIN / width, y, line, fontsize=6.5, color="#444444")


def save(figure: Figure, path: Path, title: str) -> Path:
    """Write a page as a PNG: whole, or not there.

    Parameters
    ----------
    figure : Figure
        The page.
    path : Path
        Final name; its folder is made if absent.
    title : str
        For the file's metadata.

    Returns
    -------
    Path
        `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Title": title, "Software": "firesat"})
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(buffer.getvalue())
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    sync_folder(path.parent)
    return path
