"""Networks of firesat on CanadaFireSat, by command: trained, validated, tested, scored."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from sklearn.metrics import average_precision_score

from firesat.benchmark.canadafiresat import CanadaFireSat
from firesat.cli.main import main
from firesat.errors import CheckpointError, ConfigError
from firesat.jobs.train import train
from firesat.model_folder import load_forecaster
from firesat.samples import Inputs
from firesat.scaling import Scaler

ROOT = Path(__file__).resolve().parents[2]
TINY = {"width": 8, "encoder_args": {"channels": [8, 8, 8, 8], "stem_width": 8}}
SCORES = {"class_path": "firesat.benchmark.published.PublishedScores"}


def settings(data: Path, root: Path, **network: Any) -> dict[str, Any]:
    return {
        "model": {
            "network": {"class_path": "firesat_models.TemporalCNN", "init_args": TINY} | network
        },
        "data": {
            "class_path": "firesat.benchmark.canadafiresat.CanadaFireSat",
            "init_args": {
                "path": str(data), "batch_size": 8, "statistics": str(root / "statistics.json"),
            },
        },
        "trainer": {
            "accelerator": "cpu", "max_epochs": 1, "default_root_dir": str(root),
            "callbacks": [SCORES],
        },
    }  # fmt: skip


def test_a_training_learns_validates_and_is_scored_as_published(
    canadafiresat: Path, tmp_path: Path
) -> None:
    content = settings(canadafiresat, tmp_path)
    content["checkpoint"] = {"monitor": "published/prauc", "mode": "max"}
    train("fit", content)
    best = tmp_path / "checkpoints" / "best.ckpt"
    forecaster, inputs, scaler = load_forecaster(best)
    data = CanadaFireSat(canadafiresat, statistics=tmp_path / "statistics.json")
    assert inputs["benchmark"] == "CanadaFireSat"
    assert Scaler.from_record(scaler) == data.scaler
    # one head, which starts at the share of cells that burn
    assert forecaster.offset.sigmoid().tolist() == pytest.approx([data.base_rate])
    rows = list(csv.DictReader((tmp_path / "logs/version_0/metrics.csv").read_text().splitlines()))
    logged = {name for row in rows for name, value in row.items() if value}
    assert {"train/loss", "val/loss", "val/ap", "published/prauc", "published/f1"} <= logged
    assert "val/ap_growth" not in logged

    train("test", content, ["--data.test=test_hard"])
    record = json.loads((tmp_path / "canadafiresat_test_hard.json").read_text())
    hard = CanadaFireSat(canadafiresat, statistics=tmp_path / "statistics.json", test="test_hard")
    with torch.no_grad():
        pairs = [(forecaster.forecast(b)[:, 0], b["label"][:, 0]) for b in hard.test_dataloader()]
    chance, label = (torch.cat(part).flatten() for part in zip(*pairs, strict=True))
    assert record["cells"] == len(label) == 6 * 26 * 26
    assert record["prauc"] == pytest.approx(average_precision_score(label, chance), rel=1e-4)
    assert record["prevalence"] == pytest.approx(float(label.mean()))
    assert {"fwi_prauc", "samples_with_fire"} <= record.keys()
    assert record["samples_with_fire"]["cells"] == 3 * 26 * 26
    assert record["regions"].keys() == {"Alberta", "British Columbia"}
    assert record["regions"]["Alberta"]["cells"] == 4 * 26 * 26

    with pytest.raises(CheckpointError, match="those of CanadaFireSat, which no cube has"):
        Inputs.from_record(inputs)


VIT = {
    "class_path": "firesat_models.TemporalViT",
    "init_args": {"dim": 16, "depth": 1, "fused_depth": 1, "heads": 2, "width": 8},
}


@pytest.mark.parametrize(
    ("words", "network"),
    [
        (["--data.inputs.resolution=10"], {}),
        (["--data.inputs.use=[sentinel2]", "--data.inputs.label=published"], {}),
        (["--data.inputs.use=[modis, weather]"], {}),
        ([], VIT),
    ],
    ids=["ten_metres", "sits_only", "env_only", "vit"],
)
def test_every_setting_trains_every_weight(
    canadafiresat: Path, tmp_path: Path, words: list[str], network: dict[str, Any]
) -> None:
    content = settings(canadafiresat, tmp_path, **network)
    few = ["--data.regions=[British Columbia]", "--data.statistics_samples=1"]
    train("fit", content, [*words, *few, "--trainer.max_steps=1"])
    forecaster, inputs, _ = load_forecaster(tmp_path / "checkpoints" / "last.ckpt")
    assert all(weight.isfinite().all() for weight in forecaster.parameters())
    assert inputs["resolution"] == (10 if words and "=10" in words[0] else 100)


def test_the_shipped_lightning_yaml_is_a_whole_training(
    canadafiresat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = yaml.safe_load((ROOT / "configs/benchmark/canadafiresat.yaml").read_text())
    content["data"]["init_args"] |= {
        "path": str(canadafiresat), "statistics": str(tmp_path / "s.json"), "workers": 0,
        "regions": ["British Columbia"],
    }  # fmt: skip
    content["trainer"] |= {
        "default_root_dir": str(tmp_path), "accelerator": "cpu", "max_epochs": 1,
    }  # fmt: skip
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(content))
    assert main(["train", "fit", "--config", str(tmp_path / "c.yaml")]) == 0
    assert main(["train", "validate", "--config", str(tmp_path / "c.yaml")]) == 0
    assert json.loads((tmp_path / "canadafiresat_val.json").read_text())["cells"] == 26 * 26
    bad = ["train", "fit", "--config", str(tmp_path / "c.yaml"), "--data.regions=[Yukn]"]
    assert main(bad) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("ConfigError: ")


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("--data.inputs.resolutio=10", "did you mean resolution"),
        ("--data.regins=[Alberta]", "did you mean regions"),
        ("--data.inputs.resolution=20", r"inputs\.resolution.*\[10, 100\]"),
        ("--data.inputs.looks=0", "looks start at 1"),
        ("--data.test=hard", "'test', 'test_hard'"),
        ("--data.batch_size=0", "batch_size, buffer and statistics_samples start at 1"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(
    tmp_path: Path, word: str, near: str
) -> None:
    with pytest.raises(ConfigError, match=near) as caught:
        train("fit", settings(tmp_path, tmp_path), [word])
    assert "\n" not in str(caught.value)
    assert "Union" not in str(caught.value)


def test_published_scores_go_with_the_benchmark_alone(tmp_path: Path) -> None:
    content = settings(tmp_path, tmp_path)
    content["data"] = {"class_path": "tests.fake_chips.FakeChips"}
    allowed = ("firesat.", "firesat_models.", "pytorch_lightning.", "tests.")
    with pytest.raises(ConfigError, match=r"leave it out of trainer\.callbacks"):
        train("fit", content, allowed=allowed)


def test_a_published_model_trains_with_its_published_recipe(
    canadafiresat: Path, tmp_path: Path
) -> None:
    """The smallest of them, whose recipe is that of the CNNs."""
    content = yaml.safe_load((ROOT / "configs/benchmark/canadafiresat.yaml").read_text())
    folder = ROOT / "configs/model/canadafiresat"
    words = [
        f"--config={folder / 'conv_lstm.yaml'}", f"--data.path={canadafiresat}",
        f"--data.statistics={tmp_path / 's.json'}", "--data.regions=[British Columbia]",
        "--data.batch_size=1", "--data.workers=0", "--data.inputs.looks=2",
        "--model.network.width=16", f"--trainer.default_root_dir={tmp_path}",
        "--trainer.accelerator=cpu", "--trainer.max_epochs=1",
    ]  # fmt: skip
    train("fit", content, words)
    state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["firesat"]["network_class"].endswith("SmallConvLSTM")
    # nothing is added to what the network says, as in the published models
    assert state["state_dict"]["offset"].tolist() == [0.0]
    assert state["optimizer_states"][0]["param_groups"][0]["initial_lr"] == 5e-6


def test_a_start_from_random_weights_is_said_aloud(
    canadafiresat: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network = {"class_path": "tests.benchmark.start.Meant", "init_args": {}}
    content = settings(canadafiresat, tmp_path, **network)
    few = ["--data.regions=[British Columbia]", "--data.statistics_samples=1"]
    allowed = ("firesat.", "firesat_models.", "pytorch_lightning.", "tests.")
    train("fit", content, [*few, "--trainer.max_steps=1"], allowed=allowed)
    assert "Meant starts from RANDOM weights" in caplog.text
    assert "--model.network.weights FILE" in caplog.text
