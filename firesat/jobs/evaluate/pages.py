"""Files that an evaluation leaves: numbers, a picture, a page."""

import logging
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.jobs.evaluate.published import Published
from firesat.jobs.evaluate.record import Record
from firesat.manifest import sync_folder
from firesat.metrics import EvaluateSettings, Scores
from firesat.products.quicklook import Burned, Panel, quicklook
from firesat.products.report import write_report

log = logging.getLogger(__name__)


def draw(worst: tuple[Published, GeoBox], record: Record, settings: EvaluateSettings) -> Path:
    """Draw the map on which most burned.

    Parameters
    ----------
    worst : tuple of (Published, GeoBox)
        Forecast and part of the region.
    record : Record
        The cube over that part.
    settings : EvaluateSettings
        Where the picture goes.

    Returns
    -------
    Path
        ``quicklook.png``.
    """
    made, cells = worst
    day = str(made.day)
    panels = [
        Panel(title="Forecast", values=made.read(cells)["p_fire"], kind="probability"),
        Panel(title="What burned", values=_burned(record, day), kind="burned"),
        Panel(title="Fire Weather Index at the start", values=record.known(day).fwi, kind="index"),
    ]
    return quicklook(
        panels,
        cells,
        f"Forecast and outcome of {day}, the issue day with most fire",
        settings.output / "quicklook.png",
        valid_time=made.window.valid_time(day),
        elevation=record.static("elevation"),
        water=record.static("water"),
    )


def _burned(record: Record, day: str) -> NDArray[np.float64]:
    """Outcome of each cell, as values of `Burned`."""
    truth = record.truth(day)
    unknown = ~truth.valid.all(axis=0).astype(bool)
    outcome = np.where(unknown, Burned.UNKNOWN, Burned.NO)
    outcome[record.burnt_before(day)] = Burned.BEFORE
    outcome[truth.label[0] > 0] = Burned.GROWTH
    outcome[truth.label[1] > 0] = Burned.NEW
    return outcome.astype(np.float64)


def write(scores: Scores, folder: Path, *, picture: Path) -> None:
    """Write the numbers and the page.

    Parameters
    ----------
    scores : Scores
        What was found.
    folder : Path
        Where the files go.
    picture : Path
        ``quicklook.png``, which the page embeds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "scores.json"
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(scores.to_json())
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    sync_folder(folder)
    write_report(scores, folder / "report.html", picture=picture)
    log.info("scores in %s, report in %s", path, folder / "report.html")
