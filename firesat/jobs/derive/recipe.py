"""What a derived group is made of, and how."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.blocks import Block, Layout
from firesat.cube import Cube
from firesat.manifest import Receipt

Needed = Callable[[Block], list[Receipt]]
"""Gives the receipts of the blocks that a block is made from."""


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
    items : tuple of str
        What went in, for the receipt; empty = the names of the inputs.
    read : int, optional
        Input blocks that were read for it, where a recipe reads only what is new.
    """

    block: Block
    layer: xr.Dataset
    cells: Counter[str] = field(default_factory=Counter)
    items: tuple[str, ...] = ()
    read: int | None = None


def content_of(receipt: Receipt) -> tuple[str, ...]:
    """Say what an input block holds.

    Parameters
    ----------
    receipt : Receipt
        Of the block.

    Returns
    -------
    tuple of str
        Its key, status and checksum.
    """
    return receipt.key, receipt.status, receipt.checksum


def every_block(
    path: Path, blocks: Sequence[Block], rows: Sequence[Receipt], known: Mapping[str, Receipt]
) -> list[Block]:
    """Choose all blocks of a group; what most recipes do.

    Parameters
    ----------
    path : Path
        The cube.
    blocks : sequence of Block
        All of the group.
    rows : sequence of Receipt
        Of the inputs.
    known : mapping of str to Receipt
        The group's own receipts by key.

    Returns
    -------
    list of Block
        The same.
    """
    return list(blocks)


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
    needed : callable
        Gives, for a cube's path and the receipts of its inputs, what tells those of a block.
    make : callable
        Makes the given blocks of a cube, in any order.
    helpful : tuple of str
        Groups that are used where the cube has them.
    choose : callable
        Chooses the blocks that there are to be.
    content : callable
        Says of an input block what must not change.
    reads : callable, optional
        Tells how many input blocks making some blocks would read.
    """

    group: str
    inputs: tuple[str, ...]
    revision: str
    layout: Callable[[Path], Layout]
    times: Callable[[Path], NDArray[np.datetime64]]
    needed: Callable[[Path, Sequence[Receipt]], Needed]
    make: Callable[[Cube, Sequence[Block]], Iterator[Made]]
    helpful: tuple[str, ...] = ()
    choose: Callable[
        [Path, Sequence[Block], Sequence[Receipt], Mapping[str, Receipt]], list[Block]
    ] = every_block
    content: Callable[[Receipt], tuple[str, ...]] = content_of
    reads: Callable[[Cube, Sequence[Block]], int] | None = None


def where(
    needs: Callable[[Block, Receipt], bool],
) -> Callable[[Path, Sequence[Receipt]], Needed]:
    """Find the inputs of a block by asking of each.

    Parameters
    ----------
    needs : callable
        Tells whether a block is made from the input block of a receipt.

    Returns
    -------
    callable
        For `Recipe.needed`.
    """

    def among(path: Path, rows: Sequence[Receipt]) -> Needed:
        """Bind the receipts."""
        return lambda block: [row for row in rows if needs(block, row)]

    return among
