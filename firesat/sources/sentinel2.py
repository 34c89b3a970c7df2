"""Sentinel-2 L1C through Sentinel Hub: 13 bands of top-of-atmosphere reflectance."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.bands import SENTINEL2_BANDS
from firesat.blocks import Block, Layout
from firesat.errors import CorruptFileError
from firesat.raster import open_raster
from firesat.sources._layers import degrees_around, end_of_fire_day, hours
from firesat.sources._msi import SCALE, clearest, msi_layout, msi_scene
from firesat.sources._sentinelhub import CDSE, Box, Hub, processing_units
from firesat.sources._utm import utm_squares, utm_zone
from firesat.sources.base import Scene, cached
from firesat.window import DAY_START, reference_time, to_datetime

log = logging.getLogger(__name__)

_BANDS = len(SENTINEL2_BANDS)
_SAME_PASS = timedelta(minutes=2)  # granules of one overpass are seconds apart
_AROUND = timedelta(minutes=1)

Granule = tuple[datetime, str]


@dataclass(frozen=True, kw_only=True)
class Sentinel2:
    """Sentinel-2 L1C, 100 m, one tile and day a block.

    Parameters
    ----------
    base_url : str
        Root of the Sentinel Hub deployment.
    resolution : {20, 100}
        Metres of the requested pixels. 100 lets the service interpolate, which is cheap but no area
        average; 20 is averaged here, at 25 times the processing units.
    max_cloud : float
        Granules with a larger share of cloud, in per cent, are not asked for.
    latency_hours : float
        From the overpass to its publication.
    day_start : int
        Hour UTC at which days begin; 0 = calendar days.
    attempts, pause : int, float
        Downloads tried before giving up, and seconds before the second.
    """

    provider: ClassVar[str] = "sentinelhub"

    base_url: str = CDSE
    resolution: Literal[20, 100] = 100
    max_cloud: float = 60.0
    latency_hours: float = 24.0
    day_start: int = DAY_START
    attempts: int = 4
    pause: float = 5.0

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            Group ``sentinel2``: reflectance of 13 bands and the clear fraction, packed.
        """
        return msi_layout(self.provider, self.latency_hours, self.day_start)

    def times(self, days: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        """Choose its time axis.

        Parameters
        ----------
        days : ndarray of datetime64[D]
            Fire days of the project.

        Returns
        -------
        ndarray of datetime64[D]
            The same days.
        """
        return days

    def search(self, block: Block) -> list[Scene]:
        """List the overpasses of a block's day.

        Parameters
        ----------
        block : Block
            A tile and a fire day.

        Returns
        -------
        list of Scene
            One per overpass and square of at most 2500 pixels, in UTM.

        Raises
        ------
        CredentialsError
            If there is no key, or it is refused.
        ProviderError
            If the catalogue fails.
        """
        day = block.times[0].astype("datetime64[D]")
        start = to_datetime(reference_time(str(day), self.day_start))
        end = to_datetime(end_of_fire_day(day, self.day_start)) - timedelta(seconds=1)
        box = degrees_around(block.region, margin=0.0, step=0.001)
        granules = self._hub.granules(box, (start, end), self.max_cloud)
        epsg = utm_zone(block.region)
        return [
            self._scene(overpass, epsg, square)
            for overpass in _overpasses(granules)
            for square in utm_squares(block.region, epsg, self.resolution)
        ]

    @property
    def _hub(self) -> Hub:
        """The service."""
        return Hub(base_url=self.base_url, attempts=self.attempts, pause=self.pause)

    def _scene(self, overpass: list[Granule], epsg: int, square: Box) -> Scene:
        """One request."""
        first, last = overpass[0][0], overpass[-1][0]
        observed = np.datetime64(last.replace(tzinfo=None), "s")
        corners = "-".join(f"{edge:.0f}" for edge in square)
        return Scene(
            id=f"S2L1C-{first:%Y%m%dT%H%M%S}-{epsg}-{corners}-{self.resolution}m"
            f"-c{self.max_cloud:g}",
            source="sentinel2",
            observed=observed,
            available=observed + hours(self.latency_hours),
            request={
                "start": (first - _AROUND).isoformat(),
                "end": (last + _AROUND).isoformat(),
                "epsg": str(epsg),
                "square": ",".join(f"{edge:.0f}" for edge in square),
                "granules": [name for _, name in overpass],
            },
        )

    def fetch(self, scene: Scene, cache: Path) -> Path:
        """Bring an overpass into the cache, once.

        Parameters
        ----------
        scene : Scene
            One result of `search`.
        cache : Path
            Folder shared by all workers.

        Returns
        -------
        Path
            The GeoTIFF as the service sent it: 13 bands and dataMask.

        Raises
        ------
        CredentialsError
            If there is no key, or it is refused.
        ProviderError
            If the service fails.
        CorruptFileError
            If it sent something else than asked.
        """
        return cached(cache, f"{scene.id}.tif", lambda path: self._download(scene, path))

    def _download(self, scene: Scene, path: Path) -> None:
        """Ask for the pixels of a scene and check what came."""
        asked = scene.request
        x0, y0, x1, y1 = (float(edge) for edge in str(asked["square"]).split(","))
        width, height = round((x1 - x0) / self.resolution), round((y1 - y0) / self.resolution)
        period = (
            datetime.fromisoformat(str(asked["start"])),
            datetime.fromisoformat(str(asked["end"])),
        )
        content = self._hub.pixels(
            (x0, y0, x1, y1), int(str(asked["epsg"])), (width, height), period, self.max_cloud
        )
        path.write_bytes(content)
        with open_raster(path, driver="GTiff") as raster:
            if raster.shape != (height, width) or raster.count != _BANDS + 1 or not raster.crs:
                raise CorruptFileError(
                    f"{self.base_url} sent {raster.count} bands of {raster.shape} in {raster.crs} "
                    f"for {scene.id}, asked were {_BANDS + 1} of {(height, width)}: run again"
                )
        log.info("%s: about %.1f processing units", scene.id, processing_units(width, height))

    def read(self, path: Path) -> xr.Dataset:
        """Read an overpass.

        Parameters
        ----------
        path : Path
            A GeoTIFF of 13 bands of digital numbers and dataMask.

        Returns
        -------
        xr.Dataset
            ``reflectance (band, y, x)``, NaN where there are no data, and ``observed (y, x)``, 1 or
            0; in UTM. Clouds are still there: the attribute ``mask`` says which mask to apply.

        Raises
        ------
        CorruptFileError
            If the file is damaged or has other bands.
        """
        with open_raster(path, driver="GTiff") as raster:
            if raster.count != _BANDS + 1 or not raster.crs:
                raise CorruptFileError(
                    f"{path} has {raster.count} bands and CRS {raster.crs}, not 13 and dataMask in "
                    "UTM: delete it and run the command again"
                )
            numbers = raster.read()
            cells = GeoBox(raster.shape, raster.transform, str(raster.crs))
        seen = numbers[_BANDS] > 0
        # harmonised digital numbers: baseline 04.00's offset is taken off by the service
        reflectance = np.where(seen, numbers[:_BANDS] * np.float32(SCALE), np.float32(np.nan))
        rule = "average" if cells.resolution.x < self.layout.level else "bilinear"
        return msi_scene(reflectance, seen.astype("float32"), cells, rule)

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Mosaic the overpasses of a day: each cell from the clearest.

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


def _overpasses(granules: list[Granule]) -> Iterator[list[Granule]]:
    """Granules in groups of one overpass."""
    group: list[Granule] = []
    for granule in granules:
        if group and granule[0] - group[-1][0] > _SAME_PASS:
            yield group
            group = []
        group.append(granule)
    if group:
        yield group
