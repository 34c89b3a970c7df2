"""GRIB edition 2 bytes: one message per parameter and time."""

import threading
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.encode.latlon import LatLonGrid
from firesat.sandbox.encode.parameters import Parameter

BITS = 16  # per value: a temperature range of 40 K in steps of 0.6 mK
_MISSING = 9999.0
_ACCUMULATION = 8  # product definition template 4.8: a statistic over an interval
_LOCK = threading.Lock()  # ecCodes shares one context between threads


def encode_grib(
    fields: Mapping[Parameter, NDArray[np.floating]],
    valid_times: NDArray[np.datetime64],
    grid: LatLonGrid,
    *,
    forecast: bool,
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
        00 UTC of a day is step 24 of the day before. False: analyses of step 0.

    Returns
    -------
    bytes
        Messages one after the other, parameter by parameter.
    """
    # Here and not above: loaded before pyproj, ecCodes' own PROJ crashes the interpreter's exit
    # (github.com/bcgov/wps/pull/5138), and import sorting would put it first.
    import eccodes

    runs, steps = _runs(valid_times) if forecast else (valid_times, np.zeros(len(valid_times), int))
    with _LOCK:
        template = _template(grid, forecast=forecast)
        try:
            parts = [
                message
                for parameter, values in fields.items()
                for message in _messages(template, parameter, values, (runs, steps))
            ]
        finally:
            eccodes.codes_release(template)
    return b"".join(parts)


def _runs(
    valid_times: NDArray[np.datetime64],
) -> tuple[NDArray[np.datetime64], NDArray[np.int64]]:
    """Midnights that runs start from, and steps of 1 to 24 hours."""
    hours = valid_times.astype("datetime64[h]")
    runs = (hours - np.timedelta64(1, "h")).astype("datetime64[D]")
    return runs, (hours - runs.astype("datetime64[h]")).astype(np.int64)


def _template(grid: LatLonGrid, *, forecast: bool) -> int:
    """A message of the grid, without parameter, time and values."""
    import eccodes

    handle: int = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    east = grid.longitudes[-1]
    settings: dict[str, str | int | float] = {
        "centre": "ecmf",
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
    template: int,
    parameter: Parameter,
    values: NDArray[np.floating],
    times: tuple[NDArray[np.datetime64], NDArray[np.int64]],
) -> Iterator[bytes]:
    """All messages of one parameter; keys are set only when they change, which is what costs."""
    import eccodes

    handle = eccodes.codes_clone(template)
    try:
        eccodes.codes_set(handle, "paramId", parameter.number)
        interval = eccodes.codes_get(handle, "productDefinitionTemplateNumber") == _ACCUMULATION
        eccodes.codes_set(handle, "bitmapPresent", int(bool(np.isnan(values).any())))
        filled = np.nan_to_num(values.reshape(len(values), -1).astype(np.float64), nan=_MISSING)
        before = None
        for run, step, field in zip(*times, filled, strict=True):
            if run != before:
                _set_run(handle, run)
                before = run
            if interval:
                eccodes.codes_set(handle, "stepRange", f"0-{step}")
            else:
                eccodes.codes_set(handle, "forecastTime", int(step))
            eccodes.codes_set_values(handle, field)
            yield eccodes.codes_get_message(handle)
    finally:
        eccodes.codes_release(handle)


def _set_run(handle: int, run: np.datetime64) -> None:
    """Write the date and the hour of a run."""
    import eccodes

    text = str(run.astype("datetime64[h]"))
    eccodes.codes_set(handle, "dataDate", int(text[:10].replace("-", "")))
    eccodes.codes_set(handle, "dataTime", int(text[11:13]) * 100)
