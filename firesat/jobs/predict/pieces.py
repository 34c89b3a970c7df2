"""Pieces of a map whose fields fit into memory at once, each with its chips."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from firesat.grid import chip_origins

SPAN = 1000
"""Cells of a piece's side, about a tile: 1 million cells with 3 looks of 13 bands are 160 MB."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Part of a map.

    Parameters
    ----------
    rows, columns : slice
        Cells to read: those of its chips, and a margin.
    own_rows, own_columns : slice
        Cells that no other piece describes; together the pieces' own cells are the map.
    chips : list of tuple of int
        Row and column of each chip's upper left cell, in the map.
    line : int
        Number of the line of pieces from the top, from 0.
    """

    rows: slice
    columns: slice
    own_rows: slice
    own_columns: slice
    chips: list[tuple[int, int]]
    line: int

    @property
    def own(self) -> tuple[slice, slice]:
        """Its own cells within those read.

        Returns
        -------
        tuple of slice
            Rows and columns.
        """
        return _within(self.own_rows, self.rows), _within(self.own_columns, self.columns)


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a network is asked for in a run.

    Parameters
    ----------
    size : int
        Chips of a batch; the last ones of a piece may have fewer.
    batches, chips : int
        In all.
    """

    size: int
    batches: int
    chips: int

    @classmethod
    def of(cls, counts: Sequence[int], most: int, days: int) -> "Load":
        """Share the chips of pieces evenly among as few batches as can be.

        Parameters
        ----------
        counts : sequence of int
            Chips of each piece of a map.
        most : int
            Chips that a batch may have.
        days : int
            Maps.

        Returns
        -------
        Load
            No batch is larger than the largest piece.
        """
        largest = max(counts)
        size = math.ceil(largest / math.ceil(largest / most))
        batches = sum(math.ceil(count / size) for count in counts)
        return cls(size=size, batches=days * batches, chips=days * sum(counts))

    @property
    def wanted(self) -> float:
        """Share of the chips that are asked for where every batch is filled up.

        Returns
        -------
        float
            Above 0, 1 = no batch has to be.
        """
        return self.chips / (self.batches * self.size)


def pieces(
    shape: tuple[int, int], chip: int, stride: int, margin: int, span: int = SPAN
) -> Iterator[Piece]:
    """Cut a map into pieces, from top to bottom and from left to right.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the map.
    chip, stride : int
        Cells of a chip's side, and between chips.
    margin : int
        Cells to read around the chips where the map has them, a multiple of 10.
    span : int
        Cells of a piece's side, roughly.

    Yields
    ------
    Piece
        Every chip is in exactly one.

    Raises
    ------
    GridError
        If the map is smaller than a chip.
    """
    origins = list(chip_origins(*shape, chip, stride))
    lines = _grouped(sorted({row for row, _ in origins}), span)
    stacks = _grouped(sorted({column for _, column in origins}), span)
    for line, rows in enumerate(lines):
        for stack, columns in enumerate(stacks):
            yield Piece(
                rows=_read(rows, chip, margin, shape[0]),
                columns=_read(columns, chip, margin, shape[1]),
                own_rows=_own(lines, line, shape[0]),
                own_columns=_own(stacks, stack, shape[1]),
                chips=list(product(rows, columns)),
                line=line,
            )


def _grouped(starts: Sequence[int], span: int) -> list[list[int]]:
    """Starts that lie within a span of the first of them together."""
    groups: list[list[int]] = []
    for start in starts:
        if not groups or start - groups[-1][0] >= span:
            groups.append([])
        groups[-1].append(start)
    return groups


def _read(starts: Sequence[int], chip: int, margin: int, edge: int) -> slice:
    """Cells of some chips along one axis, with a margin inside the map."""
    return slice(max(0, starts[0] - margin), min(edge, starts[-1] + chip + margin))


def _own(groups: Sequence[Sequence[int]], number: int, edge: int) -> slice:
    """From the first chip of a group to the first of the next."""
    stop = groups[number + 1][0] if number + 1 < len(groups) else edge
    return slice(groups[number][0], stop)


def _within(part: slice, whole: slice) -> slice:
    """A slice of an axis, counted from another's start."""
    return slice(part.start - whole.start, part.stop - whole.start)
