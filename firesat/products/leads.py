"""Leads: the chance that each cell has burned by the end of each day of the window."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import numpy as np
from odc.geo.geobox import GeoBox

from firesat.products.base import Asset, Issue
from firesat.products.cog import Layer, Raster, Rows, publish
from firesat.products.strips import State, Strip
from firesat.products.tags import forecast_tags


@dataclass(frozen=True, kw_only=True)
class Leads:
    """One band a day, rising from day to day; the last is that of the whole window.

    Where the forecast has no probability, the bands have none. Needs a network that tells days
    apart.
    """

    by_day: ClassVar[bool] = True

    def files(self, issue: Issue) -> list[Path]:
        """Name the file.

        Parameters
        ----------
        issue : Issue
            A forecast.

        Returns
        -------
        list of Path
            One GeoTIFF.
        """
        return [Path("leads") / f"{issue.name}_leads.tif"]

    def write(
        self, strips: Iterable[Strip], cells: GeoBox, issue: Issue, folder: Path
    ) -> list[Asset]:
        """Write the file.

        Parameters
        ----------
        strips : iterable of Strip
            The forecast, with its leads.
        cells : GeoBox
            Cells of the map.
        issue : Issue
            What is forecast.
        folder : Path
            Output folder.

        Returns
        -------
        list of Asset
            As in :meth:`files`.

        Raises
        ------
        ProductError
            If a probability is outside [0, 1] or the disk is full.
        """
        (name,) = self.files(issue)
        publish(folder / name, _raster(cells, issue), _bands(strips))
        title = "Probability of burning by the end of each day"
        return [Asset(path=folder / name, title=title, roles=("data",))]


def _raster(cells: GeoBox, issue: Issue) -> Raster:
    """The file's bands."""
    start, _ = issue.valid_time
    layers = tuple(
        Layer(
            name=f"p_fire_{lead}d",
            units="1",
            tags={
                "long_name": f"probability that the cell burns within {_days(lead)}",
                "long_name_fr": f"probabilité que la cellule brûle d'ici {lead} jour(s)",
                "lead_time": f"P{lead}D",
                "valid_time_end": f"{start + timedelta(days=lead):%Y-%m-%dT%H:%M:%SZ}",
            },
            valid_range=(0.0, 1.0),
        )
        for lead in range(1, issue.window.horizon + 1)
    )
    return Raster(cells=cells, layers=layers, tags=forecast_tags(issue))


def _days(lead: int) -> str:
    """A number of days in words."""
    return "a day" if lead == 1 else f"{lead} days"


def _bands(strips: Iterable[Strip]) -> Iterator[Rows]:
    """The leads where the mask says "forecast"."""
    for strip in strips:
        bands = strip.leads.copy()
        bands[:, strip.mask != State.FORECAST] = np.nan
        yield strip.row, bands
