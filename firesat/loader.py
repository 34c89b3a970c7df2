"""Batches read ahead by threads, in an order that is random and yet kind to the disk."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from firesat.dataset import Key, SplitChips

POOL = 32
"""Shards whose chips are mixed with each other: 2048 chips, and fewer files than stay open."""

AHEAD = 2
"""Batches that are being read while one is learned from."""

_NOWHERE = (-1, 0)  # epoch, and batches of it that were given already


class Order:
    """Which chips make up which batch.

    In training, the shards are shuffled and dealt into as many pools of equal size as make each
    at most `POOL` shards; the chips of a pool are shuffled with each other; the pools follow one
    another. A store of one pool, which is up to 2048 chips, is shuffled as a whole: every order
    is as likely as any other. In larger ones a batch mixes chips of `POOL` shards drawn at
    random, and each epoch draws other pools.

    Parameters
    ----------
    shards : ndarray of int, shape (n,)
        The file that each chip lies in.
    batch_size : int
        Chips in a batch; the last may have fewer.
    seed : int, optional
        Same seed and epoch, same order. None = as they lie, not augmented.
    rank, ranks : int
        This process and how many there are, each of which takes every ``ranks``-th batch. Where
        they do not come out even, the first batches are given twice, so that none waits for ever.
    scored : bool
        Whether each chip counts once, whoever is given it: see `repeats`.
    """

    def __init__(
        self,
        shards: NDArray[np.int64],
        batch_size: int,
        seed: int | None = None,
        rank: int = 0,
        ranks: int = 1,
        *,
        scored: bool = False,
    ) -> None:
        self._shards = shards
        self._batch_size = batch_size
        self._seed = seed
        self._rank, self._ranks, self._scored = rank, ranks, scored
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this before each.

        Parameters
        ----------
        epoch : int
            From 0.
        """
        self.epoch = epoch

    def __len__(self) -> int:
        """Count the batches of this process."""
        return -(-self._batches // self._ranks)

    def batches(self) -> list[list[Key]]:
        """Deal the chips of this epoch.

        Returns
        -------
        list of list
            Keys of each batch, as `firesat.dataset.Key`.
        """
        chips = self._chips().tolist()
        size = self._batch_size
        numbers = (self._rank + self._ranks * i for i in range(len(self)))
        starts = [number % self._batches * size for number in numbers]
        dealt = [chips[start : start + size] for start in starts]
        if self._seed is None:
            return dealt
        return [[(chip, self.epoch) for chip in some] for some in dealt]

    def repeats(self, number: int) -> bool:
        """Say whether a batch is another process's, dealt so that all have as many.

        Parameters
        ----------
        number : int
            Of a batch of this process.

        Returns
        -------
        bool
            Such a batch must not be scored twice. In training, where it does no harm, False.
        """
        return self._scored and self._rank + self._ranks * number >= self._batches

    @property
    def _batches(self) -> int:
        """Batches of all processes."""
        return -(-len(self._shards) // self._batch_size)

    def _chips(self) -> NDArray[np.intp]:
        """All chips in their order."""
        if self._seed is None:
            return np.arange(len(self._shards))
        rng = np.random.default_rng([self._seed, self.epoch])
        files, file = np.unique(self._shards, return_inverse=True)
        pools = -(-len(files) // POOL)
        pool = rng.permutation(len(files))[file] * pools // len(files)
        return np.lexsort((rng.random(len(file)), pool))


class Loader:
    """Batches of a split, one after the other.

    Threads, not processes: decoding and scaling let go of Python's lock, so nothing is copied
    between processes, and no lock of the trainer's threads is forked.

    Parameters
    ----------
    chips : SplitChips
        The split.
    sampler : Order
        Its batches; Lightning looks for it under this name.
    threads : int
        Readers; 0 = the caller reads when it asks.
    pinned : bool
        Whether batches lie in memory from which a GPU copies without waiting.
    """

    batch_sampler = None  # Lightning asks for one wherever there is a sampler

    def __init__(
        self, chips: SplitChips, sampler: Order, threads: int, *, pinned: bool = False
    ) -> None:
        self.chips = chips
        self.sampler = sampler
        self._threads = threads
        self._pinned = pinned
        self._given = 0
        self._resume = _NOWHERE

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        return len(self.sampler)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Give the batches of the epoch; nothing is read before the first is asked for."""
        epoch, given = self._resume
        self._given = given if epoch == self.sampler.epoch else 0
        self._resume = _NOWHERE
        batches = self.sampler.batches()[self._given :]
        if not self._threads:
            for keys in batches:
                yield self._give(self.chips.batch(keys))
            return
        yield from self._ahead(batches)

    def state_dict(self) -> dict[str, Any]:
        """Say how far it has come; Lightning writes this into checkpoints.

        Returns
        -------
        dict
            Epoch, and batches given in it.
        """
        return {"epoch": self.sampler.epoch, "given": self._given}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there: the rest of that epoch is the same as if nothing had happened.

        Parameters
        ----------
        state : dict
            From :meth:`state_dict`.
        """
        self._resume = (int(state["epoch"]), int(state["given"]))

    def _ahead(self, batches: list[list[Key]]) -> Iterator[dict[str, Tensor]]:
        """Keep `AHEAD` batches in the making."""
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="chips")
        waiting: deque[_Pending] = deque()
        try:
            for keys in batches:
                waiting.append(self._start(pool, keys))
                if len(waiting) > AHEAD:
                    yield self._finish(waiting.popleft())
            while waiting:
                yield self._finish(waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _start(self, pool: ThreadPoolExecutor, keys: list[Key]) -> "_Pending":
        """Set every reader to its share of a batch."""
        batch = self.chips.room(len(keys), pinned=self._pinned)
        shares = (range(first, len(keys), self._threads) for first in range(self._threads))
        return batch, [pool.submit(self.chips.fill, batch, keys, share) for share in shares]

    def _finish(self, pending: "_Pending") -> dict[str, Tensor]:
        """Wait for a batch."""
        batch, shares = pending
        for share in shares:
            share.result()
        return self._give(batch)

    def _give(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Count a batch; one that another process scores weighs nothing."""
        if self.sampler.repeats(self._given):
            batch["weight"].zero_()
        self._given += 1
        return batch


_Pending = tuple[dict[str, Tensor], list[Future[None]]]
