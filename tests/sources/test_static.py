"""Static layers: slopes of known hills, true north, cuts of large rasters."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Geod, Transformer

from firesat.errors import ConfigError, CorruptFileError, GridError
from firesat.raster import align
from firesat.sources._layers import georeferenced
from firesat.sources._rasters import cut_raster
from firesat.sources._terrain import terrain
from firesat.sources.static import Static
from tests.sources.small import GRID, first_block


def cells_at(x: float, y: float, size: int = 20, resolution: float = 100.0) -> GeoBox:
    affine = Affine(resolution, 0, x, 0, -resolution, y)
    return GeoBox((size, size), affine, "EPSG:3979")


def plane(cells: GeoBox, to_east: float, to_north: float) -> xr.DataArray:
    rows, columns = np.mgrid[: cells.shape[0], : cells.shape[1]]
    size = cells.resolution.x
    height = 300 + to_east * size * columns - to_north * size * rows
    return georeferenced({"z": xr.DataArray(height.astype("float32"), dims=("y", "x"))}, cells)["z"]


@pytest.mark.parametrize(
    ("to_east", "to_north", "northness", "eastness"),
    [
        (0.0, 0.0, 0.0, 0.0),
        (0.0, 0.2, -1.0, 0.0),  # it rises to the north, so it faces south
        (0.2, 0.0, 0.0, -1.0),
        (-0.2, 0.0, 0.0, 1.0),
        (-0.1, -0.1, 0.5**0.5, 0.5**0.5),
    ],
)
def test_a_plane_has_its_own_slope_and_faces_downhill(
    to_east: float, to_north: float, northness: float, eastness: float
) -> None:
    cells = cells_at(-1000, 0)  # on the central meridian the grid's north is true
    found = terrain(plane(cells, to_east, to_north), cells)
    steepness = np.arctan(np.hypot(to_east, to_north))
    np.testing.assert_allclose(found["slope"].values, np.degrees(steepness), atol=1e-3)
    expected = {"northness": northness, "eastness": eastness}
    for name, wanted in expected.items():
        np.testing.assert_allclose(found[name].values, wanted * np.sin(steepness), atol=3e-4)


def test_north_is_true_north_far_from_the_central_meridian() -> None:
    cells = cells_at(-2_000_000, 500_000)
    to_degrees = Transformer.from_crs("EPSG:3979", "EPSG:4326", always_xy=True)
    x, y = cells.affine * (10.5, 10.5)
    lon, lat = to_degrees.transform(x, y)
    up_lon, up_lat = to_degrees.transform(x, y + 1000)
    azimuth, _, _ = Geod(ellps="GRS80").inv(lon, lat, up_lon, up_lat)  # of the grid's north
    assert abs(azimuth) > 15
    found = terrain(plane(cells, 0.0, -0.2), cells)  # it faces the grid's north
    steepness = np.sin(np.arctan(0.2))
    assert float(found["northness"][10, 10]) == pytest.approx(
        np.cos(np.radians(azimuth)) * steepness, abs=1e-4
    )
    assert float(found["eastness"][10, 10]) == pytest.approx(
        np.sin(np.radians(azimuth)) * steepness, abs=1e-4
    )


def test_degrees_are_turned_into_metres() -> None:
    affine = Affine(0.001, 0, -95.01, 0, -0.001, 55.01)
    cells = GeoBox((20, 20), affine, "EPSG:4326")
    rows = np.arange(20)[:, None] * np.ones(20)
    north = 0.1 * 111_320 * 0.001 * (20 - rows)  # rises by 0.1 to the north
    z = georeferenced({"z": xr.DataArray(north.astype("float32"), dims=("y", "x"))}, cells)["z"]
    slope = terrain(z, cells)["slope"].values
    np.testing.assert_allclose(slope, np.degrees(np.arctan(0.1)), atol=0.02)


def test_unknown_ground_spoils_its_neighbours_only() -> None:
    cells = cells_at(0, 0)
    hill = plane(cells, 0.1, 0.0)
    hill.values[5, 5] = np.nan
    slope = terrain(hill, cells)["slope"].values
    # Horn's formula leaves the cell itself out.
    assert np.isnan(slope).sum() == 8
    assert np.isfinite(slope[0, 0])


def write_layers(folder: Path, resolution: float = 100.0) -> Path:
    """Four rasters around the small region, in UTM."""
    to_utm = Transformer.from_crs("EPSG:3979", "EPSG:32615", always_xy=True)
    x, y = to_utm.transform(20_000, 630_000)
    size = int(60_000 / resolution)
    affine = Affine(resolution, 0, x - 30_000, 0, -resolution, y + 30_000)
    rows, columns = np.mgrid[:size, :size]
    layers = {
        "elevation": (200 + 0.05 * resolution * columns).astype("float32"),
        "fuel": (1 + rows // (size // 4)).astype("uint8"),
        "water": np.where(columns < size // 2, 1.0, 0.0).astype("float32"),
        "road_distance": (rows * resolution / 1000).astype("float32"),
    }
    folder.mkdir(exist_ok=True)
    for name, values in layers.items():
        nodata = 255 if name == "fuel" else -9999
        with rasterio.open(
            folder / f"{name}.tif", "w", driver="GTiff", count=1, height=size, width=size,
            dtype=values.dtype, crs="EPSG:32615", transform=affine, nodata=nodata,
        ) as raster:  # fmt: skip
            raster.write(values, 1)
    return folder


def test_local_layers_fill_the_region(tmp_path: Path) -> None:
    source = Static(base_url=str(write_layers(tmp_path / "static")))
    block = first_block(source)
    scenes = source.search(block)
    assert len(scenes) == 4
    paths = [source.fetch(scene, tmp_path / "cache") for scene in scenes]
    aligned = [align(source.read(path), block.geobox) for path in paths]
    layer = source.compose(list(zip(scenes, aligned, strict=True)), block)
    inside = np.isfinite(layer["elevation"].values[0])
    assert inside.sum() == 200 * 200
    for name in ("slope", "northness", "eastness", "fuel", "water", "road_distance"):
        assert (np.isfinite(layer[name].values[0]) == inside).all(), name
    slope = layer["slope"].values[0][inside]
    np.testing.assert_allclose(slope, np.degrees(np.arctan(0.05)), atol=0.03)
    assert set(np.unique(layer["fuel"].values[0][inside])) <= {1, 2, 3, 4}
    assert layer["available_time"].values[0] == np.datetime64("2000-01-01T00:00:00")


def test_only_the_region_is_cut_from_a_large_raster(tmp_path: Path) -> None:
    folder = write_layers(tmp_path / "static")
    region = first_block(Static()).region
    cut_raster(folder / "elevation.tif", tmp_path / "cut.tif", region, margin=4)
    with (
        rasterio.open(tmp_path / "cut.tif") as cut,
        rasterio.open(folder / "elevation.tif") as all_,
    ):
        assert cut.width < 260
        column, row = (~all_.transform) * (cut.transform.c, cut.transform.f)
        window = all_.read(1)[
            round(row) : round(row) + cut.height, round(column) : round(column) + cut.width
        ]
        np.testing.assert_array_equal(cut.read(1), window)
        assert cut.crs == all_.crs


def test_finer_layers_are_averaged(tmp_path: Path) -> None:
    folder = write_layers(tmp_path / "static", resolution=50.0)
    assert Static().read(folder / "elevation.tif")["slope"].attrs["resampling"] == "average"
    assert "resampling" not in Static().read(folder / "fuel.tif")["fuel"].attrs  # the lexicon's


def test_a_raster_elsewhere_or_absent_is_named(tmp_path: Path) -> None:
    source = Static(base_url=str(write_layers(tmp_path / "static")))
    elsewhere = cells_at(-2_000_000, 0)
    with pytest.raises(CorruptFileError, match="does not cover the region"):
        cut_raster(tmp_path / "static/fuel.tif", tmp_path / "x.tif", elsewhere, margin=4)
    scene = source.search(first_block(source))[0]
    with pytest.raises(ConfigError, match=r"there is no static layer .*elevation\.tif"):
        Static(base_url=str(tmp_path / "nowhere")).fetch(scene, tmp_path / "cache")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_layer_without_place_or_name_is_refused(tmp_path: Path) -> None:
    with rasterio.open(
        tmp_path / "elevation.tif", "w", driver="GTiff", count=1, height=4, width=4, dtype="uint8"
    ) as raster:
        raster.write(np.ones((1, 4, 4), dtype="uint8"))
    with pytest.raises(GridError, match=r"elevation\.tif has no CRS"):
        Static().read(tmp_path / "elevation.tif")
    with pytest.raises(CorruptFileError, match="named after none of the layers"):
        Static().read(tmp_path / "dem.tif")


def test_the_region_of_the_tests_has_whole_cells() -> None:
    assert GRID.extent == (10_000, 620_000, 30_000, 640_000)
