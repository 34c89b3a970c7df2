"""Layers that do not change within a season: terrain, fuel, water, roads."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.blocks import Block, Layout, Variable
from firesat.errors import ConfigError, CorruptFileError
from firesat.sources._download import download
from firesat.sources._http import name_of
from firesat.sources._layers import empty, latest, layer
from firesat.sources._rasters import cut_raster, read_bands
from firesat.sources._terrain import raster_size, terrain
from firesat.sources.base import Scene, cached
from firesat.sources.quotas import Cost

_LAYERS = ("elevation", "fuel", "water", "road_distance")
_MARGIN = 4  # pixels: slopes need neighbours, and interpolation needs one more


@dataclass(frozen=True, kw_only=True)
class Static:
    """Terrain, fuel, water and roads, 100 m, one tile a block, one time step.

    Parameters
    ----------
    base_url : str
        Where the files are: an address, or a local folder.
    elevation : str
        File of the ground's elevation in metres.
    fuel : str
        File of fuel or land-cover classes.
    water : str
        File of the open-water fraction, 0 to 1.
    road_distance : str
        File of the distance to the nearest road in kilometres.
    valid_from : str
        Day from which the layers are taken to hold, and to be known.
    """

    provider: ClassVar[str] = "static"

    base_url: str = "static"
    elevation: str = "elevation.tif"
    fuel: str = "fuel.tif"
    water: str = "water.tif"
    road_distance: str = "road_distance.tif"
    valid_from: str = "2000-01-01"

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            Group ``static``: the four layers and what follows from elevation.
        """
        terrain_layers = ("elevation", "slope", "northness", "eastness")
        return Layout(
            group="static",
            level=100,
            variables=(
                *(Variable(name=name) for name in terrain_layers),
                Variable(name="fuel", dtype="uint8", fill=255),
                Variable(name="water", dtype="uint8", scale=0.01, fill=255),
                Variable(name="road_distance"),
            ),
            attrs={
                "source": "rasters of terrain, fuel, water and roads",
                "provider": self.provider,
                "licence": "as stated by the makers of the files",
                "latency_hours": 0.0,
            },
        )

    def times(self, days: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        """Choose its time axis.

        Parameters
        ----------
        days : ndarray of datetime64[D]
            Fire days of the project; they do not matter.

        Returns
        -------
        ndarray of datetime64[D]
            The day from which the layers hold.
        """
        return np.array([self.valid_from], dtype="datetime64[D]")

    def check(self) -> None:
        """Check that local files are there.

        Raises
        ------
        ConfigError
            If one is not.
        """
        if not self._remote:
            for name in _LAYERS:
                self._local(getattr(self, name))

    @property
    def _remote(self) -> bool:
        """Whether the files lie at an address."""
        return self.base_url.startswith(("http://", "https://"))

    def _local(self, href: str) -> Path:
        """A file in the folder."""
        whole = Path(self.base_url).expanduser() / href
        if not whole.is_file():
            raise ConfigError(
                f"there is no static layer {whole}: put the file there, or name folder and "
                "file in the source's base_url and elevation, fuel, water, road_distance"
            )
        return whole

    def cost(self, blocks: Collection[Block]) -> Cost:
        """Estimate what blocks take.

        Parameters
        ----------
        blocks : collection of Block
            Tiles.

        Returns
        -------
        Cost
            Expected values.
        """
        remote = len(_LAYERS) * self._remote * bool(blocks)
        return Cost(requests=remote, basis="one file a layer; their sizes are not known beforehand")

    def search(self, block: Block) -> list[Scene]:
        """List the files, each to be cut to the block's region.

        Parameters
        ----------
        block : Block
            A tile.

        Returns
        -------
        list of Scene
            One per file.
        """
        moment = np.datetime64(self.valid_from, "s")
        x0, y0, x1, y1 = (round(edge) for edge in block.extent)
        return [
            Scene(
                id=f"static-{name}-{x0}-{y0}-{x1}-{y1}",
                source="static",
                observed=moment,
                available=moment,
                request={"href": getattr(self, name), "region": block.region},
            )
            for name in _LAYERS
        ]

    def fetch(self, scene: Scene, cache: Path) -> Path:
        """Cut a file to the region; one at an address is downloaded whole first.

        Parameters
        ----------
        scene : Scene
            One result of `search`.
        cache : Path
            Folder shared by all workers.

        Returns
        -------
        Path
            A GeoTIFF.

        Raises
        ------
        ConfigError
            If a local file is not there.
        CorruptFileError
            If a file is damaged, or does not cover the region.
        ProviderError
            If the server fails.
        """
        href, region = str(scene.request["href"]), cast("GeoBox", scene.request["region"])
        whole = self._whole(href, cache) if self._remote else self._local(href)
        try:
            return cached(
                cache,
                f"{scene.id}.tif",
                lambda path: cut_raster(whole, path, region, margin=_MARGIN),
            )
        except CorruptFileError:
            if self._remote:
                whole.unlink(missing_ok=True)  # to be fetched anew
            raise

    def _whole(self, href: str, cache: Path) -> Path:
        """A file from its address, downloaded once."""
        url = f"{self.base_url}/{href}"
        return cached(
            cache,
            f"whole-{name_of(url)}",
            lambda path: download(url, path, base_url=self.base_url),
        )

    def read(self, path: Path) -> xr.Dataset:
        """Read a layer.

        Parameters
        ----------
        path : Path
            A raster named after its layer, such as ``static-elevation-...tif`` or ``fuel.tif``.

        Returns
        -------
        xr.Dataset
            Dims ``(y, x)``: the layer, and for elevation also slope, northness and eastness.

        Raises
        ------
        CorruptFileError
            If the file is damaged, or its name tells no layer.
        GridError
            If it has no CRS.
        """
        stem = path.stem.removeprefix("static-")
        name = next((each for each in _LAYERS if stem.startswith(each)), None)
        if name is None:
            raise CorruptFileError(
                f"{path} is named after none of the layers {', '.join(_LAYERS)}: rename it"
            )
        dataset = read_bands(path, {name: 1})
        if name != "elevation":
            return dataset
        dataset = dataset.assign(terrain(dataset["elevation"], dataset.odc.geobox).data_vars)
        fine = raster_size(dataset.odc.geobox) < 0.75 * self.layout.level
        for each in dataset.data_vars:
            dataset[each].attrs["resampling"] = "average" if fine else "bilinear"
        return dataset

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Gather the layers.

        Parameters
        ----------
        scenes : sequence of (Scene, xr.Dataset)
            Aligned to the block's cells.
        block : Block
            A tile.

        Returns
        -------
        xr.Dataset
            All layers, ``(time, y, x)``.
        """
        arrays = {each.name: empty(block) for each in self.layout.variables}
        for _, dataset in scenes:
            for name in set(arrays) & set(dataset.data_vars):
                arrays[name][0] = dataset[name].values
        available = latest(scene.available for scene, _ in scenes)
        return layer(arrays, block, np.array([available]))
