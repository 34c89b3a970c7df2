"""Real GRIB files of ECMWF and of the Canadian weather service, against ecCodes and GDAL raw."""

from functools import lru_cache
from pathlib import Path

import eccodes
import numpy as np
import pytest
import rasterio
import xarray as xr
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.warp import Resampling, reproject

from firesat.bands import check
from firesat.errors import CorruptFileError, SourceError
from firesat.sources._grib import read_grib
from firesat.sources.era5 import Era5Land

HRDPS = "era5/eccc_nwp/20230317T18Z_MSC_HRDPS_RH_AGL-2m_RLatLon0.0225_PT001H.grib2"
RDPS = "era5/eccc_nwp/20240612T12Z_MSC_RDPS_Precip-Accum_Sfc_RLatLon0.09_PT001H.grib2"
GDPS = "era5/eccc_nwp/20260602T00Z_MSC_GDPS_AirTemp_AGL-2m_LatLon0.15_PT000H.grib2"
SCALAR_TIME = "era5/era5-single-level-scalar-time.grib"
MEMBERS = "era5/era5-levels-members.grib"


@lru_cache(maxsize=4)
def read(path: Path) -> xr.Dataset:
    return read_grib(path)


@lru_cache(maxsize=4)
def points(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latitudes, longitudes and values of the first message, as ecCodes walks through them."""
    with path.open("rb") as file:
        handle = eccodes.codes_grib_new_from_file(file)
        found = [eccodes.codes_get_array(handle, k) for k in ("latitudes", "longitudes", "values")]
        eccodes.codes_release(handle)
    return found[0], (found[1] + 180) % 360 - 180, found[2]


def cell_of(cells: GeoBox, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    column, row = ~cells.affine * (x, y)
    return row, column


@pytest.mark.parametrize("name", [SCALAR_TIME, GDPS, HRDPS, RDPS])
def test_every_value_lies_in_the_cell_of_its_latitude_and_longitude(
    real_data: Path, name: str
) -> None:
    dataset = read(real_data / name)
    latitude, longitude, values = points(real_data / name)
    cells = dataset.odc.geobox
    to_grid = Transformer.from_crs("EPSG:4326", cells.crs.to_wkt(), always_xy=True)
    some = np.random.default_rng(0).integers(0, len(values), 5000)
    row, column = cell_of(cells, *to_grid.transform(longitude[some], latitude[some]))
    assert np.abs(row % 1 - 0.5).max() < 0.02  # cell centres, within the file's micro-degrees
    assert np.abs(column % 1 - 0.5).max() < 0.02
    (variable,) = dataset.data_vars
    ours = dataset[variable].values[0][np.floor(row).astype(int), np.floor(column).astype(int)]
    np.testing.assert_allclose(ours, values[some].astype("float32"), rtol=0, atol=0)


def test_era5_at_noon_has_its_name_unit_time_and_extent(real_data: Path) -> None:
    dataset = read(real_data / SCALAR_TIME)
    assert dataset["t2m"].attrs["units"] == "K"
    assert dataset["time"].values.tolist() == [np.datetime64("2017-01-01T12:00:00").item()]
    assert dataset.odc.geobox.crs.epsg == 4326
    assert dataset.odc.geobox.boundingbox.bbox == (-10.125, 29.875, 40.125, 60.125)
    assert dataset["t2m"].shape == (1, 121, 201)


def test_members_and_levels_become_dims(real_data: Path) -> None:
    dataset = read(real_data / MEMBERS)
    assert dict(dataset["t"].sizes) == {"time": 4, "number": 10, "level": 2, "y": 61, "x": 120}
    assert dataset["level"].values.tolist() == [500, 850]
    with (real_data / MEMBERS).open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            keys = ("shortName", "number", "level", "validityDate", "validityTime")
            name, number, level, date, time = (eccodes.codes_get(handle, key) for key in keys)
            mean = eccodes.codes_get(handle, "average")
            eccodes.codes_release(handle)
            day = f"{str(date)[:4]}-{str(date)[4:6]}-{str(date)[6:]}"
            moment = np.datetime64(f"{day}T{time // 100:02d}:00")
            field = dataset[name].sel(number=number, level=level, time=moment)
            assert float(field.astype("float64").mean()) == pytest.approx(mean, rel=1e-5)


def test_a_file_without_land_weather_is_refused_by_era5_land(real_data: Path) -> None:
    with pytest.raises(SourceError, match="holds z, t, none of t2m, skt"):
        Era5Land().read(real_data / MEMBERS)


def test_a_truncated_file_is_named(real_data: Path) -> None:
    with pytest.raises(CorruptFileError, match=r"era5-levels-corrupted\.grib is a damaged GRIB"):
        Era5Land().read(real_data / "era5/era5-levels-corrupted.grib")


def test_era5_land_reads_a_real_temperature(real_data: Path) -> None:
    dataset = Era5Land().read(real_data / SCALAR_TIME)
    with rasterio.open(real_data / SCALAR_TIME) as raster:
        kelvin = raster.read(1)  # in kelvin, though GDAL labels it [C]
    np.testing.assert_allclose(dataset["t2m"].values[0], kelvin, atol=1e-3)
    check(dataset["t2m"], "t2m")
    assert set(dataset.data_vars) == {"t2m"}


def test_the_rotated_grid_is_where_ecmwf_says_and_gdal_can_warp_it(real_data: Path) -> None:
    dataset = read(real_data / HRDPS)
    cells = dataset.odc.geobox
    assert dataset["r2"].shape == (1, 1290, 2540)
    # Grid mapping of the Canadian model: the rotated pole lies at 36.09 N, 65.31 E.
    assert "36.08852" in cells.crs.to_wkt()
    target = GeoBox.from_bbox((-2e6, -5e5, 2e6, 1e6), "EPSG:3979", resolution=50_000)
    warped = np.full(target.shape, np.nan, dtype="float32")
    reproject(
        dataset["r2"].values[0],
        warped,
        src_transform=cells.affine,
        src_crs=cells.crs.to_wkt(),
        dst_transform=target.affine,
        dst_crs="EPSG:3979",
        dst_nodata=np.nan,
        resampling=Resampling.nearest,
    )
    # The oracle: for each target cell the nearest of the points that ecCodes lists, on the sphere.
    latitude, longitude, values = points(real_data / HRDPS)
    to_degrees = Transformer.from_crs("EPSG:3979", "EPSG:4326", always_xy=True)
    errors = []
    for row, column in [(3, 5), (10, 40), (20, 70), (25, 12), (15, 60)]:
        lon, lat = to_degrees.transform(*(target.affine * (column + 0.5, row + 0.5)))
        distance = np.hypot(latitude - lat, (longitude - lon) * np.cos(np.radians(lat)))
        near = np.argsort(distance)[:4]
        assert distance[near[0]] < 0.02
        errors.append(np.abs(values[near] - warped[row, column]).min())
    assert max(errors) < 1e-3


def test_true_places_come_with_grids_that_are_not_in_degrees(real_data: Path) -> None:
    for name in (HRDPS, RDPS):
        dataset = read(real_data / name)
        latitude, longitude, _ = points(real_data / name)
        # The file runs from the south: its first point is our lower left.
        assert float(dataset["latitude"][-1, 0]) == pytest.approx(latitude[0], abs=1e-5)
        assert float(dataset["longitude"][-1, 0]) == pytest.approx(longitude[0], abs=1e-4)
        assert float(dataset["latitude"][0, -1]) == pytest.approx(latitude[-1], abs=1e-5)


def test_a_quantity_without_a_name_is_called_by_its_numbers(real_data: Path) -> None:
    dataset = read(real_data / RDPS)
    assert list(dataset.data_vars) == [
        "p0_1_8"
    ]  # discipline, category, number: total precipitation
    assert dataset["time"].values[0] == np.datetime64("2024-06-12T19:00:00")
    assert dataset.odc.geobox.resolution.x == 10_000


def test_longitudes_from_zero_are_cut_at_the_date_line(real_data: Path) -> None:
    dataset = read(real_data / GDPS)
    x = dataset["x"].values
    assert x[0] == pytest.approx(-180.0)
    assert x[-1] == pytest.approx(179.85)
    assert (np.diff(x) > 0).all()
    assert dataset["y"].values[0] == pytest.approx(90.0)
