"""The National Burned Area Composite of Natural Resources Canada: perimeters of a season."""

import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.blocks import Block, Layout
from firesat.errors import CorruptFileError
from firesat.sources._download import download
from firesat.sources._drawing import VARIABLES, draw_fires
from firesat.sources._fire_columns import recognise
from firesat.sources._http import list_links, name_of
from firesat.sources._layers import CWFIS, OPEN_CANADA, hours, latest, layer
from firesat.sources._perimeters import DATES, Columns, fire_table
from firesat.sources._refused import left_out
from firesat.sources._vector_places import check_units, with_crs
from firesat.sources._vectors import read_vectors
from firesat.sources.base import Scene, cached
from firesat.sources.quotas import Cost

log = logging.getLogger(__name__)

_COMPOSITE = re.compile(r"nbac_(\d{4})_(?:r\d+_)?(\d{8})(?:_shp)?\.zip", re.IGNORECASE)
_COMPOSITE_BYTES = 181e6  # of 2023
_RELEASE = re.compile(r"_(\d{4})(\d{2})(\d{2})(?:_shp)?\.", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Nbac:
    """The National Burned Area Composite, 100 m, one tile and season a block.

    Parameters
    ----------
    base_url : str
        Root of the CWFIS downloads.
    latency_hours : float
        From 1 October of the year to its publication, where the file's name has no release date.
    """

    provider: ClassVar[str] = "nrcan"

    base_url: str = CWFIS
    latency_hours: float = 4800.0

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            Group ``nbac``; time = 1 January of the year.
        """
        return Layout(
            group="nbac",
            level=100,
            variables=VARIABLES,
            span=273,  # a season is over on 1 October
            attrs={
                "source": "National Burned Area Composite",
                "provider": self.provider,
                "licence": OPEN_CANADA,
                "latency_hours": self.latency_hours,
                "comment": "published months after the season: for labels and scores, never input; "
                "the newest year is provisional",
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
        years = {str(block.times[0])[:4] for block in blocks}
        return Cost(
            requests=len(years) + len(blocks),
            bytes=_COMPOSITE_BYTES * len(years),
            basis="a composite of 181 MB: that of 2023, the largest; a listing a block",
        )

    def search(self, block: Block) -> list[Scene]:
        """Find the newest composite of a block's year.

        Parameters
        ----------
        block : Block
            A tile and a season.

        Returns
        -------
        list of Scene
            One, or none where the year is not published.

        Raises
        ------
        ProviderError
            If the server fails.
        """
        year = str(block.times[0])[:4]
        names = {
            match[2]: url
            for url in list_links(f"{self.base_url}/nbac")
            if (match := _COMPOSITE.fullmatch(name_of(url))) and match[1] == year
        }
        if not names:
            return []
        url = names[max(names)]
        observed = np.datetime64(f"{year}-10-01", "s")
        return [
            Scene(
                id=name_of(url),
                source="nbac",
                observed=observed,
                available=_release(name_of(url)) or observed + hours(self.latency_hours),
                request={"url": url},
            )
        ]

    def fetch(self, scene: Scene, cache: Path) -> Path:
        """Bring a composite into the cache, once.

        Parameters
        ----------
        scene : Scene
            One result of `search`.
        cache : Path
            Folder shared by all workers.

        Returns
        -------
        Path
            A zipped shapefile.

        Raises
        ------
        ProviderError
            If the server fails.
        """
        url = str(scene.request["url"])
        return cached(cache, scene.id, lambda path: download(url, path, base_url=self.base_url))

    def read(self, path: Path) -> xr.Dataset:
        """Read perimeters.

        Parameters
        ----------
        path : Path
            A zipped shapefile, or another vector file with NBAC's columns.

        Returns
        -------
        xr.Dataset
            Along dim ``fire``: perimeters made valid, features of one GID joined, dates as days
            since 1970-01-01. It has no grid and is not aligned.

        Raises
        ------
        CorruptFileError
            If the file is damaged, or has no columns of names and dates.
        GridError
            If its CRS is not that of its coordinates.
        """
        return _perimeters(path, path.stat().st_mtime_ns)

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


# Many blocks read one national file: the last one stays in memory, by its time of writing.
@lru_cache(maxsize=1)
def _perimeters(path: Path, written: int) -> xr.Dataset:
    """A composite's fires."""
    frame, notes = with_crs(path, read_vectors(path), nbac=True)
    for note in notes:
        log.warning("%s: %s", path.name, note)
    check_units(path, frame)
    given = recognise(map(str, frame.columns))  # the releases up to 2021 name dates otherwise
    if not (given.fire and given.starts):
        raise CorruptFileError(
            f"{path} has no columns of names and dates such as NBAC's GID, AG_SDATE and HS_SDATE, "
            f"but {', '.join(map(str, frame.columns))}: give NBAC's file"
        )
    columns = Columns(
        fire=given.fire,
        prescribed=given.prescribed,
        **{date: getattr(given, date) for date in DATES},
    )
    return fire_table(frame, columns, None, path.name)


def _release(name: str) -> np.datetime64 | None:
    """Date of release in a file's name."""
    match = _RELEASE.search(name)
    return np.datetime64("-".join(match.groups()), "s") if match else None
