"""Any chip comes back bit by bit; a damaged one is named, whatever byte was hit."""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import psutil
import pytest
import tensorstore
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from firesat.chipstore import ShardedArray
from firesat.chipstore.fields import Codec, Field
from firesat.chipstore.shards import OPEN
from firesat.chipstore.write import create_field
from firesat.errors import CorruptChipError, SampleError

DTYPES = ("uint8", "uint16", "int32", "float16", "float32", "float64")


def store(folder: Path, values: np.ndarray, shard: int, codec: Codec = "lz4") -> Path:
    """Write an array as chips are, whole shards at a time."""
    field = Field(dims=tuple(f"d{n}" for n in range(values.ndim - 1)), dtype=values.dtype.name)
    array = create_field(zarr.open_group(folder), "field", field, values.shape, shard, codec)
    for first in range(0, len(values), shard):
        array[first : first + shard] = values[first : first + shard]
    return folder / "field"


def all_chips(folder: Path) -> np.ndarray:
    array = ShardedArray(folder)
    out = np.empty(array.shape, array.dtype)
    for row, chip in enumerate(out):
        array.read(row, chip.reshape(array.shape[1:]))
    return out


@settings(deadline=None, max_examples=40)  # each writes files
@given(
    dtype=st.sampled_from(DTYPES),
    chips=st.integers(1, 9),
    shape=array_shapes(min_dims=1, max_dims=4, max_side=7),
    shard=st.integers(1, 11),
    codec=st.sampled_from(("lz4", "none")),
    data=st.data(),
)
def test_any_chip_comes_back_here_and_elsewhere(
    dtype: str, chips: int, shape: tuple[int, ...], shard: int, codec: Codec, data: st.DataObject
) -> None:
    values = data.draw(arrays(dtype, (chips, *shape)))
    with tempfile.TemporaryDirectory() as name:
        folder = store(Path(name), values, shard, codec)
        ours = all_chips(folder)
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(folder)}}
        theirs = tensorstore.open(spec, read=True).result()[:].read().result()
        plain = np.asarray(zarr.open_array(folder, mode="r")[:])
    assert ours.dtype == values.dtype
    assert ours.tobytes() == values.tobytes() == theirs.tobytes() == plain.tobytes()


@pytest.fixture(scope="module", params=["lz4", "none"])
def three(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Three chips in shards of two, the second shard not full."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 300, (3, 2, 6, 6)).astype("u2")
    return store(tmp_path_factory.mktemp("three"), values, 2, request.param)


def complaints(folder: Path) -> dict[int, str]:
    """Chips that cannot be read, and what is said of them."""
    array, said = ShardedArray(folder), {}
    for row in range(array.shape[0]):
        try:
            array.read(row, np.empty(array.shape[1:], array.dtype))
        except CorruptChipError as error:
            said[row] = str(error)
    return said


def spoilt(three: Path, folder: Path, content: bytes) -> Path:
    """A copy whose first shard has another content."""
    shutil.copytree(three, folder)
    (folder / "c/0/0/0/0").write_bytes(content)
    return folder


def shard_of(three: Path) -> bytes:
    return (three / "c/0/0/0/0").read_bytes()


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_no_flipped_bit_goes_unnoticed(three: Path, tmp_path: Path, step: int) -> None:
    content = shard_of(three)
    folder = spoilt(three, tmp_path / "field", content)
    assert complaints(folder) == {}
    assert len(content) > 300
    for bit in range(0, 8 * len(content), step):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        (folder / "c/0/0/0/0").write_bytes(changed)
        said = complaints(folder)
        assert said.keys() in ({0}, {1}, {0, 1})  # chip 2 lies in the other shard
        for row, words in said.items():
            assert f"chip {row} is damaged" in words or "c/0/0/0/0 is truncated or its" in words


@pytest.mark.parametrize("codec", ["lz4", "none"])
@pytest.mark.parametrize("number", [200, pytest.param(5000, marks=pytest.mark.exhaustive)])
def test_a_large_damaged_chip_neither_passes_nor_crashes(
    tmp_path: Path, number: int, codec: Codec
) -> None:
    rng = np.random.default_rng(0)
    values = np.rint(rng.normal(2000, 30, (1, 3, 13, 80, 80))).astype("u2")
    folder = store(tmp_path, values, 1, codec)
    shard = folder / "c/0/0/0/0/0"
    content = shard.read_bytes()
    assert len(content) > 100_000
    for place in rng.integers(0, len(content), number):
        changed = bytearray(content)
        changed[place] ^= 1 << int(rng.integers(8))
        shard.write_bytes(changed)
        assert complaints(folder).keys() == {0}


def test_a_truncated_shard_is_noticed_wherever_it_ends(three: Path, tmp_path: Path) -> None:
    content = shard_of(three)
    folder = spoilt(three, tmp_path / "field", content)
    for length in range(len(content)):
        (folder / "c/0/0/0/0").write_bytes(content[:length])
        said = complaints(folder)
        assert said.keys() == {0, 1}
        assert all("\n" not in words and "chip 0 is damaged" in words for words in said.values())


def test_a_lost_shard_is_no_shard_of_zeros(three: Path, tmp_path: Path) -> None:
    folder = spoilt(three, tmp_path / "field", b"")
    (folder / "c/0/0/0/0").unlink()
    with pytest.raises(CorruptChipError, match=r"chip 0 is damaged in .*: c/0/0/0/0 is missing"):
        ShardedArray(folder).read(1, np.empty((2, 6, 6), "u2"))


def test_a_chip_that_was_never_written_is_named(tmp_path: Path) -> None:
    array = create_field(
        zarr.open_group(tmp_path), "field", Field(dims=("y",), dtype="uint8"), (4, 5), 4
    )
    with zarr.config.set({"array.write_empty_chunks": False}):
        plain = zarr.open_array(array.store_path, mode="r+")
        plain[1:2] = np.ones((1, 5), "u1")
    out = np.empty(5, "u1")
    ShardedArray(tmp_path / "field").read(1, out)
    assert (out == 1).all()
    with pytest.raises(CorruptChipError, match=r"chip 2 is damaged .*: it was never written"):
        ShardedArray(tmp_path / "field").read(2, out)


def test_a_chip_of_another_size_is_refused(three: Path, tmp_path: Path) -> None:
    codec: Codec = "lz4" if ShardedArray(three).packed else "none"
    other = store(tmp_path, np.zeros((3, 2, 6, 7), "u2"), 2, codec)
    shutil.copy(other / "c/0/0/0/0", tmp_path / "kept")
    folder = spoilt(three, tmp_path / "mixed", (tmp_path / "kept").read_bytes())
    with pytest.raises(CorruptChipError, match=r"chip 1 .*: its size is of another chip"):
        ShardedArray(folder).read(1, np.empty((2, 6, 6), "u2"))


@pytest.mark.parametrize("change", [
    {"codecs": [{"name": "bytes"}]},
    {"codecs": 3},
    {"data_type": "string of unknown length"},
    {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}}},
])  # fmt: skip
def test_another_layout_is_refused(three: Path, tmp_path: Path, change: dict[str, object]) -> None:
    folder = spoilt(three, tmp_path / "field", shard_of(three))
    meta = json.loads((folder / "zarr.json").read_text())
    (folder / "zarr.json").write_text(json.dumps(meta | change))
    with pytest.raises(SampleError, match="run firesat sample again"):
        ShardedArray(folder)


def test_few_files_stay_open(tmp_path: Path) -> None:
    values = np.arange(3 * OPEN, dtype="u1")[:, None]
    array = ShardedArray(store(tmp_path, values, 1))
    before = psutil.Process().num_fds()
    for row in range(len(values)):
        out = np.empty(1, "u1")
        array.read(row, out)
        assert out == row % 256
    assert psutil.Process().num_fds() - before <= OPEN
