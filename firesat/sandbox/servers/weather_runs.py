"""Runs of the sandbox's weather models, made once and cut into files."""

import threading
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from firesat.sandbox.encode.forecast import rotated_box, rotated_points
from firesat.sandbox.encode.latlon import LatLonGrid, snapped
from firesat.sandbox.observe.forecasts import forecast
from firesat.sandbox.servers.messages import RefusalError
from firesat.sandbox.world import World

_KEPT = 8  # runs in memory
_SOON = 48  # hours that are made without the rest, which takes five times as long
_MARGIN = 1.0  # degrees around the region: real files hold a continent, these what is asked of them
ROTATED = ("hrdps", "rdps")
_STEPS = {"hrdps": 0.0225, "rdps": 0.09, "gdps": 0.15, "ecmwf": 0.25, "geps": 0.5}  # degrees
LAST = {"hrdps": 48, "rdps": 84, "gdps": 240, "ecmwf": 240, "geps": 384}  # hours
ENSEMBLE = "geps"
MEMBERS = (-1, 0, 1)


class Runs:
    """Forecasts by model and run.

    Parameters
    ----------
    world : World
        What is forecast.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._made: OrderedDict[tuple[str, str], dict[str, NDArray[np.float32]]] = OrderedDict()
        self._lock = threading.Lock()
        self._grids = {model: self._grid(model) for model in _STEPS}

    def grid(self, model: str) -> LatLonGrid:
        """Give the points of a model.

        Parameters
        ----------
        model : str
            Such as "gdps".

        Returns
        -------
        LatLonGrid
            Around the region; of `ROTATED` models in degrees of the rotated sphere.
        """
        return self._grids[model]

    def _grid(self, model: str) -> LatLonGrid:
        """The points around the region."""
        x0, y0, x1, y1 = self._world.config.region
        to_degrees = Transformer.from_crs(self._world.config.crs, "EPSG:4326", always_xy=True)
        west, south, east, north = to_degrees.transform_bounds(x0, y0, x1, y1)
        step, margin = _STEPS[model], _MARGIN if model not in ROTATED else 0.2
        if model in ROTATED:
            return rotated_box(
                (west - margin, east + margin), (south - margin, north + margin), step
            )
        return snapped((north + margin, west - margin, south - margin, east + margin), step)

    def has(self, date: str) -> bool:
        """Tell whether there are runs of a date.

        Parameters
        ----------
        date : str
            Such as "20230701".

        Returns
        -------
        bool
            In the years of the world.
        """
        return date.isdigit() and int(date[:4]) in self._world.config.seasons and _is_date(date)

    def field(self, model: str, run: str, lead: int, name: str) -> NDArray[np.float32]:
        """Give one field of a run.

        Parameters
        ----------
        model : str
            Such as "gdps".
        run : str
            Date and hour, such as "2023070100".
        lead : int
            Hours.
        name : str
            t2m, d2m (K), u10, v10, ws (m/s) or tp (mm since the start of the run).

        Returns
        -------
        ndarray of float32, shape (Y, X)
            On :meth:`grid`.

        Raises
        ------
        RefusalError
            If there is no such run or lead.
        """
        if not self.has(run[:8]) or lead % 3 or not 0 <= lead <= LAST[model]:
            raise RefusalError(404, f"no run {run} of {model} with lead {lead}")
        fields = self._run(model, run, min(_SOON, LAST[model]) if lead <= _SOON else LAST[model])
        if name == "ws":
            fields = {"ws": np.hypot(fields["u10"], fields["v10"])}
        field: NDArray[np.float32] = fields[name][lead // 3]
        return field

    def members(self, run: str, lead: int, name: str) -> list[NDArray[np.float32]]:
        """Give one field of all members of the ensemble, which stand about its own forecast.

        Parameters
        ----------
        run : str
            Date and hour, such as "2023070100".
        lead : int
            Hours.
        name : str
            As for :meth:`field`.

        Returns
        -------
        list of ndarray of float32, shape (Y, X)
            Temperature and dew point a kelvin colder to warmer, wind and rain a fifth less to more.
        """
        middle = self.field(ENSEMBLE, run, lead, name)
        if name in ("t2m", "d2m"):
            return [middle + np.float32(number) for number in MEMBERS]
        return [middle * np.float32(1 + number / 5) for number in MEMBERS]

    def _run(self, model: str, run: str, last: int) -> dict[str, NDArray[np.float32]]:
        """A run's first hours, or all of it; the latest ones stay in memory."""
        with self._lock:
            if len(self._made.get((model, run), {"t2m": ()})["t2m"]) <= last // 3:
                grid = self._grids[model]
                turned = model in ROTATED
                points = rotated_points(grid) if turned else (grid.latitudes, grid.longitudes)
                start = start_of(run)
                leads = np.arange(0, last + 1, 3)
                self._made[model, run] = forecast(self._world, model, start, leads, points)
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
            return self._made[model, run]


def start_of(run: str) -> np.datetime64:
    """Read the name of a run.

    Parameters
    ----------
    run : str
        Date and hour, such as "2023070100".

    Returns
    -------
    np.datetime64
        UTC.
    """
    return np.datetime64(f"{run[:4]}-{run[4:6]}-{run[6:8]}T{run[8:]}", "h")


def _is_date(text: str) -> bool:
    """Whether a date exists."""
    try:
        np.datetime64(f"{text[:4]}-{text[4:6]}-{text[6:]}", "D")
    except ValueError:
        return False
    return len(text) == 8
