"""Quality: how much each cell's forecast could see."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox

from firesat.products.base import Asset, Issue
from firesat.products.cog import Layer, Raster, Rows, publish
from firesat.products.strips import Strip
from firesat.products.tags import forecast_tags

_NODATA = 255


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Two bands: clear Sentinel-2 looks, and days since the newest of them."""

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
        return [Path("quality") / f"{issue.name}_quality.tif"]

    def write(
        self, strips: Iterable[Strip], cells: GeoBox, issue: Issue, folder: Path
    ) -> list[Asset]:
        """Write the file.

        Parameters
        ----------
        strips : iterable of Strip
            The forecast.
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
            If the disk is full.
        """
        (name,) = self.files(issue)
        publish(folder / name, _raster(cells, forecast_tags(issue)), _bands(strips))
        return [Asset(path=folder / name, title="What the forecast could see", roles=("metadata",))]


def _raster(cells: GeoBox, tags: dict[str, str]) -> Raster:
    """The file's bands."""
    looks = Layer(
        name="clear_looks",
        units="1",
        tags={
            "long_name": "clear Sentinel-2 looks in hand at the reference time",
            "long_name_fr": "vues Sentinel-2 dégagées disponibles à l'heure de référence",
        },
    )
    age = Layer(
        name="look_age",
        units="d",
        tags={
            "long_name": "days from the newest clear look to the reference time",
            "long_name_fr": "jours entre la plus récente vue dégagée et l'heure de référence",
        },
    )
    return Raster(cells=cells, layers=(looks, age), tags=tags, dtype="uint8", nodata=_NODATA)


def _bands(strips: Iterable[Strip]) -> Iterator[Rows]:
    """Looks, and their age in whole days; no age without a look."""
    for strip in strips:
        age = np.where(np.isnan(strip.age), _NODATA, np.clip(np.floor(strip.age), 0, _NODATA - 1))
        yield strip.row, np.stack([strip.looks.astype(np.float32), age])
