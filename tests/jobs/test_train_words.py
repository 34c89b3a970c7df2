"""What a person who trains types, and what is answered."""

import importlib.util
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from firesat.calibration import Curve
from firesat.checkpoint import read_checkpoint
from firesat.cli.main import main
from firesat.errors import CheckpointError, ConfigError
from firesat.jobs.train import train
from firesat.jobs.train.keys import ALLOWED, assemble, check
from firesat.model_folder import CURVES, with_calibration
from tests.tiny_chips import INPUTS, write_tiny_chips

CONFIGS = Path(__file__).parents[2] / "configs"
STOPS = "[{{class_path: pytorch_lightning.callbacks.EarlyStopping, init_args: {{monitor: {}}}}}]"
TENSORBOARD = "pytorch_lightning.loggers.TensorBoardLogger"


@pytest.fixture(scope="module")
def chips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_chips(tmp_path_factory.mktemp("chips") / "chips.zarr", train=8, val=4)


@pytest.fixture
def config(chips: Path, tmp_path: Path) -> Path:
    """A plain Lightning YAML of a small training."""
    arguments = {"width": 8, "encoder_args": {"channels": [8, 8, 8, 8], "stem_width": 8}}
    network = {"class_path": "firesat_models.TemporalCNN", "init_args": arguments}
    content = {
        "model": {"network": network},
        "data": {"path": str(chips), "batch_size": 4, "workers": 0},
        "trainer": {"accelerator": "cpu", "max_epochs": 1, "default_root_dir": str(tmp_path)},
    }
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def _asked(config: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit code and what stood on standard error."""
    loggers = [logging.getLogger(name) for name in ("firesat", "firesat_models")]
    before = [logger.level for logger in loggers]
    code = main(["train", "fit", "--config", str(config), *words])
    assert [logger.level for logger in loggers] == before  # what runs next is as loud as it was
    return code, capsys.readouterr().err


def _refused(config: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of a request that was wrong."""
    code, said = _asked(config, capsys, *words)
    lines = [line for line in said.splitlines() if "INFO" not in line]
    assert code == 2, said
    assert len(lines) == 1
    assert len(lines[0]) < 340
    return lines[0]


def test_keys_may_be_spelt_as_lightning_spells_them() -> None:
    network = {"class_path": "firesat_models.TemporalCNN"}
    words = ["--model.network.init_args.width=8", "--data.init_args.batch_size", "4"]
    content = assemble({"model": {"network": network}, "data": {"path": "x.zarr"}}, words)
    check(content)
    assert content["model"]["network"]["init_args"] == {"width": 8}
    assert content["data"]["init_args"] == {"path": "x.zarr", "batch_size": 4}
    words = ["--model.network.init_args.widht=8"]
    with pytest.raises(ConfigError, match="did you mean width"):
        check(assemble({"model": {"network": network}}, words))


def test_a_key_with_a_plus_adds_to_a_list() -> None:
    words = [
        "--config", str(CONFIGS / "trainer" / "ema.yaml"),
        "--config", str(CONFIGS / "trainer" / "stop_early.yaml"),
        "--trainer.callbacks+", "{class_path: pytorch_lightning.callbacks.Timer}",
    ]  # fmt: skip
    content = assemble({"trainer": {"max_epochs": 2}}, words)
    check(content)
    names = [each["class_path"].rpartition(".")[2] for each in content["trainer"]["callbacks"]]
    assert names == ["EMAWeightAveraging", "EarlyStopping", "Timer"]
    assert content["trainer"]["max_epochs"] == 2


@pytest.mark.parametrize("value", ["[os.system]", "os.system", "[{class_path: os.system}]"])
def test_a_class_from_elsewhere_is_refused_in_our_own_words(
    config: Path, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    said = _refused(config, capsys, "--trainer.callbacks", value)
    assert "class_path os.system is not allowed: a config may name classes of firesat" in said


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--model.learning_rate", "0"], "model.learning_rate=0.0 is impossible: above 0"),
        (["--model.weight_decay", "-1"], "model.weight_decay=-1.0 is impossible: from 0 on"),
        (["--model.warmup", "3"], "model.warmup=3.0 is impossible: 0 to 1"),
        (["--model.lowest_rate", "1"], "lowest_rate=1.0 is impossible: 0 to learning_rate"),
        (["--model.layer_decay", "1.5"], "model.layer_decay=1.5 is impossible: above 0, to 1"),
        (["--model.prior", "2"], "model.prior=2.0 is no chance"),
        (["--model.network.encoder", "resnet99"], "did you mean resnet"),
        (["--model.network.scales", "9"], "resnet10t has fewer than 9 scales"),
        (["--model.network.weights", "no.safetensors"], "is ever downloaded, put the file there"),
        (["--trainer.max_epochs", "-1"], "the training has no end"),
        (["--trainer.strategy", "ddp_spawn"], "use ddp"),
        (["--trainer.precision", "12-true"], "12-true"),
        (["--trainer.accelerator", "tpu"], "torch_xla"),
        (["--trainer.callbacks", STOPS.format("val/app")], "metric `val/app` which is not avail"),
        (["--checkpoint.monitor", "val/app"], "could not find the monitored key"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    config: Path, capsys: pytest.CaptureFixture[str], words: list[str], answer: str
) -> None:
    assert answer.lower() in _refused(config, capsys, *words).lower()


def test_chips_without_validation_are_refused_before_they_are_read_or_go_without(
    config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    chips = write_tiny_chips(tmp_path / "train.zarr", train=8, val=0)
    for words in ([], ["--dry-run"]):
        code, said = _asked(config, capsys, f"--data.path={chips}", *words)
        assert code == 1
        assert "has no chips for val: add it to sample.splits" in said
    code, said = _asked(
        config, capsys, f"--data.path={chips}", "--trainer.limit_val_batches=0", "--no-baselines"
    )
    assert code == 0, said


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_one_line(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "gpu" in _refused(config, capsys, "--trainer.accelerator", "gpu")


def test_tensorboard_writes_its_events_or_is_asked_for_in_one_line(
    config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    logger = f"{{class_path: {TENSORBOARD}, init_args: {{save_dir: {tmp_path}}}}}"
    words = ["--trainer.logger", logger]
    if importlib.util.find_spec("tensorboard") or importlib.util.find_spec("tensorboardX"):
        assert _asked(config, capsys, *words)[0] == 0
        assert list(tmp_path.rglob("events.out.tfevents*"))
    else:
        assert "pip install tensorboard" in _refused(config, capsys, *words)


def test_a_dry_run_checks_every_key_and_writes_nothing(
    config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, said = _asked(config, capsys, "--dry-run")
    assert code == 0
    assert "would fit firesat_models.TemporalCNN on " in said
    assert f"into {tmp_path}" in said
    assert "max_epochs" in _refused(config, capsys, "--dry-run", "--trainer.max_epoch", "3")
    assert list(tmp_path.iterdir()) == [config]


def test_a_dry_run_reports_as_json_where_it_is_asked_to(
    config: Path, capsys: pytest.CaptureFixture[str], chips: Path, tmp_path: Path
) -> None:
    assert main(["train", "fit", "--config", str(config), "--dry-run", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "subcommand": "fit",
        "config": str(config),
        "network": "firesat_models.TemporalCNN",
        "data": str(chips),
        "output": str(tmp_path),
    }


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--trainer.max_epochs", "abc"], "expected int, got abc"),
        (["--trainer.max_epochs", "-1"], "the training has no end"),
        (["--trainer.accumulate_grad_batches", "0"], "batches=0 is impossible: from 1 on"),
        (["--trainer.callbacks+", "os.system"], "class_path os.system is not allowed"),
        (["--model.network.width", "-4"], "model.network.width=-4 is impossible: from 1 on"),
        (["--model.network.scales", "0"], "model.network.scales=0 is impossible: from 1 on"),
        (["--trainer", "[1]"], "train.trainer holds [1], not keys and values"),
        (["--model", "cnn"], "train.model holds 'cnn', not keys and values"),
        (["--data", "3"], "train.data holds 3, not keys and values"),
        (["--model.network.encoder", "convnext_atto_typo"], "did you mean convnext_atto"),
        (["--model.network.weights", "no.safetensors"], "no.safetensors"),
        (["--model.learning_rate", "0"], "model.learning_rate=0.0 is impossible"),
        (["--data.without", "[sentinel3]"], "data.without names sentinel3"),
    ],
)
def test_a_dry_run_refuses_what_a_training_would(
    config: Path, capsys: pytest.CaptureFixture[str], words: list[str], answer: str
) -> None:
    assert answer in _refused(config, capsys, "--dry-run", *words)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--data.path", "no.zarr"], "SampleError: there are no chips at no.zarr"),
        (["--ckpt_path", "no.ckpt"], "CheckpointError: there is no checkpoint at no.ckpt"),
    ],
)
def test_a_dry_run_looks_for_what_the_settings_name(
    config: Path, capsys: pytest.CaptureFixture[str], words: list[str], answer: str
) -> None:
    code, said = _asked(config, capsys, "--dry-run", *words)
    assert code == 1
    assert said.startswith(answer)
    assert said.count("\n") == 1


def test_a_dry_run_parses_the_settings_of_chips_that_it_cannot_open(
    capsys: pytest.CaptureFixture[str],
) -> None:
    benchmark = CONFIGS / "benchmark" / "canadafiresat.yaml"  # its data are not on this disk
    assert _asked(benchmark, capsys, "--dry-run")[0] == 0
    said = _refused(benchmark, capsys, "--dry-run", "--data.batch_size", "many")
    assert "batch_size" in said
    assert "many" in said


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
@pytest.mark.parametrize("where", ["/proc/zz", "{}/train.yaml", "{}/train.yaml/deeper"])
def test_a_folder_that_cannot_be_written_is_said_so_before_anything_is_done(
    config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, where: str, more: list[str]
) -> None:
    root = where.format(tmp_path)
    said = _refused(config, capsys, f"--trainer.default_root_dir={root}", *more)
    assert said.startswith(f"ConfigError: nothing can be written into {root}")
    assert "trainer.default_root_dir" in said
    assert list(tmp_path.iterdir()) == [config]


def test_chips_that_sentinel_2_never_saw_are_warned_of_once(
    config: Path, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    settings: dict[str, Any] = yaml.safe_load(config.read_text())
    warning = "no training chip has a clear look of Sentinel-2"
    train("fit", settings)
    assert warning not in caplog.text
    chips = write_tiny_chips(tmp_path / "dark.zarr", train=8, val=4, lacking=("looks",))
    train("fit", settings, [f"--data.path={chips}"])
    assert caplog.text.count(warning) == 1
    train("fit", settings, [f"--data.path={chips}", "--data.without=[sentinel2]"])
    assert caplog.text.count(warning) == 1  # it was asked for


def test_where_nothing_burned_nothing_is_learned(
    config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    chips = write_tiny_chips(tmp_path / "calm.zarr", train=8, val=4, lacking=("fire",))
    for more in ([], ["--dry-run"]):
        code, said = _asked(config, capsys, f"--data.path={chips}", *more)
        assert code == 1
        last = said.splitlines()[-1]
        assert last.startswith(f"SampleError: nothing burned in the training chips of {chips}")
        assert "sample.positives" in last
    assert not (tmp_path / "model").exists()


def test_a_training_speaks_while_it_learns_and_reports_its_scores(
    config: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """No -v is needed to see epochs, and that an encoder starts from random weights."""
    assert main(["train", "fit", "--config", str(config), "--json"]) == 0
    fitted = json.loads(capsys.readouterr().out)["scores"]
    assert fitted == read_checkpoint(tmp_path / "checkpoints" / "best.ckpt")[0]["scores"]
    assert "resnet10t is built with random weights" in caplog.text
    assert "epoch 1/1" in caplog.text
    assert main(["train", "validate", "--config", str(config), "--json"]) == 0
    judged = json.loads(capsys.readouterr().out)["scores"]
    assert judged["val/ap"] == pytest.approx(fitted["val/ap"], abs=1e-6)
    assert "validate starts from" in caplog.text


def test_a_training_without_validation_passes_no_old_checkpoint_off_as_its_best(
    config: Path, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    settings: dict[str, Any] = yaml.safe_load(config.read_text())
    train("fit", settings)
    before = (tmp_path / "model" / "provenance.json").read_text()
    assert train("fit", settings, ["--trainer.limit_val_batches=0", "--seed_everything=5"]) == {}
    assert "there is no best checkpoint" in caplog.text
    assert (tmp_path / "model" / "provenance.json").read_text() == before


def test_mixed_precision_trains_with_clipped_gradients_as_the_gpu_config_asks(
    config: Path, tmp_path: Path
) -> None:
    gpu = yaml.safe_load((CONFIGS / "trainer" / "gpu.yaml").read_text())["trainer"]
    words = [f"--trainer.{key}={gpu[key]}" for key in ("precision", "gradient_clip_val")]
    assert train("fit", yaml.safe_load(config.read_text()), words)["val/loss"] > 0
    (saved,) = tmp_path.glob("logs/version_*/config.yaml")
    assert yaml.safe_load(saved.read_text())["trainer"]["precision"] == "bf16-mixed"


def test_scores_of_the_test_split_have_its_name(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "model": {"network": {"class_path": "tests.test_trust.Small"}},
        "data": {"class_path": "tests.fake_chips.FakeChips", "init_args": {"train": 8, "val": 8}},
        "trainer": {"accelerator": "cpu", "max_epochs": 1, "default_root_dir": str(tmp_path)},
    }
    trusted = (*ALLOWED, "tests.")
    best = train("fit", settings, allowed=trusted)
    tested = train("test", settings, allowed=trusted)
    assert {name.partition("/")[0] for name in tested} == {"test"}
    assert tested["test/loss"] == pytest.approx(best["val/loss"], rel=1e-5)


def test_a_folder_is_judged_as_its_checkpoint_is_but_no_training_goes_on_from_it(
    config: Path, tmp_path: Path
) -> None:
    settings: dict[str, Any] = yaml.safe_load(config.read_text())
    fitted = train("fit", settings)
    judged = train("validate", settings, [f"--ckpt_path={tmp_path / 'model'}"])
    assert judged["val/loss"] == pytest.approx(fitted["val/loss"], rel=1e-5)
    curves = {head: Curve(shift=-2.0).record for head in ("growth", "new")}
    calibrated = {"method": CURVES, "curves": curves, "rests_on": {}, "days": ["2022-08-01"]}
    with_calibration(tmp_path / "model", tmp_path / "calibrated", calibrated)
    less = train("validate", settings, [f"--ckpt_path={tmp_path / 'calibrated'}"])
    assert less["val/ratio"] < 0.3 * judged["val/ratio"]  # judged as it forecasts
    with pytest.raises(CheckpointError, match=r"goes on from checkpoints/last\.ckpt"):
        train("fit", settings, [f"--ckpt_path={tmp_path / 'model'}"])


def test_a_training_that_replaces_a_calibrated_forecaster_says_so(
    config: Path, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    settings: dict[str, Any] = yaml.safe_load(config.read_text())
    train("fit", settings)
    train("fit", settings)
    assert "calibrated" not in caplog.text  # what was replaced was none
    curves = {head: Curve(shift=-2.0).record for head in ("growth", "new")}
    calibrated = {"method": CURVES, "curves": curves, "rests_on": {}, "days": ["2022-08-01"]}
    with_calibration(tmp_path / "model", tmp_path / "model", calibrated)
    train("fit", settings)
    assert f"{tmp_path / 'model'} replaces a calibrated forecaster" in caplog.text
    assert "run firesat calibrate" in caplog.text


@pytest.mark.parametrize("subcommand", ["fit", "validate"])
def test_a_checkpoint_of_other_chips_or_another_network_is_refused_with_the_difference(
    config: Path, tmp_path: Path, subcommand: str
) -> None:
    settings: dict[str, Any] = yaml.safe_load(config.read_text())
    train("fit", settings)
    last = tmp_path / "checkpoints" / "last.ckpt"
    other = write_tiny_chips(
        tmp_path / "other.zarr", train=8, val=4, inputs=replace(INPUTS, modis=("evi",))
    )
    for word, difference in (
        (f"--data.path={other}", "inputs.modis.* was .*'ndvi'.*, is .*'evi'"),
        ("--model.network.width=16", "network_args.width was 8, is 16"),
        ("--model.network.class_path=firesat_models.TemporalViT", "network_class was .*CNN, is"),
    ):
        words = [f"--ckpt_path={last}", word]
        with pytest.raises(CheckpointError, match=difference) as caught:
            train(subcommand, _with(settings, word), words)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("subcommand", ["fit", "validate"])
def test_a_checkpoint_of_another_version_is_refused_in_one_line(
    config: Path, tmp_path: Path, subcommand: str
) -> None:
    settings: dict[str, Any] = yaml.safe_load(config.read_text())
    train("fit", settings)
    last = tmp_path / "checkpoints" / "last.ckpt"
    made = torch.load(last, weights_only=True)
    weights = made["state_dict"]["network.drivers.weight"]
    made["state_dict"]["network.drivers.weight"] = weights[:, :-6]  # a version with fewer drivers
    torch.save(made, last)
    with pytest.raises(CheckpointError, match=r"drivers\.weight is .*train it anew") as caught:
        train(subcommand, settings, [f"--ckpt_path={last}"])
    assert "\n" not in str(caught.value)


def test_no_training_goes_on_with_an_optimiser_of_other_groups(
    config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    settings: dict[str, Any] = yaml.safe_load(config.read_text())
    train("fit", settings)
    last = tmp_path / "checkpoints" / "last.ckpt"
    code, said = _asked(config, capsys, f"--ckpt_path={last}", "--model.layer_decay=0.75")
    assert code == 1
    assert said.startswith(f"CheckpointError: {last} does not fit these settings: its optimizer")
    assert "model.layer_decay" in said
    assert said.count("\n") == 1
    made = torch.load(last, weights_only=True)
    del made["optimizer_states"]
    torch.save(made, last)
    with pytest.raises(CheckpointError, match="holds weights alone"):
        train("fit", settings, [f"--ckpt_path={last}"])
    train("validate", settings, [f"--ckpt_path={last}"])  # a judgement needs no optimiser


def _with(settings: dict[str, Any], word: str) -> dict[str, Any]:
    """Settings without the arguments that only the CNN has."""
    if "TemporalViT" not in word:
        return settings
    network = {"class_path": "firesat_models.TemporalViT", "init_args": {"dim": 16, "patch": 4}}
    return settings | {"model": {"network": network}}
