"""Chips of a split as tensors, and the order in which training takes them.

Apart from the data module, so that a process that only reads does not import Lightning.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from firesat.chipstore import ChipStore
from firesat.errors import SampleError
from firesat.sampling import weights
from firesat.scaling import Scaler
from firesat.turns import turned

Key = int | tuple[int, int]
"""Number of a chip within its split, and how it is turned."""


class Shuffled(Sampler[tuple[int, int]]):
    """A random order of chips and a random turn for each, anew in each epoch.

    Parameters
    ----------
    number : int
        Chips.
    turns : int
        Turns to choose from: 1 = none.
    seed : int
        Same seed and epoch: same order and turns, whatever the number of workers.
    """

    def __init__(self, number: int, turns: int, seed: int) -> None:
        self._number = number
        self._turns = turns
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this before each.

        Parameters
        ----------
        epoch : int
            From 0.
        """
        self._epoch = epoch

    def __len__(self) -> int:
        """Count the chips."""
        return self._number

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield (chip, turn)."""
        rng = np.random.default_rng([self._seed, self._epoch])
        order = rng.permutation(self._number)
        turns = rng.integers(self._turns, size=self._number)
        yield from zip(order.tolist(), turns.tolist(), strict=True)


class SplitChips(Dataset[dict[str, Tensor]]):
    """The chips of one split, ready for a network.

    Parameters
    ----------
    store : ChipStore
        All chips.
    split : str
        Which of them.

    Raises
    ------
    SampleError
        If there are none.
    """

    def __init__(self, store: ChipStore, split: str) -> None:
        self._store = store
        self._rows = np.flatnonzero(store.table["split"] == split)
        if not self._rows.size:
            raise SampleError(
                f"{store.path} has no chips for {split}: add it to sample.splits and run firesat "
                "sample again"
            )
        self._weights = weights(store.table["pi"].to_numpy()[self._rows])
        self._scaler = Scaler.from_record(store.attrs["scaler"])
        self._static = tuple(store.attrs["names"]["static"])

    def __len__(self) -> int:
        """Count the chips."""
        return len(self._rows)

    def __getitem__(self, key: Key) -> dict[str, Tensor]:
        """Give a chip, scaled, with its weight."""
        number, turn = key if isinstance(key, tuple) else (key, 0)
        chip = turned(self._store[int(self._rows[number])], turn, self._static)
        tensors = {
            name: torch.from_numpy(np.ascontiguousarray(values))
            for name, values in self._scaler.apply(chip).items()
        }
        return {**tensors, "weight": torch.tensor(self._weights[number], dtype=torch.float32)}
