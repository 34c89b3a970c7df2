"""The group `labels`: burn dates of a season, tile by tile."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.blocks import Block, Layout
from firesat.cube import Cube, groups, open_cube
from firesat.jobs.derive.recipe import Made, Recipe, where
from firesat.labels import LAYOUT, MARGIN, count_cells, label_season
from firesat.manifest import Receipt

log = logging.getLogger(__name__)

PERIMETERS, HOTSPOTS = "nbac", "hotspots"
_COUNTS = ("hotspot_count", "hotspot_count_before")
COARSER = 5  # cells of the perimeters along a hotspot cell's side


def _layout(path: Path) -> Layout:
    """The same for every cube, save what it says of its sources."""
    if HOTSPOTS in groups(path):
        return LAYOUT
    title, source = "burn dates of perimeters by their agencies", f"derived from {PERIMETERS}"
    return replace(LAYOUT, attrs={**LAYOUT.attrs, "title": title, "source": source})


def _times(path: Path) -> NDArray[np.datetime64]:
    """The seasons of the perimeters."""
    return np.asarray(open_cube(path, PERIMETERS)["time"].values)


def _needs(block: Block, receipt: Receipt) -> bool:
    """Perimeters of the season, and hotspots, of the tile and those around it."""
    step, row, column = receipt.index
    near = max(abs(row - block.index[1]), abs(column - block.index[2])) <= 1
    return near and (receipt.group == HOTSPOTS or step == block.index[0])


def _make(cube: Cube, blocks: Sequence[Block]) -> Iterator[Made]:
    """Date the cells of each tile, seen with its surroundings."""
    perimeters = open_cube(cube.path, PERIMETERS)
    hotspots = open_cube(cube.path, HOTSPOTS) if HOTSPOTS in groups(cube.path) else None
    if hotspots is None:
        log.warning("%s has no hotspots: only the agencies' dates say when cells burned", cube.path)
    for block in blocks:
        step, row, column = block.index
        nbac = _around(perimeters.isel(time=step), block).load()
        wide = label_season(nbac, _seen(hotspots, block, nbac))
        labels = _inside(wide, block)
        available = perimeters["available_time"].values[[step], row, column]
        yield Made(
            block=block,
            layer=labels.expand_dims("time").assign_coords(available_time=("time", available)),
            cells=count_cells(labels, _inside(nbac, block)["prescribed"].values),
        )


def _seen(hotspots: xr.Dataset | None, block: Block, nbac: xr.Dataset) -> xr.Dataset:
    """The hotspots of a block's season and surroundings; none where the cube has none."""
    if hotspots is None:
        middles = {dim: nbac[dim].values.reshape(-1, COARSER).mean(axis=1) for dim in ("y", "x")}
        none = np.empty((0, *(len(middle) for middle in middles.values())), dtype="float32")
        times = np.empty(0, dtype="datetime64[s]")
        return xr.Dataset(
            {"hotspot_count": (("time", "y", "x"), none)}, coords={"time": times, **middles}
        )
    year = block.times[0].astype("datetime64[Y]")
    season = hotspots["time"].values.astype("datetime64[Y]") == year
    counts = [name for name in _COUNTS if name in hotspots]
    return _around(hotspots[counts].isel(time=season), block).load()


def _around(dataset: xr.Dataset, block: Block) -> xr.Dataset:
    """The block's ground and a margin, as far as the cube goes."""
    box = block.geobox.boundingbox
    return dataset.sel(
        x=slice(box.left - MARGIN, box.right + MARGIN),
        y=slice(box.top + MARGIN, box.bottom - MARGIN),
    )


def _inside(dataset: xr.Dataset, block: Block) -> xr.Dataset:
    """The block's ground."""
    box = block.geobox.boundingbox
    return dataset.sel(x=slice(box.left, box.right), y=slice(box.top, box.bottom))


LABELS = Recipe(
    group=LAYOUT.group,
    inputs=(PERIMETERS,),
    helpful=(HOTSPOTS,),
    revision="labels 2",
    layout=_layout,
    times=_times,
    needed=where(_needs),
    make=_make,
)
