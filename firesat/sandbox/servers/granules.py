"""MODIS granules of a world: which there are, and their files."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.encode.hdf4 import EosGrid, ScienceDataSet, encode_hdf4
from firesat.sandbox.observe import modis
from firesat.sandbox.servers.modis_products import PRODUCTS, Product
from firesat.sandbox.servers.sinusoidal import SinusoidalTile, on_tile, tiles
from firesat.sandbox.servers.span import lived
from firesat.sandbox.world import World

COLLECTION = "061"
# The composite that begins on this day was produced twice; only the newer one is right.
REPROCESSED_DAY = 177
_EARLY_ERROR = 0.97  # factor on everything in the older production
_KEPT = 4


@dataclass(frozen=True, kw_only=True)
class Granule:
    """One file.

    Parameters
    ----------
    product : Product
        What it is.
    start : date
        First day of the composite.
    tile : SinusoidalTile
        Where.
    produced : datetime
        When it was made, UTC.
    early : bool
        Whether a better one was made later.
    """

    product: Product
    start: date
    tile: SinusoidalTile
    produced: datetime
    early: bool = False

    @property
    def name(self) -> str:
        """The granule's name, which is the file's without its ending.

        Returns
        -------
        str
            Such as "MOD13A1.A2023177.h12v03.061.2023194001533".
        """
        return ".".join(
            (
                self.product.name,
                f"A{self.start:%Y%j}",
                self.tile.name,
                COLLECTION,
                f"{self.produced:%Y%j%H%M%S}",
            )
        )

    @property
    def period(self) -> tuple[datetime, datetime]:
        """First and last second of the composite; the last of a year is cut at New Year's Eve.

        Returns
        -------
        tuple of datetime
            UTC.
        """
        last = min(
            self.start + timedelta(days=self.product.length(self.start) - 1),
            date(self.start.year, 12, 31),
        )
        begin = datetime.combine(self.start, time(), UTC)
        return begin, datetime.combine(last, time(23, 59, 59), UTC)


class Archive:
    """All granules of a world.

    Parameters
    ----------
    world : World
        What is seen.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._tiles = list(tiles(world.geobox))
        self._granules = {
            granule.name: granule
            for product in PRODUCTS.values()
            for granule in self._list(product)
        }
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def all(self) -> list[Granule]:
        """List the granules.

        Returns
        -------
        list of Granule
            By product, then by date.
        """
        return list(self._granules.values())

    def file(self, name: str) -> bytes | None:
        """Make a granule's file; the last few are remembered.

        Parameters
        ----------
        name : str
            The granule's name.

        Returns
        -------
        bytes or None
            HDF4; None where there is no such granule.
        """
        granule = self._granules.get(name)
        if granule is None:
            return None
        with self._lock:
            if name not in self._files:
                self._files[name] = self._encode(granule)
                while len(self._files) > _KEPT:
                    self._files.popitem(last=False)
            return self._files[name]

    def _list(self, product: Product) -> Iterator[Granule]:
        """The granules of a product."""
        for year in self._world.config.seasons:
            for start in product.starts(year):
                end = start + timedelta(days=product.length(start))
                ends = np.array([start, end], "datetime64[h]")
                if lived(self._world, ends).all():
                    yield from self._productions(product, start)

    def _productions(self, product: Product, start: date) -> Iterator[Granule]:
        """The granules of one composite."""
        after = datetime.combine(start, time(0, 15, 33), UTC) + timedelta(
            days=product.length(start) + 1
        )
        twice = start.timetuple().tm_yday == REPROCESSED_DAY
        for tile in self._tiles:
            yield Granule(product=product, start=start, tile=tile, produced=after, early=twice)
            if twice:
                later = after + timedelta(days=40, hours=5)
                yield Granule(product=product, start=start, tile=tile, produced=later)

    def _encode(self, granule: Granule) -> bytes:
        """One HDF4 file."""
        product, tile = granule.product, granule.tile
        fields, window = self._fields(granule)
        day = granule.start.timetuple().tm_yday
        layers = []
        for layer in product.layers:
            values = np.full((product.size, product.size), layer.fill, dtype=layer.dtype)
            values[window] = layer.draw(fields, day)
            layers.append(
                ScienceDataSet(
                    name=layer.name, values=values, fill=layer.fill, attributes=layer.attributes
                )
            )
        grid = EosGrid(
            name=product.grid,
            size=product.size,
            upper_left=tile.upper_left,
            lower_right=tile.lower_right,
        )
        return encode_hdf4(grid, layers, {"CoreMetadata.0": _core_metadata(granule)})

    def _fields(
        self, granule: Granule
    ) -> tuple[dict[str, NDArray[np.float32]], tuple[slice, slice]]:
        """The observed fields on a window of the tile."""
        composite = modis.composite(self._world, granule.product.name, granule.start)
        names = sorted(composite)
        stack = np.stack([composite[name].astype("float32") for name in names])
        if granule.early:
            physical = [index for index, name in enumerate(names) if name != "quality"]
            stack[physical] *= _EARLY_ERROR
        rows = self._world.geobox.shape[0] // stack.shape[1]
        cells = self._world.geobox.zoom_out(rows)
        moved, window = on_tile(stack, cells, granule.tile, granule.product.size)
        return dict(zip(names, moved, strict=True)), window


def _core_metadata(granule: Granule) -> str:
    """A short ``CoreMetadata.0`` in the object description language."""
    begin, end = granule.period
    values = {
        "LOCALGRANULEID": f"{granule.name}.hdf",
        "SHORTNAME": granule.product.name,
        "PRODUCTIONDATETIME": f"{granule.produced:%Y-%m-%dT%H:%M:%S.000Z}",
        "RANGEBEGINNINGDATE": f"{begin:%Y-%m-%d}",
        "RANGEENDINGDATE": f"{end:%Y-%m-%d}",
    }
    objects = [
        f'  OBJECT = {key}\n    NUM_VAL = 1\n    VALUE = "{value}"\n  END_OBJECT = {key}\n'
        for key, value in values.items()
    ]
    return (
        "\nGROUP = INVENTORYMETADATA\n" + "".join(objects) + "END_GROUP = INVENTORYMETADATA\nEND\n"
    )
