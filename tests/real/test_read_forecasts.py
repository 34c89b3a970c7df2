"""Real files of the Canadian models, through the source that reads forecasts."""

from pathlib import Path

import eccodes
import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scipy.ndimage import binary_erosion

from firesat.bands import check
from firesat.raster import align
from firesat.sources.nwp import Datamart

FOLDER = "era5/eccc_nwp"
HRDPS = "20230317T18Z_MSC_HRDPS_RH_AGL-2m_RLatLon0.0225_PT001H.grib2"
RDPS = "20240612T12Z_MSC_RDPS_Precip-Accum_Sfc_RLatLon0.09_PT001H.grib2"
GDPS = "20260602T00Z_MSC_GDPS_AirTemp_AGL-2m_LatLon0.15_PT000H.grib2"
CANADA = GeoBox.from_bbox((-2e6, -5e5, 2e6, 1e6), "EPSG:3979", resolution=10_000)
TO_DEGREES = Transformer.from_crs("EPSG:3979", "EPSG:4326", always_xy=True)


def points(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latitudes, longitudes and values, as ecCodes walks through them."""
    with path.open("rb") as file:
        handle = eccodes.codes_grib_new_from_file(file)
        found = [eccodes.codes_get_array(handle, k) for k in ("latitudes", "longitudes", "values")]
        eccodes.codes_release(handle)
    return found[0], (found[1] + 180) % 360 - 180, found[2]


def around(path: Path, rows: list[int], columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value within 20 km of some cells of `CANADA`, on the sphere."""
    latitude, longitude, values = points(path)
    low, high = [], []
    for row, column in zip(rows, columns, strict=True):
        lon, lat = TO_DEGREES.transform(*(CANADA.affine * (column + 0.5, row + 0.5)))
        east = ((longitude - lon + 180) % 360 - 180) * np.cos(np.radians(lat))
        near = values[np.hypot(latitude - lat, east) < 20 / 111.2]
        low.append(near.min())
        high.append(near.max())
    return np.array(low), np.array(high)


@pytest.mark.parametrize(
    ("model", "name", "ours", "units"),
    [("hrdps", HRDPS, "rh", "%"), ("rdps", RDPS, "tp", "mm"), ("gdps", GDPS, "t2m", "K")],
)
def test_each_model_is_read_under_our_name_and_unit_and_lies_where_its_points_are(
    real_data: Path, model: str, name: str, ours: str, units: str
) -> None:
    path = real_data / FOLDER / name
    dataset = Datamart(model=model).read(path)
    assert set(dataset.data_vars) == {ours}
    assert dataset[ours].attrs["units"] == units
    check(dataset[ours], ours)
    aligned = align(dataset, CANADA)[ours].values[0]
    rng = np.random.default_rng(3)
    rows, columns = rng.integers(10, 140, 12).tolist(), rng.integers(10, 390, 12).tolist()
    low, high = around(path, rows, columns)
    assert (aligned[rows, columns] >= low.clip(0, 1e3) - 1e-3).all()
    assert (aligned[rows, columns] <= high + 1e-3).all()


@pytest.mark.parametrize(("model", "name"), [("hrdps", HRDPS), ("rdps", RDPS), ("gdps", GDPS)])
def test_a_field_of_latitudes_on_a_models_grid_gives_each_cell_its_own(
    real_data: Path, model: str, name: str
) -> None:
    dataset = Datamart(model=model).read(real_data / FOLDER / name)
    (ours,) = dataset.data_vars
    latitude, *_ = points(real_data / FOLDER / name)
    # The files run from the south (HRDPS, RDPS, GDPS: jScansPositively), ours from the north; GDPS
    # from the Greenwich meridian, which a latitude does not feel.
    rows = latitude.reshape(dataset[ours].shape)[:, ::-1]
    field = dataset.assign({ours: dataset[ours].copy(data=rows.astype("float32"))})
    aligned = align(field, CANADA)[ours].values[0]
    x, y = np.meshgrid(CANADA.coordinates["x"].values, CANADA.coordinates["y"].values)
    _, wanted = TO_DEGREES.transform(x, y)
    inside = binary_erosion(np.isfinite(aligned), iterations=2, border_value=1)  # not its own rim
    assert inside.mean() > 0.99
    np.testing.assert_allclose(aligned[inside], wanted[inside], atol=0.02)  # 2 km, of cells of 10


def test_humidity_above_saturation_is_saturation(real_data: Path) -> None:
    dataset = Datamart(model="hrdps").read(real_data / FOLDER / HRDPS)
    *_, values = points(real_data / FOLDER / HRDPS)
    assert values.max() > 100
    assert float(dataset["rh"].max()) == 100.0
    assert float(dataset["rh"].min()) == pytest.approx(values.min(), abs=1e-4)


def test_rain_without_a_name_in_the_tables_is_rain_in_mm(real_data: Path) -> None:
    dataset = Datamart(model="rdps").read(real_data / FOLDER / RDPS)
    *_, values = points(real_data / FOLDER / RDPS)
    assert float(dataset["tp"].sum()) == pytest.approx(values.sum(), rel=1e-5)
    assert float(dataset["tp"].max()) == pytest.approx(57.3706, abs=1e-3)


def test_a_file_whose_name_says_another_run_than_it_holds_tells_the_hour_of_the_data(
    real_data: Path,
) -> None:
    dataset = Datamart(model="rdps").read(real_data / FOLDER / RDPS)  # named 12 UTC, run at 18
    assert dataset["time"].values.tolist() == [np.datetime64("2024-06-12T19", "s").item()]
