"""Blocks held out: squares of ground, or of ground and time, drawn or named."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firesat.errors import SplitError
from firesat.grid import Bounds, Grid
from firesat.splits.apart import Apart, Boxes, kilometres
from firesat.splits.places import Placement, check_buffer, check_names

_EPOCH = np.datetime64("1970-01-01", "D")


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """Hold out blocks, counted from the national box's upper left corner.

    Parameters
    ----------
    size_km : float
        Side of a block.
    shares : dict of float
        Split to its share of the region's blocks, drawn at random; "train" takes what is left.
    held_out : dict of list of str
        Blocks by name, such as "r12c07" in row 12 and column 7, instead of `shares`.
    days : int, optional
        Days of a block, counted from 1970-01-01: each place then changes its split with time.
        None = a block is held out at all times.
    buffer_km, buffer_days : float, int
        A chip of another split must be so far from a held-out block, in ground or in time.
    seed : int
        Of the draw.
    """

    size_km: float
    shares: dict[str, float] = field(default_factory=dict)
    held_out: dict[str, list[str]] = field(default_factory=dict)
    days: int | None = None
    buffer_km: float = 20.0
    buffer_days: int = 8
    seed: int = 0

    @property
    def apart(self) -> Apart:
        """What keeps chips of two splits apart.

        Returns
        -------
        Apart
            Ground; or time, where blocks have an end.
        """
        return Apart(km=self.buffer_km, days=math.inf if self.days is None else self.buffer_days)

    def lay_out(self, splits: Sequence[str], grid: Grid, chip_km: float) -> Placement:
        """Cut the region into blocks and hold some out.

        Parameters
        ----------
        splits : sequence of str
            Names, "train" first.
        grid : Grid
            With its region.
        chip_km : float
            Side of a chip.

        Returns
        -------
        Placement
            Of these splits.

        Raises
        ------
        SplitError
            If blocks or buffers are smaller than a chip, a share is impossible, or a name is not
            of the region or stands in two splits.
        """
        self._check(splits, chip_km)
        edges = _blocks_of(grid, self.size_km * 1000)
        if self.held_out:
            check_names(self.held_out, splits, "block")
            strange = {name for names in self.held_out.values() for name in names} - edges.keys()
            if strange:
                raise SplitError(
                    f"block {min(strange)} is not in the region: it has {min(edges)} to "
                    f"{max(edges)}"
                )
        return BlockPlacement(rule=self, splits=tuple(splits), edges=edges)

    def _check(self, splits: Sequence[str], chip_km: float) -> None:
        """Refuse rules that cannot hold anything out."""
        if self.size_km < chip_km:
            raise SplitError(f"blocks of {self.size_km:g} km are smaller than a chip: take more")
        if bool(self.shares) == bool(self.held_out):
            raise SplitError("sample.places: give either shares or held_out blocks")
        wanted = set(splits[1:])
        if self.shares and (
            set(self.shares) != wanted
            or min(self.shares.values()) <= 0
            or sum(self.shares.values()) >= 1
        ):
            raise SplitError(
                f"sample.places.shares is {self.shares}: give one above 0 for each of "
                f"{', '.join(splits[1:])}, below 1 together"
            )
        if self.days is not None and (self.days < 1 or self.buffer_days < 1):
            raise SplitError(
                f"sample.places: days={self.days} and buffer_days={self.buffer_days} start at 1"
            )
        names = next(iter(self.held_out.values()), ["r00c00"])
        check_buffer(self.buffer_km, chip_km, f"block {names[0]}", splits[1])

    def drawn(self, names: Sequence[str], period: int) -> dict[str, str]:
        """Tell the split of each block that is held out.

        Parameters
        ----------
        names : sequence of str
            Blocks of the region.
        period : int
            Number of the block along time, 0 where it has no end.

        Returns
        -------
        dict
            Block to split.
        """
        if self.held_out:
            return {name: split for split, some in self.held_out.items() for name in some}
        rng = np.random.default_rng([self.seed, abs(period), int(period < 0)])
        order = [names[i] for i in rng.permutation(len(names))]
        drawn, start = {}, 0
        for split, share in self.shares.items():
            # at least one while there are any, so that a small region has every split
            number = max(1, round(share * len(names)))
            drawn.update(dict.fromkeys(order[start : start + number], split))
            start += number
        return drawn


@dataclass(frozen=True, kw_only=True)
class BlockPlacement:
    """Blocks of a region.

    Parameters
    ----------
    rule : Blocks
        By which they are held out.
    splits : tuple of str
        Names, "train" first.
    edges : dict
        Block to x0, y0, x1, y1 in metres.
    """

    rule: Blocks
    splits: tuple[str, ...]
    edges: dict[str, Bounds]

    def allows(self, split: str, boxes: Boxes, day: str, horizon: int) -> NDArray[np.bool_]:
        """Tell which chips a split may take on an issue day.

        Parameters
        ----------
        split : str
            Such as "train".
        boxes : ndarray of float, shape (n, 4)
            Squares of the chips.
        day : str
            Issue day.
        horizon : int
            Days of the window.

        Returns
        -------
        ndarray of bool, shape (n,)
            Wholly within blocks of the split, and the buffer away from those of later splits.
        """
        first = int((np.datetime64(day, "D") - _EPOCH).astype(int))
        later = self.splits[self.splits.index(split) + 1 :]
        allowed = self._within(split, boxes, first, horizon)
        # a block that begins on the day after the buffer is far enough in time
        around = first - self.rule.buffer_days, first + horizon - 1 + self.rule.buffer_days
        for period in self._periods(*around):
            held = [
                self.edges[name]
                for name, owner in self.rule.drawn(sorted(self.edges), period).items()
                if owner in later
            ]
            if held:
                near = kilometres(boxes, np.array(held)).min(axis=1) < self.rule.buffer_km
                allowed &= ~near
        return allowed

    def _within(self, split: str, boxes: Boxes, first: int, horizon: int) -> NDArray[np.bool_]:
        """Chips that lie wholly in blocks of their own split, on every day of the window."""
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        within = np.ones(len(boxes), dtype=bool)
        for period in self._periods(first, first + horizon - 1):
            drawn = self.rule.drawn(sorted(self.edges), period)
            covered = np.zeros(len(boxes))
            for name, box in self.edges.items():
                if drawn.get(name, "train") == split:
                    covered += _overlap(boxes, box)
            within &= covered >= area * (1 - 1e-9)
        return within

    def _periods(self, first: int, last: int) -> range:
        """Numbers of the blocks along time that some days lie in."""
        days = self.rule.days
        return range(first // days, last // days + 1) if days else range(1)


def _overlap(boxes: Boxes, block: Bounds) -> NDArray[np.float64]:
    """Square metres of each box inside a block."""
    x0, y0, x1, y1 = block
    width = np.minimum(boxes[:, 2], x1) - np.maximum(boxes[:, 0], x0)
    height = np.minimum(boxes[:, 3], y1) - np.maximum(boxes[:, 1], y0)
    return np.asarray(width.clip(min=0) * height.clip(min=0))


def _blocks_of(grid: Grid, size: float) -> dict[str, Bounds]:
    """Blocks that the region touches, by name."""
    x0, y0, x1, y1 = grid.extent
    left, top = grid.bounds[0], grid.bounds[3]
    rows = range(math.floor((top - y1) / size), math.ceil((top - y0) / size))
    columns = range(math.floor((x0 - left) / size), math.ceil((x1 - left) / size))
    return {
        f"r{row:02d}c{column:02d}": (
            left + column * size,
            top - (row + 1) * size,
            left + (column + 1) * size,
            top - row * size,
        )
        for row in rows
        for column in columns
    }
