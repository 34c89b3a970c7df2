"""Writing blocks of a cube, beside the peers' own writes of the same bytes in the same form.

Each contender packs the same physical values and writes them block after block, with the same
compressor, inner chunks and shards; each reads back as the same numbers. Ours alone minds missing
values, and ends with a checksum of each block, file and chunk.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numcodecs import Blosc

from benchmarks.timing import Timing, interleaved
from firesat.bands import SENTINEL2_BANDS
from firesat.blocks import Block, Layout, Variable
from firesat.cube import Cube, create_cube, verify
from firesat.cube.shards import CODECS, THREADS
from firesat.grid import Grid
from firesat.manifest import Receipt

MEMORY = Path("/dev/shm/firesat-bench")
DISK = Path("out/bench-cube")
BLOCKS = 40  # of 26 MB each: 1 GB
CHUNK, SHARD = (1, 13, 250, 250), (1, 13, 1000, 1000)
PEERS = ("zarrs", "tensorstore")
LAYOUT = Layout(
    group="sentinel2",
    level=100,
    variables=(
        Variable(name="reflectance", dtype="uint16", scale=1e-4, fill=65535, bands=SENTINEL2_BANDS),
    ),
)


def physical(number: int) -> np.ndarray:
    """One tile and day of 13 bands, smooth with some noise, as reflectance is."""
    rng = np.random.default_rng(number)
    smooth = rng.normal(0.2, 0.02, (1, 13, 100, 100)).repeat(10, 2).repeat(10, 3)
    return (smooth + rng.normal(0, 0.003, smooth.shape)).astype("float32")


def packed(values: np.ndarray) -> np.ndarray:
    """As the cube stores them."""
    return np.rint(values / np.float32(1e-4)).astype("uint16")


def our_cube(root: Path, layout: Layout) -> tuple[Cube, list[Block]]:
    """An empty cube of as many days as there are blocks."""
    days = np.datetime64("2021-05-01") + np.arange(BLOCKS)
    cube = create_cube(root / "ours.zarr", Grid(region=(0, 600_000, 100_000, 700_000)))
    return cube, cube.add_group(layout, days)


def plain_array(root: Path, codec: str, **kw: object) -> "zarr.Array[Any]":
    """An array of the same form."""
    return zarr.create_array(
        root / "plain.zarr", shape=(BLOCKS, 13, 1000, 1000), dtype="uint16", chunks=CHUNK,
        shards=SHARD, overwrite=True, fill_value=65535, dimension_names=["t", "b", "y", "x"],
        compressors=zarr.codecs.BloscCodec(cname=codec, clevel=CODECS[codec], shuffle="shuffle"),
        **kw,
    )  # fmt: skip


def sync(folder: Path) -> None:
    """The peers' own fsync: every file, then every folder, as ours does."""
    for path in sorted(folder.rglob("*"), reverse=True):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def write(root: Path, codec: str, *, durable: bool) -> list[Timing]:
    """All contenders, a block at a time; seconds for the whole."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    scenes = [physical(number) for number in range(4)]
    layout = replace(LAYOUT, codec=codec)
    cube, blocks = our_cube(root, layout)
    contenders: dict[str, Callable[[], object]] = {
        "Cube.write_block": partial(ours, cube, layout, blocks, scenes),
        "zarr-python": partial(theirs, root, codec, scenes, durable),
        "codec alone, same threads": partial(
            codec_alone, codec, [packed(values) for values in scenes]
        ),
    }
    if durable:
        size = sum(path.stat().st_size for path in stored(cube, layout, blocks, scenes))
        contenders["dd conv=fsync, stored bytes"] = partial(dd, root, size)
    for name in PEERS:
        if find_spec(name) is not None:
            contenders[name] = partial(PEER_WRITES[name], root, codec, scenes, durable)
    timings = interleaved(contenders, repetitions=5)
    same = all(
        np.array_equal(zarr.open_array(path, mode="r")[1:2], packed(scenes[1]))
        for path in (root / "ours.zarr/sentinel2/reflectance", root / "plain.zarr")
    )
    shutil.rmtree(root)
    total = BLOCKS * packed(scenes[0]).nbytes
    absent = ", ".join(name for name in PEERS if find_spec(name) is None)
    rates = [f"{total / t.median / 1e6:.0f} MB/s" for t in timings]
    rates[0] += "" if same else " (DIFFERENT ANSWER)"
    rates[1] += f" ({absent} not installed)" if absent else ""
    return [replace(t, note=rate) for t, rate in zip(timings, rates, strict=True)]


def ours(cube: Cube, layout: Layout, blocks: list[Block], scenes: list[np.ndarray]) -> None:
    """Pack, compress, sum up, write, sync."""
    for number, block in enumerate(blocks):
        layer = xr.Dataset(
            {"reflectance": (("time", "band", "y", "x"), scenes[number % len(scenes)])}
        )
        cube.write_block(layout, block, layer)


def stored(cube: Cube, layout: Layout, blocks: list[Block], scenes: list[np.ndarray]) -> list[Path]:
    """The files of one run of ours."""
    ours(cube, layout, blocks, scenes)
    return [p for p in (cube.path / "sentinel2/reflectance/c").rglob("*") if p.is_file()]


def theirs(root: Path, codec: str, scenes: list[np.ndarray], durable: bool) -> None:
    """zarr-python's region write."""
    array = plain_array(root, codec)
    for number in range(BLOCKS):
        array[number : number + 1] = packed(scenes[number % len(scenes)])
        if durable:
            sync(root / "plain.zarr" / "c" / str(number))


def by_zarrs(root: Path, codec: str, scenes: list[np.ndarray], durable: bool) -> None:
    """zarr-python with the Rust pipeline."""
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        theirs(root, codec, scenes, durable)


def by_tensorstore(root: Path, codec: str, scenes: list[np.ndarray], durable: bool) -> None:
    """tensorstore's own driver on an array of the same form."""
    import tensorstore

    plain_array(root, codec)
    path = str(root / "plain.zarr")
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": path}, "open": True}
    array = tensorstore.open(spec).result()
    for number in range(BLOCKS):
        array[number : number + 1] = packed(scenes[number % len(scenes)])
        if durable:
            sync(root / "plain.zarr" / "c" / str(number))


PEER_WRITES = {"zarrs": by_zarrs, "tensorstore": by_tensorstore}


def codec_alone(codec: str, raw: list[np.ndarray]) -> None:
    """Blosc on the same chunks and as many threads, and nothing else: the limit."""
    blosc = Blosc(codec, CODECS[codec], Blosc.SHUFFLE)
    parts = [
        np.ascontiguousarray(block[..., y : y + 250, x : x + 250])
        for block in raw
        for y in range(0, 1000, 250)
        for x in range(0, 1000, 250)
    ]
    with ThreadPoolExecutor(THREADS) as pool:
        for number in range(BLOCKS):
            own = parts[16 * (number % len(raw)) :][:16]
            list(pool.map(blosc.encode, own))


def dd(root: Path, size: int) -> None:
    """The disk's own rate for as many bytes."""
    subprocess.run(
        ["dd", "if=/dev/zero", f"of={root}/dd", "bs=1M", f"count={size // 2**20}", "conv=fsync"],
        check=True,
        capture_output=True,
    )


def verifying() -> list[Timing]:
    """Comparing every byte of a cube with its receipts, beside reading it and nothing else."""
    shutil.rmtree(MEMORY, ignore_errors=True)
    cube, blocks = our_cube(MEMORY, LAYOUT)
    rows, layer = [], xr.Dataset({"reflectance": (("time", "band", "y", "x"), physical(0))})
    for block in blocks:
        written = cube.write_block(LAYOUT, block, layer)
        rows.append(
            Receipt(key=block.key, group=block.group, status="done", files=list(written.files),
                    checksum=written.checksum)
        )  # fmt: skip
    cube.manifest().add(rows)
    files = [p for p in (cube.path / "sentinel2/reflectance/c").rglob("*") if p.is_file()]
    total = sum(path.stat().st_size for path in files)
    contenders: dict[str, Callable[[], object]] = {
        "firesat cube verify": lambda: verify.Verifier(cube.path).run(lambda *_: None),
        "reading alone": lambda: [path.read_bytes() for path in files],
    }
    timings = interleaved(contenders)
    shutil.rmtree(MEMORY)
    return [replace(t, note=f"{total / t.median / 1e9:.2f} GB/s") for t in timings]
