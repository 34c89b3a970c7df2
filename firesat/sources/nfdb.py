"""The National Fire Database of Natural Resources Canada: agencies' perimeters of all seasons."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS

from firesat.blocks import Block, Layout
from firesat.errors import ConfigError, CorruptFileError, NoDataError
from firesat.grid import crs_of
from firesat.sources._download import download
from firesat.sources._drawing import VARIABLES, draw_fires
from firesat.sources._http import list_links, name_of
from firesat.sources._layers import CWFIS, OPEN_CANADA, hours, latest, layer
from firesat.sources._perimeters import DATES
from firesat.sources._refused import left_out
from firesat.sources.base import Scene, cached
from firesat.sources.fire_files import read_fires
from firesat.sources.quotas import Cost

_FOLDER = "nfdb/fire_poly/current_version"
_POLYGONS = re.compile(r"NFDB_poly(?:_\d{8})?\.zip", re.IGNORECASE)
_BYTES = 900e6
_NUMBERS = ("fire_id", "prescribed", *DATES)


@dataclass(frozen=True, kw_only=True)
class Nfdb:
    """Perimeters of the National Fire Database, 100 m, one tile and season a block.

    Agencies' own outlines of all seasons in one file; those that NBAC maps anew are better there,
    but NBAC begins in 1972 and leaves small fires out.

    Parameters
    ----------
    base_url : str
        Root of the CWFIS downloads.
    latency_hours : float
        From 1 October of the season to its publication: assumed, a year.
    """

    provider: ClassVar[str] = "nrcan"

    base_url: str = CWFIS
    latency_hours: float = 8760.0

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            Group ``nfdb``, as NBAC; time = 1 January of the year.
        """
        return Layout(
            group="nfdb",
            level=100,
            variables=VARIABLES,
            span=273,  # a season is over on 1 October
            attrs={
                "source": "Canadian National Fire Database, polygons",
                "provider": self.provider,
                "licence": OPEN_CANADA,
                "latency_hours": self.latency_hours,
                "comment": "published long after the season: for labels and scores, never input",
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
            1 January of each year.
        """
        return np.unique(days.astype("datetime64[Y]")).astype("datetime64[D]")

    def check(self) -> None:
        """Check nothing: the server is open to everybody."""

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
        return Cost(
            requests=len(blocks) + bool(blocks),
            bytes=_BYTES * bool(blocks),
            basis="assumed: one file of 900 MB; a listing a block",
        )

    def search(self, block: Block) -> list[Scene]:
        """Find the file of all seasons.

        Parameters
        ----------
        block : Block
            A tile and a season.

        Returns
        -------
        list of Scene
            One, or none where the server has none.

        Raises
        ------
        ProviderError
            If the server fails.
        """
        links = list_links(f"{self.base_url}/{_FOLDER}")
        found = [url for url in links if _POLYGONS.fullmatch(name_of(url))]
        if not found:
            return []
        year = str(block.times[0])[:4]
        observed = np.datetime64(f"{year}-10-01", "s")
        return [
            Scene(
                id=f"{name_of(found[-1])} {year}",
                source="nfdb",
                observed=observed,
                available=observed + hours(self.latency_hours),
                request={"url": found[-1], "year": year, "crs": crs_of(block.geobox).to_wkt()},
            )
        ]

    def fetch(self, scene: Scene, cache: Path) -> Path:
        """Bring the file into the cache, once, and take the season out of it.

        Parameters
        ----------
        scene : Scene
            One result of `search`.
        cache : Path
            Folder shared by all workers.

        Returns
        -------
        Path
            Parquet of the season's fires.

        Raises
        ------
        CorruptFileError
            If the file is damaged or has other columns.
        NoDataError
            If it has no fires of the season.
        ProviderError
            If the server fails.
        """
        url, year = str(scene.request["url"]), int(str(scene.request["year"]))

        def make(path: Path) -> None:
            """Write the season."""
            whole = cached(cache, name_of(url), lambda p: download(url, p, base_url=self.base_url))
            try:
                _write_season(whole, year, str(scene.request["crs"]), path)
            except ConfigError as error:  # the file is there: it has no such fires
                raise NoDataError(str(error)) from error
            except CorruptFileError:
                whole.unlink(missing_ok=True)  # to be fetched anew
                raise

        return cached(cache, f"nfdb-{year}.parquet", make)

    def read(self, path: Path) -> xr.Dataset:
        """Read a season.

        Parameters
        ----------
        path : Path
            One result of `fetch`.

        Returns
        -------
        xr.Dataset
            Along dim ``fire``; it has no grid and is not aligned.

        Raises
        ------
        CorruptFileError
            If the file is damaged.
        """
        try:
            table = pq.read_table(path)
        except (pa.ArrowException, OSError) as error:
            raise CorruptFileError(f"{path} cannot be read ({error}): delete it") from error
        said = {key.decode(): text.decode() for key, text in table.schema.metadata.items()}
        columns = {name: ("fire", table[name].to_numpy()) for name in ("geometry", *_NUMBERS)}
        return xr.Dataset(columns, attrs=said)

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Draw a season's fires.

        Parameters
        ----------
        scenes : sequence of (Scene, xr.Dataset)
            Perimeters.
        block : Block
            A tile and a season.

        Returns
        -------
        xr.Dataset
            ``fraction`` and ``prescribed`` (0 to 1), ``fire_id`` (0 = none) and the four dates,
            ``(time, y, x)``.
        """
        tables = [table for _, table in scenes]
        available = latest(scene.available for scene, _ in scenes)
        drawn = layer(draw_fires(tables, block), block, np.array([available]))
        return drawn.assign_attrs(left_out(tables))


def _write_season(whole: Path, year: int, crs: str, target: Path) -> None:
    """Take a season out of the file of all."""
    season = read_fires(whole, year, crs, dated_by_hotspots=True)
    fires = season.fires
    table = pa.table(
        {
            "geometry": shapely.to_wkb(fires["shape"].to_numpy()),
            **{name: fires[name].to_numpy(dtype="float64") for name in _NUMBERS},
        },
        metadata={"crs_wkt": CRS(crs).to_wkt(), "left_out": str(season.refused)},
    )
    pq.write_table(table, target)
