"""Burn dates of a season: perimeters say where, hotspots and agencies say when."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.errors import GridError
from firesat.labels.dating import Dates, Fire, date_fire, fires_of, ground_of, spilled
from firesat.labels.hotspots import Detections, detections, strays
from firesat.labels.layout import VARIABLES
from firesat.labels.window import BURNT

MARGIN = 20_000.0  # metres around an area in which perimeters and hotspots bear on its labels

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Season:
    """Labels of some cells, and what dated their fires.

    Parameters
    ----------
    labels : xr.Dataset
        The variables of :mod:`firesat.labels`, float32.
    seen : dict of int to bool
        Number of each fire: whether hotspots date it.
    undated : frozenset of int
        Fires without any date.
    """

    labels: xr.Dataset
    seen: Mapping[int, bool]
    undated: frozenset[int]


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
    - **No hotspots.** The perimeter's dates, start to end. Without an end, a fire of at most 50 ha
      has two days after its start, a larger one the rest of the year: it may have burned any day.
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
        The season's days of the group ``hotspots``, as `firesat.labels.hotspots.detections` takes
        them, covering the same ground with coarser cells.

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
    season = date_season(nbac, detections(hotspots), _ratio(nbac, hotspots))
    cells = count_cells(season.labels, nbac["prescribed"].values)
    counts = {
        "fires": len(season.seen),
        "fires_without_hotspots": sum(not seen for seen in season.seen.values()),
        "undated_fires": len(season.undated),
        "prescribed_cells": cells["prescribed"],
        "stray_cells": cells["stray"],
    }
    return season.labels.assign_attrs(counts)


def _ratio(nbac: xr.Dataset, hotspots: xr.Dataset) -> int:
    """Cells of a perimeter map along a hotspot cell's side."""
    fine, coarse = ((d.sizes["y"], d.sizes["x"]) for d in (nbac, hotspots))
    ratio = fine[0] // coarse[0] if coarse[0] else 0
    if fine != (coarse[0] * ratio, coarse[1] * ratio) or ratio < 1:
        raise GridError(
            f"perimeters have {fine} cells and hotspots {coarse}: cut both to the same region"
        )
    return ratio


def date_season(perimeters: xr.Dataset, found: Detections, ratio: int) -> Season:
    """Date the burned cells of a season from hotspots given one by one.

    Parameters
    ----------
    perimeters : xr.Dataset
        As `nbac` of :func:`label_season`; its sides are multiples of `ratio`.
    found : Detections
        Hotspots of the season, counted on the coarser cells of the same ground.
    ratio : int
        Cells along a hotspot cell's side.

    Returns
    -------
    Season
        Labels as of :func:`label_season`.
    """
    planned = perimeters["prescribed"].fillna(0).values >= BURNT
    given = perimeters["fraction"].values
    fraction = np.where(planned, np.nan, given).astype(np.float64)
    layers = {name: np.full(fraction.shape, np.nan) for name in VARIABLES}
    layers["fraction"] = fraction
    layers["fire_id"] = np.where(np.isnan(given), np.nan, 0.0)
    explained = spilled(planned, ratio)
    seen, undated = {}, set()
    for fire in fires_of(perimeters, fraction):
        near = ground_of(fire, explained.shape, ratio)
        explained |= near
        dates = date_fire(fire, found, near, ratio)
        _write(layers, fire, dates)
        seen[fire.number] = dates.seen
        if np.isnan(dates.start):
            undated.add(fire.number)
    _leave_unknown(layers, found.chosen(~explained[found.row, found.column]), ratio)
    labels = xr.Dataset(
        {name: (("y", "x"), values.astype("float32")) for name, values in layers.items()},
        coords={"y": perimeters["y"], "x": perimeters["x"]},
    )
    return Season(labels=labels, seen=seen, undated=frozenset(undated))


def _write(layers: dict[str, Floats], fire: Fire, dates: Dates) -> None:
    """Write a fire's dates into its cells."""
    cells = (fire.row, fire.column)
    layers["fire_id"][cells] = fire.number
    layers["fire_start"][cells] = dates.start
    layers["burn_day"][cells] = dates.burn_day
    layers["earliest"][cells] = dates.earliest
    layers["latest"][cells] = dates.latest


def _leave_unknown(layers: dict[str, Floats], outside: Detections, ratio: int) -> None:
    """Mark unburned cells under stray hotspots as unknown between their dates."""
    height, width = layers["fraction"].shape
    first, last = (
        np.repeat(np.repeat(days, ratio, axis=0), ratio, axis=1)
        for days in strays(outside, (height // ratio, width // ratio))
    )
    here = ~np.isnan(first) & (layers["fraction"] == 0)
    layers["fraction"][here] = np.nan
    layers["earliest"][here] = first[here]
    layers["latest"][here] = last[here]


def count_cells(labels: xr.Dataset, prescribed: NDArray[np.floating]) -> Counter[str]:
    """Count the cells that burned, and those whose label is not known.

    Parameters
    ----------
    labels : xr.Dataset
        Labels of some cells.
    prescribed : ndarray of float, shape (Y, X)
        Share of each cell that was burned on purpose; NaN counts as none.

    Returns
    -------
    Counter
        Cells "burnt" (at least half), of these "undated"; "prescribed"; "stray" (hotspots outside
        every perimeter).
    """
    fraction, dated = labels["fraction"].values, labels["earliest"].notnull().values
    burnt = fraction >= BURNT
    return Counter(
        burnt=int(burnt.sum()),
        undated=int((burnt & ~dated).sum()),
        prescribed=int((prescribed >= BURNT).sum()),
        stray=int((np.isnan(fraction) & dated).sum()),
    )
