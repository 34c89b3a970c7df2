"""Chips of the training copy, from disk to memory, beside whatever else reads Zarr."""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import tensorstore
import xarray as xr
import zarr
from numcodecs import blosc

from benchmarks.timing import Timing, interleaved
from firesat.chipstore import ChipStore, write_chips
from firesat.samples import Inputs
from firesat.scaling import Batch, Moments, add_masks

ROOT = Path("/dev/shm/firesat-bench-chips")
CHIPS, SIZE, LOOKS = 1024, 80, 3
READS, BATCH = 2000, 50  # of each contender and repetition: 10 000 in five
THREADS = min(os.cpu_count() or 1, 16)
FIELD = "sentinel2"  # 500 kB of a chip's 840

Rows = Sequence[int]
Reader = Callable[[Rows], Iterable[np.ndarray]]


def make_chips(inputs: Inputs) -> Iterator[Batch]:
    """Smooth ground with sensor noise and clouds; packs to a half."""
    rng = np.random.default_rng(0)
    c = inputs.channels(SIZE)

    def ground(*shape: int) -> np.ndarray:
        coarse = rng.normal(0.2, 0.05, (*shape, SIZE // 8, SIZE // 8)).astype("f4")
        return coarse.repeat(8, -1).repeat(8, -2)

    for _ in range(CHIPS):
        cloudy = ground(LOOKS) > 0.23
        age = np.where(cloudy, np.nan, rng.integers(1, 60, (LOOKS, 1, 1))).astype("f4")
        looks = ground(LOOKS, 13) + rng.normal(0, 0.001, (LOOKS, 13, SIZE, SIZE)).astype("f4")
        looks[np.broadcast_to(cloudy[:, None], looks.shape)] = np.nan
        burns = ground() > 0.3
        yield add_masks({
            "sentinel2": looks,
            "age": age,
            "modis": rng.random((c.modis_steps, c.modis, SIZE // 5, SIZE // 5), "f4"),
            "weather": rng.random((c.weather_steps, c.weather, SIZE // 10, SIZE // 10), "f4"),
            "fire": np.zeros((c.fire, SIZE, SIZE), "f4"),
            "static": ground(c.static),
            "season": np.array([0.0, 1.0], "f4"),
            "label": np.stack([burns, ~burns]).astype("u1"),
            "valid": np.ones((2, SIZE, SIZE), "u1"),
        })  # fmt: skip


@cache
def store() -> ChipStore:
    """A store as `firesat sample` writes it, in memory: no disk is measured."""
    shutil.rmtree(ROOT, ignore_errors=True)
    inputs = Inputs(looks=LOOKS)
    moments = Moments(inputs.names)
    table = pd.DataFrame({"split": "train", "pi": 1.0, "burning": 1, "at_risk": SIZE**2},
                         index=range(CHIPS))  # fmt: skip

    def counted() -> Iterator[Batch]:
        for chip in make_chips(inputs):
            moments.add(chip)
            yield chip

    write_chips(ROOT / "chips.zarr", lambda: table, counted(), CHIPS, lambda: {
        "inputs": inputs.record, "regime": inputs.regime, "seed": 0,
        "names": {name: list(some) for name, some in inputs.names.items()},
        "channels": asdict(inputs.channels(SIZE)), "scaler": moments.scaler().record,
    })  # fmt: skip
    return ChipStore(ROOT / "chips.zarr")


def in_order() -> list[Timing]:
    """Chips one after the other."""
    return _compare([number % CHIPS for number in range(READS)])


def at_random() -> list[Timing]:
    """Chips in any order, some twice."""
    return _compare(np.random.default_rng(1).integers(0, CHIPS, READS).tolist())


def _compare(rows: list[int]) -> list[Timing]:
    """All readers on the same chips."""
    readers = _readers()
    truth = np.stack(list(readers["zarr-python"](rows[:BATCH])))
    batches = [rows[first : first + BATCH] for first in range(0, READS, BATCH)]

    def run(read: Reader) -> Callable[[], None]:
        return lambda: [read(some) for some in batches] and None

    ceiling = _codec_alone(rows)
    timings = interleaved(
        {name: run(read) for name, read in readers.items()} | {"blosc alone": ceiling}
    )
    noted = [
        replace(timing, note=_note(readers[timing.name], truth, rows, timing))
        for timing in timings[:-1]
    ]
    codec = replace(timings[-1], note=f"{READS / timings[-1].median:.0f} chips/s, no checksum")
    targets = {"zarr-python": 8.0, "tensorstore": 3.0, "blosc alone": 0.8}
    return [_judged(noted[0], [*noted[1:], codec], targets), *noted[1:], codec]


def _readers() -> dict[str, Reader]:
    """Ours and the peers, each in the faster of its two ways to read a batch."""
    folder = ROOT / "chips.zarr"
    chips = store()
    room = {FIELD: chips.buffers(BATCH)[FIELD]}

    def ours(rows: Rows) -> np.ndarray:
        chips.read(rows, room, THREADS)
        return room[FIELD][: len(rows)]

    plain = _zarr(folder)
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        rust = _zarr(folder)
    limit = {"limit": THREADS}
    tensors = tensorstore.open({
        "driver": "zarr3", "kvstore": {"driver": "file", "path": str(folder / FIELD)},
        "context": {"data_copy_concurrency": limit, "file_io_concurrency": limit},
    }, read=True).result()  # fmt: skip
    data = xr.open_zarr(folder, consolidated=False, mask_and_scale=False, chunks=None)[FIELD]
    pool = ThreadPoolExecutor(THREADS)

    def started(rows: Rows) -> list[np.ndarray]:
        return [done.result() for done in [tensors[row].read() for row in rows]]

    return {
        "ChipStore.read": ours,
        "zarr-python": _faster(
            lambda rows: plain.oindex[rows], lambda rows: list(pool.map(plain.__getitem__, rows))
        ),
        "zarr-python with zarrs": _faster(
            lambda rows: rust.oindex[rows], lambda rows: list(pool.map(rust.__getitem__, rows))
        ),
        "tensorstore": _faster(
            started, lambda rows: tensors[tensorstore.d[0][np.array(rows)]].read().result()
        ),
        "xarray": _faster(
            lambda rows: data[list(rows)].values,
            lambda rows: list(pool.map(lambda row: data[row].values, rows)),
        ),
    }


def _faster(*ways: Reader) -> Reader:
    """The way that took less time for a batch, the second time."""
    rows = np.random.default_rng(2).integers(0, CHIPS, BATCH).tolist()

    def seconds(way: Reader) -> float:
        way(rows)
        start = time.perf_counter()
        way(rows)
        return time.perf_counter() - start

    return min(ways, key=seconds)


def _zarr(folder: Path) -> zarr.Array:
    """The field in zarr-python."""
    array = zarr.open_group(folder, mode="r")[FIELD]
    assert isinstance(array, zarr.Array)
    return array


def _codec_alone(rows: Rows) -> Callable[[], None]:
    """Nothing but decompression of the same bytes into the same place: the ceiling."""
    array, room = store().arrays[FIELD], store().buffers(1)[FIELD]
    out = [np.empty_like(room[0]) for _ in range(THREADS)]
    chunks = [array.chunk(row) for row in rows]

    def share(first: int) -> None:
        for chunk in chunks[first::THREADS]:
            blosc.decompress(chunk, out[first])

    def run() -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(share, range(THREADS)))

    return run


def _note(read: Reader, truth: np.ndarray, rows: Rows, timing: Timing) -> str:
    """Chips per second, the slowest of a hundred single reads, and whether the answer differs."""
    same = np.array_equal(np.stack(list(read(rows[:BATCH]))), truth)
    slowest = _p99(lambda row: read([row]), rows[:300])
    return f"{READS / timing.median:.0f} chips/s, p99 of one {slowest:.2f} ms" + (
        "" if same else " (DIFFERENT ANSWER)"
    )


def _p99(read: Callable[[int], object], rows: Rows) -> float:
    """99th percentile of single reads, ms."""
    seconds = []
    for row in rows:
        start = time.perf_counter()
        read(row)
        seconds.append(time.perf_counter() - start)
    return float(1e3 * np.quantile(seconds, 0.99))


def _judged(ours: Timing, others: list[Timing], targets: Mapping[str, float]) -> Timing:
    """Say against which target we stand how, and what is missed."""
    words = []
    for other in others:
        if other.name in targets:
            ratio = other.median / ours.median
            missed = "" if ratio >= targets[other.name] else ", MISSED"
            words.append(f"{ratio:.2f} x {other.name} (target {targets[other.name]:g}{missed})")
    return replace(ours, note=f"{ours.note}; {'; '.join(words)}")
