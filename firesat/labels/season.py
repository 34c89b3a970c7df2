"""Burn dates of a season: perimeters say where, hotspots and agencies say when."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree

from firesat.errors import GridError
from firesat.labels.hotspots import Arrivals, Detections, arrivals, detections, strays
from firesat.labels.layout import VARIABLES
from firesat.labels.window import BURNT

NEIGHBOURS = 12  # hotspot cells looked at: those touching the nearest one, and some
SPREAD = 500.0  # metres beyond the nearest hotspot cell within which others bear on the date
CELL = 100.0  # metres added to distances in the weights: nothing is nearer than a cell
HALF_DAY, DEVIATIONS = 0.5, 1.0  # doubt = half a day + 1 standard deviation of the days around
SLACK_FROM, SLACK_SPEED = 500.0, 1000.0  # metres; metres a day
SPILL = 2  # 500 m cells around a perimeter in which a hotspot may belong to it
AGENCY_DAYS = 2  # days after an agency's start, when it gives no end
DATE_ERROR = 1  # days: perimeters carry calendar dates, hotspots fire days of 12-12 UTC

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class _Fire:
    """A fire's cells (flat indices) and the dates of its perimeter, NaN where not given."""

    number: int
    cells: NDArray[np.int64]
    start: float
    end: float


@dataclass(frozen=True, kw_only=True)
class _Dates:
    """Burn day, earliest and latest of a fire's cells."""

    burn_day: Floats | float
    earliest: Floats | float
    latest: Floats | float


def label_season(nbac: xr.Dataset, hotspots: xr.Dataset) -> xr.Dataset:
    """Date the burned cells of a season.

    - **Hotspots.** A fire's hotspot cells (500 m) are those within 1 km of its perimeter, on its
      days. Fire came to each in its first unbroken run of detections. The burn day is the mean of
      these runs' median days, over the hotspot cells at most 500 m farther than the nearest one,
      weighted by 1 / (distance + 100 m)**2: interpolation from the nearest detections as in Parks
      2014, Int. J. Wildland Fire 23, 215-223. *earliest* and *latest* are a standard deviation of
      the days away, between the runs or within them, whichever is larger, rounded outward; and a
      day more for each started kilometre beyond the first 500 m from the nearest hotspot cell.
      They stay within the fire's own dates.
    - **No hotspots.** The perimeter's dates: start to end, or to two days after the start.
    - **No dates.** The fire stays, undated: unknown all season.
    - **Prescribed burns** of at least half the cell are no wildfire: `fraction` becomes NaN, the
      cell is unknown all season, and they are counted.
    - **Hotspot clusters outside every perimeter** are unknown between their first and last day.

    Parameters
    ----------
    nbac : xr.Dataset
        One season of the group ``nbac``, dims ``(y, x)``: fraction, fire_id, prescribed,
        agency_start, agency_end, hotspot_start, hotspot_end; days since 1970-01-01.
    hotspots : xr.Dataset
        The season's days of the group ``hotspots``, ``hotspot_count (time, y, x)``, covering the
        same ground with coarser cells.

    Returns
    -------
    xr.Dataset
        The variables of :mod:`firesat.labels`, float32, on the cells of `nbac`. Attributes count
        ``fires``, ``fires_without_hotspots``, ``undated_fires``, ``prescribed_cells`` and
        ``stray_cells``.

    Raises
    ------
    GridError
        If the two do not cover the same ground.
    """
    ratio = _ratio(nbac, hotspots)
    found = detections(hotspots)
    planned = nbac["prescribed"].fillna(0).values >= BURNT
    fraction = np.where(planned, np.nan, nbac["fraction"].values)
    layers = {name: np.full(fraction.shape, np.nan) for name in VARIABLES}
    layers["fraction"] = fraction
    layers["fire_id"] = np.where(np.isnan(nbac["fraction"].values), np.nan, 0.0)
    explained = _spilled(planned, ratio)
    counts = {"fires": 0, "fires_without_hotspots": 0, "undated_fires": 0}
    for fire in _fires(nbac, fraction):
        ground = _ground(fire, fraction.shape, ratio)
        explained |= ground
        points = arrivals(_own(found, fire, ground))
        _date(layers, fire, points, _distances(fire, points, nbac, hotspots))
        counts["fires"] += 1
        counts["fires_without_hotspots"] += not points.first.size
        counts["undated_fires"] += not points.first.size and bool(np.isnan(fire.start))
    outside = found.chosen(~explained[found.row, found.column])
    counts["stray_cells"] = _leave_unknown(layers, outside, ratio)
    counts["prescribed_cells"] = int(planned.sum())
    return _dataset(layers, nbac, counts)


def _ratio(nbac: xr.Dataset, hotspots: xr.Dataset) -> int:
    """Cells of a perimeter map along a hotspot cell's side."""
    fine, coarse = ((d.sizes["y"], d.sizes["x"]) for d in (nbac, hotspots))
    ratio = fine[0] // coarse[0] if coarse[0] else 0
    if fine != (coarse[0] * ratio, coarse[1] * ratio) or ratio < 1:
        raise GridError(
            f"perimeters have {fine} cells and hotspots {coarse}: cut both to the same region"
        )
    return ratio


def _fires(nbac: xr.Dataset, fraction: Floats) -> Iterator[_Fire]:
    """The fires that burned part of any cell, by their numbers."""
    number = nbac["fire_id"].fillna(0).values.astype(np.int64).ravel()
    cells = np.flatnonzero((number > 0) & (np.nan_to_num(fraction).ravel() > 0))
    cells = cells[np.argsort(number[cells], kind="stable")]
    names, starts = np.unique(number[cells], return_index=True)
    for name, own in zip(names, np.split(cells, starts)[1:], strict=True):
        dates = {
            key: nbac[key].values.ravel()[own].astype("float64")
            for key in ("agency_start", "hotspot_start", "agency_end", "hotspot_end")
        }
        start = _first_known(dates["agency_start"], dates["hotspot_start"])
        end = -_first_known(-dates["agency_end"], -dates["hotspot_end"])
        yield _Fire(number=int(name), cells=own, start=start, end=max(end, start))


def _first_known(*days: Floats) -> float:
    """Smallest known day; NaN if none is."""
    known = np.concatenate(days)
    known = known[~np.isnan(known)]
    return float(known.min()) if known.size else float("nan")


def _ground(fire: _Fire, shape: tuple[int, int], ratio: int) -> Mask:
    """Hotspot cells in which a detection may be the fire's."""
    burned = np.zeros(shape, dtype=bool)
    burned.ravel()[fire.cells] = True
    return _spilled(burned, ratio)


def _spilled(burned: Mask, ratio: int) -> Mask:
    """Hotspot cells that touch burned ground, and `SPILL` more around them."""
    height, width = burned.shape
    touched = burned.reshape(height // ratio, ratio, width // ratio, ratio).any(axis=(1, 3))
    return np.asarray(
        maximum_filter(touched.astype("uint8"), size=2 * SPILL + 1, mode="constant") > 0
    )


def _own(found: Detections, fire: _Fire, ground: Mask) -> Detections:
    """A fire's detections, their days moved into its dates."""
    # an unknown date forbids nothing: comparisons with NaN are False
    early, late = found.day < fire.start - DATE_ERROR, found.day > fire.end + DATE_ERROR
    own = found.chosen(ground[found.row, found.column] & ~early & ~late)
    day = np.fmin(np.fmax(own.day.astype("float64"), fire.start), fire.end).astype(np.int64)
    return Detections(row=own.row, column=own.column, day=day, count=own.count)


def _distances(
    fire: _Fire, points: Arrivals, nbac: xr.Dataset, hotspots: xr.Dataset
) -> tuple[Floats, NDArray[np.int64]]:
    """Metres from each burned cell to its nearest hotspot cells, and which these are."""
    if not points.first.size:
        return np.zeros((fire.cells.size, 0)), np.zeros((fire.cells.size, 0), dtype=np.int64)
    rows, columns = np.divmod(fire.cells, nbac.sizes["x"])
    burned = np.stack([nbac["y"].values[rows], nbac["x"].values[columns]], axis=1)
    seen = np.stack([hotspots["y"].values[points.row], hotspots["x"].values[points.column]], axis=1)
    metres, which = cKDTree(seen).query(burned, k=np.arange(1, min(NEIGHBOURS, len(seen)) + 1))
    return metres, which


def _date(
    layers: dict[str, Floats],
    fire: _Fire,
    points: Arrivals,
    near: tuple[Floats, NDArray[np.int64]],
) -> None:
    """Write a fire's dates into its cells."""
    if points.first.size:
        start = fire.start if not np.isnan(fire.start) else float(points.first.min())
        dates = _by_hotspots(points, *near, (start, fire.end))
    else:
        start = fire.start
        end = start + AGENCY_DAYS if np.isnan(fire.end) else fire.end
        dates = _Dates(burn_day=start, earliest=start, latest=end + 0 * start)
    layers["fire_id"].ravel()[fire.cells] = fire.number
    layers["fire_start"].ravel()[fire.cells] = start
    layers["burn_day"].ravel()[fire.cells] = dates.burn_day
    layers["earliest"].ravel()[fire.cells] = dates.earliest
    layers["latest"].ravel()[fire.cells] = dates.latest


def _by_hotspots(
    points: Arrivals, metres: Floats, which: NDArray[np.int64], limits: tuple[float, float]
) -> _Dates:
    """Dates of cells from the hotspot cells around them; `limits` are the fire's, NaN = none."""
    nearest = metres[:, :1]
    weight = np.where(metres <= nearest + SPREAD, 1.0 / (metres + CELL) ** 2, 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    days, spread = points.middle[which], points.spread[which]
    mean = (weight * days).sum(axis=1)
    between = (weight * (days - mean[:, None]) ** 2).sum(axis=1)
    within = (weight * spread**2).sum(axis=1)
    doubt = HALF_DAY + DEVIATIONS * np.sqrt(np.maximum(between, within))
    slack = np.ceil(np.maximum(nearest[:, 0] - SLACK_FROM, 0.0) / SLACK_SPEED)
    first = np.round(mean - doubt + HALF_DAY, 6)  # rounded: sums differ in their last bits
    last = np.round(mean + doubt - HALF_DAY, 6)
    return _Dates(
        burn_day=np.rint(np.round(mean, 6)),
        earliest=np.fmax(np.floor(first) - slack, limits[0]),
        latest=np.fmin(np.ceil(last) + slack, limits[1]),
    )


def _leave_unknown(layers: dict[str, Floats], outside: Detections, ratio: int) -> int:
    """Mark unburned cells under stray hotspots as unknown between their dates; count them."""
    height, width = layers["fraction"].shape
    first, last = (
        np.repeat(np.repeat(days, ratio, axis=0), ratio, axis=1)
        for days in strays(outside, (height // ratio, width // ratio))
    )
    here = ~np.isnan(first) & (layers["fraction"] == 0)
    layers["fraction"][here] = np.nan
    layers["earliest"][here] = first[here]
    layers["latest"][here] = last[here]
    return int(here.sum())


def _dataset(layers: dict[str, Floats], nbac: xr.Dataset, counts: dict[str, int]) -> xr.Dataset:
    """The layers on the cells of the perimeters."""
    return xr.Dataset(
        {name: (("y", "x"), values.astype("float32")) for name, values in layers.items()},
        coords={"y": nbac["y"], "x": nbac["x"]},
        attrs=dict(counts),
    )
