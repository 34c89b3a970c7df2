"""Tables of active-fire detections, and their counts per cell and day of publication."""

import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer

from firesat.blocks import Block, Variable
from firesat.errors import ConfigError, CorruptFileError
from firesat.grid import crs_of
from firesat.sources._layers import NEVER, empty, end_of_fire_day, hours, layer
from firesat.sources._refused import first_reasons, left_out
from firesat.sources._spans import ONE_DAY, dates_of
from firesat.sources._tables import read_table
from firesat.sources._vectors import read_vectors
from firesat.sources._zips import extract, members, reading
from firesat.sources.base import Scene, unfinished_at
from firesat.sources.commons import commons
from firesat.window import DAY_START, fire_day

log = logging.getLogger(__name__)

# Which column holds what, in lower case: CWFIS, and FIRMS (NASA), archive and near-real-time alike.
_SCHEMAS = {
    "CWFIS": ("lat", "lon", "rep_date"),
    "FIRMS": ("latitude", "longitude", "acq_date", "acq_time"),
}
_POWER = "frp"
_TYPE = "type"  # of FIRMS's archive: 0 vegetation, 1 volcano, 2 other static source, 3 offshore


VARIABLES = (
    Variable(name="hotspot_count", dtype="uint16", fill=65535),
    Variable(name="hotspot_count_before", dtype="uint16", fill=65535),
    Variable(name="frp"),
)
"""How hotspots rest in the cube: counts, 0 where none; how many of them were made before the day
of their publication began; and the largest radiative power."""


def days_of_publication(latency_hours: float, day_start: int) -> dict[str, str | int | float]:
    """Say how detections are sorted into days, for the attributes of a group.

    Whatever is in the layer of a fire day was published by its end: at T, the layer of the day
    before is in hand, with the fires of the last afternoon. Sorted by their own time, three hours
    of latency would keep that whole day back.

    Parameters
    ----------
    latency_hours : float
        From the overpass to its publication.
    day_start : int
        Hour UTC at which days begin.

    Returns
    -------
    dict
        ``day_start``, ``latency_hours`` of a layer, which is 0, and ``detection_latency_hours``.

    Raises
    ------
    ConfigError
        If the latency is longer than a day.
    """
    if not 0 <= latency_hours <= 24:
        raise ConfigError(f"hotspots: latency_hours is {latency_hours:g}: give 0 to 24")
    return {
        "day_start": day_start,
        "latency_hours": 0.0,
        "detection_latency_hours": latency_hours,
    }


def read_hotspots(path: Path) -> xr.Dataset:
    """Read a table of detections.

    Parameters
    ----------
    path : Path
        CSV, or a zip of one CSV or shapefile, with the columns of CWFIS or of FIRMS (VIIRS or
        MODIS, archive or near-real-time), in any order and case.

    Returns
    -------
    xr.Dataset
        Along dim ``detection``, which has no place on any grid: ``longitude`` and ``latitude`` in
        degrees, ``moment`` (UTC), ``power`` in MW (NaN where the file has none). Attributes:
        ``rows`` of the file; how many were left out, by reason, in ``refused``; each of these with
        its number in ``refused_rows``; and all of it in one line, which is logged too, in
        ``left_out``.

    Raises
    ------
    CorruptFileError
        If columns are missing or the file is damaged.
    """
    frame = _frame(path)
    latitude, longitude, *when = _schema(path, frame)
    x, y = (pd.to_numeric(frame[name], errors="coerce") for name in (longitude, latitude))
    moments = _moments(frame, *when)
    kind = pd.to_numeric(frame[_TYPE], errors="coerce").fillna(0) if _TYPE in frame else 0 * x
    wrong = {
        "impossible coordinates": ~(y.between(-90, 90) & x.between(-180, 180)),
        "unreadable time": moments.isna(),
        "no vegetation fire (type 1, 2 or 3)": kind > 0,
    }
    sound, refused = first_reasons(wrong, path.name, len(frame))
    if len(frame) and (wrong["impossible coordinates"] | wrong["unreadable time"]).all():
        raise CorruptFileError(f"no row can be used: {refused}: give a table of CWFIS or FIRMS")
    if refused.rows:
        log.warning("%s", refused)
    power = pd.to_numeric(frame[_POWER], errors="coerce") if _POWER in frame else np.nan
    table = pd.DataFrame({"x": x, "y": y, "power": power, "moment": moments})[sound]
    return xr.Dataset(
        {
            "longitude": ("detection", table["x"].to_numpy(dtype="float64")),
            "latitude": ("detection", table["y"].to_numpy(dtype="float64")),
            "moment": (
                "detection",
                table["moment"].dt.tz_localize(None).to_numpy().astype("datetime64[s]"),
            ),
            "power": ("detection", table["power"].to_numpy(dtype="float32")),
        },
        attrs={
            "rows": len(frame),
            "refused": refused.counts,
            "refused_rows": refused.rows,
            "left_out": str(refused),
        },
    )


def _schema(path: Path, frame: pd.DataFrame) -> tuple[str, ...]:
    """The columns of place and time that a table has."""
    for needed in _SCHEMAS.values():
        if all(name in frame for name in needed):
            return needed
    lacking = "; ".join(
        f"{', '.join(name for name in needed if name not in frame)} of {kind}"
        for kind, needed in _SCHEMAS.items()
    )
    raise CorruptFileError(
        f"{path} is no table of hotspots: it lacks {lacking}: delete it and run the command again, "
        "or give a table of CWFIS or FIRMS"
    )


def _moments(frame: pd.DataFrame, date: str, time: str = "") -> "pd.Series[pd.Timestamp]":
    """When each detection was made, UTC; NaT where that cannot be read."""
    text = frame[date].astype("str").str.strip().str.replace("/", "-", regex=False)
    if time:  # hours and minutes without a colon or leading zeros: 45 is 00:45
        clock = frame[time].astype("str").str.strip().str.replace(":", "", regex=False)
        clock = clock.str.removesuffix(".0").str.zfill(4)
        text = text.str[:10] + "T" + clock.str[:2] + ":" + clock.str[2:4]
    return pd.to_datetime(text, errors="coerce", format="ISO8601", utc=True)


def _frame(path: Path) -> pd.DataFrame:
    """The file's table, with lower-case column names."""
    if path.suffix.lower() != ".zip":
        return _read_csv(path)
    inside = members(path, (".csv",))
    if not inside:
        frame = pd.DataFrame(read_vectors(path).drop(columns="geometry"))
        return frame.rename(columns=str.lower)
    if len(inside) > 1:
        raise CorruptFileError(f"{path} holds {len(inside)} tables, not one: unpack it")
    with TemporaryDirectory() as folder, reading(path, inside[0]):
        extract(path, inside[0], Path(folder) / "hotspots.csv")
        return _read_csv(Path(folder) / "hotspots.csv")


def _read_csv(path: Path) -> pd.DataFrame:
    """The columns of a CSV that are used."""
    wanted = {_POWER, _TYPE, *(name for needed in _SCHEMAS.values() for name in needed)}
    table = read_table(path, wanted=lambda name: name.lower() in wanted)
    return table.rename(columns=str.lower)


def dates_needed(block: Block, latency_hours: float, day_start: int) -> NDArray[np.datetime64]:
    """List the dates on which the detections were made that a block's days published.

    Parameters
    ----------
    block : Block
        Fire days of a tile.
    latency_hours : float
        From the overpass to its publication.
    day_start : int
        Hour UTC at which days begin.

    Returns
    -------
    ndarray of datetime64[D]
        Each once, ascending.
    """
    days = np.array(block.times, dtype="datetime64[D]")
    return np.unique(np.concatenate(_dates(days, latency_hours, day_start)))


def _dates(
    days: NDArray[np.datetime64], latency_hours: float, day_start: int
) -> list[NDArray[np.datetime64]]:
    """Every date that days of publication reach back into, the first of each day first."""
    first = days.astype("datetime64[s]") + hours(day_start - latency_hours)
    last = (first + hours(24) - np.timedelta64(1, "s")).astype("datetime64[D]")
    return [last - ONE_DAY, last] if (first < last).any() else [last]


def begun(dates: NDArray[np.datetime64], latency_hours: float) -> NDArray[np.datetime64]:
    """Leave out dates of which nothing can have been published yet.

    Parameters
    ----------
    dates : ndarray of datetime64[D]
        Any.
    latency_hours : float
        From the overpass to its publication.

    Returns
    -------
    ndarray of datetime64[D]
        All of them where nobody has said what time it is.
    """
    now = commons().now
    return dates if now is None else dates[dates + hours(latency_hours) <= now]


def until(date: np.datetime64, latency_hours: float) -> str:
    """Name the state of a table whose last date goes on, lest it be taken for a whole one later.

    Parameters
    ----------
    date : np.datetime64
        The last one.
    latency_hours : float
        From the overpass to its publication.

    Returns
    -------
    str
        Such as "until-20230701T1200-"; "" of a date that is over, or where nobody has said what
        time it is.
    """
    now = commons().now
    if now is None or date + ONE_DAY + hours(latency_hours) <= now:
        return ""
    return unfinished_at(now)


def count_hotspots(
    tables: list[xr.Dataset], block: Block, latency_hours: float, day_start: int = DAY_START
) -> dict[str, NDArray[np.float32]]:
    """Count detections per cell and day of publication, and find the strongest.

    Parameters
    ----------
    tables : list of xr.Dataset
        Results of :func:`read_hotspots`.
    block : Block
        Days of a tile.
    latency_hours : float
        From the overpass to its publication.
    day_start : int
        Hour UTC at which days begin.

    Returns
    -------
    dict of str to ndarray of float32, shape (T, Y, X)
        As `VARIABLES`: counts, 0 where none, and ``frp`` in MW, NaN where none or unknown.
    """
    count, before, power = empty(block), empty(block), empty(block)
    count[:], before[:] = 0, 0
    cells = block.geobox
    transform = Transformer.from_crs("EPSG:4326", crs_of(cells).to_wkt(), always_xy=True)
    days = np.array(block.times, dtype="datetime64[D]")
    for table in tables:
        moment = table["moment"].values
        day = fire_day(moment + hours(latency_hours), day_start)
        step = np.searchsorted(days, day).clip(max=len(days) - 1)
        x, y = transform.transform(table["longitude"].values, table["latitude"].values)
        column, row = (np.floor(axis).astype(np.int64) for axis in ~cells.affine * (x, y))
        inside = (row >= 0) & (row < cells.shape[0]) & (column >= 0) & (column < cells.shape[1])
        inside &= days[step] == day
        where = step[inside], row[inside], column[inside]
        np.add.at(count, where, 1)
        np.add.at(before, where, (fire_day(moment, day_start) < day)[inside])
        np.fmax.at(power, where, table["power"].values[inside])
    return {"hotspot_count": count, "hotspot_count_before": before, "frp": power}


def hotspot_days(
    scenes: Sequence[tuple[Scene, xr.Dataset]],
    block: Block,
    latency_hours: float,
    day_start: int = DAY_START,
) -> xr.Dataset:
    """Count detections per cell and day of publication, where files cover the whole of it.

    Parameters
    ----------
    scenes : sequence of (Scene, xr.Dataset)
        Tables; each scene's request tells the dates that it covers.
    block : Block
        Days of a tile.
    latency_hours : float
        From the overpass to its publication.
    day_start : int
        Hour UTC at which days begin.

    Returns
    -------
    xr.Dataset
        As `VARIABLES`, ``(time, y, x)``; NaN on days that no file covers.
    """
    covered = np.array([date for scene, _ in scenes for date in dates_of(scene)], "datetime64[D]")
    days = np.array(block.times, dtype="datetime64[D]")
    needed = _dates(days, latency_hours, day_start)
    whole = np.isin(needed, covered).all(axis=0)
    tables = [table for _, table in scenes]
    arrays = count_hotspots(tables, block, latency_hours, day_start)
    for values in arrays.values():
        values[~whole] = np.nan
    available = [
        end_of_fire_day(day, day_start) if there else NEVER
        for day, there in zip(days, whole, strict=True)
    ]
    return layer(arrays, block, np.array(available)).assign_attrs(left_out(tables))


# Many blocks read one national file: the last ones stay in memory, by their time of writing.
@lru_cache(maxsize=2)
def remembered_hotspots(path: Path, written: int) -> xr.Dataset:
    """Read a table of detections, once.

    Parameters
    ----------
    path : Path
        As of :func:`read_hotspots`.
    written : int
        When it was written.

    Returns
    -------
    xr.Dataset
        As of :func:`read_hotspots`.
    """
    return read_hotspots(path)
