"""MODIS land products as they would be: composites of clear looks, with gaps where there was none.

Terra passes at 10:30 and 22:30 local solar time. Fields come on the region's own cells, 500 m or
1 km; a server resamples them to the sinusoidal grid.
"""

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from firesat.errors import ConfigError
from firesat.sandbox.law import clock
from firesat.sandbox.law.cover import Cover
from firesat.sandbox.law.moisture import DUFF
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.law.place import KILOMETRE
from firesat.sandbox.law.season import Season
from firesat.sandbox.observe.clouds import cloud_opacity, hour_index
from firesat.sandbox.observe.ground import ground_reflectance, snow_share
from firesat.sandbox.observe.spectra import BANDS
from firesat.sandbox.world import World

DAY_PASS, NIGHT_PASS = 10.5, 22.5  # local solar hours
CLEAR, PARTLY = 0.06, 0.45  # opacity below which a look is clear, or marginal
LOOKS = (3, 8, 13)  # days of a 16-day composite whose surface is taken
LOOK_BACK, LOOK_ON = 8, 8  # days before and after a month in which clear looks date its fires
KELVIN = 273.15
BLUE, RED, NIR = (BANDS.index(name) for name in ("B02", "B04", "B08"))


def composite(world: World, product: str, day: date) -> dict[str, Floats]:
    """Give one composite.

    Parameters
    ----------
    world : World
        The sandbox.
    product : str
        MOD13A1 (16 days, 500 m: ndvi, evi), MOD11A2 and MOD11A1 (8 days and 1, 1 km: lst_day,
        lst_night in K), MOD15A2H (8 days, 500 m: lai, fpar) or MCD64A1 (a calendar month, 500 m:
        burn_date, day of the year, 0 = none; uncertainty, days).
    day : date
        Its first day, in a season of the world.

    Returns
    -------
    dict of ndarray
        float32 (y, x) by name, NaN where nothing was seen, and "quality": 0 good, 1 marginal,
        2 not produced (for temperatures by day; of burned area 1 is water).

    Raises
    ------
    ConfigError
        If the product is unknown, or the world lacks the year.
    """
    if product not in _MAKE:
        raise ConfigError(f"the sandbox has no MODIS product {product!r}: it has {list(_MAKE)}")
    return _MAKE[product](world.season(day.year), day)


def _overpass(season: Season, day: date, solar_hour: float) -> datetime:
    """Moment of a pass, UTC."""
    hours = solar_hour - season.setting.place.centre[0] / 15
    return datetime.combine(day, time(), UTC) + timedelta(hours=hours)


def _indices(season: Season, moment: datetime) -> tuple[Floats, Floats]:
    """NDVI and EVI (Huete et al. 2002) of 500 m cells under a clear sky."""
    ground = ground_reflectance(season, moment)[[BLUE, RED, NIR]]
    rows, columns = (size // 5 for size in ground.shape[1:])
    blue, red, nir = ground.reshape(3, rows, 5, columns, 5).mean((2, 4))
    ndvi = (nir - red) / (nir + red)
    evi = 2.5 * (nir - red) / (nir + 6 * red - 7.5 * blue + 1)
    # snow makes the enhanced index run away; the product falls back on two bands there
    return ndvi, np.where(blue > 0.2, 2.5 * (nir - red) / (nir + 2.4 * red + 1), evi)


def _best_look(season: Season, first: date, days: int) -> tuple[NDArray[np.int64], Floats]:
    """Day of each cell's clearest look and the opacity then, 500 m; every other pass is oblique."""
    usable = np.arange(first.toordinal() % 2, days, 2)
    passes = [_overpass(season, first + timedelta(days=int(i)), DAY_PASS) for i in usable]
    opacity = np.stack([cloud_opacity(season, moment, 500.0) for moment in passes])
    best = opacity.argmin(0)
    return usable[best], np.take_along_axis(opacity, best[None], 0)[0]


def _quality(opacity: Floats) -> Floats:
    """Quality by the opacity of the best look."""
    return np.select([opacity < CLEAR, opacity < PARTLY], [0.0, 1.0], 2.0).astype(np.float32)


def _vegetation(season: Season, first: date, days: int) -> dict[str, Floats]:
    """NDVI and EVI of the nearest of a few surfaces to each cell's best look, and quality."""
    best, opacity = _best_look(season, first, days)
    looks = [look for look in LOOKS if look < days]
    surfaces = [
        _indices(season, _overpass(season, first + timedelta(days=look), DAY_PASS))
        for look in looks
    ]
    nearest = np.abs(best[None] - np.array(looks)[:, None, None]).argmin(0)
    quality = _quality(opacity)
    out = {"quality": quality}
    for i, name in enumerate(("ndvi", "evi")):
        values = np.take_along_axis(np.stack([s[i] for s in surfaces]), nearest[None], 0)[0]
        hazy = values * (1.0 - 0.6 * np.clip(opacity, 0.0, 1.0))
        out[name] = np.where(quality < 2, hazy, np.nan).astype(np.float32)
    return out


def _mod13a1(season: Season, first: date) -> dict[str, Floats]:
    """Vegetation indices of 16 days."""
    return _vegetation(season, first, 16)


def _mod15a2h(season: Season, first: date) -> dict[str, Floats]:
    """Leaf area and absorbed light of 8 days, as functions of NDVI (Knyazikhin et al. 1999)."""
    seen = _vegetation(season, first, 8)
    ndvi = seen["ndvi"]
    return {
        "lai": (5.5 * np.clip((ndvi - 0.1) / 0.75, 0.0, 1.0) ** 1.5).astype(np.float32),
        "fpar": np.clip(1.24 * ndvi - 0.168, 0.0, 0.95).astype(np.float32),
        "quality": seen["quality"],
    }


def _mod11a2(season: Season, first: date) -> dict[str, Floats]:
    """Temperatures of 8 days."""
    return _temperatures(season, first, 8)


def _mod11a1(season: Season, first: date) -> dict[str, Floats]:
    """Temperatures of a day."""
    return _temperatures(season, first, 1)


def _temperatures(season: Season, first: date, days: int) -> dict[str, Floats]:
    """Mean surface temperatures of the clear looks, and quality by their number."""
    middle = _overpass(season, first + timedelta(days=days // 2), DAY_PASS)
    rows, columns = season.setting.place.km_shape
    ndvi = _indices(season, middle)[0].reshape(rows, 2, columns, 2).mean((1, 3))
    heat = _heat(season, middle, ndvi)
    out: dict[str, Floats] = {}
    for name, solar_hour, extra in (("day", DAY_PASS, heat), ("night", NIGHT_PASS, None)):
        passes = [_overpass(season, first + timedelta(days=i), solar_hour) for i in range(days)]
        looks = np.stack([_look(season, moment, extra) for moment in passes])
        count = np.isfinite(looks).sum(0)
        mean = np.nansum(looks, 0) / np.maximum(count, 1)
        out[f"lst_{name}"] = np.where(count > 0, mean, np.nan).astype(np.float32)
        if name == "day":
            enough = 3 if days > 1 else 1
            levels = np.select([count >= enough, count > 0], [0.0, 1.0], 2.0)
            out["quality"] = levels.astype(np.float32)
    return out


def _heat(season: Season, moment: datetime, ndvi: Floats) -> Floats:
    """Kelvin per unit of the sun's height by which ground is warmer than air: bare and dry most."""
    day = clock.day_index(moment.date())
    duff = season.moisture[day][DUFF, 1]
    rows, columns = duff.shape
    water = season.setting.landscape.cover == Cover.WATER
    lake = water.reshape(rows, 10, columns, 10).mean((1, 3))
    snow = snow_share(season, moment).reshape(rows, 10, columns, 10).mean((1, 3))
    dry = 22.0 * (1.0 - np.clip(ndvi, 0.0, 1.0)) * (1.0 - 0.45 * duff)
    return np.asarray(dry * (1.0 - lake) * (1.0 - snow) - 1.5 * lake, dtype=np.float32)


def _look(season: Season, moment: datetime, heat: Floats | None) -> Floats:
    """Surface temperature of one pass, K; NaN under cloud; `heat` by day only."""
    place = season.setting.place
    air = place.from_weather(season.weather["temperature"][hour_index(moment)].astype(np.float32))
    surface = air + np.float32(KELVIN - 1.5)
    if heat is not None:
        doy = np.array([clock.day_of_year(season.year, clock.to_hours(moment))])
        up = float(clock.sun_position(doy, *place.centre)[0][0])
        surface = surface + np.float32(1.5) + max(up, 0.0) * heat
    clear = cloud_opacity(season, moment, KILOMETRE) < CLEAR
    return np.where(clear, surface, np.nan).astype(np.float32)


def _mcd64a1(season: Season, first: date) -> dict[str, Floats]:
    """Burned area of a month: dated by the first clear look after the fire, half a cell or more."""
    days = np.arange(LOOK_BACK + monthrange(first.year, first.month)[1] + LOOK_ON)
    moments = [
        _overpass(season, first + timedelta(days=int(day) - LOOK_BACK), DAY_PASS) for day in days
    ]
    clear = np.stack([cloud_opacity(season, moment, 500.0) < PARTLY for moment in moments])
    clear[0] = clear[-1] = True  # beyond these, looks are not waited for
    burnt, hour = _burnt(season)
    passes = np.array([clock.to_hours(moment) for moment in moments])[:, None, None]
    after = np.argmax(clear & (passes >= hour), axis=0)
    before = len(days) - 1 - np.argmax((clear & (passes < hour))[::-1], axis=0)
    day_of_year = first.timetuple().tm_yday + after - LOOK_BACK
    inside = burnt & (after >= LOOK_BACK) & (after < len(days) - LOOK_ON)
    place = season.setting.place
    rows, columns = (2 * size for size in place.km_shape)
    water = season.setting.landscape.cover == Cover.WATER
    lake = water.reshape(rows, 5, columns, 5).mean((1, 3)) > 0.5
    return {
        "burn_date": np.where(inside, day_of_year, 0).astype(np.float32),
        "uncertainty": np.where(inside, np.clip(after - before, 1, 40), 0).astype(np.float32),
        "quality": lake.astype(np.float32),
    }


def _burnt(season: Season) -> tuple[NDArray[np.bool_], Floats]:
    """Cells of 500 m of which at least half burned, and the mean hour, since 1 May 00 UTC."""
    rows, columns = (size // 5 for size in season.burn_hour.shape)
    hours = season.burn_hour.reshape(rows, 5, columns, 5)
    count = np.isfinite(hours).sum((1, 3))
    mean = np.nansum(hours, (1, 3)) / np.maximum(count, 1)
    return count >= 13, mean.astype(np.float32)


_MAKE: dict[str, Callable[[Season, date], dict[str, Floats]]] = {
    "MOD13A1": _mod13a1,
    "MOD11A2": _mod11a2,
    "MOD11A1": _mod11a1,
    "MOD15A2H": _mod15a2h,
    "MCD64A1": _mcd64a1,
}
