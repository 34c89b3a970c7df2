"""CanadaFireSat for training and scoring: the data module that configs name.

Porta et al. (2026), ISPRS J. Photogramm. Remote Sens. 239: 555; data EPFL-ECEO/CanadaFireSat.
``docs/canadafiresat.md`` says what is read, and what is done otherwise than by its authors.
"""

from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch

from firesat.batch import Channels
from firesat.benchmark.layout import files_of, regions
from firesat.benchmark.pieces import Piece, pieces
from firesat.benchmark.sample import Taker
from firesat.benchmark.settings import BenchmarkInputs
from firesat.benchmark.statistics import Statistics, statistics
from firesat.benchmark.stream import Loader, Shuffle, Stream
from firesat.benchmark.variables import NAMES
from firesat.errors import CheckpointError, ConfigError
from firesat.scaling import Scaler
from firesat.turns import TURNS


class CanadaFireSat(pl.LightningDataModule):
    """Samples of CanadaFireSat as scaled batches.

    Parameters
    ----------
    path : Path
        Folder with a folder for each province or territory.
    regions : list of str, optional
        Some of them, as the folders are called; default all.
    inputs : BenchmarkInputs
        What is taken from a sample.
    batch_size : int
        Samples in a batch.
    workers : int
        Processes that read; 0 = none besides the trainer's own.
    augment : bool
        Whether training samples are turned and mirrored.
    seed : int
        Of the order and the turns. Same seed, epoch and number of workers: same batches.
    buffer : int
        Samples of each process among which the next is drawn, about 2 MB each.
    test : {"test", "test_hard"}
        Split that is tested: 2023 as it was drawn, or its fires among harder negatives.
    names : Path, optional
        JSON that names the variables; default ``meta_hf.json`` in `path`.
    statistics : Path
        JSON with the means and deviations of the training split, measured if there is none.
    statistics_samples : int
        Samples to measure, about.
    """

    def __init__(  # noqa: PLR0913  each is a key of the config
        self,
        path: Path,
        regions: list[str] | None = None,
        inputs: BenchmarkInputs = BenchmarkInputs(),  # noqa: B008  frozen
        batch_size: int = 16,
        workers: int = 0,
        augment: bool = True,
        seed: int = 0,
        buffer: int = 64,
        test: Literal["test", "test_hard"] = "test",
        names: Path | None = None,
        statistics: Path = Path("out/canadafiresat/statistics.json"),
        statistics_samples: int = 1024,
    ) -> None:
        super().__init__()
        self.path, self.test = Path(path), test
        self.inputs = inputs
        self.batch_size, self.workers = batch_size, workers
        self.augment, self.seed, self.buffer = augment, seed, buffer
        self.names = Path(names) if names else self.path / NAMES
        self.statistics, self.statistics_samples = Path(statistics), statistics_samples
        self._wanted = regions
        self._restored: Scaler | None = None
        if min(batch_size, buffer, statistics_samples) < 1 or workers < 0:
            raise ConfigError(
                "data: batch_size, buffer and statistics_samples start at 1, workers at 0"
            )

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """Provinces and territories.

        Returns
        -------
        tuple of str
            ``region`` of a batch counts them from 0.
        """
        return regions(self.path, self._wanted)

    @cached_property
    def _taker(self) -> Taker:
        """Takes samples from rows."""
        return Taker(self.inputs, self.names)

    def pieces(self, split: str) -> tuple[Piece, ...]:
        """List the row groups of a split.

        Parameters
        ----------
        split : {"train", "val", "test", "test_hard"}
            Which.

        Returns
        -------
        tuple of Piece
            By region, file and number; their rows sum to the samples of the split.
        """
        return pieces(self.path, split, self.regions, self._taker.columns)

    @cached_property
    def _statistics(self) -> Statistics:
        """Moments and base rate of the training split."""
        there = files_of(self.path, "train", self.regions)
        train = self.pieces("train") if there else ()
        return statistics(self.statistics, train, self._taker, self.statistics_samples)

    @property
    def channels(self) -> Channels:
        """Sizes that a network is built for.

        Returns
        -------
        Channels
            Linked to the network by the command line.
        """
        return self.inputs.channels

    @property
    def scaler(self) -> Scaler:
        """Moments of the training samples.

        Returns
        -------
        Scaler
            Already applied to every batch; once a checkpoint is restored, that of its training.
        """
        return self._restored or self._statistics.scaler

    @property
    def base_rate(self) -> float:
        """Share of the cells that burn, over the measured training samples.

        Returns
        -------
        float
            Of the samples as they were drawn: many times that of the land.
        """
        return self._statistics.base_rate

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must remember of the data.

        Returns
        -------
        dict
            Records of `inputs` and `scaler`, and the `regime`: plain values, no pickles.
        """
        return {
            "inputs": self.inputs.record,
            "scaler": self.scaler.record,
            "regime": "protocol",
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Scale as in the training of a checkpoint, whatever provinces are read now.

        Parameters
        ----------
        state_dict : dict
            From `state_dict`.

        Raises
        ------
        CheckpointError
            If the checkpoint has seen other channels.
        """
        for name in ("resolution", "modis", "weather"):
            then, now = state_dict["inputs"][name], getattr(self.inputs, name)
            if then != now:
                raise CheckpointError(
                    f"the checkpoint learned with data.inputs.{name} = {then}, now it is {now}: "
                    "give the same"
                )
        self._restored = Scaler.from_record(state_dict["scaler"])

    def train_dataloader(self) -> Loader:
        """Give batches for training.

        Returns
        -------
        Loader
            In random order, incomplete batches included.
        """
        epoch = self.trainer.current_epoch if self.trainer else 0
        turns = TURNS if self.augment else 1
        return self._loader(
            "train", Shuffle(seed=self.seed, buffer=self.buffer, turns=turns, epoch=epoch)
        )

    def val_dataloader(self) -> Loader:
        """Give batches for validation.

        Returns
        -------
        Loader
            In the order of the files, as they are.
        """
        return self._loader("val", None)

    def test_dataloader(self) -> Loader:
        """Give batches of the test split.

        Returns
        -------
        Loader
            In the order of the files, as they are.
        """
        return self._loader(self.test, None)

    def _loader(self, split: str, shuffle: Shuffle | None) -> Loader:
        """Batches of a split."""
        if self.trainer is not None and self.trainer.world_size > 1:
            raise ConfigError(
                "CanadaFireSat is read for one device, so that each sample comes once: set "
                "trainer.devices to 1"
            )
        stream: Any = Stream(  # what it yields besides batches is raised by the loader
            self.pieces(split),
            self.regions,
            self._taker,
            self.scaler,
            batch_size=self.batch_size,
            workers=self.workers,
            shuffle=shuffle,
        )
        return Loader(
            stream,
            batch_size=None,  # batches are made by the stream
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            # fork would copy locks of the trainer's threads
            multiprocessing_context="spawn" if self.workers else None,
            pin_memory=torch.cuda.is_available(),
        )
