"""What cannot be forecast is said in one line, and a dry run says the same."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor

from firesat.cli.main import main
from firesat.cube import create_cube, grid_of
from firesat.errors import CheckpointError, ConfigError, CubeError, ProductError
from firesat.forecast import Forecaster
from firesat.jobs.predict import predict, run
from firesat.jobs.predict.days import check_days
from firesat.model_folder import write_folder
from firesat.products.settings import PredictSettings
from firesat.scaling import Scaler
from firesat_models.temporal_cnn import TemporalCNN
from tests.jobs.predict_tools import (
    AXIS,
    INPUTS,
    Smooth,
    quiet,
    save,
)
from tests.tiny_cube import (
    REGION,
    layouts,
    write_tiny_cube,
)

pytest_plugins = ["tests.jobs.predict_fixtures"]


@pytest.mark.parametrize(
    ("regime", "day", "last"),
    [
        ("protocol", "2023-05-22", "2023-05-21"),
        ("hindsight", "2023-05-14", "2023-05-13"),
        ("operational", "2023-05-29", "2023-05-28"),
    ],
)
def test_a_day_outside_the_cube_is_refused_with_the_last_possible_one(
    cube: Path, regime: str, day: str, last: str
) -> None:
    inputs = replace(INPUTS, regime=regime)
    check_days([last], cube, inputs)
    with pytest.raises(CubeError, match=rf"{day} cannot be forecast.* last possible day is {last}"):
        check_days([last, day], cube, inputs)


def test_the_first_day_of_a_cube_has_no_weather_before_it(cube: Path) -> None:
    check_days(["2023-05-02"], cube, INPUTS)
    with pytest.raises(
        CubeError, match=r"2023-05-01 cannot be forecast: tiny\.zarr has weather from"
    ):
        check_days(["2023-05-01"], cube, INPUTS)


def test_a_cube_without_weather_says_so(tmp_path: Path) -> None:
    path = write_tiny_cube(tmp_path / "bare.zarr", days=3, groups=["static"])
    with pytest.raises(CubeError, match=r"holds no weather \(era5_land\) yet"):
        check_days(["2023-05-02"], path, INPUTS)
    create_cube(path, grid_of(path)).add_group(layouts()["era5_land"], AXIS)
    with pytest.raises(CubeError, match=r"holds no weather \(era5_land\) yet"):
        check_days(["2023-05-02"], path, INPUTS)


@pytest.mark.usefixtures("smooth")
def test_settings_that_cannot_work_are_refused_before_any_data_are_read(
    cube: Path, settings: PredictSettings
) -> None:
    with pytest.raises(ConfigError, match="multiple of 10 up to 70"):
        predict(replace(settings, stride=80), cube, quiet)
    with pytest.raises(ConfigError, match=r"of chips of 80 cells nothing is left .* of 40"):
        predict(replace(settings, halo=40), cube, quiet)
    with pytest.raises(ConfigError, match="takes multiples of 10 cells"):
        predict(replace(settings, chip=84), cube, quiet)
    with pytest.raises(ConfigError, match="no day to forecast"):
        predict(replace(settings, days=()), cube, quiet)
    assert not settings.output.exists()


@pytest.mark.usefixtures("smooth")
def test_a_place_that_cannot_be_written_to_is_refused_before_anything_is_loaded(
    cube: Path, settings: PredictSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "machine_of", None)
    with pytest.raises(ConfigError, match=r"into .*smooth\.ckpt: Not a directory; .* as --output"):
        predict(replace(settings, output=settings.output.with_name("smooth.ckpt")), cube, quiet)


@pytest.fixture
def config(cube: Path, scaler: Scaler, tmp_path: Path) -> Path:
    """A project of the tiny cube, whose forecaster is a folder."""
    network = TemporalCNN(INPUTS.channels(80), width=8, weather_width=8)
    write_folder(save(network, scaler, tmp_path / "best.ckpt"), tmp_path / "model")
    period = {"start": "2023-05-01", "end": "2023-05-20"}
    content = {
        "grid": {"region": list(REGION)},
        "cube": {"path": str(cube), "periods": [period]},
        "sample": {
            "path": str(tmp_path / "chips.zarr"),
            "splits": {
                "train": [{"start": "2022-05-01", "end": "2022-05-20"}],
                "val": [{"start": "2023-05-02", "end": "2023-05-17"}],
            },
        },
        "predict": {
            "output": str(tmp_path / "out" / "maps"),
            "checkpoint": str(tmp_path / "model"),
            "days": ["2023-05-17", "2023-05-18"],
        },
    }
    path = tmp_path / "project.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_dry_run_refuses_what_a_run_would_and_writes_nothing(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    command = ["predict", "--config", str(config), "--dry-run"]
    for wrong, words in (
        (["--reference_time", "2024-07-05"], "2024-07-05 cannot be forecast"),
        (["--checkpoint", "nope"], "there is no checkpoint at nope"),
        (["--set", "predict.chip=84"], "takes multiples of 40 cells"),
        (["--output", str(config)], "Not a directory; give another folder as --output"),
    ):
        assert main([*command, *wrong]) == main([*command[:-1], *wrong]) != 0
        said, again = capsys.readouterr().err.splitlines()
        assert words in said
        assert said == again
    assert main(command) == 0
    assert "would forecast 2023-05-17, 2023-05-18 in" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_tells_kept_days_from_days_to_be_made_in_json_too(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["predict", "--config", str(config)]
    assert main([*command, "--reference_time", "2023-05-18", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["share_without_forecast"]) == ["2023-05-18"]
    assert main([*command, "--dry-run"]) == 0
    told = capsys.readouterr()
    output = tmp_path / "out" / "maps"
    assert told.err.splitlines()[-2:] == [
        f"would forecast 2023-05-17 in {output}",
        f"would keep the whole maps of 2023-05-18 in {output}",
    ]
    assert told.out == ""
    assert main([*command, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "output": str(output),
        "would_forecast": ["2023-05-17"],
        "kept": ["2023-05-18"],
    }


def test_a_dry_run_of_a_calibration_checks_its_maps_and_writes_nothing(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    command = ["calibrate", "--config", str(config), "--dry-run"]
    assert main(command) == 0
    work = tmp_path / "out" / "calibration"
    assert f"would forecast 2023-05-02, 2023-05-10 into {work}, then" in capsys.readouterr().err
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["would_forecast"] == ["2023-05-02", "2023-05-10"]
    period = "sample.splits.val=[{start: 2024-05-02, end: 2024-05-09}]"
    assert main([*command, "--set", period]) == 1
    assert "2024-05-02 cannot be forecast" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", ["predict", "calibrate", "evaluate"])
def test_a_config_of_another_region_than_the_cube_s_is_refused_with_both(
    config: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    elsewhere = "grid.region=[10000, 660000, 40000, 680000]"
    output = f"evaluate.output={config.parent / 'scores'}"
    assert main([command, "--config", str(config), "--set", elsewhere, "--set", output]) == 1
    said = capsys.readouterr().err
    assert f"extent: {list(REGION)} there, [10000.0, 660000.0, 40000.0, 680000.0] now" in said
    assert said.count("\n") == 1


def test_a_missing_checkpoint_is_named(cube: Path, settings: PredictSettings) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*smooth\.ckpt"):
        predict(settings, cube, quiet)
    with pytest.raises(CheckpointError, match="give --checkpoint FILE"):
        predict(replace(settings, checkpoint=None), cube, quiet)


def test_a_network_that_gives_no_numbers_leaves_no_map(
    cube: Path, smooth: Forecaster, settings: PredictSettings
) -> None:
    smooth.network.slope = float("nan")
    with pytest.raises(CheckpointError, match="answers NaN"):
        predict(settings, cube, quiet)
    assert list(settings.output.iterdir()) == []


def test_a_device_without_room_is_one_line_and_leaves_no_map(
    cube: Path, smooth: Forecaster, settings: PredictSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: Smooth, batch: dict[str, Tensor]) -> Tensor:
        raise torch.OutOfMemoryError(f"CUDA out of memory.\nTried {len(batch['age'])} GiB")

    monkeypatch.setattr(Smooth, "forward", forward)
    with pytest.raises(ProductError, match=r"of 5 chips .* predict\.batch_size=2") as caught:
        predict(replace(settings, batch_size=8), cube, quiet)
    assert "\n" not in str(caught.value)
    assert not list(settings.output.rglob("*.tif"))
