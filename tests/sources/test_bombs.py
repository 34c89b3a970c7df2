"""Small files that would unpack to more than a machine has: F2 of the matrix of faults.

Each is read by the reader of its format in a process of its own, without the child that tries such
files first. No failure in n tries bounds its rate at 3/n with 95 % confidence: 50 at 6 %.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from firesat.errors import CorruptFileError
from firesat.sources._declared import RATIO, SLACK, refuse_larger
from firesat.sources._rasters import read_bands
from tests.sources.bombs import bombs

ROOT = Path(__file__).resolve().parents[2]
FULL = pytest.mark.exhaustive
BUDGET = SLACK  # bytes that reading a file of a few kB may take
LONGEST = 20.0  # seconds, on a busy machine


@pytest.mark.parametrize(
    ("step", "count"),
    [pytest.param(3, 17, id="F2-17"), pytest.param(1, 50, id="F2-50", marks=FULL)],
)
def test_bombs_are_refused_by_name_before_memory_is_asked_for(
    tmp_path: Path, step: int, count: int
) -> None:
    chosen = list(bombs())[::step]
    assert len({(kind, name) for kind, name, _ in chosen}) == count
    for kind, name, write in chosen:
        folder = tmp_path / kind / name
        folder.mkdir(parents=True)
        write(folder)
        (path,) = folder.iterdir()
        assert path.stat().st_size < 6 << 20
    command = [sys.executable, "-m", "tests.sources.bombs", str(tmp_path)]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = [json.loads(line) for line in child.stdout.splitlines()]
    assert len(found) == count
    odd = [
        each
        for each in found
        if each["end"] != "refused" or each["grown"] > 1.1 * BUDGET or each["seconds"] > LONGEST
    ]
    assert odd == []


def test_what_a_file_may_declare_grows_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    path.write_bytes(bytes(1000))
    refuse_larger(path, SLACK + RATIO * 1000, "arrays")
    with pytest.raises(CorruptFileError, match=r"a\.nc declares arrays of 256 MiB in 1,000 bytes"):
        refuse_larger(path, SLACK + RATIO * 1000 + 1, "arrays")


def test_a_map_of_one_class_is_no_bomb(tmp_path: Path) -> None:
    path = tmp_path / "fuel.tif"
    profile = {
        "driver": "GTiff", "width": 5000, "height": 5000, "count": 1, "dtype": "uint8",
        "crs": "EPSG:3979", "transform": Affine(30, 0, 0, 0, -30, 0), "compress": "zstd",
        "sparse_ok": True, "tiled": True, "nodata": 0,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(np.full((1, 512, 512), 3, "uint8"), window=((0, 512), (0, 512)))
    assert 5000**2 / path.stat().st_size > 1000
    assert float(read_bands(path, {"fuel": 1})["fuel"].sum()) == 3 * 512**2
