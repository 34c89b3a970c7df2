"""Labels of a region, window by window: memory holds one row of windows, never the region."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.grid import cell_area, crs_of, geobox
from firesat.jobs.labels.evidence import COARSER, HOTSPOT_CELL, Evidence
from firesat.labels import MARGIN, VARIABLES, Detections, Season, count_cells, date_season
from firesat.sources.fire_files import fire_arrays

ROWS, COLUMNS = 500, 1000  # cells of a window, whole 500 m cells
PIECE = 100  # rows that are passed on at once

Advance = Callable[[int, int, str], None]
Strip = NDArray[np.float32]


@dataclass(kw_only=True)
class Tally:
    """What was seen while the windows passed.

    Parameters
    ----------
    cells : Counter
        Cells by kind, as :func:`firesat.labels.count_cells`.
    hectares : float
        Burned, from the fractions and the cells' true areas.
    drawn : set of int
        Numbers of the fires that own a cell of the region.
    seen : set of int
        Those that hotspots date.
    """

    cells: Counter[str] = field(default_factory=Counter)
    hectares: float = 0.0
    drawn: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)


def strips(evidence: Evidence, tally: Tally, advance: Advance) -> Iterator[tuple[int, Strip]]:
    """Label a region from top to bottom.

    Parameters
    ----------
    evidence : Evidence
        Fires and hotspots.
    tally : Tally
        Filled on the way.
    advance : callable
        Called with (windows done, windows in all, where).

    Yields
    ------
    row : int
        First row.
    values : ndarray of float32, shape (6, n, X)
        The variables of :mod:`firesat.labels`.
    """
    height, width = evidence.cells.shape
    tops, lefts = range(0, height, ROWS), range(0, width, COLUMNS)
    for number, top in enumerate(tops):
        strip = np.empty((len(VARIABLES), min(ROWS, height - top), width), dtype=np.float32)
        for step, left in enumerate(lefts):
            right = min(left + COLUMNS, width)
            window = evidence.cells[top : top + strip.shape[1], left:right]
            strip[:, :, left:right] = _window(evidence, window, tally)
            advance(number * len(lefts) + step + 1, len(tops) * len(lefts), f"row {top}")
        for row in range(0, strip.shape[1], PIECE):
            yield top + row, strip[:, row : row + PIECE]


def _window(evidence: Evidence, cells: GeoBox, tally: Tally) -> Strip:
    """Labels of a window, seen with its surroundings."""
    box = cells.boundingbox
    extent = box.left - MARGIN, box.bottom - MARGIN, box.right + MARGIN, box.top + MARGIN
    wide = geobox(extent, str(crs_of(cells)), 100)
    fires, found = _fires(evidence, wide), _hotspots(evidence, wide)
    if fires.empty and not found.row.size:
        return _nothing(*cells.shape)
    perimeters = _dataset(fire_arrays(fires, wide))
    season = date_season(perimeters, found, COARSER)
    edge = round(MARGIN / 100)
    inside = {"y": slice(edge, edge + cells.shape[0]), "x": slice(edge, edge + cells.shape[1])}
    labels = season.labels.isel(inside)
    _count(tally, season, labels, perimeters["prescribed"].isel(inside).values, cell_area(cells))
    return np.stack([labels[name].values for name in VARIABLES])


def _nothing(height: int, width: int) -> Strip:
    """Labels where nothing burned."""
    empty = np.full((len(VARIABLES), height, width), np.nan, dtype=np.float32)
    for name in ("fraction", "fire_id"):
        empty[VARIABLES.index(name)] = 0.0
    return empty


def _fires(evidence: Evidence, cells: GeoBox) -> pd.DataFrame:
    """The fires that may touch some cells."""
    left, bottom, right, top = cells.boundingbox
    x0, y0, x1, y1 = evidence.bounds.T
    near = (x0 < right) & (x1 > left) & (y0 < top) & (y1 > bottom)
    fires: pd.DataFrame = evidence.file.fires[near]
    return fires


def _hotspots(evidence: Evidence, cells: GeoBox) -> Detections:
    """The hotspots of some cells, counted from their corner."""
    box, found = cells.boundingbox, evidence.found
    left, top = (round(edge) for edge in ~evidence.ground.affine * (box.left, box.top))
    height, width = (side * 100 // HOTSPOT_CELL for side in cells.shape)
    row, column = found.row - top, found.column - left
    here = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return Detections(
        row=row[here], column=column[here], day=found.day[here], count=found.count[here]
    )


def _dataset(arrays: dict[str, NDArray[np.float32]]) -> xr.Dataset:
    """Arrays as the dating wants them; places are counted in cells."""
    height, width = arrays["fraction"].shape
    return xr.Dataset(
        {name: (("y", "x"), values) for name, values in arrays.items()},
        coords={"y": np.arange(height), "x": np.arange(width)},
    )


def _count(
    tally: Tally,
    season: Season,
    labels: xr.Dataset,
    prescribed: NDArray[np.float32],
    area: NDArray[np.float64],
) -> None:
    """Add a window to the tally."""
    tally.cells.update(count_cells(labels, prescribed))
    tally.hectares += float(np.nansum(labels["fraction"].values * area)) / 1e4
    drawn = set(np.unique(labels["fire_id"].values).astype(int).tolist()) - {0}
    tally.drawn |= drawn
    tally.seen |= {number for number in drawn if season.seen.get(number)}
