"""Batches for training: chips from the store, turned, scaled, weighted."""

from functools import cached_property
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from firesat.batch import Channels
from firesat.chipstore import ChipStore
from firesat.dataset import Shuffled, SplitChips
from firesat.samples import Inputs
from firesat.scaling import Scaler
from firesat.turns import TURNS


class ChipData(pl.LightningDataModule):
    """Chips of a store as scaled batches.

    Parameters
    ----------
    path : Path
        A store made by ``firesat sample``.
    batch_size : int
        Chips in a batch.
    workers : int
        Processes that read; 0 = none besides the trainer's own.
    augment : bool
        Whether training chips are turned and mirrored.
    seed : int
        Of the order and the turns.
    memory : float
        GiB that the chips may take if one process reads them; larger stores stay on disk.
    """

    def __init__(
        self,
        path: Path,
        batch_size: int = 16,
        workers: int = 0,
        augment: bool = True,
        seed: int = 0,
        memory: float = 2.0,
    ) -> None:
        super().__init__()
        self.path = Path(path)
        self.batch_size = batch_size
        self.workers = workers
        self.augment = augment
        self.seed = seed
        self.memory = memory
        self._store: ChipStore | None = None

    @property
    def store(self) -> ChipStore:
        """The chips, opened when first asked for.

        Returns
        -------
        ChipStore
            In memory if they fit.
        """
        if self._store is None:
            self._store = ChipStore(self.path)
            if self.workers == 0 and self._store.bytes <= self.memory * 2**30:
                self._store.hold()
        return self._store

    @cached_property
    def _attrs(self) -> dict[str, Any]:
        """What the store says of itself."""
        return ChipStore(self.path).attrs

    @property
    def inputs(self) -> Inputs:
        """What a chip is made of.

        Returns
        -------
        Inputs
            A map must be made from the same.
        """
        return Inputs.from_record(self._attrs["inputs"])

    @property
    def channels(self) -> Channels:
        """Sizes that a network is built for.

        Returns
        -------
        Channels
            Linked to the network by the command line.
        """
        return Channels(**self._attrs["channels"])

    @property
    def scaler(self) -> Scaler:
        """Moments of the training chips.

        Returns
        -------
        Scaler
            Already applied to every batch.
        """
        return Scaler.from_record(self._attrs["scaler"])

    @cached_property
    def base_rate(self) -> float:
        """Chance that a cell at risk burns in a window of the training periods.

        Returns
        -------
        float
            Ratio of the sums over chips, each divided by its inclusion probability.
        """
        train = self.store.table[self.store.table["split"] == "train"]
        share = (train["burning"] / train["pi"]).sum() / (train["at_risk"] / train["pi"]).sum()
        return float(share)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must remember of the data.

        Returns
        -------
        dict
            Records of `inputs`, `scaler`, `channels` and the `regime`: plain values, no pickles.
        """
        return {key: self._attrs[key] for key in ("inputs", "scaler", "channels", "regime")}

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Give batches for training.

        Returns
        -------
        DataLoader
            In random order, incomplete last batch included.
        """
        chips = SplitChips(self.store, "train")
        return self._loader(chips, Shuffled(len(chips), self._turns(), self.seed))

    def val_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Give batches for validation.

        Returns
        -------
        DataLoader
            In the order of the table, as they are.
        """
        return self._loader(SplitChips(self.store, "val"), None)

    def test_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Give batches of the test split.

        Returns
        -------
        DataLoader
            In the order of the table, as they are.
        """
        return self._loader(SplitChips(self.store, "test"), None)

    def _turns(self) -> int:
        """How many turns there are; none if a slope component would need the other one."""
        if not self.augment:
            return 1
        lone = len({"northness", "eastness"} & set(self.inputs.static)) == 1
        return 1 if lone else TURNS

    def _loader(self, chips: SplitChips, sampler: Shuffled | None) -> DataLoader[dict[str, Tensor]]:
        """Batches of a split."""
        return DataLoader(
            chips,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            # fork would copy locks of the trainer's threads
            multiprocessing_context="spawn" if self.workers else None,
            pin_memory=torch.cuda.is_available(),
        )
