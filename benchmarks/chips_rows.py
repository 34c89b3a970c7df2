"""Chips of the training copy, from disk to memory, beside whatever else reads Zarr.

xbatcher and torchgeo are left out: neither is installed with the bench.
"""

import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import google_crc32c
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
READS, BATCH = 2000, 100  # of each contender and repetition: 10 000 in five
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
    """Chips one after the other, a hundred at a time."""
    return _compare(_batched(), [number % CHIPS for number in range(READS)], THREADS)


def at_random() -> list[Timing]:
    """Chips in any order, some twice, a hundred at a time."""
    return _compare(_batched(), _random(), THREADS)


def one_by_one() -> list[Timing]:
    """Chips in any order, each asked for when the last has come, as a map-style data set is."""
    chips, peers = store(), _peers()
    room = {FIELD: chips.buffers(1)[FIELD]}

    def ours(rows: Rows) -> Iterator[np.ndarray]:
        for row in rows:
            chips.read([row], room)
            yield room[FIELD][0]

    readers: dict[str, Reader] = {"ChipStore.read": ours}
    for name, array in peers.items():
        readers[name] = lambda rows, array=array: (np.asarray(array[row]) for row in rows)
    return _compare(readers, _random(), 1)


def _random() -> list[int]:
    """Chips to read."""
    return np.random.default_rng(1).integers(0, CHIPS, READS).tolist()


def _compare(readers: Mapping[str, Reader], rows: list[int], threads: int) -> list[Timing]:
    """All readers on the same chips."""
    batches = [rows[first : first + BATCH] for first in range(0, READS, BATCH)]

    def run(read: Reader) -> Callable[[], None]:
        def every() -> None:
            for some in batches:
                deque(read(some), maxlen=0)

        return every

    ceilings = {
        "its codecs alone": _decoding(rows, threads, checked=True),
        "blosc alone": _decoding(rows, threads, checked=False),
    }
    timings = interleaved({name: run(read) for name, read in readers.items()} | ceilings)
    truth = [chip.copy() for chip in readers["zarr-python"](rows[:BATCH])]
    noted = [
        replace(timing, note=_note(readers.get(timing.name), truth, rows, timing))
        for timing in timings
    ]
    targets = {"zarr-python": 8.0, "tensorstore": 3.0, "its codecs alone": 0.8}
    return [_judged(noted[0], noted[1:], targets), *noted[1:]]


@cache
def _peers() -> dict[str, Any]:
    """The field as the peers open it."""
    folder = ROOT / "chips.zarr"
    store()
    plain = zarr.open_group(folder, mode="r")[FIELD]
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        rust = zarr.open_group(folder, mode="r")[FIELD]
    limit = {"limit": THREADS}
    tensors = tensorstore.open({
        "driver": "zarr3", "kvstore": {"driver": "file", "path": str(folder / FIELD)},
        "context": {"data_copy_concurrency": limit, "file_io_concurrency": limit},
    }, read=True).result()  # fmt: skip
    data = xr.open_zarr(folder, consolidated=False, mask_and_scale=False, chunks=None)[FIELD]
    return {
        "zarr-python": plain, "zarr-python with zarrs": rust, "tensorstore": tensors,
        "xarray": data,
    }  # fmt: skip


def _batched() -> dict[str, Reader]:
    """Ours, and each peer in the faster of its two ways to read a batch."""
    chips, peers = store(), _peers()
    room = {FIELD: chips.buffers(BATCH)[FIELD]}
    pool = ThreadPoolExecutor(THREADS)

    def ours(rows: Rows) -> np.ndarray:
        chips.read(rows, room, THREADS)
        return room[FIELD][: len(rows)]

    def threads(array: Any) -> Reader:  # noqa: ANN401  anything that is indexed
        return lambda rows: list(pool.map(lambda row: np.asarray(array[row]), rows))

    plain, rust, tensors, data = peers.values()
    return {
        "ChipStore.read": ours,
        "zarr-python": _faster(lambda rows: plain.oindex[rows], threads(plain)),
        "zarr-python with zarrs": _faster(lambda rows: rust.oindex[rows], threads(rust)),
        "tensorstore": _faster(
            lambda rows: [done.result() for done in [tensors[row].read() for row in rows]],
            lambda rows: tensors[tensorstore.d[0][np.array(rows)]].read().result(),
        ),
        "xarray": _faster(lambda rows: data[list(rows)].values, threads(data)),
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


def _decoding(rows: Rows, threads: int, *, checked: bool) -> Callable[[], None]:
    """Nothing but the codecs on the same bytes into the same places: the ceiling.

    The array's codecs are blosc and crc32c, which every reader here applies; unchecked shows what
    the checksum costs.
    """
    array, room = store().arrays[FIELD], store().buffers(BATCH if threads > 1 else 1)[FIELD]
    work = [(array.chunk(row), room[number % len(room)]) for number, row in enumerate(rows)]
    pool = ThreadPoolExecutor(threads)

    def share(first: int) -> None:
        for chunk, out in work[first::threads]:
            blosc.decompress(chunk, out)
            if checked:
                google_crc32c.value(chunk)

    return lambda: deque(pool.map(share, range(threads)), maxlen=0) and None


def _note(read: Reader | None, truth: list[np.ndarray], rows: Rows, timing: Timing) -> str:
    """Chips per second, the slowest of a hundred single reads, and whether the answer differs."""
    rate = f"{READS / timing.median:.0f} chips/s"
    if read is None:
        return rate
    pairs = zip(read(rows[:BATCH]), truth, strict=True)
    same = all(np.array_equal(chip, wanted) for chip, wanted in pairs)
    slowest = _p99(lambda row: deque(read([row]), maxlen=0), rows[:300])
    return f"{rate}, p99 of one {slowest:.2f} ms" + ("" if same else " (DIFFERENT ANSWER)")


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
