"""Batches of CanadaFireSat: every sample once, in a known order, in bounded memory."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import pytorch_lightning as pl
import torch
import yaml
from jsonargparse import ArgumentParser
from torch import Tensor

from firesat.benchmark.canadafiresat import CanadaFireSat
from firesat.benchmark.layout import SPLITS
from firesat.benchmark.settings import BenchmarkInputs
from firesat.benchmark.stream import Shuffle, Stream, deal
from firesat.errors import CheckpointError, ConfigError, CorruptFileError, SampleError
from tests.canadafiresat_files import Row, make_row, make_set, sign, write_files

ROOT = Path(__file__).resolve().parents[2]
SET = make_set()


QUICK = BenchmarkInputs(use=("weather",))  # looks take their time, and weather tells who came


def data_of(path: Path, kept: Path | None = None, **how: Any) -> CanadaFireSat:
    statistics = (kept or path.parent) / "statistics.json"
    return CanadaFireSat(path, **{"batch_size": 4, "statistics": statistics, **how})


def quick(path: Path, **how: Any) -> CanadaFireSat:
    return data_of(path, **{"inputs": QUICK, "statistics_samples": 1, **how})


def signs(batches: Iterable[dict[str, Tensor]]) -> list[float]:
    """Which samples came, in their order."""
    return [value for batch in batches for value in batch["fwi"].tolist()]


def written(*kinds: str, regions: Iterable[str] = SET, only: bool | None = None) -> list[float]:
    """Samples in the order of the files."""
    rows: list[Row] = [
        row for region in regions for kind in kinds for file in SET[region][kind] for row in file
    ]
    return [sign(row) for row in rows if only is None or only == (row["file_id"] == "POS")]


@pytest.mark.parametrize(
    ("split", "regions", "number"),
    [
        ("train", None, 17),
        ("train", ["Alberta"], 12),
        ("train", ["British Columbia"], 5),
        ("train", ["British Columbia", "Alberta"], 17),
        ("val", None, 3),
        ("test", None, 5),
        ("test_hard", None, 6),
        ("test_hard", ["Alberta"], 4),
    ],
)
def test_each_split_has_its_own_files_and_each_province_too(
    canadafiresat: Path, split: str, regions: list[str] | None, number: int
) -> None:
    data = data_of(canadafiresat, regions=regions)
    pieces = data.pieces(split)
    assert sum(piece.rows for piece in pieces) == number
    assert {piece.region for piece in pieces} == set(regions or SET)
    assert all(piece.rows <= 2 for piece in pieces)


def test_held_out_splits_come_whole_and_in_the_order_of_the_files(canadafiresat: Path) -> None:
    data = quick(canadafiresat)
    assert signs(data.val_dataloader()) == written("validation")
    assert signs(data.test_dataloader()) == written("test")


def test_the_hard_test_has_the_fires_of_the_test_and_negatives_of_its_own(
    canadafiresat: Path,
) -> None:
    data = quick(canadafiresat, test="test_hard")
    batches = list(data.test_dataloader())
    fires, others = written("test", only=True), written("test_hard", only=False)
    assert sorted(signs(batches)) == sorted(fires + others)
    positive = [value for batch in batches for value in batch["positive"].tolist()]
    assert [s in fires for s in signs(batches)] == positive
    assert len(data.test_dataloader()) == len(batches) == 2


def test_training_takes_every_sample_once_whatever_the_buffer(canadafiresat: Path) -> None:
    for buffer in (1, 5, 1000):
        loader = quick(canadafiresat, buffer=buffer).train_dataloader()
        batches = list(loader)
        assert sorted(signs(batches)) == sorted(written("train"))
        assert [len(batch["fwi"]) for batch in batches] == [4, 4, 4, 4, 1]
        assert len(loader) == 5


def test_the_order_depends_on_seed_and_epoch_alone(canadafiresat: Path) -> None:
    loader = quick(canadafiresat, seed=1).train_dataloader()
    first, second = signs(loader), signs(loader)
    again = quick(canadafiresat, seed=1).train_dataloader()
    assert [signs(again), signs(again)] == [first, second]
    assert first != second
    assert signs(quick(canadafiresat, seed=2).train_dataloader()) != first


def test_a_training_that_goes_on_takes_the_order_of_its_epoch(canadafiresat: Path) -> None:
    data = quick(canadafiresat)

    def stream(epoch: int) -> Stream:
        how = Shuffle(seed=3, buffer=5, turns=8, epoch=epoch)
        return Stream(data.pieces("train"), data.regions, data._taker, data.scaler,
                      batch_size=4, shuffle=how)  # fmt: skip

    started = stream(0)
    list(started)
    for one, other in zip(started, stream(1), strict=True):
        assert isinstance(one, dict)
        assert isinstance(other, dict)
        for name, values in one.items():
            assert torch.equal(values.nan_to_num(), other[name].nan_to_num()), name


def test_provinces_and_files_are_mixed(canadafiresat: Path) -> None:
    data = quick(canadafiresat)
    assert data.regions == ("Alberta", "British Columbia")
    for seed in range(4):
        loader = quick(canadafiresat, seed=seed).train_dataloader()
        where = [number for batch in loader for number in batch["region"].tolist()]
        assert sorted(where) == [0] * 12 + [1] * 5
        # in the order of the files there is one change of province, turned round too
        assert sum(one != other for one, other in pairwise(where)) > 1


@pytest.mark.parametrize("hands", [1, 2, 3, 8])
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_row_groups_are_dealt_out_evenly_and_once(
    canadafiresat: Path, hands: int, seed: int | None
) -> None:
    pieces = quick(canadafiresat).pieces("train")
    held = deal(pieces, hands, seed)
    assert len(held) == hands
    assert sorted(map(hash, pieces)) == sorted(hash(piece) for mine in held for piece in mine)
    rows = [sum(piece.rows for piece in mine) for mine in held]
    assert max(rows) - min(rows) <= 2 or hands > len(pieces)


@pytest.mark.slow
def test_worker_processes_share_the_samples_and_the_length_is_true(canadafiresat: Path) -> None:
    data = quick(canadafiresat, workers=2)
    loader = data.train_dataloader()
    orders = [signs(loader), signs(loader)]
    for order in orders:
        assert sorted(order) == sorted(written("train"))
    assert orders[0] != orders[1]
    assert len(list(loader)) == len(loader)


@pytest.mark.slow
def test_an_error_in_a_worker_is_one_line(tmp_path: Path) -> None:
    bad = make_row(3) | {"labels": np.zeros((26, 26), "u1")}
    path = write_files(tmp_path / "set", {"Yukon": {"train": [[make_row(1), bad]]}})
    data = quick(path, workers=1)
    with pytest.raises(SampleError, match=r"train-0.*\.parquet, row 1: labels has shape") as caught:
        list(data.train_dataloader())
    assert "\n" not in str(caught.value)


def test_labels_turn_with_the_looks(tmp_path: Path) -> None:
    row = make_row(0)
    blocks = np.zeros((26, 26), "u1")
    blocks[3:7, 10:20] = 1
    row["labels"] = np.pad(blocks.repeat(10, 0).repeat(10, 1), 2)
    for column in ("10x", "20x", "60x"):
        row[column] = np.full_like(row[column][:1], 50)
    row["10x"][:, 0] += 100 * row["labels"]
    row["doy"] = row["doy"][-1:]
    path = write_files(tmp_path / "set", {"Yukon": {"train": [[row] * 8]}})
    how = {"inputs": BenchmarkInputs(use=("sentinel2",), looks=1), "batch_size": 8}
    (batch,) = data_of(path, **how).train_dataloader()
    bright = batch["sentinel2"][:, 0, 3] > batch["sentinel2"][:, 0, 3].mean()
    assert torch.equal(bright, batch["label"][:, 0] > 0)
    assert len({tuple(one.flatten().tolist()) for one in batch["label"]}) > 2
    (still,) = data_of(path, augment=False, **how).train_dataloader()
    assert len({tuple(one.flatten().tolist()) for one in still["label"]}) == 1


_READ = """
import sys
from pathlib import Path
import pyarrow as pa
from firesat.benchmark.pieces import pieces
from firesat.benchmark.sample import Taker
from firesat.benchmark.settings import BenchmarkInputs
from firesat.benchmark.stream import samples_in
path = Path(sys.argv[1])
taker = Taker(BenchmarkInputs(), path / "meta_hf.json")
for piece in pieces(path, "train", ["Yukon"], taker.columns):
    print(sum(1 for _ in samples_in(piece, taker)), pa.default_memory_pool().max_memory())
"""


@pytest.mark.slow
def test_reading_takes_as_much_memory_whatever_the_row_group(tmp_path: Path) -> None:
    files = [[make_row(0)] * number for number in (2, 16)]
    path = write_files(tmp_path, {"Yukon": {"train": files}}, rows_in_group=99)
    run = [sys.executable, "-c", _READ, str(path)]
    words = subprocess.run(run, check=True, capture_output=True).stdout.split()
    read, peak, more_read, more_peak = map(int, words)
    assert (read, more_read) == (2, 16)
    assert more_peak < 1.5 * peak


def test_only_the_columns_that_are_needed_are_read(canadafiresat: Path) -> None:
    columns = data_of(canadafiresat)._taker.columns
    assert not {"env_era5", "env_cds", "tab_modis", "fwi", "tile_id"} & set(columns)
    weather = data_of(canadafiresat, inputs=BenchmarkInputs(use=("weather",)))._taker.columns
    assert set(weather) == {"labels", "file_id", "env_doy", "tab_era5", "tab_cds"}


def test_training_channels_have_mean_0_and_std_1(canadafiresat: Path, tmp_path: Path) -> None:
    data = data_of(canadafiresat, tmp_path, batch_size=17, augment=False, statistics_samples=1000)
    (batch,) = data.train_dataloader()
    seen = batch["clear"].bool()
    bands = batch["sentinel2"].movedim(2, 0)[:, seen]
    torch.testing.assert_close(bands.mean(1), torch.zeros(13), atol=1e-4, rtol=0)
    torch.testing.assert_close(bands.std(1), torch.ones(13), atol=1e-3, rtol=0)
    burnt = batch["label"][batch["valid"] > 0].mean()
    assert data.base_rate == pytest.approx(float(burnt))
    assert all(bool(torch.isfinite(values).all()) for values in batch.values())
    assert torch.equal(batch["weight"], torch.ones(17))


def test_statistics_see_the_training_split_alone_and_are_kept(
    canadafiresat: Path, tmp_path: Path
) -> None:
    path, file = shutil.copytree(canadafiresat, tmp_path / "set"), tmp_path / "statistics.json"
    kept = data_of(path).scaler
    text = file.read_text()
    for other in [*path.rglob("validation-*"), *path.rglob("test*")]:
        other.unlink()
    assert data_of(path).scaler == kept
    assert file.read_text() == text
    # other provinces are measured too, and kept beside
    alberta = data_of(path, regions=["Alberta"]).scaler
    assert alberta != kept
    assert len(json.loads(file.read_text())) == 2
    assert (data_of(path).scaler, data_of(path, regions=["Alberta"]).scaler) == (kept, alberta)
    file.write_text('{"a": 1}')
    with pytest.raises(SampleError, match="holds no statistics of firesat: remove it"):
        _ = data_of(path).scaler


def test_a_test_needs_no_training_files_if_their_statistics_are_there(
    canadafiresat: Path, tmp_path: Path
) -> None:
    path = shutil.copytree(canadafiresat, tmp_path / "set")
    kept = quick(path).scaler
    for file in path.rglob("train-*"):
        file.unlink()
    alone = quick(path)
    assert alone.scaler == kept
    assert len(signs(alone.test_dataloader())) == 5
    with pytest.raises(SampleError, match="no training split to measure: download train-"):
        _ = quick(path, statistics=tmp_path / "none.json").scaler
    with pytest.raises(SampleError, match="has no samples for train in Alberta, British Columbia"):
        alone.train_dataloader()


def test_a_checkpoint_brings_its_own_scaling(canadafiresat: Path, tmp_path: Path) -> None:
    learned = quick(canadafiresat)
    here = quick(canadafiresat, regions=["British Columbia"])
    assert here.scaler != learned.scaler
    here.load_state_dict(learned.state_dict())
    assert here.scaler == learned.scaler
    other = BenchmarkInputs(use=("weather",), weather=("fwinx_mean",))
    fewer = data_of(canadafiresat, tmp_path, inputs=other)
    with pytest.raises(
        CheckpointError, match=r"learned with data\.inputs\.weather = .* give the same"
    ):
        fewer.load_state_dict(learned.state_dict())


@pytest.mark.parametrize("number", [1, 9, 12])
def test_statistics_take_as_many_samples_from_each_row_group(
    canadafiresat: Path, tmp_path: Path, number: int
) -> None:
    # 4 + 3 + 3 row groups with 17 rows
    data = data_of(canadafiresat, tmp_path, statistics_samples=number)
    assert data._statistics.samples == (10 if number <= 10 else 17)


def test_looks_that_are_too_late_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row = make_row(0)
    row["doy"] = [*row["doy"][:-1], row["env_doy"][-1] + 9]
    path = write_files(tmp_path / "set", {"Yukon": {"train": [[row]]}})
    assert data_of(path)._statistics.late_looks == 1
    assert "1 looks and 0 steps of a sample reach into the days that are forecast" in caplog.text


def test_a_batch_has_the_sizes_that_channels_promise(canadafiresat: Path) -> None:
    for resolution, side in ((100, 26), (10, 264)):
        inputs = BenchmarkInputs(resolution=resolution, looks=4)  # type: ignore[arg-type]
        data = data_of(canadafiresat, canadafiresat, inputs=inputs, statistics_samples=1)
        c = data.channels
        assert side // c.size == c.pixels
        batch = next(iter(data.val_dataloader()))
        assert {name: tuple(values.shape[1:]) for name, values in batch.items()} == {
            "sentinel2": (c.looks, c.sentinel2, side, side),
            "age": (c.looks, c.size, c.size),
            "clear": (c.looks, c.size, c.size),
            "modis": (c.modis_steps, c.modis, 5, 5),
            "modis_mask": (c.modis_steps, c.modis, 5, 5),
            "weather": (c.weather_steps, c.weather, 1, 1),
            "weather_mask": (c.weather_steps, c.weather),
            "fire": (0, c.size, c.size),
            "static": (0, c.size, c.size),
            "season": (2,),
            "label": (c.heads, c.size, c.size),
            "valid": (c.heads, c.size, c.size),
            "weight": (),
            "region": (),
            "positive": (),
            "fwi": (),
        }


def _change(path: Path, what: str) -> None:
    file = path / "Alberta" / "validation-00000-of-00001.parquet"
    content = file.read_bytes()
    if what == "a web page":
        file.write_text("<html>please log in</html>")
    elif what == "cut short":
        file.write_bytes(content[: len(content) // 2])
    elif what == "damaged":
        middle = len(content) // 2
        file.write_bytes(content[: middle - 2000] + bytes(4000) + content[middle + 2000 :])
    elif what == "a column less":
        pq.write_table(pq.read_table(file).drop_columns(["20x"]), file)
    else:
        file.unlink()


@pytest.mark.parametrize(
    ("what", "error", "words"),
    [
        ("a web page", CorruptFileError, "is no Parquet file, or cut short .* download it again"),
        ("cut short", CorruptFileError, "is no Parquet file, or cut short .* download it again"),
        ("damaged", CorruptFileError, "is damaged in row group 0 .* download it again"),
        ("a column less", SampleError, "has no column '20x'"),
        ("gone", SampleError, "has no samples for val in Alberta: download validation-"),
    ],
)
def test_files_that_are_none_are_refused_by_name_in_one_line(
    canadafiresat: Path, tmp_path: Path, what: str, error: type[Exception], words: str
) -> None:
    path = shutil.copytree(canadafiresat, tmp_path / "set")
    _change(path, what)
    with pytest.raises(error, match=words) as caught:
        list(data_of(path, regions=["Alberta"], statistics_samples=1).val_dataloader())
    assert "\n" not in str(caught.value)
    assert what == "gone" or "validation-00000-of-00001.parquet" in str(caught.value)


def test_folders_and_provinces_that_are_none_are_refused(
    canadafiresat: Path, tmp_path: Path
) -> None:
    with pytest.raises(SampleError, match="there is no CanadaFireSat at"):
        _ = data_of(tmp_path).regions
    with pytest.raises(SampleError, match="there is no CanadaFireSat at"):
        _ = data_of(tmp_path / "nothing").regions
    with pytest.raises(SampleError, match="give the folder above"):
        _ = data_of(canadafiresat / "Alberta").regions
    with pytest.raises(ConfigError, match="'Albertta': did you mean Alberta") as caught:
        _ = data_of(canadafiresat, regions=["Albertta"]).regions
    assert caught.value.exit_code == 2
    with pytest.raises(ConfigError, match="no split 'hard': there are train, val, test, test_hard"):
        data_of(canadafiresat).pieces("hard")
    assert tuple(SPLITS) == ("train", "val", "test", "test_hard")


def test_settings_that_cannot_be_are_refused(canadafiresat: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="batch_size, buffer and statistics_samples start at 1"):
        data_of(canadafiresat, buffer=0)
    (tmp_path / "file").touch()
    with pytest.raises(SampleError, match=r"cannot be written .* data\.statistics"):
        _ = data_of(canadafiresat, tmp_path / "file").scaler


def test_two_devices_are_refused(canadafiresat: Path) -> None:
    data = data_of(canadafiresat)
    data.trainer = pl.Trainer(
        accelerator="cpu", devices=2, strategy="ddp_spawn", logger=False,
        enable_checkpointing=False, enable_progress_bar=False,
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"set trainer\.devices to 1"):
        data.val_dataloader()


def test_the_shipped_configs_read_the_published_layout(canadafiresat: Path, tmp_path: Path) -> None:
    settings = yaml.safe_load((ROOT / "configs/data/canadafiresat.yaml").read_text())
    whole = yaml.safe_load((ROOT / "configs/benchmark/canadafiresat.yaml").read_text())["data"]
    assert settings["class_path"] == whole["class_path"]
    settings["init_args"] |= {"path": str(canadafiresat), "statistics": str(tmp_path / "s.json")}
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(pl.LightningDataModule, "data")
    data = parser.instantiate(parser.parse_object({"data": settings}))["data"]
    assert isinstance(data, CanadaFireSat)
    assert data.inputs == BenchmarkInputs(**whole["init_args"]["inputs"])
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        for batch in loader:
            assert torch.isfinite(batch["sentinel2"]).all()
