"""Which state of the latest looks another is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.blocks import Block, Layout
from firesat.composite import State, fold, nothing, older
from firesat.cube import Cube, groups, open_cube
from firesat.jobs.derive.looks import LOOKS, Scene, at, to_state
from firesat.manifest import FileSum, Receipt
from firesat.sources.settings import RecentSettings

Tokens = frozenset[str]


def days_of(dataset: xr.Dataset) -> NDArray[np.datetime64]:
    """List the days of a group's time axis.

    Parameters
    ----------
    dataset : xr.Dataset
        The group.

    Returns
    -------
    ndarray of datetime64[D]
        Ascending.
    """
    return np.asarray(dataset["time"].values.astype("datetime64[D]"))


def token(receipt: Receipt) -> str:
    """Name a scene and its very pixels.

    Parameters
    ----------
    receipt : Receipt
        Of its block.

    Returns
    -------
    str
        Key and part of the checksum.
    """
    return f"{receipt.key} {receipt.checksum[:16]}"


@dataclass(frozen=True, kw_only=True)
class Base:
    """A state that another may go on from.

    Parameters
    ----------
    day : np.datetime64
        Its issue day.
    folded : frozenset of str
        Tokens of the scenes that it has seen.
    receipt : Receipt, optional
        Of its block, where it lies in the cube.
    state : State, optional
        Itself, where it is in memory.
    """

    day: np.datetime64
    folded: Tokens
    receipt: Receipt | None = None
    state: State | None = None


@dataclass(kw_only=True)
class Chain:
    """The states of a cube, and the last one made.

    Parameters
    ----------
    cube : Cube
        The cube.
    layout : Layout
        Of the group.
    rules : RecentSettings
        By which states are made.
    own : mapping of str to Receipt
        The group's receipts by key.
    """

    cube: Cube
    layout: Layout
    rules: RecentSettings
    own: Mapping[str, Receipt]
    _last: tuple[tuple[int, ...], Base] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Read the axes once."""
        self._scene_days = days_of(open_cube(self.cube.path, "sentinel2"))
        there = self.layout.group in groups(self.cube.path)
        self._issue_days = np.empty(0, dtype="datetime64[D]")
        if there:
            self._issue_days = days_of(open_cube(self.cube.path, self.layout.group))
        self._stored: dict[tuple[int, ...], list[Receipt]] = {}
        for row in self.own.values():
            if row.status != "failed" and row.items[:1] == [self.rules.rules]:
                self._stored.setdefault(row.index[1:], []).append(row)

    def begin(self, block: Block, rows: Sequence[Receipt]) -> tuple[State, list[Receipt], Tokens]:
        """Find the state that leaves the fewest scenes to read.

        Parameters
        ----------
        block : Block
            A tile and its issue day.
        rows : sequence of Receipt
            Of the scenes that it is to have seen.

        Returns
        -------
        tuple of (State, list of Receipt, frozenset of str)
            A state as of the issue day, the scenes that it lacks, and the tokens of all.
        """
        wanted = {token(row): row for row in rows}
        day = block.times[0].astype("datetime64[D]")
        for base in sorted(self._bases(block, wanted), key=lambda b: len(wanted.keys() - b.folded)):
            state = self._load(base, block)
            if state is not None:
                passed = int((day - base.day) / np.timedelta64(1, "D"))
                new = [row for name, row in wanted.items() if name not in base.folded]
                return older(state, passed, self.rules.history), new, frozenset(wanted)
        return self._blank(block), list(rows), frozenset(wanted)

    def missing(self, block: Block, rows: Sequence[Receipt]) -> int:
        """Count the scenes that would be read, if every file is as it was written.

        Parameters
        ----------
        block : Block
            A tile and its issue day.
        rows : sequence of Receipt
            Of the scenes that it is to have seen.

        Returns
        -------
        int
            At most all.
        """
        wanted = {token(row): row for row in rows}
        bases = self._bases(block, wanted)
        self.keep(block, frozenset(wanted), self._blank(block))
        return min((len(wanted.keys() - base.folded) for base in bases), default=len(wanted))

    def add(self, state: State, block: Block, row: Receipt, scene: Scene) -> None:
        """Fold a scene into a state.

        Parameters
        ----------
        state : State
            As of the block's issue day; changed.
        block : Block
            Whose.
        row : Receipt
            Of the scene.
        scene : tuple of ndarray
            Its pixels.
        """
        day = self._scene_days[row.index[0]]
        age = (block.times[0].astype("datetime64[D]") - day) / np.timedelta64(1, "D")
        fold(state, int(age), scene, min_clear=self.rules.min_clear)

    def keep(self, block: Block, folded: Tokens, state: State) -> None:
        """Remember the state that was just made: the tile's next one may go on from it.

        Parameters
        ----------
        block : Block
            Whose.
        folded : frozenset of str
            What it has seen.
        state : State
            Not changed any more.
        """
        day = block.times[0].astype("datetime64[D]")
        self._last = block.index[1:], Base(day=day, folded=folded, state=state)

    def _bases(self, block: Block, wanted: Mapping[str, Receipt]) -> list[Base]:
        """States of the tile, none later, that have seen nothing but what is wanted or too old."""
        day = block.times[0].astype("datetime64[D]")
        in_memory = self._last is not None and self._last[0] == block.index[1:]
        found = [self._last[1]] if self._last is not None and in_memory else []
        for row in self._stored.get(block.index[1:], []):
            seen = frozenset(row.items[1:])
            found.append(Base(day=self._issue_days[row.index[0]], folded=seen, receipt=row))
        return [
            base
            for base in found
            if base.day <= day
            and all(name in wanted or self._too_old(name, day) for name in base.folded)
        ]

    def _too_old(self, name: str, day: np.datetime64) -> bool:
        """Whether no look at a scene may be left on an issue day."""
        scene = self._scene_days[int(name.split("/")[1])]
        return bool(day - scene > np.timedelta64(self.rules.history, "D"))

    def _load(self, base: Base, block: Block) -> State | None:
        """A state; None if its file is not the one that its receipt vouches for."""
        if base.state is not None:
            return base.state
        receipt = base.receipt
        if receipt is None or receipt.status == "empty":
            return self._blank(block)
        if not all(self._intact(wanted) for wanted in receipt.sums):
            return None
        dataset = open_cube(self.cube.path, self.layout.group, packed=True)
        return to_state(at(dataset, receipt.index)[LOOKS].values, self.rules.looks)

    def _intact(self, wanted: FileSum) -> bool:
        """Whether a file is as it was written."""
        try:
            content = self.cube.store.read(wanted.key)
        except FileNotFoundError:
            return False
        return FileSum.of(wanted.key, [content]) == wanted

    def _blank(self, block: Block) -> State:
        """A state that has seen nothing."""
        bands = len(self.layout.variables[0].bands) // self.rules.looks - 1
        height, width = block.geobox.shape
        return nothing(self.rules.looks, bands, (height, width))
