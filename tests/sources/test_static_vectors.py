"""Static maps from features, and what was disturbed when: distances, shares and years by hand."""

import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import xarray as xr
from affine import Affine

from firesat.blocks import Block, cut
from firesat.classes import FBP, NALCMS, fold_fuels
from firesat.cube import create_cube, open_cube
from firesat.errors import ConfigError, CorruptFileError, FiresatError, GridError
from firesat.raster import align
from firesat.sources.disturbance import Disturbance
from firesat.sources.static import Static
from tests.sources.small import DAYS, GRID, first_block

X0, Y0, X1, Y1 = GRID.extent  # 20 x 20 km
NONE = {"elevation": "", "fuel": "", "water": "", "road_distance": ""}


def write(
    path: Path, shapes: list[shapely.Geometry], crs: str = "EPSG:3979", **columns: list
) -> Path:
    frame = gpd.GeoDataFrame(
        {"name": ["a"] * len(shapes), **columns}, geometry=shapes, crs="EPSG:3979"
    )
    frame.to_crs(crs).to_file(path)
    return path


def filled(source: Static | Disturbance, block: Block, cache: Path) -> xr.Dataset:
    scenes = []
    for scene in source.search(block):
        dataset = source.read(source.fetch(scene, cache))
        table = not {"y", "x"} <= set(dataset.dims)
        scenes.append((scene, dataset if table else align(dataset, block.geobox)))
    return source.compose(scenes, block)


def inside(layer: xr.Dataset, name: str) -> np.ndarray:
    return layer.sel(x=slice(X0, X1), y=slice(Y1, Y0))[name].values[0]


# --- roads, settlements, water --------------------------------------------------------------------


def test_kilometres_to_a_road_are_those_between_the_cells(tmp_path: Path) -> None:
    road = shapely.LineString([(X0 + 5_050, Y0 - 40_000), (X0 + 5_050, Y1 + 40_000)])
    write(tmp_path / "roads.gpkg", [road])
    source = Static(base_url=str(tmp_path), **NONE | {"road_distance": "roads.gpkg"}, reach_km=12)
    block = first_block(source)
    layer = filled(source, block, tmp_path / "cache")
    columns = np.arange(200)
    wanted = np.minimum(0.1 * abs(columns - 50), 12.0)
    np.testing.assert_allclose(inside(layer, "road_distance"), np.tile(wanted, (200, 1)), atol=1e-4)
    assert [v.name for v in source.layout.variables] == ["road_distance"]
    assert "12 km stands for farther" in source.layout.variables[0].attrs["comment"]


def test_a_settlement_outside_the_region_counts_and_its_crs_does_not_matter(tmp_path: Path) -> None:
    town = shapely.Point(X1 + 3_050, Y0 + 10_050)
    write(tmp_path / "towns.geojson", [town, shapely.Point(X0 - 49_000, Y1)], "EPSG:4326")
    source = Static(base_url=str(tmp_path), **NONE | {"settlement_distance": "towns.geojson"})
    layer = filled(source, first_block(source), tmp_path / "cache")
    found = inside(layer, "settlement_distance")
    row, columns = 99, np.arange(200)  # the row of the town's cell, counted from the north
    np.testing.assert_allclose(found[row], 0.1 * (230 - columns), atol=1e-4)


def test_nothing_near_is_the_farthest_and_a_file_of_elsewhere_is_refused(tmp_path: Path) -> None:
    around = [shapely.Point(X0 - 300_000, Y0), shapely.Point(X1 + 300_000, Y1)]
    write(tmp_path / "roads.gpkg", around)
    source = Static(base_url=str(tmp_path), **NONE | {"road_distance": "roads.gpkg"}, reach_km=5)
    layer = filled(source, first_block(source), tmp_path / "cache")
    assert (inside(layer, "road_distance") == 5).all()
    write(tmp_path / "far.gpkg", around[:1])
    far = Static(base_url=str(tmp_path), **NONE | {"road_distance": "far.gpkg"}, reach_km=5)
    block = first_block(far)
    with pytest.raises(CorruptFileError, match=r"far\.gpkg does not cover the region"):
        far.fetch(far.search(block)[0], tmp_path / "other")


def test_water_is_the_share_that_lakes_cover(tmp_path: Path) -> None:
    lake = shapely.box(X0 + 1_000, Y1 - 2_000, X0 + 2_025, Y1 - 1_000)
    write(tmp_path / "lakes.shp", [lake])
    with zipfile.ZipFile(tmp_path / "lakes.zip", "w") as archive:
        for part in tmp_path.glob("lakes.*"):
            if part.suffix != ".zip":
                archive.write(part, part.name)
    source = Static(base_url=str(tmp_path), **NONE | {"water": "lakes.zip"})
    layer = filled(source, first_block(source), tmp_path / "cache")
    water = inside(layer, "water")
    assert (water[10:20, 10:20] == 1).all()
    np.testing.assert_allclose(water[10:20, 20], 0.25, atol=1e-5)
    assert water.sum() == pytest.approx(102.5, abs=1e-3)
    kept = sorted(path.suffix for path in (tmp_path / "cache").glob("lakes.zip-*"))
    assert kept == [".dbf", ".prj", ".shp", ".shx"]  # unpacked once, for all tiles


@pytest.mark.parametrize(
    ("case", "error", "words"),
    [
        ("no crs", GridError, "names no CRS"),
        ("degrees", GridError, "coordinates in degrees"),
        ("empty", CorruptFileError, "is empty"),
        ("no vector", CorruptFileError, "cannot be read"),
        ("two", CorruptFileError, "holds 2 shapefiles, not one"),
    ],
)
def test_files_of_features_that_cannot_be_used_say_why(
    tmp_path: Path, case: str, error: type[FiresatError], words: str
) -> None:
    name = "roads.zip" if case == "two" else "roads.shp"
    point = shapely.Point(-94.7, 54.7) if case == "degrees" else shapely.Point(X0, Y0)
    write(tmp_path / "roads.shp", [] if case == "empty" else [point])
    if case == "no crs":
        (tmp_path / "roads.prj").unlink()
    if case == "no vector":
        (tmp_path / "roads.shp").write_bytes(b"\0" * 200)
    if case == "two":
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.write(tmp_path / "roads.shp", "a.shp")
            archive.write(tmp_path / "roads.shp", "b.shp")
    source = Static(base_url=str(tmp_path), **NONE | {"road_distance": name})
    with pytest.raises(error, match=words) as caught:
        source.fetch(source.search(first_block(source))[0], tmp_path / "cache")
    assert name in str(caught.value)
    assert not list((tmp_path / "cache").glob("static-*.tif"))


def test_settings_that_no_file_can_meet_are_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="fuel cannot be made from features"):
        Static(fuel="fuel.gpkg")
    with pytest.raises(ConfigError, match=r"since names 'lightning', of which .* no file"):
        Static(since={"lightning": "2020-01-01"})
    with pytest.raises(ConfigError, match="2020-13-01"):
        Static(since={"fuel": "2020-13-01"})
    with pytest.raises(ConfigError, match="names no file"):
        Static(**NONE)
    with pytest.raises(ConfigError, match="names no file"):
        Disturbance()


# --- classes and the age of maps ------------------------------------------------------------------


def raster(path: Path, values: np.ndarray, nodata: float) -> Path:
    size = (X1 - X0 + 20_000) / values.shape[1]
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=values.shape[0], width=values.shape[1],
        dtype=values.dtype, crs="EPSG:3979", nodata=nodata,
        transform=Affine(size, 0, X0 - 10_000, 0, -size, Y1 + 10_000),
    ) as file:  # fmt: skip
        file.write(values, 1)
    return path


def test_of_finer_classes_the_commonest_is_taken_and_none_is_missing(tmp_path: Path) -> None:
    fine = np.zeros((1600, 1600), dtype="uint8")  # 25 m; the region begins at 400
    fine[400:404, 400:404] = 14
    fine[400:402, 400:403] = 18  # 6 of 16 pixels, so wetland is the commonest
    fine[404:408, 400:404] = 1
    raster(tmp_path / "cover.tif", fine, 255)
    source = Static(base_url=str(tmp_path), **NONE | {"land_cover": "cover.tif"})
    layer = filled(source, first_block(source), tmp_path / "cache")
    cover = inside(layer, "land_cover")
    assert (cover[0, 0], cover[1, 0]) == (14, 1)
    assert np.isnan(cover[2:, :]).all()  # 0 is no class
    attrs = source.layout.variables[0].attrs
    assert attrs["flag_values"] == list(range(1, 20))
    assert str(attrs["flag_meanings"]).split()[13] == "wetland"
    assert len(str(attrs["flag_meanings"]).split()) == len(NALCMS)


def test_mixedwood_codes_of_the_national_grids_become_their_type(tmp_path: Path) -> None:
    codes = np.array([2, 31, 102, 425, 550, 695, 705, 895, 950, np.nan], dtype="float32")
    wanted = [2, 31, 102, 40, 50, 60, 70, 80, 90, np.nan]
    np.testing.assert_array_equal(fold_fuels(codes), wanted)
    assert set(wanted[:-1]) <= set(FBP)
    grid = np.full((400, 400), 425, dtype="int16")
    raster(tmp_path / "fuel.tif", grid, -9999)
    source = Static(base_url=str(tmp_path), **NONE | {"fuel": "fuel.tif"}, fuel_table="fbp")
    layer = filled(source, first_block(source), tmp_path / "cache")
    assert (inside(layer, "fuel") == 40).all()
    attrs = source.layout.variables[0].attrs
    assert str(attrs["flag_meanings"]).split()[attrs["flag_values"].index(40)].startswith("M-1")


def test_lightning_of_coarse_cells_is_interpolated(tmp_path: Path) -> None:
    east = np.tile(np.array([0.1, 0.3, 0.5, 0.7], dtype="float32"), (4, 1))  # 10 km cells
    raster(tmp_path / "flashes.tif", east, -1)
    source = Static(base_url=str(tmp_path), **NONE | {"lightning": "flashes.tif"})
    layer = filled(source, first_block(source), tmp_path / "cache")
    found = inside(layer, "lightning")
    # centres of the coarse cells lie 5 km before the region and every 10 km from there
    kilometres = (np.arange(200) + 0.5) / 10
    np.testing.assert_allclose(found[100], 0.1 + 0.02 * (kilometres + 5), atol=1e-4)
    assert source.layout.variables[0].attrs["valid_from"] == "2000-01-01"


def test_real_fuels_are_all_in_the_table(real_data: Path) -> None:
    lines = (
        (real_data / "boundaries/cell2fire_dogrib/fbp_lookup_table.csv").read_text().splitlines()
    )
    codes = np.array([float(line.split(",")[0]) for line in lines[1:] if line[:1].isdigit()])
    assert codes.size > 27
    assert set(fold_fuels(codes.astype("float32")).tolist()) <= set(FBP)


def test_a_map_of_2020_is_not_in_the_cube_before(tmp_path: Path) -> None:
    raster(tmp_path / "fuel.tif", np.full((400, 400), 3, dtype="uint8"), 255)
    raster(tmp_path / "cover.tif", np.full((400, 400), 6, dtype="uint8"), 255)
    source = Static(
        base_url=str(tmp_path), **NONE | {"fuel": "fuel.tif", "land_cover": "cover.tif"},
        since={"land_cover": "2021-01-01"},
    )  # fmt: skip
    times = source.times(DAYS)
    assert times.astype(str).tolist() == ["2000-01-01", "2021-01-01"]
    cube = create_cube(tmp_path / "cube.zarr", GRID)
    cube.add_group(source.layout, times)
    layers = [
        filled(source, block, tmp_path / "cache") for block in cut(source.layout, GRID, times)
    ]
    early, late = layers
    assert (inside(early, "fuel") == 3).all()
    assert (inside(late, "fuel") == 3).all()
    assert np.isnan(inside(early, "land_cover")).all()
    assert (inside(late, "land_cover") == 6).all()
    assert late["available_time"].values[0] == np.datetime64("2021-01-01T00:00:00")
    stored = open_cube(tmp_path / "cube.zarr", "static")
    assert stored["land_cover"].attrs["valid_from"] == "2021-01-01"
    assert stored["fuel"].attrs["valid_from"] == "2000-01-01"


# --- years since fire and harvest -----------------------------------------------------------------


def square(column: int) -> shapely.Geometry:
    """Ten by ten cells, the columns from ten times `column`."""
    left = X0 + 1_000 * column
    return shapely.box(left, Y1 - 1_000, left + 1_000, Y1)


def burned(folder: Path) -> Path:
    shapes = [square(0), square(1), square(2), square(2), square(3), square(4)]
    years = [1990, 2021, 1990, 2022, 2023, 1950]
    return write(folder / "NBAC_all.gpkg", shapes, "EPSG:3978", YEAR=[float(y) for y in years])


def test_a_season_knows_the_fires_of_earlier_years_and_no_later_one(tmp_path: Path) -> None:
    burned(tmp_path)
    source = Disturbance(base_url=str(tmp_path), fires=("NBAC_all.gpkg",))
    times = source.times(DAYS)  # of 2023
    assert times.astype(str).tolist() == ["2021-10-01", "2022-10-01"]
    found = {}
    for block in cut(source.layout, GRID, times):
        layer = filled(source, block, tmp_path / "cache")
        found[str(block.times[0])[:4]] = inside(layer, "years_since_fire")[5, 5:60:10].tolist()
        published = np.datetime64(f"{int(str(block.times[0])[:4]) + 1}-04-19")
        assert layer["available_time"].values[0].astype("datetime64[D]") == published
    # to 2023: 1990, 2021, 2022 (not 1990), nothing yet of 2023, 1950 is before the record, nothing
    assert found["2022"] == [33, 2, 1, 52, 52, 52]
    # to 2022: the fire of 2022 is not known
    assert found["2021"] == [32, 1, 32, 51, 51, 51]


def test_half_a_cell_makes_it_disturbed_and_a_raster_of_years_serves_too(tmp_path: Path) -> None:
    wide = shapely.box(X0, Y1 - 1_000, X0 + 1_050, Y1)  # half of the eleventh column
    slim = shapely.box(X0 + 3_000, Y1 - 1_000, X0 + 4_049, Y1)
    write(tmp_path / "cuts.gpkg", [wide, slim], HARVEST_YEAR=[2010, 2010])
    years = np.zeros((400, 400), dtype="int16")
    years[100:110, 100:105] = 2015  # later than the cutblock there
    years[100:110, 105:110] = 2025  # after the season
    raster(tmp_path / "harvest.tif", years, 0)
    source = Disturbance(base_url=str(tmp_path), harvests=("cuts.gpkg", "harvest.tif"))
    block = list(cut(source.layout, GRID, source.times(DAYS)))[1]
    since = inside(filled(source, block, tmp_path / "cache"), "years_since_harvest")[5]
    assert since[[2, 7, 10, 11, 39, 40]].tolist() == [8, 13, 13, 39, 13, 39]


def test_features_without_year_are_left_out_and_named(tmp_path: Path) -> None:
    shapes = [square(0), square(1), square(2)]
    dates = ["2021-07-05", None, "soon"]
    write(tmp_path / "fires.gpkg", shapes, FIRE_DATE=dates)
    source = Disturbance(base_url=str(tmp_path), fires=("fires.gpkg",))
    block = first_block(source)
    layer = filled(source, block, tmp_path / "cache")
    assert layer.attrs["left_out"] == "fires.gpkg: 2 of 3 rows left out: no year 2 (rows 2, 3)"
    write(tmp_path / "bare.gpkg", shapes)
    bare = Disturbance(base_url=str(tmp_path), fires=("bare.gpkg",))
    with pytest.raises(CorruptFileError, match=r"no column of the year, such as .*, but name"):
        bare.fetch(bare.search(block)[0], tmp_path / "other")
    write(tmp_path / "points.gpkg", [shapely.Point(X0 + 5_000, Y0 + 5_000)], YEAR=[2020])
    points = Disturbance(base_url=str(tmp_path), fires=("points.gpkg",))
    with pytest.raises(CorruptFileError, match="points or lines, which cover no ground"):
        points.fetch(points.search(block)[0], tmp_path / "third")
