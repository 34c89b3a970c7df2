"""What a training may be given, and what it leaves behind when something goes wrong."""

import builtins
import importlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pytorch_lightning import Callback
from torch import Tensor, nn
from torch.utils.data import DataLoader

from firesat.batch import Channels
from firesat.checkpoint import RECORD, read_checkpoint
from firesat.chipstore import ChipStore, write_chips
from firesat.datamodule import ChipData
from firesat.errors import CheckpointError, ConfigError, TrainingError
from firesat.jobs.train import train
from firesat.jobs.train.keys import ALLOWED, assemble, check
from firesat.jobs.train.lightning import build, quiet
from firesat.model_folder import load_forecaster
from firesat_models.encoders import build_encoder
from tests.fake_chips import FakeChips
from tests.tiny_chips import make_chip, write_tiny_chips

TRUSTED = (*ALLOWED, "tests.")
TRAINERS = Path(__file__).parents[1] / "configs" / "trainer"


class Call:
    """A pickle that calls something when it is opened."""

    def __init__(self, what: Callable[..., Any], *arguments: Any) -> None:
        self.what, self.arguments = what, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.what, self.arguments


def _payloads(canary: Path) -> list[Call]:
    """Ways to write a file by being opened."""
    code = f"open({str(canary)!r}, 'w').close()"
    return [
        Call(os.system, f"touch {canary}"),
        Call(os.popen, f"touch {canary}"),
        Call(os.mkdir, str(canary)),
        Call(subprocess.check_call, ["touch", str(canary)]),
        Call(subprocess.Popen, ["touch", str(canary)]),
        Call(builtins.eval, code),
        Call(builtins.exec, code),
        Call(builtins.open, str(canary), "w"),
        Call(Path.touch, canary),
        Call(shutil.copy, __file__, str(canary)),
        Call(importlib.import_module, "this"),
        Call(getattr, Call(importlib.import_module, "os"), "system"),
    ]


def _forms(payload: object) -> list[Callable[[Path], object]]:
    """Places in a file where a payload may hide, the last not a zip at all."""
    return [
        lambda path: torch.save(payload, path),
        lambda path: torch.save({RECORD: payload, "state_dict": {}}, path),
        lambda path: torch.save({RECORD: {"inputs": [payload]}, "state_dict": {}}, path),
        lambda path: torch.save({RECORD: {}, "state_dict": {"w": payload}}, path),
        lambda path: path.write_bytes(pickle.dumps({RECORD: payload})),
    ]


def test_no_hostile_pickle_is_run_wherever_it_hides(tmp_path: Path) -> None:
    canary, path, tried = tmp_path / "canary", tmp_path / "x.ckpt", 0
    for payload in _payloads(canary):
        for write in _forms(payload):
            write(path)
            with pytest.raises(CheckpointError) as caught:
                read_checkpoint(path)
            assert "\n" not in str(caught.value)
            assert not canary.exists(), payload.what
            tried += 1
    assert tried >= 50


@pytest.mark.parametrize("subcommand", ["fit", "validate", "test"])
def test_a_training_does_not_open_a_hostile_checkpoint(tmp_path: Path, subcommand: str) -> None:
    path = tmp_path / "x.ckpt"
    torch.save({"state_dict": {}, RECORD: Call(os.mkdir, str(tmp_path / "canary"))}, path)
    with pytest.raises(CheckpointError, match="does not open it"):
        train(subcommand, _settings(tmp_path), [f"--ckpt_path={path}"], allowed=TRUSTED)
    assert not (tmp_path / "canary").exists()


def test_weights_of_an_encoder_are_numbers_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"conv1.weight": Call(os.mkdir, str(tmp_path / "canary"))}, path)
    with pytest.raises(ValueError, match="holds more than numbers"):
        build_encoder("resnet10t", inputs=3, weights=path)
    assert not (tmp_path / "canary").exists()


NAMES = (
    "os.system", "os.popen", "os.remove", "posix.system", "nt.system", "pty.spawn", "sys.exit",
    "subprocess.run", "subprocess.Popen", "subprocess.check_output", "shutil.rmtree",
    "builtins.eval", "builtins.exec", "builtins.open", "builtins.__import__", "builtins.type",
    "importlib.import_module", "pickle.loads", "pickle.Unpickler", "code.InteractiveInterpreter",
    "ctypes.CDLL", "socket.socket", "http.server.HTTPServer", "multiprocessing.Process",
    "pathlib.Path", "torch.load", "torch.hub.load", "torch.utils.data.DataLoader", "canary.Net",
    "firesat_evil.Net", "firesatx.Net", "firesat", "firesat_models", "firesat_models.os.system",
    "firesat.forecast.Path", "firesat.forecast.torch.load", "firesat.checkpoint.ZipFile",
    "firesat..os.system", ".os.system", "",
)  # fmt: skip
SAFE = {"class_path": "firesat_models.TemporalCNN", "init_args": {}}


def _hostile(name: str) -> list[dict[str, Any]]:
    """Configs that name a class in each place where one may stand."""
    evil: dict[str, Any] = {"class_path": name, "init_args": {"command": "touch canary"}}
    return [
        {"model": {"network": evil}},
        {"model": {"network": {**SAFE, "init_args": {"encoder_args": {"x": evil}}}}},
        {"trainer": {"callbacks": [evil]}},
        {"trainer": {"logger": evil}, "model": {"network": SAFE}},
        {"data": evil},
    ]


def test_no_config_may_name_a_class_from_elsewhere_wherever_it_hides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "canary.py").write_text(f"open({str(tmp_path / 'CANARY')!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    before, tried = set(sys.modules), 0
    for name in NAMES:
        for content in _hostile(name):
            with pytest.raises(ConfigError) as caught:
                check(content)
            assert "\n" not in str(caught.value)
            tried += 1
    assert tried >= 100
    assert not (set(sys.modules) - before) & {"canary", "pty", "http.server", "socket"}
    assert list(tmp_path.iterdir()) == [tmp_path / "canary.py"]


class Small(nn.Module):
    """A network with dropout, so that a training draws random numbers."""

    def __init__(self, channels: Channels) -> None:
        super().__init__()
        self.channels = channels
        self.layers = nn.Sequential(
            nn.Conv2d(channels.fire, 8, 1), nn.ReLU(), nn.Dropout(0.3),
            nn.Conv2d(8, channels.heads, 1),
        )  # fmt: skip

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        out: Tensor = self.layers(batch["fire"])
        return out


class Interrupted(FakeChips):
    """Chips whose training batches break from the second epoch on, while a file says so."""

    def __init__(self, flag: str, field: str = "weather", train: int = 8) -> None:
        super().__init__(train=train, val=4, batch_size=4)
        self.flag, self.field = Path(flag), field

    def train_dataloader(self) -> DataLoader[Any]:
        epoch = self.trainer.current_epoch if self.trainer else 0
        loader = self._loader(self.train, 10 + epoch, shuffle=False)
        if epoch and self.flag.exists():
            chips: Any = loader.dataset
            chips[5][self.field] = chips[5][self.field] * torch.nan
        return loader


def _settings(root: Path, field: str = "fire") -> dict[str, Any]:
    return {
        "model": {
            "network": {"class_path": "tests.test_trust.Small"},
            "learning_rate": 0.01,
        },
        "data": {
            "class_path": "tests.test_trust.Interrupted",
            "init_args": {"flag": str(root / "broken"), "field": field},
        },
        "trainer": {
            "accelerator": "cpu", "max_epochs": 3, "default_root_dir": str(root),
            "reload_dataloaders_every_n_epochs": 1,
        },
    }  # fmt: skip


def test_a_loss_that_is_no_number_stops_the_training_and_names_the_batch(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    with pytest.raises(
        TrainingError, match=r"batch 1 in epoch 2 .*fire of it is not fin"
    ) as caught:
        train("fit", _settings(tmp_path), allowed=TRUSTED)
    last = tmp_path / "checkpoints" / "last.ckpt"
    assert f"The last good checkpoint is {last}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert torch.load(last, weights_only=True)["epoch"] == 0
    assert all(weight.isfinite().all() for weight in read_checkpoint(last)[1].values())


def test_a_rate_that_is_too_high_is_named(tmp_path: Path) -> None:
    words = ["--model.learning_rate=1e38", "--model.weight_decay=10"]
    with pytest.raises(TrainingError, match=r"lower model\.learning_rate"):
        train("fit", _settings(tmp_path), words, allowed=TRUSTED)
    for path in (tmp_path / "checkpoints").glob("*.ckpt"):
        assert all(weight.isfinite().all() for weight in read_checkpoint(path)[1].values())


class Large(Small):
    """A network for which batches of more than two chips are too many."""

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        if len(batch["fire"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")
        return super().forward(batch)


def test_a_training_without_room_is_told_which_batch_fits_and_then_it_does(tmp_path: Path) -> None:
    network, chips = {"class_path": "tests.test_trust.Large"}, {"train": 8, "val": 4}
    settings = _settings(tmp_path) | {
        "model": {"network": network},
        "data": {"class_path": "tests.fake_chips.FakeChips", "init_args": chips},
    }
    words = ["--data.batch_size=4"]
    with pytest.raises(TrainingError, match=r"--data\.batch_size 2, with") as caught:
        train("fit", settings, words, allowed=TRUSTED)
    assert "\n" not in str(caught.value)
    said = str(caught.value).partition("give ")[2].replace(",", "").split()
    words += [f"{said[0]}={said[1]}", f"{said[3]}={said[4]}"]
    assert train("fit", settings, words, allowed=TRUSTED)["val/loss"] > 0


@pytest.mark.parametrize("averaged", [False, True])
def test_a_training_that_was_interrupted_ends_bit_for_bit_as_if_it_had_not_been(
    tmp_path: Path, *, averaged: bool
) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    for folder in (whole, torn):
        folder.mkdir()
    words = ["--config", str(TRAINERS / "ema.yaml")] if averaged else []
    train("fit", _settings(whole), words, allowed=TRUSTED)
    (torn / "broken").touch()
    with pytest.raises(TrainingError):
        train("fit", _settings(torn), words, allowed=TRUSTED)
    (torn / "broken").unlink()
    last = torn / "checkpoints" / "last.ckpt"
    torch.rand(100)  # another process would not draw from the same place either
    train("fit", _settings(torn), [*words, f"--ckpt_path={last}"], allowed=TRUSTED)
    one, other = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
        for folder in (whole, torn)
    )
    assert one["global_step"] == other["global_step"] == 6
    kinds = ["state_dict", *(["current_model_state"] if averaged else [])]
    for kind in kinds:
        for name, weight in one[kind].items():
            assert torch.equal(weight, other[kind][name]), (kind, name)
    for moments, others in zip(
        one["optimizer_states"][0]["state"].values(),
        other["optimizer_states"][0]["state"].values(),
        strict=True,
    ):
        assert all(torch.equal(moments[name], others[name]) for name in moments)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("inputs", "weather"), ["t2m"], "inputs.weather was"),
        (("inputs", "modis"), ["evi"], "inputs.modis was"),
        (("channels", "size"), 96, "channels.size was 96, is"),
        (("channels", "looks"), 9, "channels.looks was 9, is"),
        (("regime",), "operational", "regime was operational, is"),
        (("scaler",), {}, "scaler."),
    ],
)
def test_chips_of_another_kind_are_refused_with_the_difference(
    tmp_path: Path, path: tuple[str, ...], value: Any, said: str
) -> None:
    write_tiny_chips(tmp_path / "chips.zarr")
    data = ChipData(tmp_path / "chips.zarr")
    state = {key: _copy(part) for key, part in data.state_dict().items()}
    data.load_state_dict(state)
    place = state
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(CheckpointError, match=said) as caught:
        data.load_state_dict(state)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "chips.zarr") in str(caught.value)


def _copy(value: Any) -> Any:
    """A record that may be changed."""
    return {key: _copy(part) for key, part in value.items()} if isinstance(value, dict) else value


def test_a_moving_average_is_what_is_validated_and_handed_on(tmp_path: Path) -> None:
    """Of weights w1, w2, ... with decay d it is (1 - d) w + d times itself, from w1 on."""
    seen: list[Tensor] = []

    class Spy(Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: object) -> None:
            seen.append(pl_module.network.layers[3].bias.detach().clone())

    words = ["--config", str(TRAINERS / "ema.yaml"), "--trainer.max_epochs=2"]
    content = assemble(_settings(tmp_path), [*words, "--trainer.logger=false"])
    content["trainer"]["callbacks"][0]["init_args"]["decay"] = 0.5
    with quiet():
        command = build(content, TRUSTED)
        command.trainer.callbacks.insert(0, Spy())
        command.trainer.fit(command.model, datamodule=command.datamodule)
    expected = seen[0]
    for weight in seen[1:]:
        expected = 0.5 * expected + 0.5 * weight
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    own = "network.layers.3.bias"
    torch.testing.assert_close(last["state_dict"][own], expected)
    torch.testing.assert_close(last["current_model_state"][own], seen[-1])
    assert not torch.equal(expected, seen[-1])


def test_a_training_stops_where_its_average_precision_rises_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    words = ["--config", str(TRAINERS / "stop_early.yaml")]
    # at this rate nothing moves: the first epoch stays the best, and five more are waited for
    words += ["--model.learning_rate=1e-30", "--trainer.max_epochs=30"]
    train("fit", _settings(tmp_path), words, allowed=TRUSTED)
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 5
    assert "stopped after 6 of 30 epochs" in caplog.text


def test_chips_without_fire_train_and_the_score_that_is_not_defined_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chips = [make_chip(seed) for seed in range(12)]
    for chip in chips:
        chip["label"][:], chip["lead"][:], chip["starts"][:] = 0, 9, 0
    path = write_tiny_chips(tmp_path / "chips.zarr", train=8, val=4)
    store = ChipStore(path)
    write_chips(path, lambda: store.table, chips, 12, lambda: store.attrs)
    settings = {
        "data": {"path": str(path), "batch_size": 4, "workers": 0},
        "trainer": {"accelerator": "cpu", "max_epochs": 2, "default_root_dir": str(tmp_path)},
    }
    scores = train("fit", settings, ["--model.loss.dice=0.5"])
    assert 0 <= scores["val/loss"] < 1e-3
    assert "val/ap" not in scores
    assert caplog.text.count("nothing burned in the validation chips") == 1


def test_two_processes_train_one_network_and_leave_one_folder(tmp_path: Path) -> None:
    """By Lightning's own flags, as a user would; the other process is started by the first."""
    # three batches to validate on: one process is dealt one that is the other's
    write_tiny_chips(tmp_path / "chips.zarr", train=8, val=5)
    network = {
        "class_path": "firesat_models.TemporalCNN",
        "init_args": {"width": 8, "encoder_args": {"channels": [8, 8, 8, 8], "stem_width": 8}},
    }
    content = {
        "model": {"network": network},
        "data": {"path": str(tmp_path / "chips.zarr"), "batch_size": 2},
        "trainer": {"accelerator": "cpu", "max_epochs": 1, "default_root_dir": str(tmp_path)},
    }
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(content))
    words = ["--config", "train.yaml", "--json"]
    words += ["--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.num_nodes=1"]
    command = [sys.executable, "-m", "firesat.cli.main", "train", "fit", *words]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "recommended" not in done.stderr  # scores are of all processes
    assert done.stderr.count("epoch 1/1") == 1
    scores = json.loads(done.stdout)["scores"]
    load_forecaster(tmp_path / "model")
    best = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["global_step"] == 2  # four batches, two at a time
    assert best[RECORD]["scores"] == scores
    alone = train("validate", content)
    assert alone == pytest.approx(scores, rel=1e-4)
