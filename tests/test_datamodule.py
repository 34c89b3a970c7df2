"""Batches: sizes, order, weights, and what a checkpoint remembers."""

from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml
from jsonargparse import ArgumentParser
from torch import Tensor

from firesat.batch import Channels
from firesat.chipstore import ChipStore
from firesat.datamodule import ChipData
from firesat.dataset import Shuffled
from firesat.errors import SampleError
from firesat.samples import Inputs
from firesat.scaling import Scaler
from tests.tiny_chips import INPUTS, SIZE, write_tiny_chips

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_chips(tmp_path_factory.mktemp("store") / "chips.zarr")


def test_a_batch_has_the_sizes_that_channels_promise(path: Path) -> None:
    data = ChipData(path, batch_size=5)
    c = data.channels
    assert c == INPUTS.channels(SIZE) == Channels(
        looks=2, sentinel2=13, modis_steps=1, modis=1, weather_steps=4, weather=10, fire=3,
        static=8, size=20,
    )  # fmt: skip
    batch = next(iter(data.train_dataloader()))
    assert {name: tuple(values.shape) for name, values in batch.items()} == {
        "sentinel2": (5, 2, 13, 20, 20),
        "age": (5, 2, 20, 20),
        "clear": (5, 2, 20, 20),
        "modis": (5, 1, 1, 4, 4),
        "modis_mask": (5, 1, 1, 4, 4),
        "weather": (5, 4, 10, 2, 2),
        "weather_mask": (5, 4, 10),
        "fire": (5, 3, 20, 20),
        "static": (5, 8, 20, 20),
        "season": (5, 2),
        "label": (5, 2, 20, 20),
        "valid": (5, 2, 20, 20),
        "weight": (5,),
    }
    assert all(values.dtype == torch.float32 for values in batch.values())
    assert all(bool(torch.isfinite(values).all()) for values in batch.values())


def test_validation_comes_in_order_scaled_and_unturned(path: Path) -> None:
    data = ChipData(path, batch_size=8)
    (batch,) = data.val_dataloader()
    store = ChipStore(path)
    for number in range(8):
        for name, values in data.scaler.apply(store[40 + number]).items():
            np.testing.assert_array_equal(batch[name][number].numpy(), values, err_msg=name)


def test_training_channels_have_mean_0_and_std_1(path: Path) -> None:
    (batch,) = ChipData(path, batch_size=40, augment=False).train_dataloader()
    seen = batch["clear"].bool()
    bands = batch["sentinel2"].movedim(2, 0)[:, seen]
    torch.testing.assert_close(bands.mean(1), torch.zeros(13), atol=1e-4, rtol=0)
    torch.testing.assert_close(bands.std(1), torch.ones(13), atol=1e-3, rtol=0)
    assert not batch["sentinel2"].movedim(2, 0)[:, ~seen].any()


def test_weights_are_inverse_chances_with_mean_one(path: Path) -> None:
    (batch,) = ChipData(path, batch_size=8).val_dataloader()
    raw = torch.tensor([1.0, 2, 4, 8] * 2)
    torch.testing.assert_close(batch["weight"], raw / raw.mean())
    (train,) = ChipData(path, batch_size=40).train_dataloader()
    assert float(train["weight"].mean()) == pytest.approx(1, rel=1e-6)


def first_batches(data: ChipData, epoch: int) -> Tensor:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return torch.cat([batch["sentinel2"][:, 0, 0] for batch in loader])


def test_order_and_turns_depend_on_seed_and_epoch_alone(path: Path) -> None:
    data = ChipData(path, batch_size=16, seed=1)
    again = ChipData(path, batch_size=16, seed=1, memory=0)
    assert torch.equal(first_batches(data, 0), first_batches(again, 0))
    assert not torch.equal(first_batches(data, 0), first_batches(data, 1))
    assert not torch.equal(first_batches(data, 0), first_batches(ChipData(path, seed=2), 0))


def test_every_chip_comes_once_an_epoch() -> None:
    sampler = Shuffled(50, 8, seed=0)
    chips, turns = zip(*sampler, strict=True)
    assert sorted(chips) == list(range(50))
    assert set(turns) == set(range(8))
    assert {turn for _, turn in Shuffled(50, 1, seed=0)} == {0}


@pytest.mark.parametrize(
    ("augment", "static", "turns"),
    [
        (True, ("northness", "eastness"), 8),
        (True, ("elevation",), 8),
        (True, ("eastness",), 1),
        (False, ("elevation",), 1),
    ],
)
def test_chips_are_not_turned_where_slopes_could_not_follow(
    tmp_path: Path, augment: bool, static: tuple[str, ...], turns: int
) -> None:
    path = write_tiny_chips(tmp_path / "chips.zarr", 1, 0, Inputs(static=static))
    assert ChipData(path, augment=augment)._turns() == turns


def test_a_split_without_chips_is_an_error(path: Path) -> None:
    with pytest.raises(SampleError, match=r"no chips for test: add it to sample\.splits"):
        ChipData(path).test_dataloader()


def test_the_store_stays_on_disk_when_it_is_too_large(path: Path) -> None:
    assert ChipData(path).store._held
    assert not ChipData(path, memory=1e-6).store._held
    assert not ChipData(path, workers=1).store._held


@pytest.mark.slow
def test_a_worker_process_gives_the_same_batches(path: Path) -> None:
    alone, helped = (ChipData(path, batch_size=20, workers=n, seed=3) for n in (0, 1))
    for one, other in zip(alone.train_dataloader(), helped.train_dataloader(), strict=True):
        for name, values in one.items():
            assert torch.equal(values, other[name]), name


class Guess(pl.LightningModule):
    """One number, and a note of the batches it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.guess = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[float] = []

    def training_step(self, batch: dict[str, Tensor], number: int) -> Tensor:
        self.seen.append(float(batch["sentinel2"][0, 0, 0, 0, 0]))
        return ((self.guess - batch["label"]) ** 2).mean()

    def validation_step(self, batch: dict[str, Tensor], number: int) -> None:
        """Nothing to validate."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")  # one process is meant here
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # Lightning 2.6 with torch 2.10
def test_a_trainer_shuffles_each_epoch_and_its_checkpoint_knows_the_data(
    path: Path, tmp_path: Path
) -> None:
    data, network = ChipData(path, batch_size=20), Guess()
    trainer = pl.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, limit_val_batches=0,
        default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(network, datamodule=data)
    assert len(set(network.seen)) == 4
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)["ChipData"]
    assert Inputs.from_record(content["inputs"]) == data.inputs == INPUTS
    assert Scaler.from_record(content["scaler"]) == data.scaler
    assert content["regime"] == "protocol"


@pytest.mark.parametrize(
    "config", sorted((ROOT / "configs" / "data").glob("*.yaml")), ids=lambda path: path.stem
)
def test_shipped_configs_build_a_data_module(config: Path) -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(pl.LightningDataModule, "data")
    content = {"data": yaml.safe_load(config.read_text())}
    data = parser.instantiate(parser.parse_object(content))["data"]
    assert isinstance(data, pl.LightningDataModule)
    # linked to the network and the forecaster by the command line
    assert {"channels", "inputs", "scaler", "base_rate"} <= set(dir(data))


def test_the_base_rate_counts_each_chip_for_those_it_stands_for(path: Path) -> None:
    # of four chips with pi 1, 1/2, 1/4, 1/8 the second and the fourth have two burning cells
    by_hand = (1 * 1 + 2 * 2 + 4 * 1 + 8 * 2) / (15 * SIZE**2)
    assert ChipData(path).base_rate == pytest.approx(by_hand)
