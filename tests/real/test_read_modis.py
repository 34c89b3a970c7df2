"""Real MODIS granules against their own arrays and structure metadata, read raw."""

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pyhdf.SD import SD, SDC
from pyproj import Transformer

from firesat.bands import check
from firesat.errors import CorruptFileError
from firesat.sources._hdf4 import RADIUS, SINUSOIDAL, TILE
from firesat.sources.modis import Modis

ZIPPED = "modis/MOD11B2.A2017001.h14v04.006.2017013155631.hdf.zip"
SUBSET = "modis/MOD13A2.A2016145.h18v04.006.2016166145124.hdf"


def raw(path: Path, *names: str) -> tuple[list[np.ndarray], str]:
    file = SD(str(path), SDC.READ)
    arrays = [file.select(name).get() for name in names]
    structure = file.attributes()["StructMetadata.0"]
    file.end()
    return arrays, structure


def corners(structure: str) -> tuple[float, float, float, float]:
    pairs = [
        re.search(rf"{key}=\((-?[\d.]+),(-?[\d.]+)\)", structure)
        for key in ("UpperLeftPointMtrs", "LowerRightMtrs")
    ]
    (x0, y1), (x1, y0) = ((float(p[1]), float(p[2])) for p in pairs if p)
    return x0, y0, x1, y1


def test_surface_temperature_at_6_km_is_kelvin_where_the_quality_is_good(
    real_data: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(real_data / ZIPPED) as archive:
        (name,) = archive.namelist()
        archive.extract(name, tmp_path)
    (numbers, quality), structure = raw(tmp_path / name, "LST_Day_6km", "QC_Day")
    dataset = Modis(product="MOD11B2").read(real_data / ZIPPED)
    good = (numbers > 0) & ((quality & 3) == 0)
    bad = (quality & 3) >= 2
    day = dataset["lst_day"].values
    np.testing.assert_allclose(day[good], 0.02 * numbers[good], rtol=1e-6)
    assert np.isnan(day[bad]).all()
    assert np.isnan(day[numbers == 0]).all()
    assert 0.04 < np.isfinite(day).mean() <= (numbers > 0).mean()
    check(dataset["lst_day"], "lst_day")
    assert dataset.odc.geobox.boundingbox.bbox == pytest.approx(corners(structure), abs=0.01)


def test_the_tile_lies_where_the_sphere_says(real_data: Path) -> None:
    dataset = Modis(product="MOD11B2").read(real_data / ZIPPED)
    cells = dataset.odc.geobox
    assert cells.resolution.x == pytest.approx(TILE / 200)
    # Tile v04 lies between 40 and 50 N; on the sphere, y = R * latitude.
    assert cells.boundingbox.top == pytest.approx(RADIUS * np.radians(50))
    assert cells.boundingbox.bottom == pytest.approx(RADIUS * np.radians(40))
    to_degrees = Transformer.from_crs(SINUSOIDAL, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(cells.boundingbox.left, cells.boundingbox.top)
    assert latitude == pytest.approx(50.0, abs=1e-6)
    assert longitude == pytest.approx(-40 / np.cos(np.radians(50)), abs=1e-6)


def test_land_is_where_newfoundland_is(real_data: Path) -> None:
    dataset = Modis(product="MOD11B2").read(real_data / ZIPPED)
    cells = dataset.odc.geobox
    to_grid = Transformer.from_crs("EPSG:4326", SINUSOIDAL, always_xy=True)

    def seen(longitude: float, latitude: float) -> float:
        column, row = ~cells.affine * to_grid.transform(longitude, latitude)
        rows, columns = slice(int(row) - 5, int(row) + 6), slice(int(column) - 5, int(column) + 6)
        night = np.isfinite(dataset["lst_night"].values[rows, columns])
        return float((night | np.isfinite(dataset["lst_day"].values[rows, columns])).mean())

    assert seen(-56.0, 48.7) > 0.3  # inland Newfoundland
    assert seen(-50.0, 44.0) == 0.0  # the Grand Banks


def test_vegetation_index_is_divided_by_its_scale_factor_and_placed_by_its_metadata(
    real_data: Path,
) -> None:
    names = ("1 km 16 days NDVI", "1 km 16 days VI Quality", "1 km 16 days pixel reliability")
    (numbers, quality, reliability), structure = raw(real_data / SUBSET, *names)
    dataset = Modis(product="MOD13A2").read(real_data / SUBSET)
    ndvi = dataset["ndvi"].values
    kept = np.isfinite(ndvi)
    np.testing.assert_allclose(ndvi[kept], numbers[kept] / 10_000, rtol=1e-6)
    assert set(np.unique(reliability[kept])) <= {0, 1}
    assert ((quality[kept] & 3) <= 1).all()
    flagged = np.isin(quality >> 10 & 1, 1) | np.isin(quality >> 14 & 1, 1)
    assert not kept[flagged].any()
    sound = (reliability == 0) & (numbers >= -2000) & ((quality & 3) == 0)
    clean = sound & ~flagged & (quality >> 15 & 1 == 0)
    assert clean.any()
    assert kept[clean].all()
    assert dataset.odc.geobox.boundingbox.bbox == pytest.approx(corners(structure), abs=1e-3)
    assert dataset.odc.geobox.resolution.x == pytest.approx(TILE / 1200, rel=1e-6)
    assert "evi" not in dataset  # the file's author left it out


def test_a_granule_under_another_tile_s_name_is_refused(real_data: Path, tmp_path: Path) -> None:
    other = tmp_path / "MOD13A2.A2016145.h12v03.006.2016166145124.hdf"
    other.write_bytes((real_data / SUBSET).read_bytes())
    with pytest.raises(CorruptFileError, match="not in tile h12v03"):
        Modis(product="MOD13A2").read(other)


def test_a_truncated_granule_is_named(real_data: Path, tmp_path: Path) -> None:
    short = tmp_path / Path(SUBSET).name
    short.write_bytes((real_data / SUBSET).read_bytes()[:4000])
    with pytest.raises(CorruptFileError, match=r"MOD13A2\.A2016145.* damaged"):
        Modis(product="MOD13A2").read(short)


def test_tiles_of_places_agree_with_nasa_s_table(real_data: Path) -> None:
    from firesat.grid import geobox
    from firesat.sources._composites import tiles_of

    table = np.loadtxt(
        (line for line in (real_data / "modis/tiles/sn_bound_10deg.txt").read_text().splitlines()
         if re.match(r"^\s*\d+\s+\d+\s+-?\d+\.", line)),
    )  # fmt: skip
    to_degrees = Transformer.from_crs("EPSG:3979", "EPSG:4326", always_xy=True)
    for x, y in [(10_000, 620_000), (-1_900_000, 500_000), (1_500_000, 0), (-1_000_000, 1_500_000)]:
        region = geobox((x, y, x + 10_000, y + 10_000), "EPSG:3979", 1000)
        longitude, latitude = to_degrees.transform(x + 5000, y + 5000)
        for h, v in tiles_of(region):
            (row,) = table[(table[:, 0] == v) & (table[:, 1] == h)]
            assert row[2] - 0.2 <= longitude <= row[3] + 0.2
            assert row[4] - 0.2 <= latitude <= row[5] + 0.2
