"""What is written is what is read, or nothing has the name."""

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorstore
import xarray as xr
import zarr

from firesat.chipstore import FIELDS, SHARD, ChipStore, write_chips
from firesat.chipstore.fields import DAYS
from firesat.errors import SampleError
from firesat.scaling import Batch
from tests.tiny_chips import make_chip, write_tiny_chips

STORED = [*FIELDS, *DAYS]

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_chips(tmp_path_factory.mktemp("store") / "chips.zarr")


def write(path: Path, chips: Iterator[Batch], number: int, name: str = "a") -> None:
    write_chips(path, lambda: pd.DataFrame({"name": [name] * number}), chips, number, dict)


@pytest.mark.parametrize("number", [0, 33, 47, -1])
def test_a_chip_comes_back(path: Path, number: int) -> None:
    chip, read = make_chip(number % 48), ChipStore(path)[number]
    assert set(read) == set(chip)
    for name, values in chip.items():
        # half a step of 1e-4; float16 has 11 bits
        rtol, atol = (1e-6, 0.51e-4) if name == "sentinel2" else (2**-11, 0)
        np.testing.assert_allclose(read[name], values, rtol=rtol, atol=atol, err_msg=name)


def test_a_chip_is_one_chunk_and_a_file_holds_64(path: Path) -> None:
    root = zarr.open_group(path, mode="r")
    assert set(root) == set(STORED)
    reflectance = root["sentinel2"]
    assert reflectance.shape == (48, 2, 13, 20, 20)
    assert reflectance.chunks == (1, 2, 13, 20, 20)
    assert reflectance.shards == (SHARD, 2, 13, 20, 20) == (64, 2, 13, 20, 20)
    assert reflectance.metadata.dimension_names == ("chip", "look", "band", "y", "x")
    files = [file for file in (path / "sentinel2").rglob("*") if file.is_file()]
    assert len(files) == 2  # the shard and its description


@pytest.mark.parametrize("name", STORED)
def test_others_read_the_same_bytes(path: Path, name: str) -> None:
    store = ChipStore(path)
    ours = {name: store.buffers(48)[name]}
    store.read(range(48), ours)
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path / name)}}
    bits = f"u{ours[name].itemsize}"
    for theirs in (
        np.asarray(zarr.open_group(path, mode="r")[name][:]),
        tensorstore.open(spec, read=True).result()[:].read().result(),
        xr.open_zarr(path, consolidated=False, mask_and_scale=False)[name].values,
    ):
        assert theirs.dtype == ours[name].dtype
        np.testing.assert_array_equal(theirs.view(bits), ours[name].view(bits))


def test_xarray_knows_reflectance_and_what_is_missing(path: Path) -> None:
    read = xr.open_zarr(path, consolidated=False)["sentinel2"][3].values
    np.testing.assert_allclose(read, make_chip(3)["sentinel2"], atol=0.51e-4)


def test_several_threads_read_the_same_in_any_order(path: Path) -> None:
    store = ChipStore(path)
    rows = np.random.default_rng(0).integers(0, 48, 100).tolist()
    alone, together = store.buffers(100), store.buffers(100)
    store.read(rows, alone)
    store.read(rows, together, threads=3)
    for name, values in alone.items():
        np.testing.assert_array_equal(values, together[name], err_msg=name)


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


def test_travels_to_a_worker_without_its_pixels(path: Path) -> None:
    store = ChipStore(path)
    chip = store[5]
    ticket = pickle.dumps(store)
    assert len(ticket) < 1000
    np.testing.assert_array_equal(pickle.loads(ticket)[5]["age"], chip["age"])


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


KILL = """
import os, signal, sys
from pathlib import Path
import pandas as pd
from firesat.chipstore import write, write_chips
from tests.tiny_chips import make_chip

path, calls = Path(sys.argv[1]), 0


def counted(function, fatal):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call


def run(fatal):
    Path.rename, write.sync_folder = counted(Path.rename, fatal), counted(write.sync_folder, fatal)
    table = counted(lambda: pd.DataFrame({"name": ["new", "new"]}), fatal)
    chip = counted(make_chip, fatal)
    write_chips(path, table, (chip(seed) for seed in (1, 2)), 2, dict)
    os._exit(0)


for fatal in range(1, 1000):
    child = os.fork()  # this process has no threads yet
    if not child:
        run(fatal)
    _, status = os.waitpid(child, 0)
    print(os.WTERMSIG(status), flush=True)
    if not os.WIFSIGNALED(status):
        break
    input()  # until the parent has looked
"""


@pytest.mark.slow
def test_a_run_killed_anywhere_leaves_the_old_store_the_new_one_or_a_clear_word(
    tmp_path: Path,
) -> None:
    path = tmp_path / "chips.zarr"
    seen: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", KILL, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, cwd=ROOT, env=os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"},
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        write(path, iter([make_chip(1)]), 1, "old")
        for line in child.stdout:
            try:
                store = ChipStore(path)
                assert len(list(store)) == len(store.table)
                seen.append(store.table["name"][0])
            except SampleError as error:
                seen.append(str(error))
            if line.strip() == "0":
                break
            assert line.strip() == "9"
            if seen[-1] != "old":
                write(path, iter([make_chip(1)]), 1, "old")
            print(file=child.stdin, flush=True)
    words = f"there are no chips at {path}: make them with firesat sample"
    # before each of two chips, the table, and the old store's going; then before the table's and
    # the new store's coming; before the folder is made durable; never
    assert seen == ["old"] * 4 + [words] * 2 + ["new"] * 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["chips.parquet", "chips.zarr"]


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


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """A store of one chip, to be broken."""
    path = tmp_path / "chips.zarr"
    write(path, iter([make_chip(1)]), 1)
    return path


def _no_store(path: Path) -> None:
    shutil.rmtree(path)


def _no_table(path: Path) -> None:
    path.with_suffix(".parquet").unlink()


def _another_table(path: Path) -> None:
    pd.DataFrame({"name": ["b"]}).to_parquet(path.with_suffix(".parquet"))


def _another_zarr(path: Path) -> None:
    (path / "zarr.json").write_text("{}")


def _no_field(path: Path) -> None:
    shutil.rmtree(path / "age")


def _another_field(path: Path) -> None:
    shutil.rmtree(path / "fire")
    shutil.copytree(path / "sentinel2", path / "fire")


def _another_layout(path: Path) -> None:
    group = zarr.open_group(path, mode="a")
    group.create_array("age", data=np.zeros((1, 2, 20, 20), "f2"), overwrite=True)


def _no_json(path: Path) -> None:
    (path / "age" / "zarr.json").write_text("{")


def _another_number(path: Path) -> None:
    rows = path.with_suffix(".parquet").read_bytes()
    write(path, iter([make_chip(1), make_chip(2)]), 2)
    shutil.copytree(path / "age", path.parent / "age")
    write(path, iter([make_chip(1)]), 1)
    shutil.rmtree(path / "age")
    (path.parent / "age").rename(path / "age")
    assert path.with_suffix(".parquet").read_bytes() == rows


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_no_store, "there are no chips at .*: make them with firesat sample"),
        (_no_table, r"lacks its table chips\.parquet: run firesat sample again"),
        (_another_table, r"chips\.parquet is not the table of .*: run firesat sample again"),
        (_another_zarr, "is no store of chips: run firesat sample again"),
        (_no_field, r"chips\.zarr has no age: run firesat sample again"),
        (_another_field, r"fire holds .*\(1, 'uint16', 4\), expected \(1, 'float16', 3\)"),
        (_another_layout, "age is no array of chips .*: run firesat sample again"),
        (_no_json, "age is no array of chips .*: run firesat sample again"),
        (_another_number, r"age holds .*\(2, 'float16', 3\), expected \(1, 'float16', 3\)"),
    ],
)
def test_a_store_that_cannot_be_read_says_why_in_one_line(
    one: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(one)
    with pytest.raises(SampleError, match=words) as caught:
        ChipStore(one)[0]
    assert "\n" not in str(caught.value)
