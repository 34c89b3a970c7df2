"""Real Sentinel-2 pixels on disk, against rasterio and the header files."""

import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from firesat.bands import SENTINEL2_BANDS
from firesat.errors import CorruptFileError, GridError
from firesat.project import read_yaml
from firesat.sources.files import LocalRasters
from tests.sources.build import build_source

BARBELLINO = "sentinel2/sen2r_barbellino/S2A1C_20170703_022_Barbellino_TOA_10.tif"
LESSARD = "sentinel2/bc_C50929/C50929_mrap_prepost"
DOGRIB = "boundaries/cell2fire_dogrib/elevation.asc"


def source(name: str) -> LocalRasters:
    built = build_source(read_yaml(Path(__file__).parents[2] / f"configs/real/sources/{name}.yaml"))
    assert isinstance(built, LocalRasters)
    return built


def test_twelve_bands_of_l1c_come_as_reflectance_and_b8a_is_absent(real_data: Path) -> None:
    rasters = source("barbellino")
    assert set(SENTINEL2_BANDS) - set(rasters.bands) == {"B8A"}
    dataset = rasters.read(real_data / BARBELLINO)
    with rasterio.open(real_data / BARBELLINO) as raw:
        numbers = raw.read()
        assert raw.count == 12
        assert raw.nodata == 65535
    reflectance = dataset["reflectance"]
    assert list(reflectance["band"].values) == [b for b in SENTINEL2_BANDS if b != "B8A"]
    there = numbers != 65535
    np.testing.assert_allclose(reflectance.values[there], numbers[there] * 1e-4, rtol=1e-6)
    assert np.isnan(reflectance.values[~there]).all()
    assert reflectance.attrs["units"] == "1"


def test_the_scene_lies_where_the_file_says(real_data: Path) -> None:
    cells = source("barbellino").read(real_data / BARBELLINO).odc.geobox
    with rasterio.open(real_data / BARBELLINO) as raw:
        assert cells.crs.epsg == raw.crs.to_epsg() == 32632
        assert cells.affine == raw.transform
        assert cells.shape == raw.shape


def test_the_index_of_the_water_is_lower_than_that_of_the_grass(real_data: Path) -> None:
    dataset = source("barbellino").read(real_data / BARBELLINO)
    red, nir = (dataset["reflectance"].sel(band=name).values for name in ("B04", "B08"))
    ndvi = (nir - red) / (nir + red)
    # The same place's own NDVI, from surface reflectance: another level, the same order of cells.
    name = "sentinel2/sen2r_barbellino/S2A2A_20170703_022_Barbellino_NDVI_10.tif"
    with rasterio.open(real_data / name) as raw:
        published = np.where(raw.read(1) == raw.nodata, np.nan, raw.read(1) / 10_000)
    both = np.isfinite(ndvi) & np.isfinite(published)
    assert np.corrcoef(ndvi[both], published[both])[0, 1] > 0.95


def test_envi_floats_with_the_offset_of_baseline_4_become_reflectance(real_data: Path) -> None:
    header = (real_data / f"{LESSARD}.hdr").read_text()
    width, height, count = (
        int(re.search(rf"{key}\s*=\s*(\d+)", header)[1]) for key in ("samples", "lines", "bands")
    )
    raw = np.fromfile(real_data / f"{LESSARD}.bin", dtype="<f4").reshape(count, height, width)
    dataset = source("lessard_lake").read(real_data / f"{LESSARD}.bin")
    assert list(dataset["reflectance"]["band"].values) == ["B12", "B11", "B09"]
    wanted = (raw - 1000) / 10_000
    np.testing.assert_allclose(dataset["reflectance"].values, wanted, atol=1e-6, equal_nan=True)
    x0, y1, size = (
        float(re.search(r"map info = \{[^,]*, 1, 1, ([\d.]+), ([\d.]+), ([\d.]+)", header)[group])
        for group in (1, 2, 3)
    )
    cells = dataset.odc.geobox
    assert (cells.affine.c, cells.affine.f) == pytest.approx((x0, y1))
    assert cells.affine.a == pytest.approx(size)
    # The header's Albers is British Columbia's.
    center = Transformer.from_crs(cells.crs.to_wkt(), "EPSG:3005", always_xy=True)
    assert center.transform(x0, y1) == pytest.approx((x0, y1), abs=2.5)  # metres, between datums


def test_a_grid_without_crs_is_named_and_can_be_given_one(real_data: Path) -> None:
    settings = {"group": "dogrib", "files": {}, "bands": {"elevation": 1}}
    with pytest.raises(GridError, match=r"elevation\.asc has no CRS: give crs"):
        LocalRasters(**settings).read(real_data / DOGRIB)
    dataset = LocalRasters(**settings, crs="EPSG:32611").read(real_data / DOGRIB)
    rows = (real_data / DOGRIB).read_text().splitlines()
    head = {line.split()[0].lower(): float(line.split()[1]) for line in rows[:6]}
    values = np.array([line.split() for line in rows[6:] if line.strip()], dtype="float64")
    values[values == head["nodata_value"]] = np.nan
    np.testing.assert_allclose(dataset["elevation"].values, values, rtol=1e-6)
    assert dataset.odc.geobox.resolution.x == head["cellsize"] == 100
    assert dataset["elevation"].attrs["units"] == "m"


def test_a_band_that_the_file_lacks_is_refused(real_data: Path) -> None:
    rasters = LocalRasters(group="g", files={}, bands={"B8A": 13})
    with pytest.raises(CorruptFileError, match="has 12 bands, the mapping asks for B8A: 13"):
        rasters.read(real_data / BARBELLINO)


def test_lossless_jp2_of_the_archive_can_be_read(real_data: Path) -> None:
    rasters = LocalRasters(group="g", files={}, bands={"B10": 1}, scale=1e-4, nodata=0)
    path = real_data / "sentinel2/sentinelhub_py/img-15bit.jp2"
    dataset = rasters.read(path)
    with rasterio.open(path) as raw:
        numbers = raw.read(1)
        assert dataset.odc.geobox.crs.epsg == raw.crs.to_epsg() == 32631
    np.testing.assert_allclose(
        np.nan_to_num(dataset["B10"].values), numbers * 1e-4, rtol=1e-6, atol=1e-9
    )
