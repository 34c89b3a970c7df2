"""ERA5-Land as it would be: the hidden weather smoothed to 9 km and slightly biased.

Hours outside the simulated months (31 March 12 UTC to 1 November 12 UTC) repeat the nearest
simulated day without rain; years that the world lacks repeat its nearest season.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pyproj import Proj, Transformer
from scipy.ndimage import gaussian_filter1d

from firesat.errors import ConfigError
from firesat.sandbox.law import clock
from firesat.sandbox.law.moisture import DEEP, DUFF
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.law.place import KILOMETRE, WEATHER_CELL
from firesat.sandbox.law.season import Season
from firesat.sandbox.world import World

KELVIN = 273.15
WIDTH = 4000.0  # metres, standard deviation of the smoothing: 9 km at half height
WARM, MOIST, CALM, DRIZZLE = 0.4, -0.3, 0.88, 1.06  # biases: K, K, and factors on wind and rain
STEP = np.timedelta64(1, "h")

Times = NDArray[np.datetime64]


class Points:
    """Where a reanalysis is wanted, as seen from the world's weather.

    Parameters
    ----------
    world : World
        The sandbox.
    latitudes, longitudes : ndarray
        Degrees; every pair of them is a point. Two-dimensional ones of one shape are the points.
    """

    def __init__(
        self, world: World, latitudes: NDArray[np.float64], longitudes: NDArray[np.float64]
    ) -> None:
        whole = latitudes.ndim == 2
        lon, lat = (longitudes, latitudes) if whole else np.meshgrid(longitudes, latitudes)
        to_metres = Transformer.from_crs("EPSG:4326", world.config.crs, always_xy=True)
        x, y = to_metres.transform(lon, lat)
        self.shape = lon.shape
        self.longitude, self.latitude = lon, lat
        self._x, self._y = x, y
        turn = Proj(world.config.crs).get_factors(lon, lat).meridian_convergence
        self.turn = np.radians(turn)

    def on(self, field: Floats, cell: float, corner: tuple[float, float]) -> Floats:
        """Interpolate bilinearly from a regular grid; edges are held.

        Parameters
        ----------
        field : ndarray
            float32 (time, y, x), rows to the south.
        cell : float
            Metres.
        corner : tuple of float
            x and y of the centre of the upper left cell.

        Returns
        -------
        ndarray
            float32 (time, latitude, longitude).
        """
        rows, columns = field.shape[1:]
        row = np.clip((corner[1] - self._y) / cell, 0, rows - 1)
        column = np.clip((self._x - corner[0]) / cell, 0, columns - 1)
        top, left = (
            np.minimum(row.astype(int), rows - 2),
            np.minimum(column.astype(int), columns - 2),
        )
        down, right = (row - top).astype(np.float32), (column - left).astype(np.float32)
        upper = field[:, top, left] * (1 - right) + field[:, top, left + 1] * right
        lower = field[:, top + 1, left] * (1 - right) + field[:, top + 1, left + 1] * right
        return np.asarray(upper * (1 - down) + lower * down, dtype=np.float32)


def hours(
    world: World,
    variables: list[str],
    times: Times,
    latitudes: NDArray[np.float64],
    longitudes: NDArray[np.float64],
) -> dict[str, Floats]:
    """Give the reanalysis at some hours and points.

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
    unknown = [name for name in variables if name not in _DRAW]
    if unknown:
        raise ConfigError(f"the sandbox's reanalysis has no {unknown[0]!r}: it has {list(_DRAW)}")
    points = Points(world, latitudes, longitudes)
    stamps = times.astype("datetime64[h]")
    years = stamps.astype("datetime64[Y]").astype(int) + 1970
    out = {name: np.empty((len(stamps), *points.shape), dtype=np.float32) for name in variables}
    for year in np.unique(years):
        season = world.nearest_season(int(year))
        index = _index(stamps[years == year], int(year))
        for name in variables:
            out[name][years == year] = _DRAW[name](season, index, points)
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
        field = gaussian_filter1d(field, WIDTH / WEATHER_CELL, axis=axis, mode="nearest")
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


def _tp(season: Season, index: NDArray[np.int64], points: Points) -> Floats:
    """Rain since 00 UTC, m; the stamp of 00 UTC closes the day before it."""
    # the kept hours begin at 12 UTC
    midnight = (index - 12 - 1) // 24 * 24 + 12
    span = np.arange(int(midnight.min()), int(index.max()) + 1)
    rain = np.maximum(_field(season, "rain", span, points), 0.0) * DRIZZLE
    rain[(span < 0) | (span >= 24 * clock.DAYS)] = 0.0
    total = np.concatenate([np.zeros((1, *points.shape)), np.cumsum(rain, 0, dtype=np.float64)])
    since = total[index - span[0]] - total[midnight - span[0]]
    return np.asarray(np.maximum(since, 0.0) / 1000.0, dtype=np.float32)


def _swvl1(season: Season, index: NDArray[np.int64], points: Points) -> Floats:
    """Water in the upper 7 cm, m3/m3, from the duff and the layer below it."""
    day = np.clip(index // 24, 0, clock.DAYS)
    used, back = np.unique(day, return_inverse=True)
    middle = season.moisture[used][:, :, 1]
    water = 0.10 + 0.20 * middle[:, DUFF] + 0.17 * middle[:, DEEP]
    for axis in (1, 2):
        water = gaussian_filter1d(water, WIDTH / KILOMETRE, axis=axis, mode="nearest")
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


_DRAW: dict[str, Callable[[Season, NDArray[np.int64], Points], Floats]] = {
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
