"""Calibration on published maps of a tiny cube: what counts, and what is refused."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from firesat.cli.main import main
from firesat.errors import ConfigError
from firesat.grid import geobox
from firesat.jobs.evaluate import calibrate, held_out_days, record_of
from firesat.jobs.evaluate.calibrate import HeadCounts
from firesat.jobs.evaluate.record import Record
from firesat.metrics import EvaluateSettings
from firesat.metrics.bootstrap import Blocks
from firesat.samples import Inputs
from firesat.window import Period, Window
from tests.jobs.test_evaluate import CELLS, DAYS, GROUPS, publish, silent
from tests.tiny_cube import write_tiny_cube

ISSUED = [np.datetime64(day, "D") for day in DAYS]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_cube(tmp_path_factory.mktemp("tiny") / "cube.zarr", groups=GROUPS)


def test_maps_that_say_half_of_what_happens_are_raised_but_little_by_few_fires(
    cube: Path, tmp_path: Path
) -> None:
    record, seen = Record(cube, Inputs(), CELLS), 0
    for day in DAYS:
        truth = record.truth(day)
        rate = np.broadcast_to(truth.label.mean(axis=(1, 2), keepdims=True), truth.label.shape)
        publish(tmp_path, day, *(0.5 * rate + 1e-5))
        seen += int((truth.label[0] & truth.valid[0]).sum())
    publish(tmp_path, "2023-07-26", *np.full((2, *CELLS.shape), 0.9))  # of no held-out day
    found = calibrate(EvaluateSettings(), cube, tmp_path, DAYS, silent)
    growth = found["growth"]
    assert growth.burned == seen > 0
    assert 0.3 * seen < growth.expected < 0.7 * seen
    assert 0.0 < growth.curve.shift < 0.1
    assert (growth.blocks, growth.fires) == (1, 1)
    kept = record_of(found, DAYS)
    assert kept["rests_on"]["growth"]["burned"] == seen
    assert kept["days"] == list(DAYS)


def test_cells_without_an_answer_of_the_network_do_not_count() -> None:
    cells = geobox((0.0, 0.0, 300.0, 100.0), "EPSG:3979", 100)
    truth = SimpleNamespace(
        label=np.array([[[1, 1, 1]], [[0, 0, 1]]], np.uint8),
        valid=np.array([[[1, 1, 1]], [[1, 1, 0]]], np.uint8),
        fire_id=np.array([[4, 4, 9]]),
    )
    chances = np.array([[[0.25, np.nan, 0.0]], [[0.5, 0.25, 0.25]]], np.float32)
    counts = HeadCounts(Blocks.of(200.0, 16, ISSUED))
    counts.add(DAYS[0], cells, chances, truth)  # type: ignore[arg-type]  # what is read of it
    growth, new = counts.fit().values()
    assert (growth.cells, growth.burned, growth.expected) == (1, 1, 0.25)
    assert (growth.fires, growth.blocks) == (1, 1)
    assert (new.cells, new.burned, new.expected) == (2, 0, 0.75)


def test_held_out_days_follow_each_other_and_stay_within_their_split() -> None:
    splits = {
        "train": [Period(start="2021-05-01", end="2021-09-30")],
        "val": [Period(start="2022-08-01", end="2022-08-23")],
    }
    assert held_out_days(splits, Window()) == ["2022-08-01", "2022-08-09"]
    assert held_out_days({"train": splits["train"]}, Window(), needed=False) == []
    with pytest.raises(ConfigError, match=r"sample\.splits\.val holds no whole window of 8 days"):
        held_out_days({"train": splits["train"]}, Window())


def test_a_file_of_a_training_is_not_calibrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("best.ckpt").touch()
    config = str(ROOT / "configs" / "small.yaml")
    assert main(["calibrate", "--config", config, "--checkpoint", "best.ckpt"]) == 1
    assert "best.ckpt is no folder of a forecaster" in capsys.readouterr().err


def test_a_dry_run_refuses_what_the_work_would_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out" / "small" / "model").mkdir(parents=True)
    config = str(ROOT / "configs" / "small.yaml")
    assert main(["calibrate", "--config", config, "--dry-run"]) == 1
    assert "out/small/model lacks weights.safetensors" in capsys.readouterr().err
    assert not (tmp_path / "out" / "small" / "calibration").exists()


def test_where_nothing_is_held_out_the_pipeline_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    config = str(ROOT / "configs" / "real" / "bc_c50929.yaml")
    assert main(["calibrate", "--config", config, "--if-held-out", "--json"]) == 0
    assert '"days": []' in capsys.readouterr().out
    assert main(["calibrate", "--config", config]) == 2
