"""Hours of a weather model under our names and in our units, whoever runs it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from firesat.errors import SourceError
from firesat.sources._layers import georeferenced
from firesat.sources._spread import SPREADS, members_of
from firesat.sources._weather import (
    Field,
    dims_of,
    open_weather,
    relative_humidity,
    vapour_pressure,
)

UNITS = {"t2m": "K", "rh": "%", "vp": "hPa", "ws": "m s-1", "tp": "mm"}
_RAIN = ("tp", "p0_1_8")  # ecCodes has no name for the Canadian service's accumulation


def read_forecast(path: Path) -> xr.Dataset:
    """Read the hours of a run.

    Parameters
    ----------
    path : Path
        GRIB.

    Returns
    -------
    xr.Dataset
        Dims ``(time, y, x)``: t2m in K, rh in % and vp in hPa (over water), ws in m s-1, tp in mm
        since the start of the run; what the file lacks is left out. Of an ensemble the mean of its
        members' values, and of those in `SPREADS` the values themselves as ``t2m_members (time,
        number, y, x)`` and so on.

    Raises
    ------
    CorruptFileError
        If it is damaged, or has members of some quantities only.
    SourceError
        If it holds none of these quantities.
    """
    raw = open_weather(path)
    dims_of(raw, path)
    found = dict(_fields(raw))
    if not found:
        raise SourceError(
            f"{path} holds {', '.join(map(str, raw.data_vars)) or 'nothing'}, none of a forecast's "
            f"{', '.join(UNITS)}: delete it and run the command again"
        )
    variables = dict(_dressed(raw, found))
    cells: GeoBox | None = raw.odc.geobox
    return xr.Dataset(variables) if cells is None else georeferenced(variables, cells)


def _dressed(raw: xr.Dataset, found: dict[str, Field]) -> Iterator[tuple[str, xr.DataArray]]:
    """Fields with their dims and units: means over members, and the members of some."""
    for name, values in found.items():
        many = "number" in raw.dims
        attrs = {"units": UNITS[name], "resampling": "bilinear"}
        whole = np.asarray(values.mean(axis=1) if many else values, dtype="float32")
        times = {"time": raw["time"]}
        yield name, xr.DataArray(whole, dims=("time", "y", "x"), coords=times, attrs=attrs)
        if many and name in SPREADS:
            dims = ("time", "number", "y", "x")
            yield members_of(name), xr.DataArray(values, dims=dims, coords=times, attrs=attrs)


def _fields(raw: xr.Dataset) -> Iterator[tuple[str, Field]]:
    """Quantities wanted, in our units."""
    there = set(raw.data_vars)
    if "t2m" in there:
        yield "t2m", raw["t2m"].values
    yield from _moisture(raw, there)
    if "si10" in there:
        yield "ws", raw["si10"].values
    elif {"u10", "v10"} <= there:  # along the grid's own axes perhaps: the speed is the same
        yield "ws", np.hypot(raw["u10"].values, raw["v10"].values)
    for name in _RAIN:
        if name in there:
            millimetres = 1000 if raw[name].attrs["units"] == "m" else 1  # kg m-2 are mm
            yield "tp", millimetres * raw[name].values


def _moisture(raw: xr.Dataset, there: set[object]) -> Iterator[tuple[str, Field]]:
    """Humidity over water; models' own is over ice in frost, so that the dew point goes first."""
    if {"t2m", "d2m"} <= there:
        yield "rh", relative_humidity(raw["t2m"].values, raw["d2m"].values)
        yield "vp", vapour_pressure(raw["d2m"].values)
    elif "r2" in there:
        humidity = np.clip(raw["r2"].values, 0, 100)  # packed, saturation exceeds 100
        yield "rh", humidity
        if "t2m" in there:
            yield "vp", humidity / 100 * vapour_pressure(raw["t2m"].values)
