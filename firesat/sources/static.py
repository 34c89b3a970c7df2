"""Layers that do not change within a season: terrain, fuel, land cover, water, roads, lightning."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.blocks import Block, Layout
from firesat.classes import NALCMS, fold_fuels
from firesat.errors import CorruptFileError
from firesat.sources._from_vectors import draw_layer
from firesat.sources._layers import empty, latest, layer
from firesat.sources._rasters import cut_raster, read_bands
from firesat.sources._shelf import Shelf
from firesat.sources._static_layers import LAYERS, Chosen, check_chosen, variables
from firesat.sources._terrain import raster_size, terrain
from firesat.sources.base import Scene, cached
from firesat.sources.quotas import Cost

_MARGIN = 4  # pixels: slopes need neighbours, and interpolation needs one more
_CONTINUOUS = ("elevation", "road_distance", "settlement_distance", "lightning")


@dataclass(frozen=True, kw_only=True)
class Static:
    """Static maps, 100 m, one tile a block; a time step for each day on which one begins to hold.

    Each layer is a raster, whose cells are averaged, or of classes the commonest taken, where they
    are finer than 100 m, else interpolated. Water and the distances may be vector files instead:
    shapefile, GeoPackage or GeoJSON, or a zip of one. A layer with no file ("") is not in the cube.

    Parameters
    ----------
    base_url : str
        Where the files are: an address, or a local folder.
    elevation : str
        The ground's elevation in metres; slope and aspect follow from it.
    fuel : str
        Fuel or land-cover classes, 0 to 254.
    water : str
        Open-water fraction, 0 to 1, or polygons of water.
    road_distance : str
        Distance to the nearest road in kilometres, or the roads.
    land_cover : str
        Land cover in the codes of NALCMS, 1 to 19.
    settlement_distance : str
        Distance to the nearest settlement in kilometres, or points or outlines of settlements.
    lightning : str
        Flashes to ground per square kilometre and year, of as many years as there are.
    fuel_table : {"", "fbp", "sandbox"}
        What the codes of `fuel` mean: written into the cube. With "fbp", mixedwood codes of three
        digits lose their share of conifer (425 becomes 40).
    valid_from : str
        Day from which the layers are taken to hold, and to be known.
    since : dict of str to str
        Layer to another such day: a map of 2020 says nothing to a forecast of 2019.
    reach_km : float
        Distance beyond which no road or settlement is looked for: farther cells hold it.

    Raises
    ------
    ConfigError
        If a layer cannot come from such a file.
    """

    provider: ClassVar[str] = "static"

    base_url: str = "static"
    elevation: str = "elevation.tif"
    fuel: str = "fuel.tif"
    water: str = "water.tif"
    road_distance: str = "road_distance.tif"
    land_cover: str = ""
    settlement_distance: str = ""
    lightning: str = ""
    fuel_table: Literal["", "fbp", "sandbox"] = ""
    valid_from: str = "2000-01-01"
    since: dict[str, str] = field(default_factory=dict)
    reach_km: float = 50.0

    def __post_init__(self) -> None:
        """Refuse what no file can hold before any is opened."""
        check_chosen(self._chosen, self.since)

    @property
    def _chosen(self) -> dict[str, Chosen]:
        """The layers that have a file."""
        named = {name: str(getattr(self, name)) for name in LAYERS}
        return {
            name: Chosen(name=name, href=href, since=self.since.get(name, self.valid_from))
            for name, href in named.items()
            if href
        }

    @property
    def _shelf(self) -> Shelf:
        """Where the files are."""
        return Shelf(base_url=self.base_url)

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            Group ``static``: the layers that have a file, and what follows from elevation; each
            says since when it holds.
        """
        return Layout(
            group="static",
            level=100,
            variables=tuple(variables(self._chosen, self.fuel_table, self.reach_km)),
            attrs={
                "source": "maps of terrain, fuel, water and roads",
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
            The days from which layers hold.
        """
        return np.unique(np.array([c.since for c in self._chosen.values()], dtype="datetime64[D]"))

    def check(self) -> None:
        """Check that local files are there.

        Raises
        ------
        ConfigError
            If one is not.
        """
        self._shelf.check(chosen.href for chosen in self._chosen.values())

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
        remote = len(self._chosen) * self._shelf.remote * bool(blocks)
        return Cost(requests=remote, basis="one file a layer; their sizes are not known beforehand")

    def search(self, block: Block) -> list[Scene]:
        """List the files, each to be cut to the block's region.

        Parameters
        ----------
        block : Block
            A tile, and a day from which a layer holds.

        Returns
        -------
        list of Scene
            One per file that holds by then.
        """
        day = block.times[0].astype("datetime64[D]")
        x0, y0, x1, y1 = (round(edge) for edge in block.extent)
        return [
            Scene(
                id=f"static-{chosen.name}-{Path(chosen.href).stem}-{x0}-{y0}-{x1}-{y1}",
                source="static",
                observed=since.astype("datetime64[s]"),
                available=since.astype("datetime64[s]"),
                request={"layer": chosen.name, "href": chosen.href, "region": block.region},
            )
            for chosen in self._chosen.values()
            if (since := np.datetime64(chosen.since, "D")) <= day
        ]

    def fetch(self, scene: Scene, cache: Path) -> Path:
        """Cut a file to the region, or draw it there; one at an address is downloaded whole first.

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
        GridError
            If a file has no CRS, or not that of its coordinates.
        ProviderError
            If the server fails.
        """
        href, region = str(scene.request["href"]), cast("GeoBox", scene.request["region"])
        chosen = self._chosen[str(scene.request["layer"])]

        def make(path: Path) -> None:
            """Write the region's part."""
            with self._shelf.opened(href, cache) as whole:
                if chosen.drawn:
                    draw_layer(whole, path, region, chosen.name, self.reach_km)
                else:
                    cut_raster(whole, path, region, margin=_MARGIN)

        return cached(cache, f"{scene.id}.tif", make)

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
        name = next((each for each in LAYERS if stem.startswith(each)), None)
        if name is None:
            raise CorruptFileError(
                f"{path} is named after none of the layers {', '.join(LAYERS)}: rename it"
            )
        dataset = read_bands(path, {name: 1})
        if name == "fuel" and self.fuel_table == "fbp":
            dataset[name].values = fold_fuels(dataset[name].values)
        if name == "land_cover":
            # 0 is no class, and some releases fill with 127 without saying so
            dataset[name] = dataset[name].where(dataset[name].isin(list(NALCMS)))
        if name not in _CONTINUOUS:
            return dataset
        if name == "elevation":
            dataset = dataset.assign(terrain(dataset[name], dataset.odc.geobox).data_vars)
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
