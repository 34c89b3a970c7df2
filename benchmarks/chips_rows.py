"""Chips of the training copy, from disk to memory, beside whatever else reads Zarr.

xbatcher and torchgeo are left out: neither is installed with the bench.
"""

import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from firesat.chipstore import FIELDS, ChipStore, write_chips
from firesat.chipstore.fields import Codec
from firesat.samples import Inputs
from firesat.scaling import Batch, Moments, add_masks

ROOT = Path("/dev/shm/firesat-bench-chips")
CHIPS, SIZE, LOOKS = 1024, 80, 3
READS, BATCH = 2000, 100  # of each contender and repetition: 10 000 in five
SINGLE = 400  # where peers take milliseconds for each array of a chip
EVERY = tuple(FIELDS)
THREADS = min(os.cpu_count() or 1, 16)

Rows = Sequence[int]
Chips = Mapping[str, Sequence[np.ndarray]]  # by array of the store, as many as rows
Reader = Callable[[Rows], Chips]
Arrays = Mapping[str, Any]  # of the store, as one peer opens them


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
def store(codec: Codec = "lz4") -> ChipStore:
    """A store as `firesat sample` writes it, in memory: no disk is measured."""
    path = ROOT / codec / "chips.zarr"
    shutil.rmtree(path.parent, ignore_errors=True)
    inputs = Inputs(looks=LOOKS)
    moments = Moments(inputs.names)
    table = pd.DataFrame({"split": "train", "pi": 1.0, "burning": 1, "at_risk": SIZE**2},
                         index=range(CHIPS))  # fmt: skip

    def counted() -> Iterator[Batch]:
        for chip in make_chips(inputs):
            moments.add(chip)
            yield chip

    write_chips(path, lambda: table, counted(), CHIPS, lambda: {
        "inputs": inputs.record, "regime": inputs.regime, "seed": 0,
        "names": {name: list(some) for name, some in inputs.names.items()},
        "channels": asdict(inputs.channels(SIZE)), "scaler": moments.scaler().record,
    }, codec)  # fmt: skip
    return ChipStore(path)


def in_order(codec: Codec) -> list[Timing]:
    """Whole chips one after the other, a hundred at a time."""
    chips = store(codec)
    return _compare(chips, _batched(chips, EVERY), [number % CHIPS for number in range(READS)])


def at_random(codec: Codec) -> list[Timing]:
    """Whole chips in any order, some twice, a hundred at a time."""
    chips = store(codec)
    return _compare(chips, _batched(chips, EVERY), _random(READS))


def one_by_one(codec: Codec) -> list[Timing]:
    """Whole chips in any order, each asked for when the last has come, as a data set's are."""
    chips = store(codec)
    room = chips.buffers(1)

    def ours(rows: Rows) -> Chips:
        (row,) = rows
        chips.read([row], room)
        return room

    def single(arrays: Arrays) -> Reader:
        return lambda rows: {name: [np.asarray(arrays[name][rows[0]])] for name in EVERY}

    peers = {name: single(arrays) for name, arrays in _peers(chips, EVERY).items()}
    return _compare(chips, {"ChipStore.read": ours} | peers, _random(SINGLE), batch=1)


def sentinel2_alone(codec: Codec) -> list[Timing]:
    """Only the largest array, 500 of a chip's 840 kB, in any order, a hundred at a time."""
    chips = store(codec)
    return _compare(chips, _batched(chips, ("sentinel2",)), _random(READS))


def _random(number: int) -> list[int]:
    """Chips to read."""
    return np.random.default_rng(1).integers(0, CHIPS, number).tolist()


def _compare(
    chips: ChipStore, readers: Mapping[str, Reader], rows: list[int], batch: int = BATCH
) -> list[Timing]:
    """All readers on the same chips."""
    batches = [rows[first : first + batch] for first in range(0, len(rows), batch)]
    fields = tuple(readers["zarr-python"](rows[:1]))

    def run(read: Reader) -> Callable[[], None]:
        return lambda: deque((read(some) for some in batches), maxlen=0) and None

    ceilings = {
        "its codecs alone": _decoding(chips, fields, rows, batch, checked=True),
        "unchecked": _decoding(chips, fields, rows, batch, checked=False),
    }
    timings = interleaved({name: run(read) for name, read in readers.items()} | ceilings)
    some = rows[:batch]
    truth = {
        name: [chip.copy() for chip in chips]
        for name, chips in readers["zarr-python"](some).items()
    }
    noted = [
        replace(timing, note=_note(readers.get(timing.name), truth, rows, batch, timing))
        for timing in timings
    ]
    targets = {"zarr-python": 8.0, "tensorstore": 3.0, "its codecs alone": 0.8}
    return [_judged(noted[0], noted[1:], targets), *noted[1:]]


@cache
def _peers(chips: ChipStore, fields: tuple[str, ...]) -> dict[str, Arrays]:
    """The arrays as the peers open them."""
    folder = chips.path
    plain = zarr.open_group(folder, mode="r")
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        group = zarr.open_group(folder, mode="r")
        rust = {name: group[name] for name in fields}
    data = xr.open_zarr(folder, consolidated=False, mask_and_scale=False, chunks=None)
    return {
        "zarr-python": {name: plain[name] for name in fields},
        "zarr-python with zarrs": rust,
        "tensorstore": {name: _tensors(folder / name) for name in fields},
        "xarray": {name: data[name] for name in fields},
    }


def _tensors(folder: Path) -> tensorstore.TensorStore:
    """An array as tensorstore opens it."""
    limit = {"limit": THREADS}
    return tensorstore.open({
        "driver": "zarr3", "kvstore": {"driver": "file", "path": str(folder)},
        "context": {"data_copy_concurrency": limit, "file_io_concurrency": limit},
    }, read=True).result()  # fmt: skip


def _batched(chips: ChipStore, fields: tuple[str, ...]) -> dict[str, Reader]:
    """Ours, and each peer in the faster of its two ways to read a batch."""
    peers = _peers(chips, fields)
    room = {name: array for name, array in chips.buffers(BATCH).items() if name in fields}
    pool = ThreadPoolExecutor(THREADS)

    def ours(rows: Rows) -> Chips:
        chips.read(rows, room, THREADS)
        return {name: array[: len(rows)] for name, array in room.items()}

    def threads(arrays: Arrays) -> Reader:
        def one(job: tuple[str, int]) -> np.ndarray:
            return np.asarray(arrays[job[0]][job[1]])

        def read(rows: Rows) -> Chips:
            came = pool.map(one, [(name, row) for name in fields for row in rows])
            return {name: [next(came) for _ in rows] for name in fields}

        return read

    def at_once(arrays: Arrays) -> Reader:
        return lambda rows: {name: arrays[name].oindex[rows] for name in fields}

    def listed(rows: Rows) -> Chips:
        return {name: peers["xarray"][name][list(rows)].values for name in fields}

    plain, rust = peers["zarr-python"], peers["zarr-python with zarrs"]
    return {
        "ChipStore.read": ours,
        "zarr-python": _faster(at_once(plain), threads(plain)),
        "zarr-python with zarrs": _faster(at_once(rust), threads(rust)),
        "tensorstore": _faster(*_of_tensors(peers["tensorstore"])),
        "xarray": _faster(listed, threads(peers["xarray"])),
    }


def _of_tensors(tensors: Arrays) -> tuple[Reader, Reader]:
    """A promise for each chip, and one for all."""

    def promised(rows: Rows) -> Chips:
        coming = {name: [tensors[name][row].read() for row in rows] for name in tensors}
        return {name: [done.result() for done in some] for name, some in coming.items()}

    def gathered(rows: Rows) -> Chips:
        chosen = tensorstore.d[0][np.array(rows)]
        coming = {name: tensors[name][chosen].read() for name in tensors}
        return {name: done.result() for name, done in coming.items()}

    return promised, gathered


def _faster(*ways: Reader) -> Reader:
    """The way that took less time for a batch, the second time."""
    rows = np.random.default_rng(2).integers(0, CHIPS, BATCH).tolist()

    def seconds(way: Reader) -> float:
        way(rows)
        start = time.perf_counter()
        way(rows)
        return time.perf_counter() - start

    return min(ways, key=seconds)


def _decoding(
    chips: ChipStore, fields: Sequence[str], rows: Rows, batch: int, *, checked: bool
) -> Callable[[], None]:
    """Nothing but the codecs on the same bytes into the same places: the ceiling.

    The arrays' codecs are blosc (or a copy) and crc32c, which every reader here applies; unchecked
    shows what the checksum costs.
    """
    room = chips.buffers(batch)
    work = [
        (chips.arrays[name].chunk(row), room[name][number % batch])
        for number, row in enumerate(rows)
        for name in fields
    ]
    packed = chips.arrays[fields[0]].packed
    threads = THREADS if batch > 1 else 1
    pool = ThreadPoolExecutor(threads)

    def share(first: int) -> None:
        for chunk, out in work[first::threads]:
            if packed:
                blosc.decompress(chunk, out)
            else:
                np.copyto(out.reshape(-1).view(np.uint8), chunk)
            if checked:
                google_crc32c.value(chunk)

    return lambda: deque(pool.map(share, range(threads)), maxlen=0) and None


def _note(read: Reader | None, truth: Chips, rows: Rows, batch: int, timing: Timing) -> str:
    """Chips per second, the slowest of a hundred single reads, and whether the answer differs."""
    rate = f"{len(rows) / timing.median:.0f} chips/s"
    if read is None:
        return rate
    chips = read(rows[:batch])
    same = chips.keys() == truth.keys() and all(
        chip.tobytes() == wanted.tobytes()
        for name, many in truth.items()
        for chip, wanted in zip(chips[name], many, strict=True)
    )
    slowest = _p99(lambda row: read([row]), rows[:300])
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
