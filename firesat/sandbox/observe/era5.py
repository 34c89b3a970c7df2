"""ERA5-Land and ERA5 as they would be: the hidden weather smoothed and slightly biased.

ERA5-Land is smoothed to 9 km, ERA5 to 31 km, and the two accumulate rain over different spans.

Hours outside the simulated months (31 March 12 UTC to 1 November 12 UTC) repeat the nearest
simulated day without rain; years that the world lacks repeat its nearest season.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from firesat.errors import ConfigError
from firesat.sandbox.law import clock
from firesat.sandbox.law.moisture import DEEP, DUFF
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.law.place import KILOMETRE, WEATHER_CELL
from firesat.sandbox.law.season import Season
from firesat.sandbox.observe.points import Points
from firesat.sandbox.world import World

KELVIN = 273.15
WIDTH = 4000.0  # metres, standard deviation of the smoothing: 9 km at half height
COARSE = 13_000.0  # of ERA5's: 31 km
WARM, MOIST, CALM, DRIZZLE = 0.4, -0.3, 0.88, 1.06  # biases: K, K, and factors on wind and rain
STEP = np.timedelta64(1, "h")

Times = NDArray[np.datetime64]
Draw = Callable[[Season, NDArray[np.int64], Points], Floats]


def hours(
    world: World,
    variables: list[str],
    times: Times,
    latitudes: NDArray[np.float64],
    longitudes: NDArray[np.float64],
) -> dict[str, Floats]:
    """Give ERA5-Land at some hours and points.

    Parameters
    ----------
    world : World
        The sandbox.
    variables : list of str
        Of t2m, d2m, skt (K), u10, v10 (m/s, east and north), tp (m of water, accumulated since
        00 UTC: the value at 00 UTC is all of the day before), swvl1 (m3/m3), sp (Pa), sd (m of
        water in the snow).
    times : ndarray of datetime64
        UTC, whole hours.
    latitudes, longitudes : ndarray
        Degrees; points outside the weather's cells get the nearest one's.

    Returns
    -------
    dict of ndarray
        float32 (time, latitude, longitude) by name.

    Raises
    ------
    ConfigError
        If a variable is unknown.
    """
    return _drawn(_LAND, world, variables, times, Points(world, latitudes, longitudes, WIDTH))


def single_levels(
    world: World,
    variables: list[str],
    times: Times,
    latitudes: NDArray[np.float64],
    longitudes: NDArray[np.float64],
) -> dict[str, Floats]:
    """Give ERA5 on single levels at some hours and points.

    Parameters
    ----------
    world : World
        The sandbox.
    variables : list of str
        As for :func:`hours`, but for tp: m of water of the hour that ends at the stamp.
    times : ndarray of datetime64
        UTC, whole hours.
    latitudes, longitudes : ndarray
        Degrees; points outside the weather's cells get the nearest one's.

    Returns
    -------
    dict of ndarray
        float32 (time, latitude, longitude) by name.

    Raises
    ------
    ConfigError
        If a variable is unknown.
    """
    points = Points(world, latitudes, longitudes, COARSE)
    return _drawn(_SINGLE_LEVELS, world, variables, times, points)


def _drawn(
    draw: Mapping[str, Draw], world: World, variables: list[str], times: Times, points: Points
) -> dict[str, Floats]:
    """Variables at hours and points, season by season."""
    unknown = [name for name in variables if name not in draw]
    if unknown:
        raise ConfigError(f"the sandbox's reanalysis has no {unknown[0]!r}: it has {list(draw)}")
    stamps = times.astype("datetime64[h]")
    years = stamps.astype("datetime64[Y]").astype(int) + 1970
    out = {name: np.empty((len(stamps), *points.shape), dtype=np.float32) for name in variables}
    for year in np.unique(years):
        season = world.nearest_season(int(year))
        index = _index(stamps[years == year], int(year))
        for name in variables:
            out[name][years == year] = draw[name](season, index, points)
    return out


def _index(stamps: Times, year: int) -> NDArray[np.int64]:
    """Hours since the beginning of the kept weather; may lie outside it."""
    zero = np.datetime64(f"{year}-05-01T00", "h")
    return np.asarray((stamps - zero) // STEP - round(clock.FIRST_HOUR), dtype=np.int64)


def _held(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same hour of the nearest simulated day."""
    day = np.clip(index // 24, 0, clock.DAYS - 1)
    return np.asarray(24 * day + index % 24)


def _field(season: Season, name: str, index: NDArray[np.int64], points: Points) -> Floats:
    """One hidden field, smoothed, at hours and points."""
    place = season.setting.place
    used, back = np.unique(_held(index), return_inverse=True)
    field = season.weather[name][used].astype(np.float32)
    for axis in (1, 2):
        field = gaussian_filter1d(field, points.width / WEATHER_CELL, axis=axis, mode="nearest")
    corner = float(place.weather_x[0]), float(place.weather_y[0])
    return points.on(field, WEATHER_CELL, corner)[back]


def _t2m(season: Season, index: NDArray[np.int64], points: Points) -> Floats:
    """Air temperature, K."""
    return _field(season, "temperature", index, points) + np.float32(KELVIN + WARM)


def _d2m(season: Season, index: NDArray[np.int64], points: Points) -> Floats:
    """Dewpoint, K, never above the air."""
    dewpoint = _field(season, "dewpoint", index, points) + np.float32(KELVIN + MOIST)
    return np.asarray(np.minimum(dewpoint, _t2m(season, index, points)))


def _skt(season: Season, index: NDArray[np.int64], points: Points) -> Floats:
    """Skin temperature, K: the sun heats it, clear nights cool it."""
    clear = 1.0 - _field(season, "cloud", index, points)
    doy = clock.day_of_year(season.year, clock.FIRST_HOUR) + index / 24.0
    up, _ = clock.sun_position(doy, *season.setting.place.centre)
    gain = np.where(up > 0, 7.0 * up, -1.8)[:, None, None]
    return (_t2m(season, index, points) + clear * gain).astype(np.float32)


def _winds(season: Season, index: NDArray[np.int64], points: Points) -> tuple[Floats, Floats]:
    """Wind to the east and north, m/s: the grid's axes turned by the meridians' convergence."""
    u, v = (CALM * _field(season, name, index, points) for name in ("u", "v"))
    cosine, sine = np.cos(points.turn), np.sin(points.turn)
    east, north = u * cosine + v * sine, v * cosine - u * sine
    return east.astype(np.float32), north.astype(np.float32)


def _u10(season: Season, index: NDArray[np.int64], points: Points) -> Floats:
    """Eastward wind, m/s."""
    return _winds(season, index, points)[0]


def _v10(season: Season, index: NDArray[np.int64], points: Points) -> Floats:
    """Northward wind, m/s."""
    return _winds(season, index, points)[1]


def _rain(season: Season, hours: NDArray[np.int64], points: Points) -> Floats:
    """Rain of hours, mm; none outside the simulated days."""
    rain = np.maximum(_field(season, "rain", hours, points), 0.0) * np.float32(DRIZZLE)
    rain[(hours < 0) | (hours >= 24 * clock.DAYS)] = 0.0
    return np.asarray(rain, dtype=np.float32)


def _tp(season: Season, index: NDArray[np.int64], points: Points) -> Floats:
    """Rain since 00 UTC, m; the stamp of 00 UTC closes the day before it."""
    # the kept hours begin at 12 UTC
    midnight = (index - 12 - 1) // 24 * 24 + 12
    span = np.arange(int(midnight.min()), int(index.max()) + 1)
    rain = _rain(season, span, points)
    total = np.concatenate([np.zeros((1, *points.shape)), np.cumsum(rain, 0, dtype=np.float64)])
    since = total[index - span[0]] - total[midnight - span[0]]
    return np.asarray(np.maximum(since, 0.0) / 1000.0, dtype=np.float32)


def _tp_of_hour(season: Season, index: NDArray[np.int64], points: Points) -> Floats:
    """Rain of the hour that ends at the stamp, m."""
    return np.asarray(_rain(season, index - 1, points) / np.float32(1000.0), dtype=np.float32)


def _swvl1(season: Season, index: NDArray[np.int64], points: Points) -> Floats:
    """Water in the upper 7 cm, m3/m3, from the duff and the layer below it."""
    day = np.clip(index // 24, 0, clock.DAYS)
    used, back = np.unique(day, return_inverse=True)
    middle = season.moisture[used][:, :, 1]
    water = 0.10 + 0.20 * middle[:, DUFF] + 0.17 * middle[:, DEEP]
    for axis in (1, 2):
        water = gaussian_filter1d(water, points.width / KILOMETRE, axis=axis, mode="nearest")
    x0, _, _, y1 = season.setting.place.region
    return points.on(water, KILOMETRE, (x0 + KILOMETRE / 2, y1 - KILOMETRE / 2))[back]


def _sp(season: Season, index: NDArray[np.int64], points: Points) -> Floats:
    """Surface pressure, Pa."""
    pressure = _field(season, "pressure", index, points) + np.float32(1000.0)
    return np.asarray(np.float32(100.0) * pressure, dtype=np.float32)


def _sd(season: Season, index: NDArray[np.int64], points: Points) -> Floats:
    """Water in the snow, m."""
    day = np.clip(index // 24, 0, clock.DAYS)
    used, back = np.unique(day, return_inverse=True)
    place = season.setting.place
    corner = float(place.weather_x[0]), float(place.weather_y[0])
    depth = points.on(season.snow[used], WEATHER_CELL, corner)[back] / np.float32(1000.0)
    return np.asarray(np.maximum(depth, 0.0), dtype=np.float32)


_LAND: Mapping[str, Draw] = {
    "t2m": _t2m,
    "d2m": _d2m,
    "skt": _skt,
    "u10": _u10,
    "v10": _v10,
    "tp": _tp,
    "swvl1": _swvl1,
    "sp": _sp,
    "sd": _sd,
}
_SINGLE_LEVELS: Mapping[str, Draw] = {**_LAND, "tp": _tp_of_hour}
