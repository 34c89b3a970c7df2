"""Sentinel-2 L1C by granule from the Copernicus Data Space: how a whole country is fetched."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
import xarray as xr

from firesat.blocks import Block, Layout
from firesat.errors import SourceError
from firesat.grid import Bounds, crs_of
from firesat.sources._averages import read_average
from firesat.sources._catalogue import search
from firesat.sources._eodata import Archive, find_key
from firesat.sources._every_day import EveryDay
from firesat.sources._granule import average_granule, label_of
from firesat.sources._layers import end_of_fire_day, hours
from firesat.sources._mgrs import needed_part
from firesat.sources._msi import clearest, msi_layout, msi_scene
from firesat.sources._orbits import SWATH, degrees_of, looks_a_day, satellites
from firesat.sources._products import Product
from firesat.sources.base import Scene, cached
from firesat.sources.quotas import Cost
from firesat.window import DAY_START, reference_time, to_datetime

CATALOGUE = "https://stac.dataspace.copernicus.eu/v1"
_EODATA = "https://eodata.dataspace.copernicus.eu"

_GRANULE_BYTES = 600e6  # a full L1C product: Sentinel-2 user handbook
_FILES = 28  # of a granule: 13 bands, their quality masks, two of metadata


@dataclass(frozen=True, kw_only=True)
class Sentinel2Granules(EveryDay):
    """Sentinel-2 L1C at 100 m from whole granules, one tile and day a block.

    The group is that of `sentinel2.Sentinel2`, which asks a service for pixels instead. A granule
    is fetched once, however many blocks it reaches into. What the project's region needs of it is
    decoded, without pixels that its quality masks call bad; clouds are looked for at 60 m; what is
    clear of a cell is averaged by area to 100 m in its own UTM zone and kept so in the cache, with
    its share. The averages of a later run are those of an earlier one.

    Parameters
    ----------
    base_url : str
        Root of the catalogue; the archive is the one that belongs to it.
    max_cloud : float
        Granules with a larger share of cloud, in per cent, are not fetched.
    connections : int
        Downloads at a time, of all workers that share the cache; ``ingest.quotas.cdse`` holds as
        well.
    latency_hours : float
        From the overpass to its publication.
    day_start : int
        Hour UTC at which days begin.
    attempts, pause : int, float
        Downloads tried before giving up, and seconds before the second.
    """

    provider: ClassVar[str] = "cdse"

    base_url: str = CATALOGUE
    max_cloud: float = 60.0
    connections: int = 4
    latency_hours: float = 24.0
    day_start: int = DAY_START
    attempts: int = 6
    pause: float = 1.0

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            Group ``sentinel2``: reflectance of 13 bands and the clear fraction, packed.
        """
        return msi_layout(self.provider, self.latency_hours, self.day_start)

    def check(self) -> None:
        """Check that there is a key.

        Raises
        ------
        CredentialsError
            If there is none.
        """
        find_key()

    def cost(self, blocks: Collection[Block]) -> Cost:
        """Estimate what blocks take.

        From the geometry of orbit and tiles alone: how often a place of this latitude is seen, and
        how many files its area fills. A granule that several blocks share is counted in parts, so
        that costs of blocks add up. Clouds are not considered: `max_cloud` leaves out up to half.

        Parameters
        ----------
        blocks : collection of Block
            Tiles and fire days.

        Returns
        -------
        Cost
            Expected values, not whole numbers.
        """
        seen: Counter[tuple[int, int]] = Counter()
        places: dict[tuple[int, int], tuple[float, float]] = {}
        at_work: dict[int, int] = {}
        for block in blocks:  # a country has millions: everything that repeats is looked up
            step, *where = block.index
            place = (where[0], where[1])
            if place not in places:
                places[place] = _granules_a_day(block)
            if step not in at_work:
                at_work[step] = satellites(block.times[0])
            seen[place] += at_work[step]
        granules = sum(count * places[place][0] for place, count in seen.items())
        full = sum(count * places[place][1] for place, count in seen.items())
        return Cost(
            requests=len(blocks) + _FILES * granules,
            bytes=full * _GRANULE_BYTES,
            basis="looks: orbit geometry of the Sentinel-2 user handbook, clouds not considered; "
            "600 MB a full granule of 28 files",
        )

    def search(self, block: Block) -> list[Scene]:
        """List the granules of a block's day.

        Parameters
        ----------
        block : Block
            A tile and a fire day.

        Returns
        -------
        list of Scene
            One for each granule that reaches into the block; of several productions the newest,
            which names the others.

        Raises
        ------
        ProviderError
            If the catalogue fails, or names files that no such product has.
        """
        day = block.times[0].astype("datetime64[D]")
        start = to_datetime(reference_time(str(day), self.day_start))
        end = to_datetime(end_of_fire_day(day, self.day_start)) - timedelta(seconds=1)
        products = search(self.base_url, block.region, (start, end), self.max_cloud)
        region, crs = block.whole or block.extent, crs_of(block.geobox).to_wkt()
        return [
            self._scene(product, needed_part(product.tile, region, crs)) for product in products
        ]

    def _scene(self, product: Product, part: Bounds) -> Scene:
        """One granule."""
        observed = np.datetime64(product.observed.replace(tzinfo=None), "s")
        return Scene(
            id=product.id,
            source="sentinel2",
            observed=observed,
            available=observed + hours(self.latency_hours),
            request={"product": product, "part": part},
            superseded=product.older,
        )

    def fetch(self, scene: Scene, cache: Path) -> Path:
        """Bring a granule into the cache, averaged to 100 m, once: what the project needs of it.

        Parameters
        ----------
        scene : Scene
            One result of `search`.
        cache : Path
            Folder shared by all workers.

        Returns
        -------
        Path
            A GeoTIFF of 13 bands, the share observed in all of them and that clear of clouds.

        Raises
        ------
        CredentialsError
            If there is no key, or it is refused.
        ProviderError
            If the archive fails.
        CorruptFileError
            If a file is damaged, or is not of this granule.
        """
        product = scene.request.get("product")
        if not isinstance(product, Product):
            raise SourceError(f"{scene.id} is no scene of this source: take one from its search()")
        archive = Archive(endpoint=self.archive_url, attempts=self.attempts, pause=self.pause)
        part = cast("Bounds", scene.request["part"])
        return cached(
            cache,
            f"{label_of(product, part)}.tif",
            lambda path: average_granule(
                product, archive, cache, self.connections, path, bounds=part
            ),
        )

    @property
    def archive_url(self) -> str:
        """Address of the S3 service that belongs to the catalogue.

        Returns
        -------
        str
            Without the bucket.
        """
        return _EODATA if self.base_url == CATALOGUE else f"{self.base_url}/s3"

    def read(self, path: Path) -> xr.Dataset:
        """Read a granule.

        Parameters
        ----------
        path : Path
            A result of `fetch`.

        Returns
        -------
        xr.Dataset
            ``reflectance (band, y, x)``, NaN where nothing was measured, of what is clear where
            anything is; ``observed (y, x)``, the share of the cell that was measured in all bands;
            and ``clear (y, x)``, the share of this that is clear. 100 m, in UTM.

        Raises
        ------
        CorruptFileError
            If the file is damaged or another one.
        """
        average, cells = read_average(path)
        return msi_scene(
            average.reflectance, average.observed, cells, "bilinear", clear=average.clear
        )

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Mosaic the granules of a day: each cell from the clearest.

        Parameters
        ----------
        scenes : sequence of (Scene, xr.Dataset)
            Aligned to the block's cells, with ``clear (y, x)`` from a cloud mask; without it, all
            that was observed counts as clear.
        block : Block
            A tile and a fire day.

        Returns
        -------
        xr.Dataset
            ``reflectance (time, band, y, x)`` and ``clear (time, y, x)``, 0 = cloudy; NaN where
            nobody looked.
        """
        return clearest(scenes, block)


def _granules_a_day(block: Block) -> tuple[float, float]:
    """What one satellite sees of a block a day: granules, and how many full ones they amount to."""
    x0, y0, x1, y1 = block.extent
    middle = (x0 + x1) / 2, (y0 + y1) / 2
    latitude = degrees_of(crs_of(block.geobox).to_wkt(), *middle)[1]
    parallel = 111.3 * math.cos(math.radians(latitude))  # kilometres of a degree of longitude
    looks = looks_a_day(latitude)
    squares = (x1 - x0) * (y1 - y0) / 1e10
    squares *= 1 + 100 / (6 * parallel)  # tiles of both zones where zones meet
    # The swath's edge cuts tiles; what was not seen has no bytes.
    return looks * squares * (1 + 100 / SWATH), looks * squares * 1.098**2
