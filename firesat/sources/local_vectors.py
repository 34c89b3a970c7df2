"""Your own perimeters of fires."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS

from firesat.bands import check_names
from firesat.blocks import Block, Layout
from firesat.sources._drawing import VARIABLES, draw_fires
from firesat.sources._layers import hours, latest, layer
from firesat.sources._local import OnDisk
from firesat.sources._perimeters import Columns, fire_table
from firesat.sources._refused import left_out
from firesat.sources._vector_places import check_units
from firesat.sources._vectors import read_vectors
from firesat.sources.base import Scene


@dataclass(frozen=True, kw_only=True)
class LocalVectors(OnDisk):
    """Perimeters of fires on disk, one tile and season a block.

    Parameters
    ----------
    files : dict of str to int
        Path below `root`: the season whose fires it holds.
    columns : Columns
        Which columns hold the fire's name, its dates, and whether it was prescribed.
    group : str
        Name in the cube.
    crs : str, optional
        To assume where a file names none.
    assumed_days : int, optional
        Days after an agency's start at which a fire is taken to have ended where the file does not
        say. None = nothing is assumed: without hotspots, a fire of more than 50 ha may then have
        burned any day of the year from its start.
    latency_hours : float
        From 1 October of the season to their publication.
    root : str
        Folder of the files.
    root_env : str
        Environment variable that names another folder; "" = none.
    """

    files: dict[str, int]
    columns: Columns = field(default_factory=Columns)
    group: str = "perimeters"
    crs: str | None = None
    assumed_days: int | None = None
    latency_hours: float = 4800.0

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            As NBAC: fraction, number of the fire, prescribed fraction, dates; time = 1 January.
        """
        return Layout(
            group=self.group,
            level=100,
            variables=VARIABLES,
            attrs={
                "source": "local perimeters",
                "provider": "",
                "licence": "as stated by the makers of the files",
                "latency_hours": self.latency_hours,
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
            1 January of each season of the files, of those of the project.
        """
        seasons = np.array([np.datetime64(f"{year}-01-01", "D") for year in self.files.values()])
        years = days.astype("datetime64[Y]").astype("datetime64[D]")
        return np.intersect1d(seasons, years)

    def search(self, block: Block) -> list[Scene]:
        """List the files of a block's year.

        Parameters
        ----------
        block : Block
            A tile and a season.

        Returns
        -------
        list of Scene
            In order of their names.
        """
        year = int(str(block.times[0])[:4])
        observed = np.datetime64(f"{year}-10-01", "s")
        return [
            Scene(
                id=path,
                source=self.group,
                observed=observed,
                available=observed + hours(self.latency_hours),
            )
            for path, season in sorted(self.files.items())
            if season == year
        ]

    def read(self, path: Path) -> xr.Dataset:
        """Read perimeters.

        Parameters
        ----------
        path : Path
            Shapefile, GeoPackage, GeoJSON, or a zip of one shapefile.

        Returns
        -------
        xr.Dataset
            Along dim ``fire``; it has no grid and is not aligned.

        Raises
        ------
        BandError
            If a column does not exist.
        CorruptFileError
            If the file is damaged.
        GridError
            If it has no CRS and none is configured, or not that of its coordinates.
        """
        frame = read_vectors(path)
        wanted = [name for name in vars(self.columns).values() if name]
        check_names(wanted, map(str, frame.columns), path.name)
        if frame.crs is None and self.crs:
            frame = frame.set_crs(CRS(self.crs))
        if frame.crs is not None:
            check_units(path, frame)
        table = fire_table(frame, self.columns, None, path.name)
        if self.assumed_days is None:
            return table
        assumed = table["agency_start"] + np.float32(self.assumed_days)
        return table.assign(agency_end=table["agency_end"].fillna(assumed))

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Draw fires.

        Parameters
        ----------
        scenes : sequence of (Scene, xr.Dataset)
            Perimeters.
        block : Block
            A tile and a season.

        Returns
        -------
        xr.Dataset
            ``fraction`` and ``prescribed`` (0 to 1), ``fire_id`` (0 = none) and the four dates.
        """
        tables = [table for _, table in scenes]
        available = latest(scene.available for scene, _ in scenes)
        drawn = layer(draw_fires(tables, block), block, np.array([available]))
        return drawn.assign_attrs(left_out(tables))
