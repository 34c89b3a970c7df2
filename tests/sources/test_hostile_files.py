"""Files that are damaged or lie: F1 to F3 of the matrix of faults.

No failure in n tries bounds its rate at 3/n with 95 % confidence.
"""

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import box

from firesat.sandbox.encode.jp2 import encode_jp2
from firesat.sandbox.encode.nbac import encode_shapefile
from firesat.sandbox.encode.safe import GranuleFacts, encode_granule_metadata
from tests.sources.fuzzing import PLACING
from tests.sources.test_era5 import hours_between, write_gribs, write_netcdfs
from tests.sources.test_modis import vegetation, write_hdf
from tests.sources.test_sentinel2 import digital_numbers, write_tiff

ROOT = Path(__file__).resolve().parents[2]
FULL = pytest.mark.exhaustive
PATIENCE = 60.0  # seconds for a file, on a busy machine; nothing is ever near it
FORMATS = ("hdf4", "grib", "netcdf", "geotiff", "jp2", "zip", "xml")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small sound files, a folder for each format."""
    folder = tmp_path_factory.mktemp("originals")
    for name in FORMATS:
        (folder / name).mkdir()
    write_hdf(folder / "hdf4/MOD13A1.A2023177.h12v03.061.2023194001533.hdf", vegetation())
    moments = hours_between("2023-07-01T00", "2023-07-01T06")
    write_gribs(folder / "grib/a.grib", moments)
    write_netcdfs(folder / "netcdf", moments)
    write_tiff(folder / "geotiff/a.tif", digital_numbers(32))
    cells = GeoBox((40, 40), Affine(60, 0, PLACING.left, 0, -60, PLACING.top), "EPSG:32614")
    numbers = np.arange(1600, dtype="uint16").reshape(40, 40) + 1000
    (folder / "jp2/B01.jp2").write_bytes(encode_jp2(numbers, cells))
    perimeters = gpd.GeoDataFrame({"NFIREID": [1]}, geometry=[box(0, 0, 900, 900)], crs="EPSG:3979")
    (folder / "zip/NBAC_2023.zip").write_bytes(encode_shapefile(perimeters, "NBAC_2023"))
    facts = GranuleFacts(
        tile_id="S2B_OPER_MSI_L1C_TL_SBOX_20210629T200645_A031662_T14UPF_N03.01",
        sensed=PLACING.sensed, epsg=32614, corner=(685_800, 6_077_520), extent=(2400, 2400),
        cloud=0.0,
    )  # fmt: skip
    (folder / "xml/MTD_TL.xml").write_bytes(encode_granule_metadata(facts))
    return folder


def lines_of(process: "subprocess.Popen[str]") -> Iterator[tuple[int, str]]:
    """What a child says, line by line; a silence of `PATIENCE` ends it."""
    said: Queue[str | None] = Queue()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.put(line)
        said.put(None)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        try:
            line = said.get(timeout=PATIENCE)
        except Empty:
            process.kill()
            return
        if line is None:
            return
        seed, what = line.split()
        yield int(seed), what


def fuzzed(kind: str, folder: Path, count: int) -> dict[int, str]:
    """What became of each damaged file; a child that dies or hangs is followed by another."""
    ends: dict[int, str] = {}
    first = 0
    while first < count:
        command = [sys.executable, "-m", "tests.sources.fuzzing", kind, str(folder), str(first),
                   str(count - first)]  # fmt: skip
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            for seed, what in lines_of(process):
                ends[seed] = what
                first = seed + 1
        if process.returncode and ends.get(first - 1) != "begun":
            raise AssertionError(f"the child did not start: {process.returncode}")
        if process.returncode:
            ends[first - 1] = f"died of {process.returncode}"
    return ends


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "count", [pytest.param(60, id="F1-60"), pytest.param(2000, id="F1-2000", marks=FULL)]
)
def test_a_damaged_file_is_refused_by_name_or_read_and_plausible(
    originals: Path, kind: str, count: int
) -> None:
    ends = fuzzed(kind, originals, count)
    assert len(ends) == count
    odd = {seed: what for seed, what in ends.items() if what not in ("read", "refused")}
    assert odd == {}
    assert Counter(ends.values())["refused"] > 0
