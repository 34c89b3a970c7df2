"""What the agencies know of fires: perimeters after the season, hotspots within hours."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyproj import Transformer
from shapely import make_valid, unary_union
from shapely.geometry import Point, Polygon, shape
from shapely.geometry.base import BaseGeometry

from firesat.sandbox.law import clock
from firesat.sandbox.law.cover import Cover
from firesat.sandbox.law.noise import stream
from firesat.sandbox.law.season import Season
from firesat.sandbox.observe.warp import outlines
from firesat.sandbox.world import World

AGENCY_CRS = "EPSG:3978"
PERIMETERS, HOTSPOTS = 80, 81  # random streams

OMITTED = 0.04  # share of fires under 20 ha that nobody mapped
MISDATED = 0.06  # share of fires whose agency date is one to three days off
PRESCRIBED_BURNS = 2  # a season
SMOOTHING = 40.0  # metres by which mappers round the cells' corners

OVERPASSES = (9.3, 19.6)  # UTC hours of VIIRS over 95 W: about 03 and 13 h local
SEEN_HOURS = 10.0  # a cell still shows heat so long after it caught fire
LOCATION_ERROR = 190.0  # metres, standard deviation: half a VIIRS pixel
DETECTED = 0.8  # share of burning cells that a clear overpass detects
OPAQUE = 0.75  # cloud fraction that hides a fire

_FIRE_COLUMNS = ["lat", "lon", "rep_date", "source", "sensor", "fwi", "fuel", "ros", "sfc", "tfc",
                 "bfc", "hfi", "estarea"]  # fmt: skip


def perimeters(world: World, year: int) -> gpd.GeoDataFrame:
    """Map a season's fires as the National Burned Area Composite does.

    Parameters
    ----------
    world : World
        Whose fires.
    year : int
        A season.

    Returns
    -------
    GeoDataFrame
        One row a fire of a hectare or more, columns of the composite (dates as datetime64, NaT
        where unknown), EPSG:3978. A few small fires are missing, a few dates wrong, and
        prescribed burns stand among them.
    """
    season = world.season(year)
    rng = stream(world.config.seed, PERIMETERS, year)
    rows = [row for row in _fires(season, rng) if row is not None]
    rows += list(_prescribed(world, season, rng))
    frame = gpd.GeoDataFrame(rows, geometry="geometry", crs=world.config.crs).to_crs(AGENCY_CRS)
    frame["POLY_HA"] = (frame.area / 1e4).round(2)
    frame["ADJ_HA"] = frame["POLY_HA"]
    frame["NFIREID"] = np.arange(1, len(frame) + 1, dtype=float)
    frame["GID"] = [f"{year}_{number}" for number in range(1, len(frame) + 1)]
    frame["YEAR"] = float(year)
    return frame.assign(
        BASRC="Sentinel-2",
        FIREMAPS="Sandbox",
        FIREMAPM="Processed imagery",
        CAPDATE=pd.Timestamp(year, 10, 15),
        ADJ_FLAG="false",
        ADMIN_NAME="MB",
        ADMIN_DIV="",
        VERSION=f"{year + 1}0513",
    )


def agency_perimeters(world: World) -> gpd.GeoDataFrame:
    """Map all seasons' fires as the National Fire Database has them from the agencies.

    Parameters
    ----------
    world : World
        Whose fires.

    Returns
    -------
    GeoDataFrame
        The fires of :func:`perimeters`, columns of the database, EPSG:3978.
    """
    frame = gpd.GeoDataFrame(
        pd.concat([perimeters(world, year) for year in world.config.seasons], ignore_index=True)
    )
    on_purpose = frame["PRESCRIBED"] == "true"
    causes = frame["FIRECAUS"].map({"Natural": "N", "Human": "H"}).fillna("U")
    return gpd.GeoDataFrame(
        {
            "FIRE_ID": frame["GID"],
            "SRC_AGENCY": "MB",
            "YEAR": frame["YEAR"].astype("int64"),
            "REP_DATE": frame["AG_SDATE"],
            "OUT_DATE": frame["AG_EDATE"],
            "SIZE_HA": frame["POLY_HA"],
            "CAUSE": causes.mask(on_purpose, "H-PB"),
        },
        geometry=frame.geometry,
        crs=frame.crs,
    )


def _fires(season: Season, rng: np.random.Generator) -> Iterator[dict[str, object] | None]:
    """One row for each mapped fire; None for those nobody mapped."""
    polygons = _polygons(season)
    mapped = season.fires[season.fires["cells"] > 0]
    for fire in mapped.to_dict("records"):
        large = bool(fire["area_ha"] > 20)
        if not large and rng.random() < OMITTED:
            yield None
            continue
        yield {
            "geometry": polygons[int(fire["id"])],
            "FIRECAUS": _cause(str(fire["cause"]), rng),
            "PRESCRIBED": "",
            **_dates(fire["start"], fire["end"], large, rng),
        }


def _polygons(season: Season) -> dict[int, BaseGeometry]:
    """Outlines of the fires, unburnt islands kept, corners rounded."""
    pieces: dict[int, list[BaseGeometry]] = {}
    burnt = season.fire_id > 0
    for outline, number in outlines(season.fire_id, burnt, season.setting.place.geobox):
        pieces.setdefault(int(number), []).append(shape(outline))
    return {number: _rounded(unary_union(parts)) for number, parts in pieces.items()}


def _rounded(outline: BaseGeometry) -> BaseGeometry:
    """Round the cells' corners, out and in, which keeps the area."""
    smooth = outline.buffer(SMOOTHING).buffer(-2 * SMOOTHING).buffer(SMOOTHING)
    return make_valid(smooth if smooth.area > 0.7 * outline.area else outline)


def _cause(cause: str, rng: np.random.Generator) -> str:
    """What the agency wrote down."""
    if rng.random() < 0.08:
        return "Undetermined"
    return "Natural" if cause == "lightning" else "Human"


def _dates(
    start: pd.Timestamp, end: pd.Timestamp, large: bool, rng: np.random.Generator
) -> dict[str, object]:
    """Hotspot dates of large fires and of half the small ones; agency dates of nearly all."""
    first, last = _fire_day(start), _fire_day(end)
    slip = int(rng.integers(1, 4)) if rng.random() < MISDATED else 0
    by_hotspots = large or rng.random() < 0.4
    by_agency = not by_hotspots or rng.random() < 0.9
    return {
        "HS_SDATE": first if by_hotspots else pd.NaT,
        "HS_EDATE": last if by_hotspots else pd.NaT,
        "AG_SDATE": first + pd.Timedelta(days=slip) if by_agency else pd.NaT,
        "AG_EDATE": last + pd.Timedelta(days=slip) if by_agency and rng.random() < 0.7 else pd.NaT,
    }


def _fire_day(moment: pd.Timestamp) -> pd.Timestamp:
    """Date on which the fire day of a moment began."""
    return (moment.tz_localize(None) - pd.Timedelta(hours=12)).normalize()


def _prescribed(
    world: World, season: Season, rng: np.random.Generator
) -> Iterator[dict[str, object]]:
    """Small burns on purpose in spring, where nothing burnt otherwise."""
    ground = np.isin(world.landscape.cover, (Cover.GRASS, Cover.HARVEST)) & (season.fire_id == 0)
    rows, columns = np.nonzero(ground)
    cells = world.geobox
    for _ in range(min(PRESCRIBED_BURNS, len(rows))):
        pick = int(rng.integers(len(rows)))
        x = cells.affine.c + 100.0 * (columns[pick] + 0.5)
        y = cells.affine.f - 100.0 * (rows[pick] + 0.5)
        day = pd.Timestamp(season.year, 5, 1) + pd.Timedelta(days=int(rng.integers(5, 25)))
        yield {
            "geometry": _blob(x, y, rng),
            "FIRECAUS": "Human",
            "PRESCRIBED": "true",
            "HS_SDATE": pd.NaT,
            "HS_EDATE": pd.NaT,
            "AG_SDATE": day,
            "AG_EDATE": day,
        }


def _blob(x: float, y: float, rng: np.random.Generator) -> Polygon:
    """An irregular patch of some hectares."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radii = 150.0 * np.exp(0.25 * np.convolve(rng.normal(size=28), np.ones(5) / 2, "valid"))
    outline = Polygon(np.column_stack([x + radii * np.cos(angles), y + radii * np.sin(angles)]))
    return outline if outline.is_valid else Point(x, y).buffer(200.0)


def hotspots(world: World, start: datetime, end: datetime) -> pd.DataFrame:
    """List the active-fire detections of some days.

    Parameters
    ----------
    world : World
        Whose fires.
    start, end : datetime
        UTC, `end` excluded.

    Returns
    -------
    DataFrame
        Columns of the CWFIS hotspot files; ``rep_date`` in UTC. Fires under cloud are missed, as
        are some others; places are off by a few hundred metres. Fire-behaviour columns are empty.
    """
    tables = [_table(world, start, np.empty(0, int), np.empty(0, int), stream(0))]
    for season in world.seasons:
        burnt = np.nonzero(season.fire_id > 0)
        hours = season.burn_hour[burnt]
        for moment in _overpasses(season.year, start, end):
            age = clock.to_hours(moment) - hours
            hot = (age >= 0) & (age < SEEN_HOURS)
            if hot.any():
                tables.append(_overpass(world, season, moment, burnt[0][hot], burnt[1][hot]))
    seen = pd.concat(tables, ignore_index=True)
    to_degrees = Transformer.from_crs(world.config.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(seen.pop("x"), seen.pop("y"))
    seen["lat"], seen["lon"] = np.round(latitude, 5), np.round(longitude, 5)
    seen["source"], seen["sensor"] = "NASA", "VIIRS-I"
    return seen.reindex(columns=_FIRE_COLUMNS)


def _overpasses(year: int, start: datetime, end: datetime) -> Iterator[datetime]:
    """Moments at which a satellite passes, within a season and a range of time."""
    midnight = clock.epoch(year)
    for day in range(-30, int(clock.LAST_HOUR // 24)):
        for hour in OVERPASSES:
            moment = midnight + timedelta(days=day, hours=hour)
            if start <= moment < end:
                yield moment


def _overpass(
    world: World,
    season: Season,
    moment: datetime,
    row: NDArray[np.intp],
    column: NDArray[np.intp],
) -> pd.DataFrame:
    """What one pass sees of burning cells; the same pass always sees the same."""
    index = int(clock.to_hours(moment) - clock.FIRST_HOUR)
    rng = stream(world.config.seed, HOTSPOTS, season.year, index)
    cloud = season.setting.place.from_weather(season.weather["cloud"][index].astype(np.float32))
    clear = cloud[row // 10, column // 10] < OPAQUE
    found = clear & (rng.random(len(row)) < DETECTED)
    return _table(world, moment, row[found], column[found], rng)


def _table(
    world: World,
    moment: datetime,
    row: NDArray[np.intp],
    column: NDArray[np.intp],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Place and time of detections."""
    cells = world.geobox
    x = cells.affine.c + 100.0 * (column + 0.5) + rng.normal(0, LOCATION_ERROR, len(row))
    y = cells.affine.f - 100.0 * (row + 0.5) + rng.normal(0, LOCATION_ERROR, len(row))
    return pd.DataFrame({"x": x, "y": y, "rep_date": f"{moment:%Y-%m-%d %H:%M:%S}"})
