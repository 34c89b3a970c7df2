"""All that the cube holds of some cells, group by group, as a forecast of one day may see it."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.bands import SENTINEL2_BANDS
from firesat.composite import Looks, Scene, empty_looks
from firesat.cube import groups, open_cube
from firesat.errors import SampleError
from firesat.labels import VARIABLES
from firesat.samples.fires import FARTHEST, fire_layers, within
from firesat.samples.inputs import COARSEST, FIRE_LAYERS, Inputs, modis_group
from firesat.samples.looks import EVERYWHERE, Scenes
from firesat.samples.pieces import Array, Piece, Table, take
from firesat.samples.truth import Truth, truth
from firesat.samples.weather import fill_nearest, to_fine
from firesat.window import Window

_DAY = np.timedelta64(1, "D")
_EVER = 400 * 366  # days: for what does not age
_FIRE_WEATHER = ("fire_weather", "cems_fire_weather")  # our own first: the one that models read
_BY_DAY = ("sentinel2", "era5_land", "hotspots")  # groups that were cut into days when ingested

Opener = Callable[..., xr.Dataset]
"""Opens a group of a cube, as :func:`firesat.cube.open_cube` does."""

Part = tuple[slice, slice]
"""Rows and columns of 100 m cells."""


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
        self._path, self._open = path, opener
        self._there = frozenset(groups(path))
        self._inputs = inputs
        self._pieces: dict[str, Piece] = {}
        self._static: dict[int, Array] = {}
        self._seasons: dict[str, xr.Dataset] = {}
        self._still: dict[tuple[str, int], Array] = {}
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
            piece = take(self._open(self._path, group), self.cells, margin)
            self._pieces[group] = self._of_these_days(group, piece)
        return self._pieces[group]

    def _of_these_days(self, group: str, piece: Piece) -> Piece:
        """Refuse a group whose days are not those of the window."""
        wanted = self._inputs.window.day_start
        if group in _BY_DAY and piece.day_start != wanted:
            raise SampleError(
                f"the days of {group} in {self._path.name} begin at {piece.day_start} UTC, those "
                f"of the window at {wanted}: ingest with day_start {wanted}, or change "
                "window.day_start"
            )
        return piece

    def _nothing(self, *leading: int, coarser: int = 1) -> Array:
        """A field of which nothing is known."""
        height, width = self.shape
        return np.full((*leading, height // coarser, width // coarser), np.nan, dtype=np.float32)

    @cached_property
    def sentinel2(self) -> Piece | None:
        """Sentinel-2 as it is stored.

        Returns
        -------
        Piece
            Packed; None where the cube has none.
        """
        if "sentinel2" not in self._there:
            return None
        piece = take(self._open(self._path, "sentinel2", packed=True), self.cells)
        return self._of_these_days("sentinel2", piece)

    @cached_property
    def _scenes(self) -> Scenes | None:
        """Sentinel-2, scene by scene."""
        return None if self.sentinel2 is None else Scenes(self.sentinel2)

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

    def fire_weather_at(self, cells: NDArray[np.int64]) -> tuple[NDArray[np.datetime64], Array]:
        """Give the Fire Weather Index at some cells, whenever it became available.

        For choosing chips; an input is what :meth:`weather` gives.

        Parameters
        ----------
        cells : ndarray of int64, shape (n, 2)
            Rows and columns of 100 m cells.

        Returns
        -------
        days : ndarray of datetime64[D], shape (T,)
            All days of the cube that have it.
        index : ndarray of float32, shape (T, n)
            Of the weather cell that holds each; NaN where unknown.
        """
        group = next((name for name in _FIRE_WEATHER if name in self._there), None)
        if group is None:
            return np.empty(0, dtype="datetime64[D]"), np.empty((0, len(cells)), dtype=np.float32)
        piece = self._piece(group, margin=10_000)
        row, col = (
            ((cells[:, axis] + 0.5) * 100 + before) // piece.level
            for axis, before in enumerate((piece.top, piece.left))
        )
        steps = np.flatnonzero(piece.touched(piece.written()))
        values = fill_nearest(piece.read("fwi", steps, piece.written()))
        return piece.days[steps], values[:, row.astype(np.intp), col.astype(np.intp)]

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
        return _repeat(self._fire(day), 5)

    def near_fire(self, day: str, kilometres: float) -> Table:
        """Tell which ground lies near an active fire known at T.

        Parameters
        ----------
        day : str
            Issue day.
        kilometres : float
            Less than 20.

        Returns
        -------
        ndarray of bool, shape (y, x)
            500 m cells; nowhere where the cube has no hotspots.
        """
        if "hotspots" not in self._there:
            return np.zeros((self.shape[0] // 5, self.shape[1] // 5), dtype=bool)
        return within(self._fire(day)[0], kilometres)

    def _fire(self, day: str) -> Array:
        """The layers of :meth:`fire` on 500 m cells."""
        piece = self._piece("hotspots", margin=FARTHEST * 1000)
        issue = np.datetime64(day, "D")
        known = piece.known(day, self._inputs.window, _EVER)
        this_year = piece.days.astype("datetime64[Y]") == issue.astype("datetime64[Y]")
        steps = np.flatnonzero(piece.touched(known) & this_year)
        hot = self._hotspots[steps] & piece.over_cells(known[steps])
        layers = fire_layers(hot, (issue - piece.days[steps]).astype(np.int64))
        top, left = round(piece.top / piece.level), round(piece.left / piece.level)
        inside = np.s_[:, top : top + self.shape[0] // 5, left : left + self.shape[1] // 5]
        return layers[inside]

    @cached_property
    def _hotspots(self) -> Table:
        """Whether each fire day has a hotspot, (time, y, x), all days of the cube."""
        piece = self._piece("hotspots", margin=FARTHEST * 1000)
        days, none = range(len(piece.days)), np.empty((0, *piece.data["hotspot_count"].shape[1:]))
        counts = (piece.data["hotspot_count"].isel(time=slice(i, i + 32)) for i in days[::32])
        return np.concatenate([none.astype(bool), *(count.values > 0 for count in counts)])

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
        rows, columns = part
        season = self.season(day[:4]).isel(y=rows, x=columns)
        water = self.still("water", day)[part]
        return truth(season, water, day, self._inputs.window, self._inputs.burnt)

    def still(self, name: str, day: str) -> Array:
        """Give one static map.

        Parameters
        ----------
        name : str
            Such as "fuel".
        day : str
            Issue day.

        Returns
        -------
        ndarray of float32, shape (Y, X)
            NaN where missing; everywhere where the cube has no static maps.

        Raises
        ------
        SampleError
            If no such map was available by T.
        """
        if "static" not in self._there:
            return self._nothing()
        step = self._static_step(day)
        key = name, step
        if key not in self._still:
            self._still[key] = self._map(name, step)
        return self._still[key]

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
    if not len(axis):
        return np.full(len(wanted), -1)
    place = np.minimum(np.searchsorted(axis, wanted), len(axis) - 1)
    return np.where(axis[place] == wanted, place, -1)


def _repeat(values: Array, times: int) -> Array:
    """Each cell as a square of `times` by `times` finer ones."""
    return values.repeat(times, axis=-2).repeat(times, axis=-1)
