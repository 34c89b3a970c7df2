import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Geod, Transformer

from firesat.blocks import Layout, Variable, cut
from firesat.errors import GridError
from firesat.grid import LEVELS, TILE_SIZE, Grid, Tile, cell_area, chip_origins, crs_of, geobox

REGION = (10_000.0, 620_000.0, 70_000.0, 680_000.0)


@given(st.integers(0, 56), st.integers(0, 48))
def test_tile_names_come_back(column: int, row: int) -> None:
    tile = Tile(column, row)
    assert Tile.parse(tile.name) == tile
    assert repr(tile) == f"Tile({tile.name})"


@given(st.integers(0, 55), st.integers(0, 48))
def test_names_sort_as_tiles_do(column: int, row: int) -> None:
    assert Tile(column, row).name < Tile(column + 1, row).name


@pytest.mark.parametrize("name", ["x1y2", "r12c07", "x-1y02", "x23y17 ", "../x23y17"])
def test_other_names_are_no_tiles(name: str) -> None:
    with pytest.raises(GridError, match="write it as x23y17"):
        Tile.parse(name)


def test_the_national_box_has_2_79_gigacells_and_1256_tiles_with_land() -> None:
    grid = Grid()
    assert grid.box(100).shape == (49_000, 57_000)
    tiles = grid.tiles()
    assert len(tiles) == 1256
    assert tiles == sorted(tiles, key=lambda tile: (tile.row, tile.column))
    assert grid.first_tile == Tile(0, 0)  # an ocean, but blocks are counted from the box
    assert grid.tiles() == Grid(region=grid.bounds).tiles()  # as a cube remembers it


@pytest.mark.parametrize(
    ("longitude", "latitude", "land"),
    [
        (-75.7, 45.4, True),  # Ottawa
        (-135.06, 60.72, True),  # Whitehorse
        (-52.71, 47.56, True),  # St. John's
        (-62.34, 82.5, True),  # Alert
        (-132.1, 53.3, True),  # Haida Gwaii
        (-94.7, 54.7, True),  # the sandbox's place
        (-122.33, 47.6, False),  # Seattle
        (-149.9, 61.2, False),  # Anchorage
        (-87.6, 41.9, False),  # Chicago
        (-85.0, 59.5, False),  # the middle of Hudson Bay
        (-51.7, 64.2, False),  # Nuuk
        (-140.0, 50.0, False),  # the Pacific
    ],
)
def test_tiles_with_land_are_canada_s(longitude: float, latitude: float, land: bool) -> None:
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:3979", always_xy=True).transform(
        longitude, latitude
    )
    tile = Tile(int((x + 2_600_000) // TILE_SIZE), int((4_000_000 - y) // TILE_SIZE))
    assert (tile in Grid().tiles()) == land


def test_land_is_found_in_other_projections_too() -> None:
    grid = Grid(crs="ESRI:102001", bounds=(-2_600_000, 0, 3_200_000, 5_000_000))
    tiles = grid.tiles()
    assert 1200 < len(tiles) < 1400  # equal-area: no tile counts for more
    shared = [grid.tile_geobox(tile, 10_000) for tile in tiles]
    assert sum(cells.shape[0] * cells.shape[1] for cells in shared) * 100 > 9.9e6  # km2 of Canada


def test_a_box_without_canada_says_so() -> None:
    with pytest.raises(GridError, match="no Canadian land"):
        Grid(bounds=(-2_600_000, -900_000, -2_500_000, -800_000)).tiles()


def test_blocks_are_counted_from_the_box_whatever_has_land() -> None:
    layout = Layout(group="a", level=1000, variables=(Variable(name="ndvi"),))
    blocks = list(cut(layout, Grid(), np.array(["2023-07-01"], dtype="datetime64[D]")))
    assert len(blocks) == 1256
    for block in blocks[::100]:
        _, row, column = block.index
        assert block.geobox.boundingbox.left == -2_600_000 + 100_000 * column
        assert block.geobox.boundingbox.top == 4_000_000 - 100_000 * row


@given(st.integers(0, 56), st.integers(0, 48), st.sampled_from(LEVELS))
def test_levels_share_the_tile_edges(column: int, row: int, level: int) -> None:
    cells = Grid().tile_geobox(Tile(column, row), level)
    box = cells.boundingbox
    assert cells.shape == (TILE_SIZE // level,) * 2
    assert (box.left, box.top) == (-2_600_000 + column * 1e5, 4_000_000 - row * 1e5)
    assert (box.right - box.left, box.top - box.bottom) == (TILE_SIZE, TILE_SIZE)


def test_a_region_lies_on_the_lines_of_its_box() -> None:
    grid = Grid(region=REGION)
    assert grid.tiles() == [Tile(26, 33)]
    assert grid.box(100).shape == (1000, 1000)
    part = grid.region_geobox(100)
    assert part.shape == (600, 600)
    offset = ~grid.box(100).affine @ (part.affine.c, part.affine.f)
    assert offset == pytest.approx((100, 200))


def test_a_region_across_an_edge_touches_both_tiles() -> None:
    grid = Grid(region=(90_000, 620_000, 110_000, 640_000))
    assert [tile.name for tile in grid.tiles()] == ["x26y33", "x27y33"]


def test_degrees_grow_to_whole_10_km_cells_that_hold_them() -> None:
    grid = Grid(bbox=(-94.9, 54.7, -94.0, 55.1))
    x0, y0, x1, y1 = grid.extent
    assert all(value % 10_000 == 0 for value in grid.extent)
    to_metres = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    for corner in [(-94.9, 54.7), (-94.9, 55.1), (-94.0, 54.7), (-94.0, 55.1)]:
        x, y = to_metres.transform(*corner)
        assert x0 <= x <= x1
        assert y0 <= y <= y1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"region": (0, 0, 0, 10_000)}, "is empty"),
        ({"region": (0, 0, 10_050, 10_000)}, r"off the 10 km lines: the nearest is \[0, 0, 10000"),
        ({"region": (-122.5, 54, -121, 55)}, "is in degrees, not metres: write it as grid.bbox"),
        ({"region": (-3_000_000, 0, 0, 10_000)}, "leaves Canada's box"),
        ({"bbox": (10, 45, 5, 50)}, r"west, south, east, north"),
        ({"bbox": (5, 45, 10, 50)}, "leaves Canada's box"),
        ({"bbox": (-95, 54, -94, 55), "region": REGION}, "keep one"),
    ],
)
def test_impossible_regions_are_refused(
    settings: dict[str, tuple[float, ...]], message: str
) -> None:
    with pytest.raises(GridError, match=message):
        Grid(**settings)


def test_a_level_that_does_not_exist_is_refused() -> None:
    with pytest.raises(GridError, match="no level of 30 m: choose one of 10, 20"):
        Grid(region=REGION).box(30)


def test_a_tile_outside_the_box_is_refused() -> None:
    with pytest.raises(GridError, match="x57y00 lies outside"):
        Grid().tile_geobox(Tile(57, 0), 100)


@pytest.mark.parametrize("region", [REGION, (-1_700_000, 500_000, -1_640_000, 560_000)])
def test_cell_area_agrees_with_the_ellipsoid(region: tuple[float, ...]) -> None:
    cells = geobox(region, "EPSG:3979", 1000)
    area = cell_area(cells)
    row, column = 17, 41
    x, y = region[0] + column * 1000, region[3] - row * 1000
    to_degrees = Transformer.from_crs("EPSG:3979", "EPSG:4617", always_xy=True)
    corners = [(x, y), (x + 1000, y), (x + 1000, y - 1000), (x, y - 1000)]
    longitudes, latitudes = to_degrees.transform(*zip(*corners, strict=True))
    true, _ = Geod(ellps="GRS80").polygon_area_perimeter(longitudes, latitudes)
    assert area[row, column] == pytest.approx(abs(true), rel=2e-5)


def test_an_equal_area_crs_has_equal_areas() -> None:
    area = cell_area(geobox((0, 1_600_000, 60_000, 1_660_000), "ESRI:102001", 1000))
    np.testing.assert_allclose(area, 1e6, rtol=1e-6)


def test_cell_area_of_a_single_cell() -> None:
    whole = cell_area(geobox((0, 0, 10_000, 10_000), "EPSG:3979", 10_000))
    assert whole.shape == (1, 1)


def test_cells_without_a_crs_are_refused() -> None:
    bare = GeoBox((2, 2), geobox(REGION, "EPSG:3979", 1000).affine, None)
    with pytest.raises(GridError, match="have no CRS"):
        crs_of(bare)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.integers(1, 40))
def test_chips_cover_every_cell_and_stay_inside(
    height: int, width: int, size: int, stride: int
) -> None:
    if size > min(height, width) or stride > size:
        with pytest.raises(GridError, match="do not cover"):
            list(chip_origins(height, width, size, stride))
        return
    seen = np.zeros((height, width), dtype=int)
    for row, column in chip_origins(height, width, size, stride):
        assert 0 <= row <= height - size
        assert 0 <= column <= width - size
        seen[row : row + size, column : column + size] += 1
    assert seen.min() >= 1
