"""The group `labels`: burn dates of a season, tile by tile."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.blocks import Block, Layout
from firesat.cube import Cube, open_cube
from firesat.jobs.derive.recipe import Made, Recipe, place_of
from firesat.labels import BURNT, LAYOUT, label_season
from firesat.manifest import Receipt

PERIMETERS, HOTSPOTS = "nbac", "hotspots"
MARGIN = 20_000.0  # metres around a tile in which hotspots date its cells


def _layout(path: Path) -> Layout:
    """The same for every cube."""
    return LAYOUT


def _times(path: Path) -> NDArray[np.datetime64]:
    """The seasons of the perimeters."""
    return np.asarray(open_cube(path, PERIMETERS)["time"].values)


def _needs(block: Block, receipt: Receipt) -> bool:
    """Perimeters of the season, and hotspots, of the tile and those around it."""
    step, row, column = place_of(receipt)
    near = max(abs(row - block.index[1]), abs(column - block.index[2])) <= 1
    return near and (receipt.group == HOTSPOTS or step == block.index[0])


def _make(cube: Cube, blocks: Sequence[Block]) -> Iterator[Made]:
    """Date the cells of each tile, seen with its surroundings."""
    perimeters, hotspots = (open_cube(cube.path, name) for name in (PERIMETERS, HOTSPOTS))
    for block in blocks:
        step, row, column = block.index
        nbac = _around(perimeters.isel(time=step), block).load()
        year = block.times[0].astype("datetime64[Y]")
        season = hotspots["time"].values.astype("datetime64[Y]") == year
        seen = _around(hotspots[["hotspot_count"]].isel(time=season), block).load()
        wide = label_season(nbac, seen)
        labels = _inside(wide, block)
        available = perimeters["available_time"].values[[step], row, column]
        yield Made(
            block=block,
            layer=labels.expand_dims("time").assign_coords(available_time=("time", available)),
            cells=_count(labels, _inside(nbac, block)),
        )


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


def _count(labels: xr.Dataset, nbac: xr.Dataset) -> Counter[str]:
    """Cells of a tile that burned, and those whose label is not known."""
    fraction, dated = labels["fraction"].values, labels["earliest"].notnull().values
    burnt = fraction >= BURNT
    prescribed = nbac["prescribed"].values >= BURNT
    return Counter(
        burnt=int(burnt.sum()),
        undated=int((burnt & ~dated).sum()),
        prescribed=int(prescribed.sum()),
        stray=int((np.isnan(fraction) & dated).sum()),
    )


LABELS = Recipe(
    group=LAYOUT.group,
    inputs=(PERIMETERS, HOTSPOTS),
    revision="labels 1",
    layout=_layout,
    times=_times,
    needs=_needs,
    make=_make,
)
