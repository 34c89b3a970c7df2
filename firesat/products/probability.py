"""Probability: the chance that each cell burns, and why some cells have none."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox

from firesat.products.base import Asset, Issue
from firesat.products.cog import Layer, Raster, Rows, publish
from firesat.products.strips import State, Strip
from firesat.products.style import STATE_COLOURS, write_mask_style, write_probability_style
from firesat.products.tags import forecast_tags
from firesat.products.wording import LANGUAGES, PROBABILITIES, STATES


@dataclass(frozen=True, kw_only=True)
class Probability:
    """Three bands: burning at all, by fires known at the reference time, by fires that start later.

    A cell has a probability only where the mask says "forecast"; whether a lake, a fresh scar, snow
    or missing inputs is the reason stands in the mask beside it. Each file has a QGIS style.
    """

    def files(self, issue: Issue) -> list[Path]:
        """Name the files.

        Parameters
        ----------
        issue : Issue
            A forecast.

        Returns
        -------
        list of Path
            The map, its style, the mask, its style.
        """
        mask = Path("masks") / f"{issue.name}_mask"
        return [
            Path(f"{issue.name}.tif"),
            Path(f"{issue.name}.qml"),
            mask.with_suffix(".tif"),
            mask.with_suffix(".qml"),
        ]

    def write(
        self, strips: Iterable[Strip], cells: GeoBox, issue: Issue, folder: Path
    ) -> list[Asset]:
        """Write the map and the mask.

        Parameters
        ----------
        strips : iterable of Strip
            The forecast; read twice.
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
        chart, style, mask, mask_style = (folder / name for name in self.files(issue))
        tags = forecast_tags(issue)
        publish(mask, _mask_raster(cells, tags), ((s.row, s.mask[None]) for s in strips))
        write_mask_style(mask_style)
        write_probability_style(style)
        publish(chart, _raster(cells, tags), _probabilities(strips))
        return [
            Asset(path=chart, title="Probability of burning", roles=("data",)),
            Asset(path=style, title="QGIS style", roles=("style",)),
            Asset(path=mask, title="Why a cell has no probability", roles=("data-mask",)),
            Asset(path=mask_style, title="QGIS style of the mask", roles=("style",)),
        ]


def _raster(cells: GeoBox, tags: dict[str, str]) -> Raster:
    """The map's bands."""
    layers = tuple(
        Layer(
            name=name,
            units="1",
            tags={"long_name": words["en"], "long_name_fr": words["fr"]},
            valid_range=(0.0, 1.0),
        )
        for name, words in PROBABILITIES.items()
    )
    return Raster(cells=cells, layers=layers, tags=tags)


def _probabilities(strips: Iterable[Strip]) -> Iterator[Rows]:
    """The three bands where the mask says "forecast"."""
    for strip in strips:
        bands = np.stack([strip.fire, strip.growth, strip.new])
        bands[:, strip.mask != State.FORECAST] = np.nan
        yield strip.row, bands


def _mask_raster(cells: GeoBox, tags: dict[str, str]) -> Raster:
    """The mask's band, with CF flags and a colour table."""
    meanings = {language: [words[language] for words in STATES.values()] for language in LANGUAGES}
    flags = {
        "flag_values": ", ".join(str(int(state)) for state in STATES),
        "flag_meanings": " ".join(state.name.lower() for state in STATES),
        "flag_names": "; ".join(meanings["en"]),
        "flag_names_fr": "; ".join(meanings["fr"]),
    }
    layer = Layer(name="mask", units="", tags=flags, valid_range=(0, max(State)))
    return Raster(
        cells=cells,
        layers=(layer,),
        tags=tags,
        dtype="uint8",
        nodata=None,
        overviews="mode",
        colours={int(state): colour for state, colour in STATE_COLOURS.items()},
    )
