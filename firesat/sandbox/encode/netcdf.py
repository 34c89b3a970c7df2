"""NetCDF bytes as the Climate Data Store has written them since 2024."""

import threading
from collections.abc import Mapping
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.encode.latlon import LatLonGrid
from firesat.sandbox.encode.parameters import Parameter

CONSOLIDATED = 1  # ``expver`` of final data; 5 is near-real-time
_LOCK = threading.Lock()  # the HDF5 library is not safe between threads


def encode_netcdf(
    fields: Mapping[Parameter, NDArray[np.floating]],
    valid_times: NDArray[np.datetime64],
    grid: LatLonGrid,
    versions: NDArray[np.int64] | None = None,
) -> bytes:
    """Write fields as one NetCDF-4 file.

    Parameters
    ----------
    fields : mapping of Parameter to ndarray, shape (T, Y, X)
        In the parameters' own units; NaN where missing.
    valid_times : ndarray of datetime64, shape (T,)
        UTC.
    grid : LatLonGrid
        The points.
    versions : ndarray of int, shape (T,), optional
        ``expver`` of each time, 1 consolidated, 5 preliminary; None = all are consolidated.

    Returns
    -------
    bytes
        Dims ``(valid_time, latitude, longitude)``, with the scalar ``number`` and the text
        ``expver (valid_time)`` that come with every such file.
    """
    with _LOCK:
        file = netCDF4.Dataset("cds.nc", "w", format="NETCDF4", memory=1 << 16)
        consolidated = np.full(len(valid_times), CONSOLIDATED)
        _add_coordinates(file, valid_times, grid, consolidated if versions is None else versions)
        for parameter, values in fields.items():
            _add_variable(file, parameter, values)
        file.setncatts(
            {
                "GRIB_centre": "ecmf",
                "GRIB_centreDescription": "European Centre for Medium-Range Weather Forecasts",
                "GRIB_subCentre": np.int64(0),
                "Conventions": "CF-1.7",
                "institution": "European Centre for Medium-Range Weather Forecasts",
                "history": "GRIB to CDM+CF via cfgrib",
            }
        )
        return bytes(file.close())


def _add_coordinates(
    file: netCDF4.Dataset,
    valid_times: NDArray[np.datetime64],
    grid: LatLonGrid,
    versions: NDArray[np.int64],
) -> None:
    """Write dimensions, coordinates and the two companions ``number`` and ``expver``."""
    seconds = valid_times.astype("datetime64[s]").astype(np.int64)
    axes: dict[str, NDArray[Any]] = {
        "valid_time": seconds,
        "latitude": grid.latitudes,
        "longitude": grid.longitudes,
    }
    attributes = {
        "valid_time": {
            "long_name": "time",
            "standard_name": "time",
            "units": "seconds since 1970-01-01",
            "calendar": "proleptic_gregorian",
        },
        "latitude": {"units": "degrees_north", "standard_name": "latitude"},
        "longitude": {"units": "degrees_east", "standard_name": "longitude"},
    }
    for name, values in axes.items():
        file.createDimension(name, len(values))
        variable = file.createVariable(name, values.dtype, (name,))
        variable.setncatts(attributes[name])
        variable[:] = values
    number = file.createVariable("number", np.int64, ())
    number.setncatts({"long_name": "ensemble member numerical id", "units": "1"})
    number[...] = 0
    expver = file.createVariable("expver", str, ("valid_time",))
    expver[:] = np.array([f"{version:04d}" for version in versions], dtype=object)


def _add_variable(
    file: netCDF4.Dataset, parameter: Parameter, values: NDArray[np.floating]
) -> None:
    """Write one parameter."""
    variable = file.createVariable(
        parameter.name,
        np.float32,
        ("valid_time", "latitude", "longitude"),
        zlib=True,
        complevel=1,
        fill_value=np.float32(np.nan),
    )
    variable.setncatts(
        {
            "GRIB_paramId": np.int64(parameter.number),
            "GRIB_shortName": parameter.short,
            "GRIB_stepType": "accum" if parameter.accumulated else "instant",
            "long_name": parameter.long_name,
            "units": parameter.units,
            "coordinates": "number valid_time latitude longitude expver",
        }
    )
    variable[:] = values
