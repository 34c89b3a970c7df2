"""Fire weather of the CEMS kind: the FWI System run on the reanalysis' noon weather."""

import numpy as np
from numpy.typing import NDArray

from firesat import fwi
from firesat.errors import ConfigError
from firesat.sandbox.law.moisture import saturation
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.observe import era5
from firesat.sandbox.world import World

NAMES = {
    "fwinx": "fwi",
    "ffmcode": "ffmc",
    "dufmcode": "dmc",
    "drtcode": "dc",
    "infsinx": "isi",
    "fbupinx": "bui",
    "fdsrte": "dsr",
}
SNOW = 0.01  # m of water in the snow, from which the codes wait at their start values
BEGIN = "04-01"  # of every year: nothing is carried over a winter
DAY = np.timedelta64(1, "D")


def daily(
    world: World,
    variables: list[str],
    days: NDArray[np.datetime64],
    latitudes: NDArray[np.float64],
    longitudes: NDArray[np.float64],
) -> dict[str, Floats]:
    """Give the fire weather of some days and points.

    Parameters
    ----------
    world : World
        The sandbox.
    variables : list of str
        Of fwinx, ffmcode, dufmcode, drtcode, infsinx, fbupinx, fdsrte.
    days : ndarray of datetime64
        Dates; those before 1 April get the values of 1 April.
    latitudes, longitudes : ndarray
        Degrees.

    Returns
    -------
    dict of ndarray
        float32 (day, latitude, longitude) by name; under snow the codes stand at their start.

    Raises
    ------
    ConfigError
        If a variable is unknown.
    """
    unknown = [name for name in variables if name not in NAMES]
    if unknown:
        raise ConfigError(f"the sandbox's fire weather has no {unknown[0]!r}: it has {list(NAMES)}")
    dates = days.astype("datetime64[D]")
    years = dates.astype("datetime64[Y]")
    shape = (len(dates), len(latitudes), len(longitudes))
    out = {name: np.empty(shape, dtype=np.float32) for name in variables}
    for year in np.unique(years):
        first = np.datetime64(f"{year}-{BEGIN}", "D")
        chosen = years == year
        step = np.maximum((dates[chosen] - first) // DAY, 0)
        span = first + np.arange(int(step.max()) + 1)
        series = _series(world, span, latitudes, longitudes)
        for name in variables:
            out[name][chosen] = np.stack([getattr(series[i], NAMES[name]) for i in step])
    return out


def _series(
    world: World,
    span: NDArray[np.datetime64],
    latitudes: NDArray[np.float64],
    longitudes: NDArray[np.float64],
) -> list[fwi.Codes]:
    """Codes of days that follow each other from the start of a season."""
    weather = _noon(world, span, latitudes, longitudes)
    north = np.broadcast_to(latitudes[:, None], weather["temp"].shape[1:])
    months = span.astype("datetime64[M]").astype(int) % 12 + 1
    state, codes = fwi.start(north.shape), []
    for i, month in enumerate(months):
        noon = {name: weather[name][i] for name in ("temp", "rh", "ws", "prec")}
        today, after = fwi.step(state, month=int(month), latitude=north, **noon)
        wait, fresh = weather["snow"][i] > SNOW, fwi.start(north.shape)
        state = fwi.State(
            ffmc=np.where(wait, fresh.ffmc, after.ffmc),
            dmc=np.where(wait, fresh.dmc, after.dmc),
            dc=np.where(wait, fresh.dc, after.dc),
        )
        codes.append(today)
    return codes


def _noon(
    world: World,
    span: NDArray[np.datetime64],
    latitudes: NDArray[np.float64],
    longitudes: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Weather at noon local standard time, and rain of the 24 hours to it."""
    midnight: era5.Times = span.astype("datetime64[h]")
    noon: era5.Times = midnight + np.timedelta64(round(12 - world.place.centre[0] / 15), "h")
    day_before: era5.Times = noon - DAY
    names = ["t2m", "d2m", "u10", "v10", "sd"]
    now = era5.hours(world, names, noon, latitudes, longitudes)
    temp, dew = (now[name] - np.float32(era5.KELVIN) for name in ("t2m", "d2m"))
    stamps = np.concatenate([noon, midnight, day_before])
    rain = era5.hours(world, ["tp"], stamps, latitudes, longitudes)["tp"].astype(np.float64)
    to_noon, whole_day, to_noon_before = np.split(1000.0 * rain, 3)
    return {
        "temp": temp.astype(np.float64),
        "rh": np.clip(100.0 * saturation(dew) / saturation(temp), 0.0, 100.0).astype(np.float64),
        "ws": 3.6 * np.hypot(now["u10"], now["v10"]).astype(np.float64),
        "prec": np.maximum(to_noon + whole_day - to_noon_before, 0.0),
        "snow": now["sd"].astype(np.float64),
    }
