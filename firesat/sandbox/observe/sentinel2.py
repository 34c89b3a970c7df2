"""Sentinel-2 Level-1C as it would be measured: top-of-atmosphere reflectance at 100 m."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from firesat.sandbox.law import clock
from firesat.sandbox.law.noise import Floats, stream
from firesat.sandbox.law.place import KILOMETRE
from firesat.sandbox.law.season import Season
from firesat.sandbox.observe.atmosphere import (
    Light,
    Sky,
    light_of,
    look_through,
    moved,
    relief_light,
)
from firesat.sandbox.observe.clouds import TILE, cloud_opacity, cloud_tiles
from firesat.sandbox.observe.ground import ground_reflectance
from firesat.sandbox.observe.smoke import burning_cells, smoke_depth
from firesat.sandbox.world import World

SCENES = 51  # random stream
# Day of the ten-day cycle -> platform and relative orbit; about one look in three days.
CYCLE = {0: ("S2B", 84), 5: ("S2A", 84), 8: ("S2B", 127)}
PARTIAL_ORBIT = 127  # its swath cuts the region's corner
OVERPASS = 18.17, -94.4  # UTC hour at a longitude
STAMP = "%Y%m%dT%H%M%S"
CLOUDY = 0.15  # opacity from which a cell counts as cloud
FIRST_DAY, LAST_DAY = (4, 1), (10, 31)


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """One pass over the region.

    Parameters
    ----------
    id : str
        Name of the product, as ESA forms it.
    time : datetime
        UTC, start of sensing.
    cloud_cover : float
        %, 0-100.
    platform : str
        "S2A" or "S2B".
    relative_orbit : int
        1-143.
    tile : str
        MGRS square of the region's centre, such as "15UVB".
    """

    id: str
    time: datetime
    cloud_cover: float
    platform: str
    relative_orbit: int
    tile: str


def acquisitions(world: World, start: datetime, end: datetime) -> list[Acquisition]:
    """List the passes of a period.

    Parameters
    ----------
    world : World
        The sandbox.
    start, end : datetime
        With time zones, both included.

    Returns
    -------
    list of Acquisition
        By time; none outside April to October of the world's seasons.
    """
    found = []
    day = start.astimezone(UTC).date() - timedelta(days=1)
    while day <= end.astimezone(UTC).date():
        if day.toordinal() % 10 in CYCLE and _served(world, day):
            pass_ = _pass(world, day)
            if start <= pass_.time <= end:
                found.append(pass_)
        day += timedelta(days=1)
    return found


def reflectance(world: World, acquisition: Acquisition) -> tuple[Floats, NDArray[np.bool_]]:
    """Measure one pass.

    Parameters
    ----------
    world : World
        The sandbox.
    acquisition : Acquisition
        One of `acquisitions`.

    Returns
    -------
    tuple of ndarray
        float32 (13, y, x) top-of-atmosphere reflectance on the world's 100 m cells, bands as
        `spectra.BANDS`, clouds, shadows, smoke and haze included; and bool (y, x), False outside
        the swath, where reflectance is 0.
    """
    season = world.pictured[acquisition.time.year]
    out = ground_reflectance(season, acquisition.time)
    sky, light = sky_over(season, acquisition.time)
    look_through(out, sky, light)
    valid = _swath(world.place.shape, acquisition.relative_orbit)
    out[:, ~valid] = 0.0
    return out, valid


def sky_over(season: Season, moment: datetime) -> tuple[Sky, Light]:
    """Find what lies between the ground and a pass.

    Parameters
    ----------
    season : Season
        The truth.
    moment : datetime
        Of the pass.

    Returns
    -------
    tuple of (Sky, Light)
        Clouds, smoke, shadows on the world's cells; light by band.
    """
    place, seed = season.setting.place, season.setting.seed
    rng = stream(seed, SCENES, season.year, clock.day_index(moment.date()))
    doy = np.array([clock.day_of_year(season.year, clock.to_hours(moment))])
    up, azimuth = (float(v[0]) for v in clock.sun_position(doy, *place.centre))
    tangent = math.sqrt(max(1 - up * up, 0.0)) / max(up, 0.1)
    cloud = cloud_opacity(season, moment)
    height = float(rng.uniform(900, 2600))
    slope = relief_light(season.setting.landscape.elevation, azimuth, tangent)
    corner = rng.integers(0, TILE, 2)
    index = np.ix_(*((c + np.arange(n)) % TILE for c, n in zip(corner, place.shape, strict=True)))
    high = 0.5 * (cloud_tiles(seed)[0][index] - float(rng.uniform(0.8, 3.5)))
    sky = Sky(
        cloud=cloud,
        cirrus=np.clip(high, 0.0, 0.6).astype(np.float32),
        shadow=0.62 * moved(cloud, height * tangent, azimuth),
        smoke=np.maximum(place.from_km(smoke_depth(season, moment)), 0.0),
        slope=slope,
        flame=burning_cells(season, moment, 2.0),
        grain=rng.standard_normal(place.shape, dtype=np.float32),
    )
    return sky, light_of(up, float(rng.lognormal(0.0, 0.22)))


def _swath(shape: tuple[int, int], orbit: int) -> NDArray[np.bool_]:
    """Cells inside the swath."""
    if orbit != PARTIAL_ORBIT:
        return np.ones(shape, dtype=bool)
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.asarray(x / shape[1] + 0.25 * y / shape[0] < 0.95)


def _served(world: World, day: date) -> bool:
    """Whether the world has weather for a date."""
    inside = FIRST_DAY <= (day.month, day.day) <= LAST_DAY
    return inside and day.year in world.config.seasons


def _pass(world: World, day: date) -> Acquisition:
    """The pass of a date."""
    platform, orbit = CYCLE[day.toordinal() % 10]
    hour = OVERPASS[0] + (OVERPASS[1] - world.place.centre[0]) / 15 - (orbit == PARTIAL_ORBIT) / 6
    time = datetime(day.year, day.month, day.day, tzinfo=UTC)
    time += timedelta(seconds=round(3600 * hour) + day.toordinal() % 7)
    clouds = cloud_opacity(world.pictured[time.year], time, KILOMETRE) > CLOUDY
    tile, made = mgrs_square(*world.place.centre), time + timedelta(hours=1, minutes=50)
    baseline = "N0509" if time.year >= 2023 else "N0500"
    name = f"{platform}_MSIL1C_{time:{STAMP}}_{baseline}_R{orbit:03d}_T{tile}_{made:{STAMP}}"
    return Acquisition(
        id=name,
        time=time,
        cloud_cover=round(100 * float(clouds.mean()), 2),
        platform=platform,
        relative_orbit=orbit,
        tile=tile,
    )


def mgrs_square(longitude: float, latitude: float) -> str:
    """Name the 100 km square of the Military Grid Reference System that holds a point.

    Parameters
    ----------
    longitude, latitude : float
        Degrees, on the northern hemisphere south of 84N; zones without exceptions.

    Returns
    -------
    str
        Zone, band, column and row letters, such as "15UVB".
    """
    zone = int((longitude + 180) // 6) + 1
    to_utm = Transformer.from_crs("EPSG:4326", f"EPSG:{32600 + zone}", always_xy=True)
    east, north = to_utm.transform(longitude, latitude)
    band = "CDEFGHJKLMNPQRSTUVWX"[min(int((latitude + 80) // 8), 19)]
    column = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")[(zone - 1) % 3][int(east // 100_000) - 1]
    rows = "ABCDEFGHJKLMNPQRSTUV"
    row = rows[(int(north // 100_000) + (5 if zone % 2 == 0 else 0)) % 20]
    return f"{zone:02d}{band}{column}{row}"
