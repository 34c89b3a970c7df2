"""Batches for training: chips from the store, augmented, scaled, weighted."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from firesat.augmentation import Augmentation
from firesat.batch import Channels
from firesat.checkpoint import refuse_other
from firesat.chipstore import ChipStore
from firesat.dataset import SplitChips
from firesat.errors import ConfigError, SampleError
from firesat.loader import Loader, Order
from firesat.samples import Inputs
from firesat.scaling import Scaler


class ChipData(pl.LightningDataModule):
    """Chips of a store as scaled batches.

    Parameters
    ----------
    path : Path
        A store made by ``firesat sample``.
    batch_size : int
        Chips in a batch.
    workers : int
        Threads that read ahead; 0 = the trainer reads, and waits.
    seed : int
        Of the order and the augmentation.
    augment : bool
        Whether training chips are changed at all by what follows.
    flips : bool
        Mirror images, slopes turning with the ground.
    quarter_turns : bool
        Turns by a right angle.
    look_dropout : float
        Chance that a Sentinel-2 look is lost as if to a cloud, 0..1.
    modality_dropout : float
        Chance that a chip loses all of Sentinel-2, MODIS, the weather or the fires, or several.
    spectral_jitter : float
        Standard deviation of the gain of each look and band, 0..1; 0.03 is the instrument's own.
    blind : bool
        Whether each chip gets the Sentinel-2 looks of another: a test of what they add, never for
        a forecast.
    without : tuple of str
        Modalities that no chip has, such as "sentinel2": to learn what one adds.

    Raises
    ------
    ConfigError
        If a number is impossible.
    """

    def __init__(  # noqa: PLR0913  each is a key of the config
        self,
        path: Path,
        batch_size: int = 16,
        workers: int = 2,
        seed: int = 0,
        augment: bool = True,
        flips: bool = True,
        quarter_turns: bool = True,
        look_dropout: float = 0.0,
        modality_dropout: float = 0.0,
        spectral_jitter: float = 0.0,
        blind: bool = False,
        without: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        if batch_size < 1 or workers < 0:
            raise ConfigError(
                f"data.batch_size={batch_size} and data.workers={workers}: from 1 and from 0 on"
            )
        self.path = Path(path)
        self.batch_size = batch_size
        self.workers = workers
        self.seed, self.blind, self.without = seed, blind, tuple(without)
        chosen = Augmentation(
            flips=flips,
            quarter_turns=quarter_turns,
            look_dropout=look_dropout,
            modality_dropout=modality_dropout,
            spectral_jitter=spectral_jitter,
        )
        self.augmentation = chosen if augment else Augmentation()

    @cached_property
    def store(self) -> ChipStore:
        """The chips, opened when first asked for.

        Returns
        -------
        ChipStore
            On disk; the system keeps in memory what is read often.
        """
        return ChipStore(self.path)

    @property
    def inputs(self) -> Inputs:
        """What a chip is made of.

        Returns
        -------
        Inputs
            A map must be made from the same.
        """
        return Inputs.from_record(self.store.attrs["inputs"])

    @property
    def channels(self) -> Channels:
        """Sizes that a network is built for.

        Returns
        -------
        Channels
            Linked to the network by the command line; without leads where the chips lack them.
        """
        channels = Channels(**self.store.attrs["channels"])
        return channels if "lead" in self.store.arrays else replace(channels, leads=0)

    @property
    def data_sha256(self) -> str:
        """Hash of the chips' table.

        Returns
        -------
        str
            Other chips, another hash.
        """
        return str(self.store.attrs["table_sha256"])

    @property
    def crs(self) -> str:
        """Of the grid that the chips were cut from.

        Returns
        -------
        str
            Empty where the chips do not say.
        """
        return str(self.store.attrs.get("crs", ""))

    @property
    def lattice(self) -> dict[str, Any]:
        """Where the cells lie that the chips were cut from.

        Returns
        -------
        dict
            As `firesat.grid.Grid.lattice`; empty where the chips do not say.
        """
        return dict(self.store.attrs.get("lattice", {}))

    @property
    def scaler(self) -> Scaler:
        """Moments of the training chips.

        Returns
        -------
        Scaler
            Already applied to every batch.
        """
        return Scaler.from_record(self.store.attrs["scaler"])

    @cached_property
    def base_rate(self) -> float:
        """Chance that a cell at risk burns in a window of the training periods.

        Returns
        -------
        float
            Ratio of the sums over chips, each divided by its inclusion probability; above 0.

        Raises
        ------
        SampleError
            If nothing burned: there is nothing to learn.
        """
        train = self.store.table[self.store.table["split"] == "train"]
        if not train["burning"].any():
            raise SampleError(
                f"nothing burned in the training chips of {self.path}: there is nothing to learn. "
                "Raise sample.positives or give longer periods (sample.splits.train), then run "
                "firesat sample"
            )
        share = (train["burning"] / train["pi"]).sum() / (train["at_risk"] / train["pi"]).sum()
        return float(share)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must remember of the data.

        Returns
        -------
        dict
            Records of `inputs`, `scaler`, `channels` and the `regime`: plain values, no pickles.
        """
        return {key: self.store.attrs[key] for key in ("inputs", "scaler", "channels", "regime")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuse a checkpoint that learned from chips of another kind.

        Parameters
        ----------
        state_dict : dict
            From `state_dict`.

        Raises
        ------
        CheckpointError
            If bands, grid, scaling or regime differ; it says how.
        """
        refuse_other(state_dict, self.state_dict(), f"the chips of {self.path}")

    def train_dataloader(self) -> Loader:
        """Give batches for training.

        Returns
        -------
        Loader
            In random order, incomplete last batch included.
        """
        return self._loader("train", self.seed)

    def seasons(self, split: str = "train") -> dict[int, Loader]:
        """Give the chips of a split season by season, nothing lost or turned.

        Parameters
        ----------
        split : str
            Such as "train" or "val".

        Returns
        -------
        dict of int to Loader
            By year of T, each in random order; all chips in every process, where several train.
        """
        table = self.store.table[self.store.table["split"] == split]
        chips = {
            int(year): SplitChips(self.store, split, without=self.without, season=int(year))
            for year in sorted(table["reference_time"].dt.year.unique())
        }
        return {
            year: Loader(some, Order(some.shards, self.batch_size, self.seed), self.workers)
            for year, some in chips.items()
        }

    def val_dataloader(self) -> Loader:
        """Give batches for validation.

        Returns
        -------
        Loader
            In the order of the table, as they are.
        """
        return self._loader("val")

    def test_dataloader(self) -> Loader:
        """Give batches of the test split.

        Returns
        -------
        Loader
            In the order of the table, as they are.
        """
        return self._loader("test")

    def _loader(self, split: str, seed: int | None = None) -> Loader:
        """Batches of a split; those of this process, where several train."""
        chips = SplitChips(
            self.store,
            split,
            self.augmentation,
            self.seed,
            blind=self.blind,
            without=self.without,
        )
        trainer = self.trainer
        rank, ranks, pinned = 0, 1, False
        if trainer:
            rank, ranks = trainer.global_rank, trainer.world_size
            pinned = trainer.strategy.root_device.type == "cuda"
        if getattr(trainer, "overfit_batches", 0):
            seed = None  # the same few batches each time
        scored = split != "train"
        order = Order(chips.shards, self.batch_size, seed, rank, ranks, scored=scored)
        return Loader(chips, order, self.workers, pinned=pinned)
