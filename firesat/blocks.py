"""Blocks: what one task fetches, one write holds and one receipt vouches for.

A :class:`Layout` says how a group of the cube is stored; a :class:`Block` is one piece of it.
Blocks never share a file, so two tasks never write into one.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.grid import Bounds, Grid, geobox
from firesat.layout import Layout, Variable, beside
from firesat.places import intersection, places_of

__all__ = [
    "Block",
    "Layout",
    "Variable",
    "beside",
    "count",
    "cut",
    "key_of",
    "keys",
]


@dataclass(frozen=True, kw_only=True)
class Block:
    """One piece of a group: some time steps of one tile, or of the whole box.

    Parameters
    ----------
    group : str
        Name of the group.
    index : tuple of int
        Number of the block along time, y and x.
    times : tuple of np.datetime64
        Its time steps, UTC.
    geobox : GeoBox
        Its cells.
    extent : tuple of float
        The part of it that lies in the project's region: x0, y0, x1, y1 in metres. Nothing else is
        fetched.
    whole : tuple of float, optional
        The project's region, of which other blocks hold the rest; None = not known.
    """

    group: str
    index: tuple[int, int, int]
    times: tuple[np.datetime64, ...]
    geobox: GeoBox
    extent: Bounds
    whole: Bounds | None = None

    @property
    def key(self) -> str:
        """Its name in manifests and reports.

        Returns
        -------
        str
            Such as "sentinel2/0012/0/0".
        """
        return key_of(self.group, self.index)

    @property
    def region(self) -> GeoBox:
        """Its cells inside the project's region.

        Returns
        -------
        GeoBox
            At most `geobox`, on the same lines.
        """
        return geobox(self.extent, str(self.geobox.crs), round(self.geobox.resolution.x))


def cut(
    layout: Layout,
    grid: Grid,
    times: NDArray[np.datetime64],
    *,
    without: Collection[str] = (),
) -> Iterator[Block]:
    """Cut a group into its blocks.

    Parameters
    ----------
    layout : Layout
        How the group is stored.
    grid : Grid
        The project's grid and region.
    times : ndarray of datetime64
        The group's time axis.
    without : collection of str
        Keys of blocks to leave out, such as those of a million that are done.

    Yields
    ------
    Block
        Time outermost, then rows, then columns.
    """
    places = [
        (*place, intersection(place[2], grid.extent))
        for place in places_of(layout.level, grid, side=_side(layout))
    ]
    whole = grid.extent
    for step in range(0, len(times), layout.steps):
        chosen = tuple(times[step : step + layout.steps])
        for row, column, cells, extent in places:
            index = (step // layout.steps, row, column)
            if key_of(layout.group, index) not in without:
                yield Block(
                    group=layout.group,
                    index=index,
                    times=chosen,
                    geobox=cells,
                    extent=extent,
                    whole=whole,
                )


def count(layout: Layout, grid: Grid, times: NDArray[np.datetime64]) -> int:
    """Count a group's blocks.

    Parameters
    ----------
    layout : Layout
        How the group is stored.
    grid : Grid
        The project's grid and region.
    times : ndarray of datetime64
        The group's time axis.

    Returns
    -------
    int
        As many as `cut` yields.
    """
    places = places_of(layout.level, grid, side=_side(layout))
    return -(-len(times) // layout.steps) * len(places)


def key_of(group: str, index: tuple[int, int, int]) -> str:
    """Name a block.

    Parameters
    ----------
    group : str
        Its group.
    index : tuple of int
        Number of the block along time, y and x.

    Returns
    -------
    str
        Such as "sentinel2/0012/0/0".
    """
    step, row, column = index
    return f"{group}/{step:04d}/{row}/{column}"


def keys(layout: Layout, grid: Grid, times: NDArray[np.datetime64]) -> Iterator[str]:
    """List the keys of a group's blocks, without making them.

    Parameters
    ----------
    layout : Layout
        How the group is stored.
    grid : Grid
        The project's grid and region.
    times : ndarray of datetime64
        The group's time axis.

    Yields
    ------
    str
        In the order of `cut`.
    """
    places = places_of(layout.level, grid, side=_side(layout))
    for step in range(-(-len(times) // layout.steps)):
        for row, column, _ in places:
            yield key_of(layout.group, (step, row, column))


def _side(layout: Layout) -> int:
    """Metres of a block's side; 0 = the whole box."""
    return 0 if layout.whole_box else layout.side


def cells_per_block(layout: Layout) -> int:
    """Count the cells along a block's side at the layout's level.

    Parameters
    ----------
    layout : Layout
        How the group is stored.

    Returns
    -------
    int
        Such as 1000 at 100 m.
    """
    return layout.side // layout.level
