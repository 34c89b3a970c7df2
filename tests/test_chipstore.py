"""What is written is what is read, or nothing has the name."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr

from firesat.chipstore import FIELDS, ChipStore, write_chips
from firesat.errors import SampleError
from firesat.scaling import Batch
from tests.tiny_chips import make_chip, write_tiny_chips


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_chips(tmp_path_factory.mktemp("store") / "chips.zarr")


def write(path: Path, chips: Iterator[Batch], number: int, name: str = "a") -> None:
    write_chips(path, lambda: pd.DataFrame({"name": [name] * number}), chips, number, dict)


@pytest.mark.parametrize("held", [False, True])
def test_a_chip_comes_back(path: Path, held: bool) -> None:
    store = ChipStore(path)
    if held:
        store.hold()
    for number in (0, 33, 47):
        chip, read = make_chip(number), store[number]
        assert set(read) == set(chip)
        for name, values in chip.items():
            # half a step of 1e-4; float16 has 11 bits
            rtol, atol = (1e-6, 0.51e-4) if name == "sentinel2" else (2**-11, 0)
            np.testing.assert_allclose(read[name], values, rtol=rtol, atol=atol, err_msg=name)


def test_a_chip_is_one_chunk_and_a_file_holds_32(path: Path) -> None:
    root = zarr.open_group(path, mode="r")
    assert set(root) == set(FIELDS)
    reflectance = root["sentinel2"]
    assert reflectance.shape == (48, 2, 13, 20, 20)
    assert reflectance.chunks == (1, 2, 13, 20, 20)
    assert reflectance.shards == (32, 2, 13, 20, 20)
    assert reflectance.metadata.dimension_names == ("chip", "look", "band", "y", "x")
    assert len(list((path / "sentinel2" / "c").rglob("0"))) > 0


def test_plain_zarr_reads_packed_reflectance(path: Path) -> None:
    packed = zarr.open_group(path, mode="r")["sentinel2"]
    chip = make_chip(3)["sentinel2"]
    assert packed.attrs["scale_factor"] == 1e-4
    there = np.isfinite(chip)
    np.testing.assert_array_equal(packed[3][there], np.rint(chip[there] / np.float32(1e-4)))
    assert (packed[3][~there] == packed.attrs["_FillValue"]).all()
    assert (~there).any()


def test_table_and_length(path: Path) -> None:
    store = ChipStore(path)
    assert len(store) == len(store.table) == 48
    assert store.table["split"].value_counts().to_dict() == {"train": 40, "val": 8}
    assert sum(1 for _ in store) == 48


def test_bytes_count_what_memory_would_take(path: Path) -> None:
    # reflectance alone: 48 chips x 2 looks x 13 bands x 400 cells x 2 bytes
    store = ChipStore(path)
    store.hold()
    assert store.bytes == sum(values.nbytes for values in store._held.values())
    assert store._held["sentinel2"].nbytes == 48 * 2 * 13 * 400 * 2


def test_travels_to_a_worker_without_its_pixels(path: Path) -> None:
    store = ChipStore(path)
    store.hold()
    ticket = pickle.dumps(store)
    assert len(ticket) < 1000
    np.testing.assert_array_equal(pickle.loads(ticket)[5]["age"], store[5]["age"])


def broken(after: int) -> Iterator[Batch]:
    yield from (make_chip(seed) for seed in range(after))
    raise KeyboardInterrupt


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "chips.zarr", broken(40), 50)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_the_old_store_alone(tmp_path: Path) -> None:
    path = tmp_path / "chips.zarr"
    write(path, iter([make_chip(1)]), 1, "old")
    with pytest.raises(KeyboardInterrupt):
        write(path, broken(2), 3)
    assert ChipStore(path).table["name"].tolist() == ["old"]


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    path = tmp_path / "chips.zarr"
    (tmp_path / ".chips.zarr.part" / "chips.zarr").mkdir(parents=True)
    write(path, iter([make_chip(1)]), 1)
    write(path, iter([make_chip(2), make_chip(3)]), 2, "new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["chips.parquet", "chips.zarr"]
    assert ChipStore(path).table["name"].tolist() == ["new"] * 2


def test_another_number_of_chips_than_announced_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="3 chips were announced, 2 came"):
        write(tmp_path / "chips.zarr", iter([make_chip(1), make_chip(2)]), 3)
    with pytest.raises(SampleError, match="1 chips were announced, 2 came"):
        write(tmp_path / "chips.zarr", iter([make_chip(1), make_chip(2)]), 1)
    assert list(tmp_path.iterdir()) == []


def test_no_store_and_a_foreign_table_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "chips.zarr"
    with pytest.raises(SampleError, match="make them with firesat sample"):
        ChipStore(path)
    write(path, iter([make_chip(1)]), 1)
    pd.DataFrame({"name": ["b"]}).to_parquet(path.with_suffix(".parquet"))
    with pytest.raises(SampleError, match="is not the table of"):
        ChipStore(path)
