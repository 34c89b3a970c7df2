"""What the cube knows of some cells: as of T for the baselines, and what burned for the scores."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.ndimage import map_coordinates

from firesat.baselines import nearest_fire
from firesat.cube import groups, open_cube
from firesat.errors import CubeError
from firesat.grid import Grid, geobox
from firesat.labels import BURNT
from firesat.samples import Inputs, Region, Truth
from firesat.samples.fires import ACTIVE_DAYS
from firesat.samples.pieces import Piece, Table, take
from firesat.samples.weather import fill_nearest

MARGIN = 50_000.0  # metres around the cells in which hotspots are looked for
_FIRE_WEATHER = ("fire_weather", "cems_fire_weather")  # our own first: the one that models read
_DAY = np.timedelta64(1, "D")

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Known:
    """What baselines may know of one issue day.

    Parameters
    ----------
    distance, age : ndarray of float64, shape (Y, X)
        Kilometres to the nearest active fire known at T, and days since it was last seen.
    fwi : ndarray of float64, shape (Y, X)
        Fire Weather Index under the regime.
    fuel : ndarray of int64, shape (Y, X)
        Fuel class.
    """

    distance: Floats
    age: Floats
    fwi: Floats
    fuel: NDArray[np.int64]


class Record:
    """The cube over some cells, opened once.

    Parameters
    ----------
    path : Path
        A cube.
    inputs : Inputs
        Regime of the weather, and the window.
    cells : GeoBox
        Cells of 100 m on 1 km lines.
    """

    def __init__(self, path: Path, inputs: Inputs, cells: GeoBox) -> None:
        self.cells = cells
        self._path, self._inputs = path, inputs
        self._region = Region(path, inputs, cells)

    def truth(self, day: str) -> Truth:
        """Say what burned in the window of an issue day.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        Truth
            For scores, and never for a forecast.
        """
        return self._region.truth(day)

    def known(self, day: str) -> Known:
        """Say what a baseline may know at T.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        Known
            From hotspots published by T, weather by the regime, and static maps.

        Raises
        ------
        CubeError
            If no Fire Weather Index is there for the day.
        """
        distance, age = nearest_fire(self._latest_hotspot(day), ACTIVE_DAYS)
        return Known(
            distance=self._on_cells(distance, self._hotspots, order=1),
            age=self._on_cells(age, self._hotspots, order=0),
            fwi=self._on_cells(self._fwi(day), self._weather, order=1),
            fuel=self._fuel,
        )

    @cached_property
    def _hotspots(self) -> Piece:
        """Hotspots, with those around."""
        return take(open_cube(self._path, "hotspots"), self.cells, MARGIN)

    @cached_property
    def _hot(self) -> Table:
        """Whether each fire day has a hotspot, (time, y, x)."""
        piece, days = self._hotspots, range(len(self._hotspots.days))
        counts = (piece.data["hotspot_count"].isel(time=slice(i, i + 32)) for i in days[::32])
        return np.concatenate([count.values > 0 for count in counts])

    def _latest_hotspot(self, day: str) -> Floats:
        """Days since the latest hotspot known at T, infinite where there was none."""
        piece, issue = self._hotspots, np.datetime64(day, "D")
        known = piece.known(day, self._inputs.window, ACTIVE_DAYS)
        steps = np.flatnonzero(piece.touched(known))
        hot = self._hot[steps] & piece.over_cells(known[steps])
        ages = ((issue - piece.days[steps]) / _DAY).astype(np.float64)
        latest: Floats = np.where(hot, ages[:, None, None], np.inf).min(axis=0, initial=np.inf)
        return latest

    @cached_property
    def _weather(self) -> Piece:
        """Fire weather, with a cell around."""
        held = groups(self._path)
        name = next((group for group in _FIRE_WEATHER if group in held), None)
        if name is None:
            raise CubeError(
                f"{self._path} has no fire weather, which the baselines need: run firesat derive"
            )
        return take(open_cube(self._path, name), self.cells, 10_000)

    def _fwi_steps(self, day: str) -> tuple[NDArray[np.intp], Table]:
        """Steps of the fire weather that the regime allows, and where each is known."""
        piece, issue = self._weather, np.datetime64(day, "D")
        if self._inputs.regime == "operational":
            allowed = piece.known(day, self._inputs.window, self._inputs.window.history)
        else:
            allowed = piece.written()
        last = piece.days < issue
        if self._inputs.regime == "hindsight":
            last = (piece.days >= issue) & (piece.days < issue + self._inputs.window.horizon * _DAY)
        steps = np.flatnonzero(piece.touched(allowed) & last)
        return (steps if self._inputs.regime == "hindsight" else steps[-1:]), allowed

    def has_weather(self, day: str) -> bool:
        """Tell whether the regime allows any Fire Weather Index at T.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        bool
            False at the beginning of the cube.
        """
        return bool(len(self._fwi_steps(day)[0]))

    def _fwi(self, day: str) -> Floats:
        """The latest index that the regime allows; with weather of the window, its mean."""
        if self._inputs.looks_ahead:
            ahead = self._region.atmosphere.outlook.codes(day)["fwi"]
            values = fill_nearest(ahead[-self._inputs.window.horizon :])
        else:
            chosen, allowed = self._fwi_steps(day)
            values = fill_nearest(self._weather.read("fwi", chosen, allowed))
        if not len(values) or np.isnan(values).any():
            raise CubeError(f"the cube has no Fire Weather Index for {day}: ingest earlier days")
        mean: Floats = values.mean(axis=0, dtype=np.float64)
        return mean

    @cached_property
    def _still(self) -> Piece:
        """Static maps."""
        return take(open_cube(self._path, "static"), self.cells)

    @cached_property
    def _fuel(self) -> NDArray[np.int64]:
        """Fuel class of each cell; 0 where unknown."""
        return np.nan_to_num(self.static("fuel")).astype(np.int64)

    def static(self, variable: str) -> NDArray[np.float32]:
        """Give the latest static map.

        Parameters
        ----------
        variable : str
            Such as "elevation".

        Returns
        -------
        ndarray of float32, shape (Y, X)
            NaN where missing.

        Raises
        ------
        CubeError
            If the cube has none.
        """
        piece = self._still
        steps = np.flatnonzero(piece.touched(piece.written()))[-1:]
        if not steps.size:
            raise CubeError(f"{self._path} holds no static map: ingest the static source")
        values: NDArray[np.float32] = piece.read(variable, steps, piece.written())[0]
        return values

    def burnt_before(self, day: str) -> NDArray[np.bool_]:
        """Tell which cells had burnt by T, in truth; for pictures.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        ndarray of bool, shape (Y, X)
            True where more than half of the cell had burnt this year.
        """
        piece = take(open_cube(self._path, "labels"), self.cells)
        step = np.flatnonzero(piece.days.astype("datetime64[Y]").astype(str) == day[:4])[:1]
        fraction, latest = (
            piece.read(name, step, piece.written())[0] for name in ("fraction", "latest")
        )
        first = int(np.datetime64(day, "D").astype(np.int64))
        before: NDArray[np.bool_] = (fraction >= BURNT) & (latest < first)
        return before

    def _on_cells(self, coarse: Floats, piece: Piece, *, order: int) -> Floats:
        """Coarse cells on those of 100 m: bilinear between centres, or the nearest."""
        height, width = self.cells.shape
        ratio = piece.level / 100
        rows = (np.arange(height) + 0.5) / ratio + piece.top / piece.level - 0.5
        columns = (np.arange(width) + 0.5) / ratio + piece.left / piece.level - 0.5
        where = np.meshgrid(rows, columns, indexing="ij")
        fine: Floats = map_coordinates(coarse, where, order=order, mode="nearest")
        return fine


def parts(grid: Grid) -> list[GeoBox]:
    """Cut the region into pieces that fit in memory.

    Parameters
    ----------
    grid : Grid
        With its region.

    Returns
    -------
    list of GeoBox
        Cells of 100 m, at most a tile each.
    """
    box = grid.region_geobox(100).boundingbox
    pieces = []
    for tile in grid.tiles():
        edge = grid.tile_geobox(tile, 100).boundingbox
        extent = (
            max(edge.left, box.left),
            max(edge.bottom, box.bottom),
            min(edge.right, box.right),
            min(edge.top, box.top),
        )
        pieces.append(geobox(extent, grid.crs, 100))
    return pieces
