"""Writing blocks of a cube, beside zarr-python's own region write."""

import shutil
from pathlib import Path

import numpy as np
import xarray as xr
import zarr

from benchmarks.timing import Timing, interleaved
from firesat.bands import SENTINEL2_BANDS
from firesat.blocks import Layout, Variable
from firesat.cube import create_cube, open_cube
from firesat.grid import Grid

ROOT = Path("/dev/shm/firesat-bench")
LAYOUT = Layout(
    group="sentinel2",
    level=100,
    variables=(
        Variable(name="reflectance", dtype="uint16", scale=1e-4, fill=65535, bands=SENTINEL2_BANDS),
    ),
)


def write() -> list[Timing]:
    """One tile and day of 13 bands: 26 MB as stored."""
    shutil.rmtree(ROOT, ignore_errors=True)
    days = np.arange(np.datetime64("2021-05-01"), np.datetime64("2021-05-03"))
    cube = create_cube(ROOT / "ours.zarr", Grid(region=(0, 600_000, 100_000, 700_000)))
    block = cube.add_group(LAYOUT, days)[0]
    rng = np.random.default_rng(0)
    smooth = rng.normal(0.2, 0.02, (1, 13, 100, 100)).repeat(10, 2).repeat(10, 3)
    values = (smooth + rng.normal(0, 0.003, smooth.shape)).astype("float32")
    layer = xr.Dataset({"reflectance": (("time", "band", "y", "x"), values)})
    plain = zarr.create_array(
        ROOT / "plain.zarr", shape=(2, 13, 1000, 1000), dtype="uint16",
        chunks=(1, 13, 250, 250), shards=(1, 13, 1000, 1000),
        compressors=zarr.codecs.BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
    )  # fmt: skip

    def theirs() -> None:
        plain[0:1] = np.rint(values / 1e-4).astype("uint16")

    timings = interleaved(
        {
            "Cube.write_block": lambda: cube.write_block(LAYOUT, block, layer),
            "zarr-python, packed by hand": theirs,
        }
    )
    same = np.array_equal(
        np.rint(open_cube(cube.path, "sentinel2")["reflectance"][0].values / 1e-4), plain[0]
    )
    shutil.rmtree(ROOT)
    note = "" if same else "(DIFFERENT ANSWER)"
    return [timings[0], Timing(**{**vars(timings[1]), "note": f"no checksum, no fsync {note}"})]
