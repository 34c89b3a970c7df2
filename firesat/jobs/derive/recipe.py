"""What a derived group is made of, and how."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.blocks import Block, Layout
from firesat.cube import Cube
from firesat.manifest import Receipt


@dataclass(frozen=True, kw_only=True)
class Made:
    """A derived block.

    Parameters
    ----------
    block : Block
        Which.
    layer : xr.Dataset
        The layout's variables ``(time, y, x)`` and ``available_time (time)``, NaT = never.
    cells : Counter
        Counts of cells worth reporting.
    """

    block: Block
    layer: xr.Dataset
    cells: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a group is derived.

    Parameters
    ----------
    group : str
        Its name.
    inputs : tuple of str
        Groups it is made from.
    revision : str
        Changes when the code makes other values from the same inputs.
    layout : callable
        Gives how it is stored, for the cube at a path.
    times : callable
        Gives its time axis, for the cube at a path.
    needs : callable
        Tells whether a block is made from the input block of a receipt.
    make : callable
        Makes the given blocks of a cube, in their order.
    helpful : tuple of str
        Groups that are used where the cube has them.
    """

    group: str
    inputs: tuple[str, ...]
    revision: str
    layout: Callable[[Path], Layout]
    times: Callable[[Path], NDArray[np.datetime64]]
    needs: Callable[[Block, Receipt], bool]
    make: Callable[[Cube, Sequence[Block]], Iterator[Made]]
    helpful: tuple[str, ...] = ()


def place_of(receipt: Receipt) -> tuple[int, int, int]:
    """Read where a block lies from its receipt.

    Parameters
    ----------
    receipt : Receipt
        Of any block.

    Returns
    -------
    tuple of int
        Number of the block along time, y and x.
    """
    step, row, column = (int(part) for part in receipt.key.split("/")[1:])
    return step, row, column
