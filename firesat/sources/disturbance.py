"""Years since fire and harvest, of each season from what was known before it."""

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
from firesat.sources._disturbed import cut_years, last_years, read_years
from firesat.sources._from_vectors import is_vector
from firesat.sources._layers import empty, hours, inside, latest, layer
from firesat.sources._rasters import cut_raster, read_bands
from firesat.sources._refused import left_out
from firesat.sources._shelf import Shelf
from firesat.sources.base import Scene, cached
from firesat.sources.quotas import Cost

KINDS = ("fire", "harvest")
_MARGIN = 2  # pixels


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """Years since the last fire and the last harvest, 100 m, one tile and season a block.

    A time step is the state when the season of its year was over, 1 October, counted to the next
    calendar year: the step of 2022-10-01 holds, for a forecast of 2023, fires up to 2022 and no
    later one, whatever the files hold. It becomes available with the perimeters of its season, the
    next spring; until then a forecaster has the step before.

    Parameters
    ----------
    base_url : str
        Where the files are: an address, or a local folder.
    fires, harvests : tuple of str
        Files of polygons with a column of the year or the date (NBAC and NFDB of all years,
        provincial fires, cutblocks), or rasters of the year of the last one; shapefile, GeoPackage
        or GeoJSON, or a zip of one; GeoTIFF and the like.
    first_fire, first_harvest : int
        First year of the records. Where nothing is known since, years count from the year before:
        "at least".
    latency_hours : float
        From 1 October to the publication of the season's perimeters in operation.

    Raises
    ------
    ConfigError
        If there is no file.
    """

    provider: ClassVar[str] = "static"

    base_url: str = "static"
    fires: tuple[str, ...] = ()
    harvests: tuple[str, ...] = ()
    first_fire: int = 1972
    first_harvest: int = 1985
    latency_hours: float = 4800.0

    def __post_init__(self) -> None:
        """Refuse a source of nothing."""
        if not (self.fires or self.harvests):
            raise ConfigError("the disturbance source names no file: give fires or harvests")

    @property
    def _files(self) -> dict[str, tuple[str, ...]]:
        """Files by kind, of the kinds that have some."""
        both = {"fire": self.fires, "harvest": self.harvests}
        return {kind: files for kind, files in both.items() if files}

    @property
    def _first(self) -> dict[str, int]:
        """First year of the records by kind."""
        return {"fire": self.first_fire, "harvest": self.first_harvest}

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
            Group ``disturbance``: the kinds that have files; time = 1 October of a season.
        """
        return Layout(
            group="disturbance",
            level=100,
            variables=tuple(
                Variable(
                    name=f"years_since_{kind}",
                    dtype="int16",
                    fill=-1,
                    attrs={
                        "file": ", ".join(files),
                        "comment": f"at least so many where nothing is known since "
                        f"{self._first[kind]}; to the calendar year after the time step's",
                    },
                )
                for kind, files in self._files.items()
            ),
            attrs={
                "source": "fires and cuts of earlier seasons",
                "provider": self.provider,
                "licence": "as stated by the makers of the files",
                "latency_hours": self.latency_hours,
                "comment": "state when a season was over (1 October); a step holds no later fire",
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
            1 October of the year before each, and of the one before the first.
        """
        years = np.unique(days.astype("datetime64[Y]").astype(np.int64)) + 1970
        before = np.union1d(years - 1, years[:1] - 2)
        return np.array([f"{year}-10-01" for year in before], dtype="datetime64[D]")

    def check(self) -> None:
        """Check that local files are there.

        Raises
        ------
        ConfigError
            If one is not.
        """
        self._shelf.check(href for files in self._files.values() for href in files)

    def cost(self, blocks: Collection[Block]) -> Cost:
        """Estimate what blocks take.

        Parameters
        ----------
        blocks : collection of Block
            Tiles and seasons.

        Returns
        -------
        Cost
            Expected values.
        """
        files = len(self.fires) + len(self.harvests)
        return Cost(
            requests=files * self._shelf.remote * bool(blocks),
            basis="each file once; their sizes are not known beforehand",
        )

    def search(self, block: Block) -> list[Scene]:
        """List the files, each to be cut to the block's region.

        Parameters
        ----------
        block : Block
            A tile and a season.

        Returns
        -------
        list of Scene
            One per file.
        """
        end = block.times[0].astype("datetime64[s]")
        x0, y0, x1, y1 = (round(edge) for edge in block.extent)
        return [
            Scene(
                id=f"disturbance-{kind}-{Path(href).name}-{x0}-{y0}-{x1}-{y1}",
                source="disturbance",
                observed=end,
                available=end + hours(self.latency_hours),
                request={"href": href, "region": block.region},
            )
            for kind, files in self._files.items()
            for href in files
        ]

    def fetch(self, scene: Scene, cache: Path) -> Path:
        """Cut a file to the region, once for all seasons; one at an address is downloaded first.

        Parameters
        ----------
        scene : Scene
            One result of `search`.
        cache : Path
            Folder shared by all workers.

        Returns
        -------
        Path
            Parquet or GeoTIFF.

        Raises
        ------
        ConfigError
            If a local file is not there.
        CorruptFileError
            If a file is damaged, does not cover the region, or does not tell years.
        GridError
            If a file has no CRS, or not that of its coordinates.
        ProviderError
            If the server fails.
        """
        href, region = str(scene.request["href"]), cast("GeoBox", scene.request["region"])
        drawn = is_vector(href)

        def make(path: Path) -> None:
            """Write the region's part."""
            with self._shelf.opened(href, cache) as whole:
                if drawn:
                    cut_years(whole, path, region)
                else:
                    cut_raster(whole, path, region, margin=_MARGIN)

        return cached(cache, f"{scene.id}{'.parquet' if drawn else '.tif'}", make)

    def read(self, path: Path) -> xr.Dataset:
        """Read what was cut.

        Parameters
        ----------
        path : Path
            One result of `fetch`: its name tells the kind.

        Returns
        -------
        xr.Dataset
            Of features, a table along dim ``feature``; of a raster, the year of the last one,
            ``(y, x)``, NaN where there is none.

        Raises
        ------
        CorruptFileError
            If the file is damaged, or its name tells no kind.
        """
        kind = next((k for k in KINDS if path.name.startswith(f"disturbance-{k}")), None)
        if kind is None:
            raise CorruptFileError(f"{path} is named after none of {', '.join(KINDS)}: rename it")
        if path.suffix == ".parquet":
            return read_years(path).assign_attrs(kind=kind)
        dataset: xr.Dataset = read_bands(path, {f"{kind}_year": 1}).assign_attrs(kind=kind)
        return dataset

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Count the years.

        Parameters
        ----------
        scenes : sequence of (Scene, xr.Dataset)
            Tables, and rasters aligned to the block's cells.
        block : Block
            A tile and a season.

        Returns
        -------
        xr.Dataset
            ``years_since_fire`` and ``years_since_harvest``, ``(time, y, x)``.
        """
        season = int(str(block.times[0])[:4])
        arrays = {each.name: empty(block) for each in self.layout.variables}
        for kind in self._files:
            own = [d for _, d in scenes if d.attrs.get("kind", kind) == kind]
            if own:
                found = [self._last(kind, dataset, block, season) for dataset in own]
                year = np.max(found, axis=0)
                none = self._first[kind] - 1
                since = season + 1 - np.where(year > 0, year, none)
                arrays[f"years_since_{kind}"][(0, *inside(block))] = since
        available = latest(scene.available for scene, _ in scenes)
        tables = [dataset for _, dataset in scenes]
        return layer(arrays, block, np.array([available])).assign_attrs(left_out(tables))

    def _last(self, kind: str, dataset: xr.Dataset, block: Block, season: int) -> NDArray[np.int16]:
        """Year of the last fire or cut, none after the season, of the cells in the region."""
        first = self._first[kind]
        if "feature" in dataset.dims:
            return last_years(dataset, block.region, first, season)
        year = dataset[f"{kind}_year"].values[inside(block)]
        counts = (year >= first) & (year <= season)  # NaN is neither
        return np.where(counts, year, 0).astype(np.int16)
