"""All that the cube holds of some cells, group by group, as a forecast of one day may see it."""

from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.bands import SENTINEL2_BANDS
from firesat.composite import Looks, empty_looks
from firesat.cube import groups, open_cube
from firesat.errors import SampleError
from firesat.labels import VARIABLES
from firesat.samples.fires import FARTHEST, fire_layers
from firesat.samples.inputs import COARSEST, FIRE_LAYERS, Inputs, modis_group
from firesat.samples.looks import Scenes
from firesat.samples.pieces import Array, Piece, Table, take
from firesat.samples.truth import Truth, truth
from firesat.samples.weather import to_fine
from firesat.window import Window

_DAY = np.timedelta64(1, "D")
_EVER = 400 * 366  # days: for what does not age


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

    Raises
    ------
    SampleError
        If the cells lie off the 1 km lines or outside the cube.
    """

    def __init__(self, path: Path, inputs: Inputs, cells: GeoBox) -> None:
        self.cells = cells
        self._path = path
        self._there = frozenset(groups(path))
        self._inputs = inputs
        self._pieces: dict[str, Piece] = {}
        self._static: dict[int, Array] = {}
        self._seasons: dict[str, xr.Dataset] = {}
        box = cells.boundingbox
        if any(edge % (100 * COARSEST) for edge in (box.left, box.bottom, box.right, box.top)):
            raise SampleError(f"the cells {box} lie off the 1 km lines: start chips at whole km")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of 100 m cells.

        Returns
        -------
        tuple of int
            (Y, X).
        """
        height, width = self.cells.shape
        return height, width

    def _piece(self, group: str, margin: float = 0.0) -> Piece:
        """A group over the cells, opened once."""
        if group not in self._pieces:
            self._pieces[group] = take(open_cube(self._path, group), self.cells, margin)
        return self._pieces[group]

    def _nothing(self, *leading: int, coarser: int = 1) -> Array:
        """A field of which nothing is known."""
        height, width = self.shape
        return np.full((*leading, height // coarser, width // coarser), np.nan, dtype=np.float32)

    @cached_property
    def _scenes(self) -> Scenes:
        """Sentinel-2."""
        return Scenes(take(open_cube(self._path, "sentinel2", packed=True), self.cells))

    def looks(self, day: str) -> Looks:
        """Give the latest clear Sentinel-2 looks.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        Looks
            Reflectance (K, 13, Y, X) and age (K, Y, X), NaN where there is none, and in bands that
            the cube does not hold.
        """
        if "sentinel2" not in self._there:
            return empty_looks(self._inputs.looks, len(SENTINEL2_BANDS), *self.shape)
        window = Window(history=self._inputs.sentinel2_history)
        return self._scenes.looks(day, window, self._inputs.looks)

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
            if modis_group(variable) not in self._there:
                layers.append(self._nothing(self._inputs.modis_steps, coarser=5))
                continue
            piece = self._piece(modis_group(variable))
            known = piece.known(day, self._inputs.window, self._inputs.window.history)
            values = piece.read(variable, self._latest(piece, known), known)
            layers.append(_repeat(values, piece.level // 500))
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
        layers = [
            *self._days_of("era5_land", self._inputs.weather, day),
            *self._days_of("fire_weather", self._inputs.fire_weather, day),
        ]
        return np.stack(layers, axis=1)

    def _days_of(self, group: str, variables: tuple[str, ...], day: str) -> list[Array]:
        """Days of some weather variables, each (S, y, x)."""
        if group not in self._there:
            missing = self._nothing(self._inputs.weather_steps, coarser=COARSEST)
            return [missing for _ in variables]
        piece = self._piece(group, margin=10_000)
        issue = np.datetime64(day, "D")
        first = issue - self._inputs.weather_days * _DAY
        steps = _positions(piece.days, first + np.arange(self._inputs.weather_steps) * _DAY)
        if self._inputs.regime == "operational":
            allowed = piece.known(day, self._inputs.window, self._inputs.window.history)
        else:
            allowed = piece.written()
        shape = (self.shape[0] // COARSEST, self.shape[1] // COARSEST)
        top, left = piece.top / piece.level, piece.left / piece.level
        return [to_fine(piece.read(v, steps, allowed), top, left, shape) for v in variables]

    def fire(self, day: str) -> Array:
        """Describe the fires known at T.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        ndarray of float32, shape (3, Y, X)
            As `FIRE_LAYERS`; from hotspots published by T alone, those up to 20 km away included.
        """
        if "hotspots" not in self._there:
            return self._nothing(len(FIRE_LAYERS))
        piece = self._piece("hotspots", margin=FARTHEST * 1000)
        issue = np.datetime64(day, "D")
        known = piece.known(day, self._inputs.window, _EVER)
        this_year = piece.days.astype("datetime64[Y]") == issue.astype("datetime64[Y]")
        steps = np.flatnonzero(piece.touched(known) & this_year)
        hot = self._hotspots[steps] & piece.over_cells(known[steps])
        layers = fire_layers(hot, (issue - piece.days[steps]).astype(np.int64))
        top, left = round(piece.top / piece.level), round(piece.left / piece.level)
        inside = np.s_[:, top : top + self.shape[0] // 5, left : left + self.shape[1] // 5]
        return _repeat(layers[inside], 5)

    @cached_property
    def _hotspots(self) -> Table:
        """Whether each fire day has a hotspot, (time, y, x), all days of the cube."""
        piece = self._piece("hotspots", margin=FARTHEST * 1000)
        days = range(len(piece.days))
        counts = (piece.data["hotspot_count"].isel(time=slice(i, i + 32)) for i in days[::32])
        return np.concatenate([count.values > 0 for count in counts])

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
        if "static" not in self._there:
            return self._nothing(len(self._inputs.names["static"]))
        step = self._static_step(day)
        if step not in self._static:
            layers = [self._map(name, step) for name in self._inputs.static]
            fuel = self._map("fuel", step) if self._inputs.fuel_classes else np.empty(0)
            classes = [(fuel == code).astype(np.float32) for code in self._inputs.fuel_classes]
            self._static[step] = np.stack([*layers, *classes])
        return self._static[step]

    def _map(self, name: str, step: int) -> Array:
        """One static map."""
        piece = self._piece("static")
        values: Array = piece.read(name, np.array([step]), piece.written())[0]
        return values

    def _static_step(self, day: str) -> int:
        """The latest static map in hand."""
        piece = self._piece("static")
        steps = np.flatnonzero(piece.touched(piece.known(day, self._inputs.window, _EVER)))
        if not steps.size:
            raise SampleError(f"no static map was available by {day}: ingest the static source")
        return int(steps[-1])

    def truth(self, day: str) -> Truth:
        """Say what burns in the window of an issue day. Never an input.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        Truth
            Of every cell.

        Raises
        ------
        SampleError
            If the cube has no labels of that year.
        """
        year = day[:4]
        if year not in self._seasons:
            self._seasons[year] = self._season(year)
        return truth(self._seasons[year], self._water(day), day, self._inputs.window)

    def _water(self, day: str) -> Array:
        """Water fraction; without maps none is known."""
        if "static" not in self._there:
            return self._nothing()
        return self._map("water", self._static_step(day))

    def _season(self, year: str) -> xr.Dataset:
        """Labels of a year."""
        piece = self._piece("labels")
        steps = np.flatnonzero(piece.days.astype("datetime64[Y]").astype(str) == year)
        seen = piece.written()
        if not steps.size or not piece.touched(seen)[steps[0]]:
            raise SampleError(f"the cube has no labels of {year}: run firesat derive")
        return xr.Dataset(
            {name: (("y", "x"), piece.read(name, steps[:1], seen)[0]) for name in VARIABLES}
        )


def _positions(axis: NDArray[np.datetime64], wanted: NDArray[np.datetime64]) -> NDArray[np.intp]:
    """Where days stand on a time axis, -1 where they do not."""
    place = np.minimum(np.searchsorted(axis, wanted), len(axis) - 1)
    return np.where(axis[place] == wanted, place, -1)


def _repeat(values: Array, times: int) -> Array:
    """Each cell as a square of `times` by `times` finer ones."""
    return values.repeat(times, axis=-2).repeat(times, axis=-1)
