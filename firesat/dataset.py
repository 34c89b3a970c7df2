"""Chips of a split as tensors.

Apart from the data module, so that a process that only reads does not import Lightning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from firesat.augmentation import MODALITIES, Augmentation, Change, changed
from firesat.batch import MASKS
from firesat.chipstore import EVERYTHING, ChipStore
from firesat.errors import ConfigError, SampleError
from firesat.sampling import weights
from firesat.scaling import Scaler, mask_of
from firesat.turns import turned

Key = int | tuple[int, int]
"""Number of a chip within its split; with the epoch, if it is to be augmented."""


class SplitChips(Dataset[dict[str, Tensor]]):
    """The chips of one split, ready for a network.

    Parameters
    ----------
    store : ChipStore
        All chips.
    split : str
        Which of them.
    augmentation : Augmentation
        What is done to a chip whose key has an epoch.
    seed : int
        Of the augmentation.
    blind : bool
        Whether each chip gets the looks of another, so that they can know nothing of it.
    without : tuple of str
        Modalities that no chip has.
    season : int, optional
        Year of T, to have its chips alone; each weighs as among all of the split.

    Raises
    ------
    ConfigError
        If there is no such modality.
    SampleError
        If there are none.
    """

    def __init__(
        self,
        store: ChipStore,
        split: str,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        *,
        blind: bool = False,
        without: tuple[str, ...] = (),
        season: int | None = None,
    ) -> None:
        if unknown := set(without) - MODALITIES.keys():
            raise ConfigError(
                f"data.without names {', '.join(sorted(unknown))}: what may be missing is "
                f"{', '.join(MODALITIES)}"
            )
        self._store, self._without = store, without
        rows = np.flatnonzero(store.table["split"] == split)
        years = store.table["reference_time"].dt.year.to_numpy()[rows]
        here = np.full(len(rows), True) if season is None else years == season
        if not here.any():
            raise SampleError(
                f"{store.path} has no chips for {split}: add it to sample.splits and run firesat "
                "sample again"
            )
        self._rows = rows[here].tolist()
        self._weights = weights(store.table["pi"].to_numpy()[rows]).astype(np.float32)[here]
        self._augmentation = augmentation or Augmentation()
        self._seed = seed
        # a turn of all rows: nobody keeps its own
        self._donors = np.roll(self._rows, len(self._rows) // 2).tolist() if blind else self._rows
        self._scaler = Scaler.from_record(store.attrs["scaler"])
        self._names = {name: tuple(some) for name, some in store.attrs["names"].items()}
        self._check_channels()

    def _check_channels(self) -> None:
        """Refuse fields of other chips before anything is learned from them."""
        for name, channels in self._names.items():
            found = self._store.arrays[name].shape[-3]
            if found != len(channels):
                raise SampleError(
                    f"{name} of {self._store.path} has {found} channels, its names are "
                    f"{', '.join(channels)}: run firesat sample again"
                )

    def __len__(self) -> int:
        """Count the chips."""
        return len(self._rows)

    @property
    def shards(self) -> NDArray[np.int64]:
        """The file that each chip lies in.

        Returns
        -------
        ndarray of int, shape (n,)
            Chips of the same file have the same number.
        """
        return np.array(self._rows) // self._store.shard

    def __getitem__(self, key: Key) -> dict[str, Tensor]:
        """Give a chip, scaled, with its weight."""
        return {name: values[0] for name, values in self.batch([key]).items()}

    def batch(self, keys: Sequence[Key]) -> dict[str, Tensor]:
        """Give some chips as a batch.

        Parameters
        ----------
        keys : sequence of int or tuple
            As `Key`.

        Returns
        -------
        dict of Tensor
            float32, as `firesat.batch`.
        """
        batch = self.room(len(keys))
        self.fill(batch, keys, range(len(keys)))
        return batch

    def room(self, number: int, *, pinned: bool = False) -> dict[str, Tensor]:
        """Make room for a batch.

        Parameters
        ----------
        number : int
            N.
        pinned : bool
            In memory from which a GPU copies without waiting.

        Returns
        -------
        dict of Tensor
            float32, not filled.
        """
        return {
            name: torch.empty((number, *shape), dtype=torch.float32, pin_memory=pinned)
            for name, shape in self._shapes.items()
        }

    def fill(self, batch: Mapping[str, Tensor], keys: Sequence[Key], places: Sequence[int]) -> None:
        """Read chips into their places in a batch. Several threads may fill one batch.

        Parameters
        ----------
        batch : mapping of Tensor
            From :meth:`room`.
        keys : sequence of int or tuple
            All chips of the batch, as `Key`.
        places : sequence of int
            Which of them are to be read.

        Raises
        ------
        CorruptChipError
            If a chip is not what was written; names it.
        """
        arrays = {name: values.numpy() for name, values in batch.items()}
        scratch = self._store.buffers(1)
        stored = {name: values[0] for name, values in scratch.items()}
        for place in places:
            number, change = self._change(keys[place])
            self._store.read([self._rows[number]], scratch)
            if self._donors is not self._rows:
                looks = {name: scratch[name] for name in ("sentinel2", "age")}
                self._store.read([self._donors[number]], looks)
            _refuse_later(stored["age"], self._rows[number])
            # field by field: what has just been unpacked is still in the cache
            for name, values in turned(stored, change.turn, self._names).items():
                field = changed(name, EVERYTHING[name].unpack(values), change)
                ready = {name: field, **mask_of(name, field)}
                self._scaler.into(ready, {name: arrays[name][place] for name in ready})
            arrays["weight"][place] = self._weights[number]

    def _change(self, key: Key) -> tuple[int, Change]:
        """Number of a chip, and what happens to it."""
        if isinstance(key, int):
            return key, Change(lost=self._without)
        number, epoch = key
        rng = np.random.default_rng([self._seed, epoch, self._rows[number]])
        looks = self._store.arrays["age"].shape[1]
        change = self._augmentation.draw(rng, self._names, looks)
        return number, replace(change, lost=(*change.lost, *self._without))

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each field of a batch, without N."""
        stored: dict[str, tuple[int, ...]] = {
            name: array.shape[1:] for name, array in self._store.arrays.items()
        }
        masks = {
            MASKS["sentinel2"]: stored["age"],
            MASKS["modis"]: stored["modis"],
            MASKS["weather"]: stored["weather"][:2],
            MASKS["fire"]: stored["fire"][:1],
        }
        if "around" in stored:
            masks["around_mask"] = stored["around"]
        return {**stored, **masks, "weight": ()}


def _refuse_later(age: NDArray[Any], row: int) -> None:
    """Refuse a look from after T, which no forecaster could have had."""
    if (age < 0).any():
        raise SampleError(
            f"chip {row} holds a look {-np.nanmin(age):g} days newer than its reference time: run "
            "firesat sample again"
        )
