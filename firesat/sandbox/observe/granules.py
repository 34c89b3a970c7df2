"""Sentinel-2 passes cut into granules: UTM tiles of digital numbers, in one or two productions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.bands import SENTINEL2_BANDS
from firesat.sandbox.observe import sentinel2
from firesat.sandbox.observe.sentinel2 import STAMP, Acquisition
from firesat.sandbox.observe.tiles import TilePart
from firesat.sandbox.observe.warp import warp
from firesat.sandbox.world import World

PIXELS = {10: ("B02", "B03", "B04", "B08"), 20: ("B05", "B06", "B07", "B8A", "B11", "B12"),
          60: ("B01", "B09", "B10")}  # fmt: skip
NODATA, SATURATED = 0, 65535
QUANTIFICATION = 10_000
OFFSET = -1000  # since baseline 04.00, of 25 January 2022
_OFFSET_SINCE = datetime(2022, 1, 25, tzinfo=UTC)
_BRIGHTEST = 32_766  # digital numbers have 15 bits
_REPROCESSED = datetime(2023, 3, 15, 22, 46, 58, tzinfo=UTC)
EARLY_ERROR = 0.97  # factor on the reflectance of a production that was made anew later


@dataclass(frozen=True, kw_only=True)
class Granule:
    """One production of the part of a pass that one tile holds.

    Parameters
    ----------
    acquisition : Acquisition
        The pass.
    tile : str
        Square of the Military Grid Reference System.
    epsg : int
        Code of its UTM zone.
    corner : tuple of int
        Left and top, metres; whole multiples of 300 m from the tile's own corner.
    extent : tuple of int
        Metres from top to bottom and from left to right: only what the world fills of the tile.
    baseline : str
        Of the processing, such as "03.01".
    produced : datetime
        When it was made, UTC.
    early : bool
        Whether a better one was made later.
    """

    acquisition: Acquisition
    tile: str
    epsg: int
    corner: tuple[int, int]
    extent: tuple[int, int]
    baseline: str
    produced: datetime
    early: bool = False

    @cached_property
    def id(self) -> str:
        """Name of the product, as ESA forms it.

        Returns
        -------
        str
            Such as "S2B_MSIL1C_20210701T182009_N0301_R084_T15UVB_20210701T201009".
        """
        pass_ = self.acquisition
        return (
            f"{pass_.platform}_MSIL1C_{pass_.time:{STAMP}}_N{self.baseline.replace('.', '')}"
            f"_R{pass_.relative_orbit:03d}_T{self.tile}_{self.produced:{STAMP}}"
        )

    @property
    def strip(self) -> datetime:
        """Start of its datastrip.

        Returns
        -------
        datetime
            UTC.
        """
        return self.acquisition.time + timedelta(seconds=2)

    @property
    def orbit(self) -> int:
        """Absolute orbit.

        Returns
        -------
        int
            At most six digits.
        """
        return (self.acquisition.time - datetime(2015, 6, 23, tzinfo=UTC)) // timedelta(minutes=100)

    @property
    def folder(self) -> str:
        """Key of the product's folder in the bucket.

        Returns
        -------
        str
            Without a slash at its end.
        """
        kind = "L1C_N0500" if self.baseline == "05.00" else "L1C"
        return f"Sentinel-2/MSI/{kind}/{self.acquisition.time:%Y/%m/%d}/{self.id}.SAFE"

    @property
    def granule_folder(self) -> str:
        """Key of the granule's folder.

        Returns
        -------
        str
            Without a slash at its end.
        """
        return f"{self.folder}/GRANULE/L1C_T{self.tile}_A{self.orbit:06d}_{self.strip:{STAMP}}"

    @property
    def offset(self) -> int:
        """What is added to its numbers before they are divided.

        Returns
        -------
        int
            0 before baseline 04.00.
        """
        return OFFSET if self.baseline >= "04.00" else 0

    def cells(self, size: int) -> GeoBox:
        """Give its pixels.

        Parameters
        ----------
        size : {10, 20, 60}
            Metres.

        Returns
        -------
        GeoBox
            In its UTM zone.
        """
        (left, top), (height, width) = self.corner, self.extent
        return GeoBox.from_bbox(
            (left, top - height, left + width, top),
            f"EPSG:{self.epsg}",
            resolution=size,
            tight=True,
        )


def granules(acquisition: Acquisition, tiles: Sequence[TilePart]) -> list[Granule]:
    """Cut a pass into granules; of every third day before 2022 there are two productions.

    Parameters
    ----------
    acquisition : Acquisition
        One of `sentinel2.acquisitions`.
    tiles : sequence of TilePart
        Those of the world.

    Returns
    -------
    list of Granule
        By tile, older production first.
    """
    taken = acquisition.time
    old = taken < _OFFSET_SINCE
    twice = old and taken.toordinal() % 3 == 0
    found = []
    for part in tiles:
        first = Granule(
            acquisition=acquisition,
            tile=part.name,
            epsg=part.epsg,
            corner=part.corner,
            extent=part.extent,
            baseline="03.01" if old else "05.09" if taken.year >= 2023 else "04.00",
            produced=taken + timedelta(hours=1, minutes=50),
            early=twice,
        )
        found.append(first)
        if twice:
            found.append(replace(first, baseline="05.00", produced=_REPROCESSED, early=False))
    return found


def numbers(world: World, granule: Granule) -> dict[str, NDArray[np.uint16]]:
    """Measure a granule.

    Parameters
    ----------
    world : World
        The sandbox.
    granule : Granule
        One of `granules`.

    Returns
    -------
    dict of ndarray
        By band, in the order of `bands.SENTINEL2_BANDS`: uint16 ``(y, x)`` digital numbers, 0
        outside the swath and the world. Pixels repeat the world's cells of 100 m that they lie in.
    """
    values, valid = sentinel2.reflectance(world, granule.acquisition)
    if granule.early:
        values *= EARLY_ERROR
    steps = np.rint(values * QUANTIFICATION) - granule.offset
    truth = np.where(steps > _BRIGHTEST, SATURATED, np.clip(steps, 1, None)).astype("uint16")
    truth[:, ~valid] = NODATA
    drawn: dict[str, NDArray[np.uint16]] = {}
    for size, names in PIXELS.items():
        layers = truth[[SENTINEL2_BANDS.index(name) for name in names]]
        drawn |= zip(
            names, warp(layers, world.geobox, granule.cells(size), missing=NODATA), strict=True
        )
    return {name: drawn[name] for name in SENTINEL2_BANDS}
