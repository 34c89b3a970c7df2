"""Batches: sizes, order, weights, and what a checkpoint remembers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml
from jsonargparse import ArgumentParser
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader

from firesat.augmentation import LOSSES
from firesat.batch import Channels
from firesat.chipstore import ChipStore, write_chips
from firesat.datamodule import ChipData
from firesat.dataset import SplitChips
from firesat.errors import ConfigError, SampleError
from firesat.samples import Inputs
from firesat.scaling import Scaler
from tests.tiny_chips import INPUTS, SIZE, make_chip, write_tiny_chips

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_chips(tmp_path_factory.mktemp("store") / "chips.zarr")


def test_a_batch_has_the_sizes_that_channels_promise(path: Path) -> None:
    data = ChipData(path, batch_size=5)
    c = data.channels
    assert c == INPUTS.channels(SIZE) == Channels(
        looks=2, sentinel2=13, modis_steps=1, modis=1, weather_steps=4, weather=10, fire=3,
        static=8, size=20, leads=8,
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
        "fire_mask": (5, 3),
        "static": (5, 8, 20, 20),
        "season": (5, 2),
        "label": (5, 2, 20, 20),
        "valid": (5, 2, 20, 20),
        "lead": (5, 2, 20, 20),
        "starts": (5, 8, 2, 2),
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


def test_seasons_hold_the_training_chips_as_they_are(path: Path) -> None:
    data = ChipData(path, batch_size=5, look_dropout=1.0, modality_dropout=1.0)
    table = data.store.table
    train = table[table["split"] == "train"]
    seasons = data.seasons()
    assert list(seasons) == sorted(train["reference_time"].dt.year.unique())
    everything = SplitChips(data.store, "train")
    for year, loader in seasons.items():
        rows = np.flatnonzero(train["reference_time"].dt.year == year)
        assert 0 < len(rows) < len(train)
        wanted, found = everything.batch(rows.tolist()), list(loader)
        # in random order: where a season has more chips than are read, they are any of it
        order, again = (
            torch.cat([batch["static"][:, 0, 0, 0] for batch in batches]).argsort()
            for batches in ([wanted], found)
        )
        assert again.tolist() != order.tolist()
        for name, values in wanted.items():
            given = torch.cat([batch[name] for batch in found])[again]
            np.testing.assert_array_equal(given.numpy(), values[order].numpy(), err_msg=name)


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
    again = ChipData(path, batch_size=16, seed=1)
    assert torch.equal(first_batches(data, 0), first_batches(again, 0))
    assert not torch.equal(first_batches(data, 0), first_batches(data, 1))
    assert not torch.equal(first_batches(data, 0), first_batches(ChipData(path, seed=2), 0))


def same_chips(path: Path, **changes: object) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """All training chips, changed and not, in the same order."""
    (changed,) = ChipData(path, batch_size=40, flips=False, quarter_turns=False, **changes
                          ).train_dataloader()  # fmt: skip
    (plain,) = ChipData(path, batch_size=40, augment=False, **changes).train_dataloader()
    return changed, plain


def test_lost_looks_are_zero_with_their_masks(path: Path) -> None:
    changed, plain = same_chips(path, look_dropout=0.5)
    assert 0.3 < float(changed["clear"].mean() / plain["clear"].mean()) < 0.7
    gone = changed["clear"] == 0
    assert not changed["age"][gone].any()
    assert not changed["sentinel2"].movedim(2, 0)[:, gone].any()
    for name in ("modis", "weather", "fire", "static", "label", "valid", "season", "weight"):
        assert torch.equal(changed[name], plain[name]), name


def test_a_lost_modality_is_zero_with_its_mask(path: Path) -> None:
    changed, _ = same_chips(path, modality_dropout=1.0)
    for chip in range(40):
        lost = [
            name
            for name, mask in (("sentinel2", "clear"), ("modis", "modis_mask"),
                               ("weather", "weather_mask"), ("fire", "fire_mask"))
            if not changed[mask][chip].any()
        ]  # fmt: skip
        assert tuple(lost) in LOSSES
        assert not any(changed[name][chip].any() for name in lost)


def test_jitter_is_a_gain_in_physical_units(path: Path) -> None:
    data = ChipData(path)
    changed, plain = same_chips(path, spectral_jitter=0.05)
    mean = torch.tensor(data.scaler.mean["sentinel2"])[:, None, None]
    std = torch.tensor(data.scaler.std["sentinel2"])[:, None, None]
    seen = plain["clear"].bool()[:, :, None].expand_as(plain["sentinel2"])
    gain = (changed["sentinel2"] * std + mean) / (plain["sentinel2"] * std + mean)
    clear = gain[plain["sentinel2"].abs().gt(0) & seen & (plain["sentinel2"] * std + mean > 0.1)]
    assert float(clear.std()) == pytest.approx(0.05, rel=0.1)
    assert float(clear.mean()) == pytest.approx(1, abs=0.01)
    first = gain[0, 0, 0][(plain["sentinel2"] * std + mean)[0, 0, 0] > 0.1]
    torch.testing.assert_close(first, first[:1].expand_as(first), rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    ("augment", "static", "turns"),
    [
        (True, ("northness", "eastness"), 8),
        (True, ("elevation",), 8),
        (True, ("eastness",), 4),
        (False, ("elevation",), 1),
    ],
)
def test_chips_are_not_turned_where_slopes_could_not_follow(
    tmp_path: Path, augment: bool, static: tuple[str, ...], turns: int
) -> None:
    path = write_tiny_chips(tmp_path / "chips.zarr", 1, 0, Inputs(static=static))
    chips = ChipData(path, augment=augment).train_dataloader().chips
    seen = {chips.batch([(0, epoch)])["label"].numpy().tobytes() for epoch in range(60)}
    assert len(seen) == turns


def test_a_split_without_chips_is_an_error(path: Path) -> None:
    with pytest.raises(SampleError, match=r"no chips for test: add it to sample\.splits"):
        ChipData(path).test_dataloader()


def test_a_store_of_other_channels_is_refused(tmp_path: Path) -> None:
    path = write_tiny_chips(tmp_path / "chips.zarr", 2, 0)
    meta = json.loads((path / "zarr.json").read_text())
    meta["attributes"]["names"]["fire"] = ["proximity"]
    (path / "zarr.json").write_text(json.dumps(meta))
    with pytest.raises(SampleError, match=r"fire of .* has 3 channels, its names are proximity"):
        ChipData(path).train_dataloader()


@pytest.mark.parametrize(("key", "words"), [
    ({"batch_size": 0}, "data.batch_size=0 and data.workers=2"),
    ({"workers": -1}, "data.batch_size=16 and data.workers=-1"),
    ({"look_dropout": 2.0}, "data.look_dropout is 2.0"),
])  # fmt: skip
def test_impossible_settings_are_refused(path: Path, key: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ChipData(path, **key)


@pytest.mark.slow
def test_torch_can_read_the_split_with_processes_of_its_own(path: Path) -> None:
    chips = ChipData(path, batch_size=20).val_dataloader().chips
    spawned = DataLoader(chips, batch_size=4, num_workers=1, multiprocessing_context="spawn")
    for number, batch in enumerate(spawned):
        for name, values in chips.batch(range(4 * number, 4 * number + 4)).items():
            assert torch.equal(values, batch[name]), name


class Guess(pl.LightningModule):
    """One number, and a note of the batches it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.guess = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[float] = []

    def training_step(self, batch: dict[str, Tensor], number: int) -> Tensor:
        self.seen.append(float(batch["sentinel2"].sum()))
        return ((self.guess - batch["label"]) ** 2).mean()

    def validation_step(self, batch: dict[str, Tensor], number: int) -> None:
        """Nothing to validate."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


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


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # Lightning 2.6 with torch 2.10
@pytest.mark.filterwarnings("ignore:You requested to overfit but enabled")  # Lightning cannot know
def test_overfitting_sees_the_same_batches_each_epoch(path: Path, tmp_path: Path) -> None:
    network = Guess()
    trainer = pl.Trainer(
        max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, overfit_batches=2,
        num_sanity_val_steps=0, limit_val_batches=0, default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(network, datamodule=ChipData(path, batch_size=16))
    assert network.seen == network.seen[:2] * 3
    assert len(set(network.seen)) == 2


def trained(path: Path, folder: Path, epochs: int, **settings: Any) -> Guess:
    """A run whose batches are noted; checkpoints go to `folder`."""
    resume = settings.pop("ckpt_path", None)
    saver = ModelCheckpoint(folder, filename="{step}", save_top_k=-1, **settings)
    network = Guess()
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, callbacks=[saver],
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    data = ChipData(path, batch_size=16, workers=2, look_dropout=0.3)
    trainer.fit(network, datamodule=data, ckpt_path=resume)
    return network


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # Lightning 2.6 with torch 2.10
@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")  # meant
@pytest.mark.parametrize(("every", "step"), [
    ({"every_n_train_steps": 2}, 2),  # in the first epoch of three batches
    ({"every_n_train_steps": 1}, 4),  # in the second
    ({"every_n_epochs": 1}, 3),  # after the first
    ({"every_n_epochs": 1, "save_on_train_epoch_end": True}, 6),  # after the second
])  # fmt: skip
def test_a_resumed_training_sees_the_batches_it_would_have_seen(
    path: Path, tmp_path: Path, every: dict[str, Any], step: int
) -> None:
    whole = trained(path, tmp_path, 3, **every)
    assert len(whole.seen) == len(set(whole.seen)) == 9
    resumed = trained(path, tmp_path, 3, **every, ckpt_path=tmp_path / f"step={step}.ckpt")
    assert resumed.seen == whole.seen[step:]
    assert resumed.guess.item() == whole.guess.item()


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


def test_blind_chips_have_the_looks_of_others_and_all_else_of_their_own(path: Path) -> None:
    plain, blind = (
        next(iter(ChipData(path, batch_size=8, workers=0, blind=yes).val_dataloader()))
        for yes in (False, True)
    )
    for name, values in plain.items():
        own = [torch.equal(values[i], blind[name][i]) for i in range(8)]
        assert not any(own) if name in ("sentinel2", "age") else all(own) or name == "clear", name
    assert torch.equal(plain["sentinel2"].roll(4, dims=0), blind["sentinel2"])


def test_chips_without_an_input_lack_it_everywhere_and_have_all_else(path: Path) -> None:
    plain = ChipData(path, batch_size=8, workers=0)
    spared = ChipData(path, batch_size=8, workers=0, without=("sentinel2",))
    for one, two in (
        (plain.train_dataloader(), spared.train_dataloader()),
        (plain.val_dataloader(), spared.val_dataloader()),
    ):
        whole, less = next(iter(one)), next(iter(two))
        for name, values in whole.items():
            gone = name in ("sentinel2", "age", "clear")
            assert not less[name].any() if gone else torch.equal(less[name], values), name
    with pytest.raises(
        ConfigError, match=r"data\.without names radar: what may be missing is sent"
    ):
        next(iter(ChipData(path, workers=0, without=("radar",)).val_dataloader()))


def test_a_look_from_after_the_reference_time_is_refused(tmp_path: Path) -> None:
    chips = [make_chip(seed) for seed in range(3)]
    chips[1]["age"][0, 0, 0] = -2.0
    path = write_tiny_chips(tmp_path / "chips.zarr", train=3, val=3)
    store = ChipStore(path)
    write_chips(path, lambda: store.table[:3], chips, 3, lambda: store.attrs)
    with pytest.raises(SampleError, match="chip 1 holds a look 2 days newer than its reference"):
        list(ChipData(path, workers=0, augment=False).train_dataloader())
