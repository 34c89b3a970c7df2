"""GRIB edition 2 bytes: one message per parameter and time."""

from collections.abc import Iterator, Mapping
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.encode.alone import eccodes_alone
from firesat.sandbox.encode.latlon import LatLonGrid
from firesat.sandbox.encode.parameters import Parameter

BITS = 16  # per value: a temperature range of 40 K in steps of 0.6 mK
_MISSING = 9999.0
_ACCUMULATION = 8  # product definition template 4.8: a statistic over an interval


def encode_grib(
    fields: Mapping[Parameter, NDArray[np.floating]],
    valid_times: NDArray[np.datetime64],
    grid: LatLonGrid,
    *,
    forecast: bool,
    versions: NDArray[np.int64] | None = None,
) -> bytes:
    """Write fields as GRIB messages.

    Parameters
    ----------
    fields : mapping of Parameter to ndarray, shape (T, Y, X)
        In the parameters' own units; NaN where missing.
    valid_times : ndarray of datetime64, shape (T,)
        UTC, whole hours.
    grid : LatLonGrid
        The points.
    forecast : bool
        How times are written. True, as ERA5-Land: steps of 1 to 24 h of the run at 00 UTC, so that
        00 UTC of a day is step 24 of the day before. False, as ERA5: analyses of step 0, and what
        accumulates is of the hour before, from steps 1 to 12 of the runs at 06 and 18 UTC.
    versions : ndarray of int, shape (T,), optional
        ``expver`` of each time, 1 consolidated, 5 preliminary; None = messages name none.

    Returns
    -------
    bytes
        Messages one after the other, parameter by parameter.
    """
    with eccodes_alone() as eccodes:
        template = _template(eccodes, grid, forecast=forecast, versioned=versions is not None)
        told = np.zeros(len(valid_times), int) if versions is None else versions
        try:
            parts = [
                message
                for parameter, values in fields.items()
                for times in [_times(valid_times, parameter, forecast=forecast)]
                for message in _messages(eccodes, template, parameter, values, (*times, told))
            ]
        finally:
            eccodes.codes_release(template)
    return b"".join(parts)


def _times(
    valid_times: NDArray[np.datetime64], parameter: Parameter, *, forecast: bool
) -> tuple[NDArray[np.datetime64], NDArray[np.int64], NDArray[np.int64]]:
    """Starts of runs, and the first and the last step of what a message is of."""
    hours = valid_times.astype("datetime64[h]")
    if not (forecast or parameter.accumulated):
        none = np.zeros(len(hours), int)
        return hours, none, none
    first, every = (0, 24) if forecast else (6, 12)  # hour of a run, and hours between runs
    since = (hours - np.timedelta64(first + 1, "h")).astype(np.int64) % every
    runs = hours - (since + 1) * np.timedelta64(1, "h")
    return runs, np.zeros(len(hours), int) if forecast else since, since + 1


def _template(eccodes: ModuleType, grid: LatLonGrid, *, forecast: bool, versioned: bool) -> int:
    """A message of the grid, without parameter, time and values."""
    handle: int = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    east = grid.longitudes[-1]
    settings: dict[str, str | int | float] = {
        "centre": "ecmf",
        **({"setLocalDefinition": 1, "localDefinitionNumber": 1} if versioned else {}),
        "typeOfProcessedData": "fc" if forecast else "an",
        "Ni": grid.columns,
        "Nj": grid.rows,
        "latitudeOfFirstGridPointInDegrees": grid.north,
        "latitudeOfLastGridPointInDegrees": float(grid.latitudes[-1]),
        "longitudeOfFirstGridPointInDegrees": grid.west % 360.0,  # edition 2 knows no negative ones
        "longitudeOfLastGridPointInDegrees": float(east) % 360.0,
        "iDirectionIncrementInDegrees": grid.step,
        "jDirectionIncrementInDegrees": grid.step,
        "bitsPerValue": BITS,
        "missingValue": _MISSING,
    }
    for key, value in settings.items():
        eccodes.codes_set(handle, key, value)
    return handle


def _messages(
    eccodes: ModuleType,
    template: int,
    parameter: Parameter,
    values: NDArray[np.floating],
    times: tuple[NDArray[np.datetime64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
) -> Iterator[bytes]:
    """All messages of one parameter; keys are set only when they change, which is what costs."""
    handle = eccodes.codes_clone(template)
    try:
        eccodes.codes_set(handle, "paramId", parameter.number)
        interval = eccodes.codes_get(handle, "productDefinitionTemplateNumber") == _ACCUMULATION
        eccodes.codes_set(handle, "bitmapPresent", int(bool(np.isnan(values).any())))
        filled = np.nan_to_num(values.reshape(len(values), -1).astype(np.float64), nan=_MISSING)
        before = None
        for run, first, step, version, field in zip(*times, filled, strict=True):
            if (run, version) != before:
                _set_run(eccodes, handle, run)
                if version:
                    eccodes.codes_set(handle, "expver", f"{version:04d}")
                before = run, version
            if interval:
                eccodes.codes_set(handle, "stepRange", f"{first}-{step}")
            else:
                eccodes.codes_set(handle, "forecastTime", int(step))
            eccodes.codes_set_values(handle, field)
            yield eccodes.codes_get_message(handle)
    finally:
        eccodes.codes_release(handle)


def _set_run(eccodes: ModuleType, handle: int, run: np.datetime64) -> None:
    """Write the date and the hour of a run."""
    text = str(run.astype("datetime64[h]"))
    eccodes.codes_set(handle, "dataDate", int(text[:10].replace("-", "")))
    eccodes.codes_set(handle, "dataTime", int(text[11:13]) * 100)
