"""The data sets of the two data stores: what may be asked, and how it is observed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.encode.latlon import LatLonGrid, snapped
from firesat.sandbox.encode.parameters import CEMS_FIRE, ERA5, ERA5_LAND, Parameter
from firesat.sandbox.observe import era5, fire_weather
from firesat.sandbox.servers.messages import RefusalError
from firesat.sandbox.world import World

Json = dict[str, Any]
Hours = NDArray[np.datetime64]
Observe = Callable[[World, list[str], Hours, LatLonGrid], dict[str, NDArray[np.float32]]]

LAST_YEAR = 2026
FINAL, PRELIMINARY = 1, 5  # ECMWF's expver of reanalyses
_GLOBE = (90.0, -180.0, -90.0, 180.0)


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """One data set.

    Parameters
    ----------
    name : str
        Its id.
    parameters : tuple of Parameter
        Variables.
    step : float
        Degrees between points.
    first_year : int
        Start of the record.
    choices : mapping of str to tuple of str
        Further keys of a request with all that they may say; the first is the default.
    required : tuple of str
        Keys that every request must have.
    hours : tuple of str
        Times of day that may be asked; a single one is not asked for.
    forecast : bool
        Whether GRIB messages carry steps of a forecast from 00 UTC.
    longitude_0_360 : bool
        Whether longitudes run from 0 to 360.
    limit : int
        Largest number of fields in one request.
    preliminary : int
        Days before the world's last one that are as first published; 0 = it has no versions.
    observe : callable
        Gets world, variable names, hours and grid; gives float32 (time, latitude, longitude).
    """

    name: str
    parameters: tuple[Parameter, ...]
    step: float
    first_year: int
    choices: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]
    hours: tuple[str, ...]
    forecast: bool
    longitude_0_360: bool
    limit: int
    preliminary: int = 0
    observe: Observe

    @property
    def values(self) -> dict[str, list[str]]:
        """All that a request may say, ``area`` apart.

        Returns
        -------
        dict
            Values by key.
        """
        timed = {"time": list(self.hours)} if len(self.hours) > 1 else {}
        return {
            "variable": [parameter.request for parameter in self.parameters],
            "year": [str(year) for year in range(self.first_year, LAST_YEAR + 1)],
            "month": [f"{month:02d}" for month in range(1, 13)],
            "day": [f"{day:02d}" for day in range(1, 32)],
            **timed,
            **{key: list(allowed) for key, allowed in self.choices.items()},
        }

    def normalised(self, request: Json) -> Json:
        """Check a request and give every key a list of text.

        Parameters
        ----------
        request : dict
            As a client sends it: single values or lists.

        Returns
        -------
        dict
            Lists of text; ``area`` as four floats.

        Raises
        ------
        RefusalError
            If a key is unknown or missing, or has an unknown value.
        """
        allowed = self.values
        lists: Json = {"area": list(_GLOBE)}
        for key, value in request.items():
            if key == "area":
                lists[key] = _area(value)
            elif key in allowed:
                lists[key] = _known(key, value, allowed[key])
            else:
                raise RefusalError(400, f"Extra inputs are not permitted: {key!r}")
        missing = [key for key in self.required if key not in lists]
        if missing:
            raise RefusalError(400, f"Field required: {missing[0]!r}")
        return {**{key: [first[0]] for key, first in self.choices.items()}, **lists}

    def chosen(self, request: Json) -> list[Parameter]:
        """List the parameters of a request.

        Parameters
        ----------
        request : dict
            Normalised.

        Returns
        -------
        list of Parameter
            In the data set's order.
        """
        return [each for each in self.parameters if each.request in request["variable"]]

    def times(self, request: Json) -> Hours:
        """List the hours of a request: all combinations that are dates.

        Parameters
        ----------
        request : dict
            Normalised.

        Returns
        -------
        ndarray of datetime64[h]
            UTC, ascending.
        """
        days = sorted(
            {
                np.datetime64(f"{year}-{month}-{day}", "D")
                for year in request["year"]
                for month in request["month"]
                for day in request["day"]
                if _is_date(int(year), int(month), int(day))
            }
        )
        hours = sorted(int(text[:2]) for text in request.get("time", self.hours))
        dates = np.array(days, dtype="datetime64[h]")
        times: Hours = (dates[:, None] + np.array(hours, dtype="timedelta64[h]")).ravel()
        return times

    def versions(self, world: World, times: Hours) -> NDArray[np.int64] | None:
        """Tell preliminary hours from consolidated ones.

        Parameters
        ----------
        world : World
            Its last day is the present.
        times : ndarray of datetime64[h]
            UTC.

        Returns
        -------
        ndarray of int
            ECMWF's ``expver`` of each; None where the data set has no versions.
        """
        if not self.preliminary:
            return None
        last = np.datetime64(world.config.last_date(world.config.seasons[-1]), "D")
        early = times >= last + np.timedelta64(1 - self.preliminary, "D")
        return np.where(early, PRELIMINARY, FINAL).astype(np.int64)

    def grid(self, request: Json) -> LatLonGrid:
        """Give the points of a request.

        Parameters
        ----------
        request : dict
            Normalised.

        Returns
        -------
        LatLonGrid
            Those that cover the area.
        """
        north, west, south, east = request["area"]
        if self.longitude_0_360:
            west, east = west % 360.0, west % 360.0 + (east - west)
        return snapped((north, west, south, east), self.step)


def _is_date(year: int, month: int, day: int) -> bool:
    """Whether a date exists."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _known(key: str, value: object, allowed: list[str]) -> list[str]:
    """The values of a key as a list, all of them known."""
    texts = [str(item) for item in (value if isinstance(value, list) else [value])]
    padded = [text.zfill(2) if key in ("month", "day") else text for text in texts]
    wrong = [text for text in padded if text not in allowed]
    if wrong or not padded:
        raise RefusalError(400, f"{key}: {wrong or 'no value'} not in {allowed[:40]}")
    return padded


def _area(value: object) -> list[float]:
    """North, west, south, east."""
    try:
        numbers = [float(item) for item in value]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise RefusalError(400, f"area: {value!r} is no list of numbers") from None
    if len(numbers) != 4 or numbers[0] < numbers[2] or numbers[3] < numbers[1]:
        raise RefusalError(400, f"area: {numbers} is not [north, west, south, east]")
    return numbers


def _at_points(see: Callable[..., dict[str, NDArray[np.float32]]]) -> Observe:
    """Observe by rows and columns."""
    return lambda world, names, hours, grid: see(
        world, names, hours, grid.latitudes, grid.longitudes
    )


def _cems(
    world: World, names: list[str], hours: Hours, grid: LatLonGrid
) -> dict[str, NDArray[np.float32]]:
    """CEMS fire danger: one value a day."""
    days = hours.astype("datetime64[D]")
    longitudes = (grid.longitudes + 180.0) % 360.0 - 180.0
    return fire_weather.daily(world, names, days, grid.latitudes, longitudes)


_FORMATS = {"data_format": ("grib", "netcdf"), "download_format": ("unarchived", "zip")}

LAND = DataSet(
    name="reanalysis-era5-land",
    parameters=ERA5_LAND,
    step=0.1,
    first_year=1950,
    choices=_FORMATS,
    required=("variable", "year", "month", "day", "time"),
    hours=tuple(f"{hour:02d}:00" for hour in range(24)),
    forecast=True,
    longitude_0_360=False,
    limit=12_000,
    observe=_at_points(era5.hours),
)
SINGLE_LEVELS = DataSet(
    name="reanalysis-era5-single-levels",
    parameters=ERA5,
    step=0.25,
    first_year=1940,
    choices={"product_type": ("reanalysis",), **_FORMATS},
    required=("product_type", "variable", "year", "month", "day", "time"),
    hours=LAND.hours,
    forecast=False,
    longitude_0_360=False,
    limit=60_000,
    preliminary=92,  # ERA5T is replaced after two to three months
    observe=_at_points(era5.single_levels),
)
FIRE = DataSet(
    name="cems-fire-historical-v1",
    parameters=CEMS_FIRE,
    step=0.25,
    first_year=1940,
    choices={
        "product_type": ("reanalysis",),
        "dataset_type": ("consolidated_dataset", "intermediate_dataset"),
        "system_version": ("4_1",),
        "grid": ("0.25/0.25",),
        **_FORMATS,
    },
    required=("variable", "dataset_type", "system_version", "year", "month", "day"),
    hours=("12:00",),
    forecast=False,
    longitude_0_360=True,
    limit=3_720,
    observe=_cems,
)
