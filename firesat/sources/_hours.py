"""Hourly weather fields, found by their moment and reduced to days."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.errors import SourceError
from firesat.sources._era5_names import UNITS
from firesat.sources._layers import bounds_in, georeferenced
from firesat.sources._weather import (
    Field,
    dims_of,
    fill_sea,
    open_weather,
    relative_humidity,
    vapour_pressure,
    weather_parts,
)

Moments = NDArray[np.datetime64]


def later(days: Moments, hours: int) -> Moments:
    """Give the moments some hours after 00 UTC of days.

    Parameters
    ----------
    days : ndarray of datetime64
        Calendar days.
    hours : int
        Hours, also negative or beyond 24.

    Returns
    -------
    ndarray of datetime64[h]
        UTC.
    """
    return np.asarray(days.astype("datetime64[h]") + np.timedelta64(hours, "h"))


def hourly(raw: xr.Dataset) -> Iterator[tuple[str, Field]]:
    """Give the quantities wanted from those a service delivered, hour by hour.

    Parameters
    ----------
    raw : xr.Dataset
        ECMWF short names: t2m, d2m, u10, v10, ... in K and m s-1.

    Yields
    ------
    tuple of str and ndarray of float32
        t2m, skt, swvl1, sd as they are; tp in mm; rh (%), vp (hPa) and ws (m s-1) computed.
    """
    for name in ("t2m", "skt", "swvl1"):
        if name in raw:
            yield name, raw[name].values
    for name in ("sd", "tp"):
        if name in raw:
            yield name, (1.0 if name == "sd" else 1000.0) * _metres(raw[name])
    if {"t2m", "d2m"} <= set(raw.data_vars):
        yield "rh", relative_humidity(raw["t2m"].values, raw["d2m"].values)
    if "d2m" in raw:
        yield "vp", vapour_pressure(raw["d2m"].values)
    if {"u10", "v10"} <= set(raw.data_vars):
        yield "ws", np.hypot(raw["u10"].values, raw["v10"].values)


def _metres(water: xr.DataArray) -> Field:
    """Water in metres; in edition 2 of GRIB the same quantity may come in kg m-2, which are mm."""
    return np.asarray(water.values * (1e-3 if water.attrs.get("units") == "kg m-2" else 1.0))


def read_hours(path: Path) -> xr.Dataset:
    """Read the quantities wanted from a file of hourly weather.

    Parameters
    ----------
    path : Path
        GRIB, NetCDF or a zip of these, ECMWF short names.

    Returns
    -------
    xr.Dataset
        What :func:`hourly` gives, dims ``(time, y, x)``; sea has the values of the nearest land.
        The attribute ``versions`` holds each hour's ``expver``; empty where the file tells none.

    Raises
    ------
    CorruptFileError
        If the file is damaged.
    SourceError
        If it holds none of these quantities.
    """
    return _wanted(open_weather(path), path)


def read_parts(path: Path) -> Iterator[xr.Dataset]:
    """Read the quantities wanted part by part.

    Parameters
    ----------
    path : Path
        As for :func:`read_hours`; what is not GRIB comes in one piece.

    Yields
    ------
    xr.Dataset
        Six hours, in order of time.

    Raises
    ------
    CorruptFileError
        If the file is damaged.
    SourceError
        If it holds none of these quantities.
    """
    for raw in weather_parts(path):
        yield _wanted(raw, path)


def _wanted(raw: xr.Dataset, path: Path) -> xr.Dataset:
    """What is wanted of what a service delivered."""
    dims = dims_of(raw, path)  # (time, y, x), or of a series of places
    if extra := sorted(set(dims) & {"number", "level"}):
        raise SourceError(
            f"{path} holds several fields of each hour, along {' and '.join(extra)}: fetch one "
            "member of the surface"
        )
    fields = dict(hourly(raw))
    if not fields:
        raise SourceError(
            f"{path} holds {', '.join(map(str, raw.data_vars)) or 'nothing'}, none of "
            f"{', '.join(UNITS)}: fetch it from a data set of surface weather"
        )
    variables = {
        name: xr.DataArray(
            fill_sea(values),
            dims=dims,
            coords={"time": raw["time"]},
            attrs={"units": UNITS[name], "resampling": "bilinear"},
        )
        for name, values in fields.items()
    }
    cells: GeoBox | None = raw.odc.geobox
    made = xr.Dataset(variables) if cells is None else georeferenced(variables, cells)
    return made.assign_attrs(versions=_versions(raw))


def _versions(raw: xr.Dataset) -> tuple[int, ...]:
    """ERA5's ``expver`` of each hour, 0 where it is not told."""
    if "expver" not in raw.coords or raw["expver"].dims != ("time",):
        return ()
    return tuple(int(number) for number in np.nan_to_num(raw["expver"].values.astype("float64")))


@dataclass(frozen=True)
class HourTable:
    """Hourly fields of a block, from as many files as there are.

    Parameters
    ----------
    index : dict
        Scene and step of each hour.
    scenes : sequence of xr.Dataset
        Dims ``(time, y, x)``, all on the same cells.
    shape : tuple of int
        Rows and columns.
    """

    index: dict[np.datetime64, tuple[int, int]]
    scenes: Sequence[xr.Dataset]
    shape: tuple[int, int]

    @classmethod
    def join(cls, scenes: Sequence[xr.Dataset], shape: Sequence[int]) -> "HourTable":
        """Note which scene holds which hour.

        Parameters
        ----------
        scenes : sequence of xr.Dataset
            Dims ``(time, y, x)``; where two hold an hour, the later scene counts.
        shape : sequence of int
            Rows and columns.

        Returns
        -------
        HourTable
            Of all of them.
        """
        index = {
            moment: (number, step)
            for number, scene in enumerate(scenes)
            for step, moment in enumerate(scene["time"].values.astype("datetime64[h]"))
        }
        return cls(index, scenes, (shape[0], shape[1]))

    def at(self, name: str, moments: Moments) -> Field:
        """Look fields up.

        Parameters
        ----------
        name : str
            A variable of the scenes.
        moments : ndarray of datetime64
            UTC.

        Returns
        -------
        ndarray of float32, shape (T, Y, X)
            NaN where no scene has the hour.
        """
        fields = np.full((len(moments), *self.shape), np.nan, dtype="float32")
        for step, moment in enumerate(moments.astype("datetime64[h]")):
            place = self.index.get(moment)
            if place is not None and name in self.scenes[place[0]]:
                fields[step] = self.scenes[place[0]][name].values[place[1]]
        return fields

    def rain(self, days: Moments, hour: int) -> Field:
        """Sum the rain of the 24 h that end at an hour of some days.

        ERA5-Land accumulates from 00 UTC and stamps a day's total 00 UTC of the next day, so that
        P24 = tp(D, h) + tp(D, 00) - tp(D - 1, h); packing can make it slightly negative.

        Parameters
        ----------
        days : ndarray of datetime64
            Days on which the 24 h end.
        hour : int
            Hour UTC at which they end, 0 to 23.

        Returns
        -------
        ndarray of float32, shape (T, Y, X)
            mm; NaN where one of the three fields is missing.
        """
        if hour == 0:
            return np.maximum(self.at("tp", later(days, 0)), 0).astype("float32")
        end, midnight = self.at("tp", later(days, hour)), self.at("tp", later(days, 0))
        start = self.at("tp", later(days, hour - 24))
        water: Field = np.maximum(end + midnight - start, 0).astype("float32")
        return water


def noon_hour(region: GeoBox, among: tuple[int, ...]) -> int:
    """Find the hour of local standard noon in the middle of a region.

    Parameters
    ----------
    region : GeoBox
        Cells of any CRS.
    among : tuple of int
        Hours UTC that are there.

    Returns
    -------
    int
        The nearest of them after 0.
    """
    west, _, east, _ = bounds_in(region, "EPSG:4326")
    noon = 12 - round((west + east) / 2 / 15)
    return min((hour for hour in among if hour), key=lambda hour: abs(hour - noon))
