"""Training by command: what it refuses, what it writes, and that it learns."""

import csv
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.utils.data import DataLoader

from firesat.cli.main import main
from firesat.errors import CheckpointError, ConfigError, SampleError
from firesat.jobs.train import list_models, train
from firesat.jobs.train.keys import ALLOWED, assemble, check
from firesat.model_folder import load_forecaster
from tests.fake_chips import FakeChips

TRUSTED = (*ALLOWED, "tests.")
CONFIGS = Path(__file__).parents[2] / "configs"
TINY = {"width": 8, "encoder_args": {"channels": [8, 8, 8, 8], "stem_width": 8}}


class Unreadable(FakeChips):
    """Chips that must not be touched."""

    @property
    def channels(self) -> Any:
        raise SampleError("the chips were read")


def _settings(root: Path, data: str = "tests.fake_chips.FakeChips", **chips: Any) -> dict[str, Any]:
    return {
        "model": {
            "network": {"class_path": "firesat_models.TemporalCNN", "init_args": dict(TINY)},
            "learning_rate": 0.01,
        },
        "data": {"class_path": data, "init_args": chips or {"train": 8, "val": 4}},
        "trainer": {"accelerator": "cpu", "max_epochs": 1, "default_root_dir": str(root)},
    }


def _metrics(root: Path, version: int = 0) -> dict[str, float]:
    text = (root / "logs" / f"version_{version}" / "metrics.csv").read_text()
    rows = csv.DictReader(text.splitlines())
    return {name: float(value) for row in rows for name, value in row.items() if value}


def test_a_training_leaves_checkpoints_scores_and_its_config(tmp_path: Path) -> None:
    scores = train("fit", _settings(tmp_path), ["--trainer.max_epochs", "2"], allowed=TRUSTED)
    assert {"val/loss", "val/ap", "val/ratio_new"} <= scores.keys()
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {
        "best.ckpt",
        "last.ckpt",
    }
    forecaster, inputs, scaler = load_forecaster(tmp_path / "checkpoints" / "best.ckpt")
    chips = FakeChips()
    assert inputs == {"looks": 2, "weather": ["t2m", "rh", "ws", "tp"]}
    assert scaler == chips.scaler
    # half of the base rate of the chips for each head, before anything is learned
    assert forecaster.offset[:2].sigmoid().tolist() == pytest.approx(2 * [chips.base_rate / 2])
    record = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)["firesat"]
    assert record["seed"] == 0
    assert len(record["config_hash"]) == 16
    metrics = _metrics(tmp_path)
    assert {"train/loss", "val/loss", "val/ap", "val/ap_growth", "val/ratio_new"} <= metrics.keys()
    assert metrics["epoch"] == 1
    saved = yaml.safe_load((tmp_path / "logs" / "version_0" / "config.yaml").read_text())
    assert saved["trainer"]["max_epochs"] == 2
    assert saved["model"]["network"]["init_args"]["width"] == 8


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    weights = []
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        settings = _settings(tmp_path / folder) | {"seed_everything": seed}
        train("fit", settings, allowed=TRUSTED)
        path = tmp_path / folder / "checkpoints" / "last.ckpt"
        weights.append(load_forecaster(path)[0].state_dict())
    same = [torch.equal(weights[0][name], weights[1][name]) for name in weights[0]]
    assert all(same)
    other = [torch.equal(weights[0][name], weights[2][name]) for name in weights[0]]
    assert not all(other)


def test_a_training_goes_on_from_a_checkpoint_and_validates_the_best(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    train("fit", settings, allowed=TRUSTED)
    last = tmp_path / "checkpoints" / "last.ckpt"
    before = torch.load(last, weights_only=True)["global_step"]
    train("fit", settings, ["--ckpt_path", str(last), "--trainer.max_epochs=3"], allowed=TRUSTED)
    assert torch.load(last, weights_only=True)["global_step"] == 3 * before
    train("validate", settings, allowed=TRUSTED)
    assert "val/ap" in _metrics(tmp_path, version=2)


class UpAndDown(FakeChips):
    """Chips that the second epoch forecasts best: before it all are turned, after it half."""

    def val_dataloader(self) -> Any:
        epoch = self.trainer.current_epoch if self.trainer else 0
        batches = list(super().val_dataloader())
        turned = {0: 4, 1: 0, 2: 2}[epoch]
        for batch in batches:
            batch["label"][:turned] = 1.0 - batch["label"][:turned]
        return DataLoader(batches, batch_size=None)


def test_a_training_that_paused_keeps_the_epoch_that_one_without_a_pause_keeps(
    tmp_path: Path,
) -> None:
    best = {}
    for name, pauses in (("whole", (3,)), ("paused", (2, 3))):
        root = tmp_path / name
        settings = _settings(root, "tests.jobs.test_train.UpAndDown", train=8, val=4)
        settings["trainer"]["reload_dataloaders_every_n_epochs"] = 1
        for until in pauses:
            last = root / "checkpoints" / "last.ckpt"
            on = ["--ckpt_path", str(last)] if last.is_file() else []
            train("fit", settings, [*on, f"--trainer.max_epochs={until}"], allowed=TRUSTED)
        best[name] = torch.load(root / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["whole"]["epoch"] == best["paused"]["epoch"] == 1


class InAnyOrder(FakeChips):
    """Chips that torch cannot make in the same order twice, as some sums on a GPU."""

    def train_dataloader(self) -> Any:
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2))
        return super().train_dataloader()


def test_what_torch_cannot_repeat_is_said_in_one_line(tmp_path: Path) -> None:
    settings = _settings(tmp_path, "tests.jobs.test_train.InAnyOrder", train=8, val=4)
    try:
        with pytest.raises(ConfigError, match=r"put_ does not .*: train on a CPU, or") as caught:
            train("fit", settings, ["--trainer.deterministic=true"], allowed=TRUSTED)
    finally:
        torch.use_deterministic_algorithms(False)
    assert "\n" not in str(caught.value)
    train("fit", settings, ["--trainer.deterministic=false"], allowed=TRUSTED)


def test_seeds_may_be_dates(tmp_path: Path) -> None:
    train("fit", _settings(tmp_path), ["--seed_everything=20240501"], allowed=TRUSTED)
    record = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)["firesat"]
    assert record["seed"] == 20240501


def test_a_network_that_is_not_named_may_be_configured() -> None:
    content = assemble({"data": {"path": "x.zarr"}}, ["--model.network.width=24"])
    check(content)
    assert content["model"]["network"] == {
        "class_path": "firesat_models.TemporalCNN",
        "init_args": {"width": 24},
    }


def test_validation_without_a_checkpoint_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="firesat train fit"):
        train("validate", _settings(tmp_path), allowed=TRUSTED)


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("trainer.max_epoch", "max_epochs"),
        ("model.learning_rat", "learning_rate"),
        ("model.network.widht", "width"),
        ("data.trian", "train"),
        ("traner.max_epochs", "trainer"),
        ("checkpoint.monitr", "monitor"),
        ("model.loss.dise", "dice"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_right_one_before_chips_are_read(
    tmp_path: Path, key: str, near: str
) -> None:
    settings = _settings(tmp_path, "tests.jobs.test_train.Unreadable")
    with pytest.raises(ConfigError, match=f"did you mean {near}") as caught:
        train("fit", settings, [f"--{key}=3"], allowed=TRUSTED)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_value_of_the_wrong_type_is_refused_before_chips_are_read(tmp_path: Path) -> None:
    settings = _settings(tmp_path, "tests.jobs.test_train.Unreadable")
    with pytest.raises(ConfigError, match="max_epochs") as caught:
        train("fit", settings, ["--trainer.max_epochs=few"], allowed=TRUSTED)
    assert "\n" not in str(caught.value)


def test_what_the_data_say_of_themselves_reaches_the_user(tmp_path: Path) -> None:
    settings = _settings(tmp_path, "tests.jobs.test_train.Unreadable")
    with pytest.raises(SampleError, match="the chips were read"):
        train("fit", settings, allowed=TRUSTED)


@pytest.mark.parametrize(
    "payload",
    [
        {"class_path": "os.system", "init_args": {"command": "touch CANARY"}},
        {"class_path": "subprocess.Popen", "init_args": {"args": ["touch", "CANARY"]}},
        {"class_path": "builtins.eval"},
        {"class_path": "torch.hub.load"},
        {"class_path": "firesat_evil.Net"},
        {"class_path": "canary.Net"},
        "canary.Net",
        "os.system",
    ],
)
@pytest.mark.parametrize("place", ["model.network", "trainer.callbacks", "trainer.logger", "data"])
def test_a_config_may_name_only_listed_classes_and_nothing_else_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, payload: Any, place: str
) -> None:
    (tmp_path / "canary.py").write_text(f"open({str(tmp_path / 'CANARY')!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    settings = _settings(tmp_path / "out")
    section, _, key = place.partition(".")
    value = [payload] if key == "callbacks" else payload
    if key:
        settings[section][key] = value
    else:
        settings[section] = value
    with pytest.raises(ConfigError) as caught:
        train("fit", settings, allowed=TRUSTED)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "CANARY").exists()
    assert "canary" not in sys.modules


def test_the_refusal_names_the_class() -> None:
    with pytest.raises(ConfigError, match=r"os\.system is not allowed"):
        check({"model": {"network": {"class_path": "os.system"}}})


def test_a_config_file_is_laid_over_what_stands_before_it(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    file = CONFIGS / "model" / "vit.yaml"
    content = assemble(settings, ["--config", str(file), "--model.network.dim=48"])
    network = content["model"]["network"]
    assert network["class_path"] == "firesat_models.TemporalViT"
    assert network["init_args"]["dim"] == 48
    assert "encoder_args" not in network["init_args"]  # of the other class
    assert content["model"]["weight_decay"] == 0.05
    assert settings["model"]["network"]["class_path"] == "firesat_models.TemporalCNN"


def test_the_command_lays_further_files_over_the_project_s(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plain = tmp_path / "plain.yaml"
    plain.write_text(yaml.safe_dump(_settings(tmp_path, "firesat.datamodule.ChipData", path="x")))
    words = ["--config", str(plain), "--config", str(CONFIGS / "model" / "vit.yaml")]
    with pytest.raises(SystemExit, match="0"):
        main(["train", "fit", *words, "--print_config"])
    told = yaml.safe_load(capfd.readouterr().out)
    assert told["model"]["network"]["class_path"] == "firesat_models.TemporalViT"
    assert told["trainer"]["default_root_dir"] == str(tmp_path)  # of the first


def test_chips_are_named_by_path_alone() -> None:
    content = assemble({"data": {"path": "chips.zarr"}}, ["--data.batch_size", "4"])
    check(content)
    assert content["data"] == {
        "class_path": "firesat.datamodule.ChipData",
        "init_args": {"path": "chips.zarr", "batch_size": 4},
    }


@pytest.mark.parametrize("words", [["trainer.max_epochs=3"], ["--trainer.max_epochs"], ["--x"]])
def test_an_override_that_is_none_is_refused(words: list[str]) -> None:
    with pytest.raises(ConfigError, match="is no setting"):
        assemble({}, words)


def test_missing_chips_say_what_to_run(tmp_path: Path) -> None:
    settings = _settings(tmp_path) | {"data": {"path": str(tmp_path / "none.zarr")}}
    with pytest.raises(SampleError, match="firesat sample"):
        train("fit", settings)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("trainer/*.yaml")), ids=lambda p: p.stem)
def test_every_trainer_config_is_understood(tmp_path: Path, path: Path) -> None:
    content = assemble(_settings(tmp_path), ["--config", str(path)])
    check(content, TRUSTED)
    # parsed and run, but for the accelerator, which this machine may not have
    words = ["--config", str(path), "--trainer.accelerator=cpu", "--trainer.devices=1"]
    words += ["--trainer.precision=32-true", "--trainer.max_steps=1"]
    train("fit", _settings(tmp_path), words, allowed=TRUSTED)
    assert (tmp_path / "checkpoints" / "last.ckpt").exists()


def test_help_shows_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        train("fit", {}, ["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "--model.learning_rate" in shown
    assert "--checkpoint.monitor" in shown


def test_networks_are_listed_with_their_sizes() -> None:
    rows = {row["name"]: row for row in list_models()}
    assert rows.keys() >= {"cnn", "vit"}
    cnn = rows["cnn"]
    assert cnn["class"] == "firesat_models.temporal_cnn.TemporalCNN"
    assert "weather" in cnn["inputs"]
    assert 0 < cnn["trainable_parameters"] <= cnn["parameters"]


def test_a_model_config_without_a_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none.yaml").write_text("model: {learning_rate: 1}")
    with pytest.raises(ConfigError, match="names no network"):
        list_models(tmp_path)


@pytest.mark.parametrize("name", ["cnn", "vit"])
def test_both_networks_learn_that_dry_and_windy_cells_burn(tmp_path: Path, name: str) -> None:
    settings = _settings(tmp_path, train=96, val=16, batch_size=4)
    del settings["model"]
    words = ["--config", str(CONFIGS / "model" / f"{name}.yaml"), "--trainer.max_epochs=3"]
    train("fit", settings, [*words, "--model.learning_rate=0.006"], allowed=TRUSTED)
    metrics = _metrics(tmp_path)
    assert metrics["val/ap"] > 5 * metrics["val/prevalence"]
    assert metrics["val/ap_growth"] > 4 * metrics["val/prevalence_growth"]
    assert metrics["val/ap_new"] > 4 * metrics["val/prevalence_new"]
