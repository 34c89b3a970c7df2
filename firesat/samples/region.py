"""All that the cube holds of some cells, group by group, as a forecast of one day may see it."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.bands import SENTINEL2_BANDS
from firesat.composite import Looks, Scene, empty_looks
from firesat.cube import open_cube
from firesat.errors import SampleError
from firesat.labels import VARIABLES
from firesat.samples.anomaly import EVER, SUFFIX, anomaly
from firesat.samples.atmosphere import Atmosphere
from firesat.samples.ground import Ground
from firesat.samples.heat import Heat
from firesat.samples.inputs import Inputs
from firesat.samples.looks import EVERYWHERE, Scenes
from firesat.samples.modis import modis_group
from firesat.samples.opened import Opened, Opener, Part, repeat
from firesat.samples.pieces import Array, Piece, Table
from firesat.samples.truth import Daily, Truth, daily, truth
from firesat.window import Window


class Region:
    """The cube over some cells; what is read more than once is kept.

    A group that the cube lacks gives fields of NaN: nothing is known.

    Parameters
    ----------
    path : Path
        A cube.
    inputs : Inputs
        What is read.
    cells : GeoBox
        Cells of 100 m that begin and end on 1 km lines of the grid.
    opener : callable
        Opens a group of the cube.

    Attributes
    ----------
    cells : GeoBox
        As given.
    opened, ground, heat, atmosphere : Opened, Ground, Heat, Atmosphere
        What it is made of: for choosing chips, which needs more than an input may hold.

    Raises
    ------
    SampleError
        If the cells lie off the 1 km lines or outside the cube, or the cube's days begin at another
        hour than those of the window.
    """

    def __init__(
        self, path: Path, inputs: Inputs, cells: GeoBox, opener: Opener = open_cube
    ) -> None:
        self.cells = cells
        self._inputs = inputs
        self.opened = Opened(path, inputs, cells, opener)
        self.atmosphere, self.heat = Atmosphere(self.opened), Heat(self.opened)
        self.ground = Ground(self.opened)
        self._seasons: dict[str, xr.Dataset] = {}

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of 100 m cells.

        Returns
        -------
        tuple of int
            (Y, X).
        """
        return self.opened.shape

    @cached_property
    def _scenes(self) -> Scenes | None:
        """Sentinel-2, scene by scene."""
        return None if self.opened.sentinel2 is None else Scenes(self.opened.sentinel2)

    def looks(self, day: str, part: Part = EVERYWHERE) -> Looks:
        """Give the latest clear Sentinel-2 looks.

        Parameters
        ----------
        day : str
            Issue day.
        part : tuple of slice
            Rows and columns that are wanted.

        Returns
        -------
        Looks
            Reflectance (K, 13, Y, X) and age (K, Y, X), NaN where there is none, and in bands that
            the cube does not hold.
        """
        if self._scenes is None:
            return empty_looks(self._inputs.looks, len(SENTINEL2_BANDS), *self._size(part))
        return self._scenes.looks(day, self._looking_back, self._inputs.looks, part)

    @property
    def _looking_back(self) -> Window:
        """The window, with the history of Sentinel-2."""
        return replace(self._inputs.window, history=self._inputs.sentinel2_history)

    def _size(self, part: Part) -> tuple[int, int]:
        """Rows and columns of a part."""
        rows, columns = (len(range(n)[some]) for n, some in zip(self.shape, part, strict=True))
        return rows, columns

    def scenes(self, day: str) -> tuple[Scene, ...]:
        """Give the Sentinel-2 scenes that were in hand, as they are stored.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        tuple of (float, ndarray, ndarray)
            Age in days, reflectance in the cube's bands and clear fraction, newest first.
        """
        if self._scenes is None:
            return ()
        return tuple(self._scenes.in_hand(day, self._looking_back))

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands of :meth:`scenes`.

        Returns
        -------
        tuple of str
            In the cube's order.
        """
        return SENTINEL2_BANDS if self._scenes is None else self._scenes.bands

    def modis(self, day: str) -> Array:
        """Give the latest composites that were available.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        ndarray of float32, shape (Tm, V, y, x)
            500 m cells, oldest first, NaN where missing. A composite's place is counted back from
            the latest of its own group.
        """
        layers = []
        for variable in self._inputs.modis:
            if modis_group(variable) not in self.opened.there:
                layers.append(self.opened.nothing(self._inputs.modis_steps, coarser=5))
                continue
            piece = self.opened.piece(modis_group(variable))
            known = piece.known(day, self._inputs.window, self._inputs.window.history)
            steps = self._latest(piece, known)
            if variable.endswith(SUFFIX):
                ever = piece.known(day, self._inputs.window, EVER)
                values = anomaly(piece, variable.removesuffix(SUFFIX), steps, ever)
            else:
                values = piece.read(variable, steps, known)
            layers.append(repeat(values, piece.level // 500))
        return np.stack(layers, axis=1)

    def _latest(self, piece: Piece, known: Table) -> NDArray[np.intp]:
        """The last steps in hand, -1 in front where there are too few."""
        steps = np.flatnonzero(piece.touched(known))[-self._inputs.modis_steps :]
        return np.pad(steps, (self._inputs.modis_steps - len(steps), 0), constant_values=-1)

    def weather(self, day: str) -> Array:
        """Give the weather that the regime allows.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        ndarray of float32, shape (S, V, y, x)
            1 km cells; oldest day first; NaN where missing or not allowed.
        """
        return self.atmosphere.days(day)

    def fire(self, day: str) -> Array:
        """Describe the fires known at T.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        ndarray of float32, shape (3 to 7, Y, X)
            As `FIRE_LAYERS`, power and extent where the inputs want them; from hotspots published
            by T alone, those up to 20 km away included.
        """
        return repeat(self.heat.layers(day), 5)

    def static(self, day: str) -> Array:
        """Give terrain, water, roads and one layer per fuel class.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        ndarray of float32, shape (S0, Y, X)
            NaN where missing; fuel classes are 0 or 1.

        Raises
        ------
        SampleError
            If no such map was available by T.
        """
        return self.ground.layers(day)

    def truth(self, day: str, part: Part = EVERYWHERE) -> Truth:
        """Say what burns in the window of an issue day. Never an input.

        Parameters
        ----------
        day : str
            Issue day.
        part : tuple of slice
            Rows and columns that are wanted.

        Returns
        -------
        Truth
            Of these cells.

        Raises
        ------
        SampleError
            If the cube has no labels of that year.
        """
        return truth(*self._outcome(day, part), day, self._inputs.window, self._inputs.burnt)

    def daily(self, day: str, part: Part = EVERYWHERE) -> Daily:
        """Say on which days of its window the cells of an issue day burn. Never an input.

        Parameters
        ----------
        day : str
            Issue day.
        part : tuple of slice
            Rows and columns that are wanted.

        Returns
        -------
        Daily
            Of these cells.
        """
        return daily(*self._outcome(day, part), day, self._inputs.window, self._inputs.burnt)

    def _outcome(self, day: str, part: Part) -> tuple[xr.Dataset, Array]:
        """Labels of the year, and water."""
        rows, columns = part
        season = self.season(day[:4]).isel(y=rows, x=columns)
        return season, self.ground.map("water", day)[part]

    def season(self, year: str) -> xr.Dataset:
        """Give the labels of a year. Never an input.

        Parameters
        ----------
        year : str
            Four digits.

        Returns
        -------
        xr.Dataset
            See :mod:`firesat.labels`.

        Raises
        ------
        SampleError
            If the cube has none.
        """
        if year not in self._seasons:
            self._seasons[year] = self._season(year)
        return self._seasons[year]

    def _season(self, year: str) -> xr.Dataset:
        """Labels of a year, from the cube."""
        piece = self.opened.piece("labels")
        steps = np.flatnonzero(piece.days.astype("datetime64[Y]").astype(str) == year)
        seen = piece.written()
        if not steps.size or not piece.touched(seen)[steps[0]]:
            raise SampleError(f"the cube has no labels of {year}: run firesat derive")
        return xr.Dataset(
            {name: (("y", "x"), piece.read(name, steps[:1], seen)[0]) for name in VARIABLES}
        )
