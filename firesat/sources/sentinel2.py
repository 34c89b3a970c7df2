"""Sentinel-2 L1C through Sentinel Hub: 13 bands of top-of-atmosphere reflectance."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, cast

import numpy as np
import xarray as xr

from firesat.bands import SENTINEL2_BANDS
from firesat.blocks import Block, Layout
from firesat.sources._every_day import EveryDay
from firesat.sources._layers import degrees_around, end_of_fire_day, hours
from firesat.sources._mosaic import check_square, mosaic
from firesat.sources._msi import SCALE, clearest, msi_layout, msi_scene
from firesat.sources._orbits import looks_at_squares
from firesat.sources._overpasses import Granule, name_of_overpass, overpasses
from firesat.sources._sentinelhub import CDSE, MAX_SIDE, Hub, find_key, processing_units
from firesat.sources._utm import SIDE, Square, fixed_squares, grouped
from firesat.sources.base import Scene, cached
from firesat.sources.quotas import Cost
from firesat.window import DAY_START, reference_time, to_datetime

_BANDS = len(SENTINEL2_BANDS)
_AROUND = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Sentinel2(EveryDay):
    """Sentinel-2 L1C, 100 m, one tile and day a block; or finer, with smaller blocks.

    Parameters
    ----------
    base_url : str
        Root of the Sentinel Hub deployment.
    resolution : {10, 20, 100}
        Metres of the requested pixels, at most the level's. For cells of 100 m, 100 lets the
        service interpolate, which is cheap but no area average; 20 is averaged here, at 25 times
        the processing units.
    level : {10, 20, 100}
        Metres of the cube's cells: 20 comes in blocks of 50 km, 10 in blocks of 25 km. Chips and
        maps are made from 100.
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
    resolution: Literal[10, 20, 100] = 100
    level: Literal[10, 20, 100] = 100
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
        return msi_layout(self.provider, self.latency_hours, self.day_start, self.level)

    @property
    def _metres(self) -> int:
        """Metres of the requested pixels."""
        return min(self.resolution, self.level)

    def check(self) -> None:
        """Check that there is a key.

        Raises
        ------
        CredentialsError
            If there is none.
        """
        find_key()

    def cost(self, blocks: Collection[Block]) -> Cost:
        """Estimate what blocks take: a request for each look and square, none left out for clouds.

        Parameters
        ----------
        blocks : collection of Block
            Tiles and fire days.

        Returns
        -------
        Cost
            Expected values.
        """
        pixels = SIDE // self._metres
        requests = looks_at_squares(blocks)
        coarse, fine = (
            requests * processing_units(SIDE // metres, SIDE // metres) for metres in (100, 20)
        )
        return Cost(
            requests=requests + len(blocks),
            bytes=requests * 2 * (_BANDS + 1) * pixels**2,
            units=requests * processing_units(pixels, pixels),
            basis=f"units: {coarse:.0f} at 100 m interpolated by the service, {fine:.0f} at 20 m "
            f"averaged here (now {self._metres} m), docs.sentinel-hub.com, Processing "
            "unit definition; looks: orbit geometry of the Sentinel-2 user handbook, clouds not "
            "considered; bytes: 14 bands of 16 bits",
        )

    def search(self, block: Block) -> list[Scene]:
        """List the overpasses of a block's day.

        Parameters
        ----------
        block : Block
            A tile and a fire day.

        Returns
        -------
        list of Scene
            One per overpass and zone: fixed squares of UTM, at most 2500 pixels wide together.

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
        groups = grouped(fixed_squares(block.region), MAX_SIDE * self._metres)
        return [
            self._scene(overpass, squares)
            for overpass in overpasses(granules)
            for squares in groups
        ]

    @property
    def _hub(self) -> Hub:
        """The service."""
        return Hub(base_url=self.base_url, attempts=self.attempts, pause=self.pause)

    def _scene(self, overpass: list[Granule], squares: list[Square]) -> Scene:
        """Some squares of one overpass."""
        first, last = overpass[0][0], overpass[-1][0]
        observed = np.datetime64(last.replace(tzinfo=None), "s")
        stem = f"S2L1C-{name_of_overpass(overpass[0])}"
        ending = f"{self._metres}m-c{self.max_cloud:g}"
        tiffs = [
            f"{stem}-{epsg}-{x0:.0f}-{y0:.0f}-{SIDE}-{ending}.tif"
            for epsg, (x0, y0, _, _) in squares
        ]
        digest = hashlib.sha256(" ".join(tiffs).encode()).hexdigest()[:12]
        return Scene(
            id=f"{stem}-{squares[0][0]}-{digest}-{ending}",
            source="sentinel2",
            observed=observed,
            available=observed + hours(self.latency_hours),
            request={
                "start": (first - _AROUND).isoformat(),
                "end": (last + _AROUND).isoformat(),
                "squares": dict(zip(tiffs, squares, strict=True)),
                "granules": [name for _, name in overpass],
            },
        )

    def fetch(self, scene: Scene, cache: Path) -> Path:
        """Bring an overpass into the cache, each of its squares once.

        Parameters
        ----------
        scene : Scene
            One result of `search`.
        cache : Path
            Folder shared by all workers.

        Returns
        -------
        Path
            A list of GeoTIFFs beside it, as the service sent them: 13 bands and dataMask.

        Raises
        ------
        CredentialsError
            If there is no key, or it is refused.
        ProviderError
            If the service fails.
        CorruptFileError
            If it sent something else than asked.
        """
        squares = cast("dict[str, Square]", scene.request["squares"])
        for tiff, square in squares.items():
            cached(cache, tiff, partial(self._download, scene, square))
        text = json.dumps(list(squares))
        return cached(cache, f"{scene.id}.json", lambda path: _write(path, text))

    def _download(self, scene: Scene, square: Square, path: Path) -> None:
        """Ask for the pixels of a square and check what came."""
        epsg, box = square
        side = SIDE // self._metres
        period = (
            datetime.fromisoformat(str(scene.request["start"])),
            datetime.fromisoformat(str(scene.request["end"])),
        )
        path.write_bytes(self._hub.pixels(box, epsg, (side, side), period, self.max_cloud))
        check_square(path, square, side, _BANDS + 1)

    def read(self, path: Path) -> xr.Dataset:
        """Read an overpass.

        Parameters
        ----------
        path : Path
            A GeoTIFF of 13 bands of digital numbers and dataMask, or a list of such in one zone.

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
        numbers, cells = mosaic(path, _BANDS + 1)
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


def _write(path: Path, text: str) -> None:
    """Write a small file."""
    path.write_text(text)
