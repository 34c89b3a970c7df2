"""MODIS land products: granules found in NASA's CMR, HDF4 files from LP DAAC."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.blocks import Block, Layout
from firesat.errors import CorruptFileError
from firesat.sources._aqua import ALL_PRODUCTS, first_day_of
from firesat.sources._composites import (
    composite_end,
    composite_start,
    day_of_year,
    first_day,
    tiles_of,
)
from firesat.sources._earthdata import check_login, download_granule, find_granules
from firesat.sources._hdf4 import check_magic, read_sds, tile_cells
from firesat.sources._layers import empty, georeferenced, hours, latest, layer
from firesat.sources._modis_products import Layer, Product
from firesat.sources._productions import NAME, newest
from firesat.sources._zips import extract, members, reading
from firesat.sources.base import Scene, cached
from firesat.sources.quotas import Cost

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Modis:
    """One MODIS product at its own resolution, one tile and composite a block.

    Parameters
    ----------
    product : str
        MOD13A1 and MOD13A2 (16-day NDVI, EVI), MOD11A1 (daily temperature), MOD11A2 and MOD11B2
        (8-day temperature), MOD15A2H (8-day FPAR, LAI) of Terra; MYD... of Aqua, MCD15A2H of both;
        MCD64A1 (monthly burned area) for labels alone: its group is a truth, which no input may be.
    base_url : str
        Root of the Common Metadata Repository.
    version : str
        Collection.
    latency_hours : float, optional
        From the end of a composite to its publication; None = the product's.
    """

    provider: ClassVar[str] = "nasa"

    product: Literal[
        "MOD13A1", "MOD13A2", "MOD11A1", "MOD11A2", "MOD11B2", "MOD15A2H", "MCD64A1",
        "MYD13A1", "MYD13A2", "MYD11A1", "MYD11A2", "MYD11B2", "MYD15A2H", "MCD15A2H",
    ] = "MOD13A1"  # fmt: skip
    base_url: str = "https://cmr.earthdata.nasa.gov"
    version: str = "061"
    latency_hours: float | None = None

    @property
    def _product(self) -> Product:
        """What is known of the product."""
        return ALL_PRODUCTS[self.product]

    @property
    def _latency(self) -> np.timedelta64:
        """From the end of a composite to its publication."""
        own = self.latency_hours
        return hours(self._product.latency_hours if own is None else own)

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            Group ``modis_vi``, ``modis_lst``, ``modis_fpar`` or ``modis_burned``; time = starts of
            composites.
        """
        product = self._product
        return Layout(
            group=product.group,
            level=product.level,
            variables=tuple(each.variable for each in product.layers),
            span=product.days or 31,
            attrs={
                "source": f"MODIS {self.product}.{self.version}, "
                f"{f'{product.days}-day' if product.days else 'monthly'}",
                "provider": self.provider,
                "licence": "NASA EOSDIS data, free of restrictions",
                "latency_hours": float(self._latency / np.timedelta64(1, "h")),
            },
        )

    def times(self, days: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        """Choose its time axis.

        Parameters
        ----------
        days : ndarray of datetime64[D]
            Fire days of the project.

        Returns
        -------
        ndarray of datetime64[D]
            Starts of the composites that hold at least one of the days.
        """
        return np.unique(composite_start(days, self._product.days, first_day_of(self.product)))

    def check(self) -> None:
        """Check that there is a token or a login.

        Raises
        ------
        CredentialsError
            If there is none.
        """
        check_login()

    def cost(self, blocks: Collection[Block]) -> Cost:
        """Estimate what blocks take.

        Parameters
        ----------
        blocks : collection of Block
            Tiles and composites.

        Returns
        -------
        Cost
            Expected values.
        """
        places: dict[tuple[int, int], set[tuple[int, int]]] = {}
        wanted: set[tuple[np.datetime64, tuple[int, int]]] = set()
        for block in blocks:
            place = block.index[1:]
            if place not in places:
                places[place] = tiles_of(block.region)
            wanted |= {(block.times[0], tile) for tile in places[place]}
        size = self._product.granule_bytes
        return Cost(
            requests=2 * len(blocks) + 2 * len(wanted),
            bytes=size * len(wanted),
            basis=f"a granule of {size / 1e6:.1f} MB: FileSize in LP DAAC's metadata of a full "
            "land tile; two pages of search a block, two requests a granule",
        )

    def search(self, block: Block) -> list[Scene]:
        """List the granules of a block's composite.

        Parameters
        ----------
        block : Block
            A tile and a composite.

        Returns
        -------
        list of Scene
            The newest production of each sinusoidal tile that the region touches; it names the
            older ones.

        Raises
        ------
        ProviderError
            If the repository fails.
        """
        start = block.times[0].astype("datetime64[D]")
        end = composite_end(start, self._product.days, first_day_of(self.product))
        tiles = tiles_of(block.region)
        wanted = f"{str(start)[:4]}{day_of_year(start):03d}"
        listed = find_granules(self.base_url, self.product, self.version, start, tiles)
        return [
            Scene(
                id=made.name,
                source=self._product.group,
                observed=end.astype("datetime64[s]"),
                available=end.astype("datetime64[s]") + self._latency,
                request={"url": made.url},
                superseded=made.older,
            )
            for made in newest(listed, self.product, wanted, tiles)
        ]

    def fetch(self, scene: Scene, cache: Path) -> Path:
        """Bring a granule into the cache, once.

        Parameters
        ----------
        scene : Scene
            One result of `search`.
        cache : Path
            Folder shared by all workers.

        Returns
        -------
        Path
            An HDF4 file.

        Raises
        ------
        CredentialsError
            If there is no Earthdata token, or it is refused.
        CorruptFileError
            If something else came, such as a login page.
        ProviderError
            If the archive fails.
        """

        def get(path: Path) -> None:
            download_granule(str(scene.request["url"]), path, self.base_url)
            check_magic(path, f"{scene.id} came as a web page: renew EARTHDATA_TOKEN and run again")

        return cached(cache, f"{scene.id}.hdf", get)

    def read(self, path: Path) -> xr.Dataset:
        """Read a granule.

        Parameters
        ----------
        path : Path
            HDF4, or a zip of one, under the provider's name.

        Returns
        -------
        xr.Dataset
            Dims ``(y, x)``, sinusoidal; the product's layers in physical units, NaN where the value
            is missing, a class, or doubtful by its quality bits.

        Raises
        ------
        CorruptFileError
            If the file is damaged, misnamed, or has none of the product's layers.
        """
        if path.suffix == ".zip":
            return self._read_zip(path)
        match = NAME.search(path.name)
        if match is None or match[1] != self.product:
            raise CorruptFileError(
                f"{path} is no granule of {self.product} by its name: set product, or rename it"
            )
        layers = self._product.layers
        raw, structure = read_sds(path, _sds_names(layers))
        whole = [each for each in layers if {each.sds, *each.quality} <= set(raw)]
        if not whole:
            raise CorruptFileError(
                f"{path} has none of {self.product}'s layers {', '.join(_sds_names(layers))}: "
                "delete it and run the command again"
            )
        if len(whole) < len(layers):
            log.warning("%s has %s only", path.name, ", ".join(each.sds for each in whole))
        shape = raw[whole[0].sds].shape
        cells = tile_cells(int(match[3]), int(match[4]), shape, structure, path.name)
        start = first_day(match[2])
        values = {each.variable.name: each.physical(raw, start) for each in whole}
        return georeferenced(values, cells)

    def _read_zip(self, path: Path) -> xr.Dataset:
        """Read the one granule of an archive."""
        inside = members(path, (".hdf",))
        if len(inside) != 1:
            raise CorruptFileError(f"{path} holds {len(inside)} HDF4 files, not one: unpack it")
        with TemporaryDirectory() as folder:
            granule = Path(folder) / Path(inside[0]).name
            extract(path, inside[0], granule)
            with reading(path, inside[0]):
                return self.read(granule)

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Join the granules of a composite; their tiles only touch.

        Parameters
        ----------
        scenes : sequence of (Scene, xr.Dataset)
            Aligned to the block's cells.
        block : Block
            A tile and a composite.

        Returns
        -------
        xr.Dataset
            The product's layers, ``(time, y, x)``.
        """
        arrays = {each.variable.name: empty(block) for each in self._product.layers}
        for _, dataset in scenes:
            for name, values in arrays.items():
                if name in dataset:
                    holes = np.isnan(values[0])
                    values[0][holes] = dataset[name].values[holes]
        available = latest(scene.available for scene, _ in scenes)
        return layer(arrays, block, np.array([available]))


def _sds_names(layers: Sequence[Layer]) -> list[str]:
    """All layers of the file that are needed."""
    return sorted({name for each in layers for name in (each.sds, *each.quality)})
