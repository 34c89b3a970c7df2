"""Our own warping beside sums over points: every cell by its exact place."""

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from firesat import gather
from firesat.footprint import average
from firesat.gather import bilinear, nearest
from firesat.geometry import remembered_geometry
from firesat.grid import geobox

# 129 W, where UTM and the national Lambert are turned by 27 degrees, and 93 W, where by two
PLACES = {
    "west": ("EPSG:32609", -2_030_000, 1_000_000),
    "middle": ("EPSG:32615", 120_000, 650_000),
}
FINE = 25  # points along a cell's side


def setting(place: str, size: int = 20, count: int = 60) -> tuple[GeoBox, GeoBox]:
    """Pixels of UTM and the cells of 100 m in their middle; a few cells reach beyond them."""
    crs, x, y = PLACES[place]
    east, north = Transformer.from_crs("EPSG:3979", crs, always_xy=True).transform(x, y)
    left, top = (round(edge, -2) for edge in (east - 30 * 60, north + 30 * 60))
    affine = Affine(size, 0, left, 0, -size, top)
    source = GeoBox((3600 // size, 3600 // size), affine, crs)
    half = 50 * count
    return source, geobox((x - half, y - half, x + half, y + half), "EPSG:3979", 100)


def pixels_of(source: GeoBox, cells: GeoBox, fine: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the pixel under each of some points of every cell, place by place."""
    steps = [(np.arange(count * fine) + 0.5) / fine for count in cells.shape[::-1]]
    column, row = np.meshgrid(*steps)
    x, y = cells.affine @ np.stack([column, row])
    to_source = Transformer.from_crs(cells.crs.to_wkt(), source.crs.to_wkt(), always_xy=True)
    u, v = ~source.affine @ np.stack(to_source.transform(x, y))
    return np.floor(v).astype(int), np.floor(u).astype(int)


def means(values: np.ndarray, cells: GeoBox) -> np.ndarray:
    """Mean of each cell's points."""
    height, width = cells.shape
    return np.nanmean(values.reshape(height, FINE, width, FINE), axis=(1, 3))


@pytest.mark.parametrize("place", ["west", "middle"])
@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_an_average_weighs_pixels_by_the_area_shared_with_the_turned_cell(
    place: str, kind: str
) -> None:
    source, cells = setting(place, count=24)
    stack = np.random.default_rng(0).integers(0, 1000, (3, *source.shape)).astype(kind)
    found = average(stack, np.full(source.shape, 2, "uint8"), remembered_geometry(source, cells))
    rows, columns = pixels_of(source, cells, FINE)
    inside = (rows.min() >= 0, rows.max() < source.shape[0])
    assert all(inside)
    for band, image in zip(found.mean, stack, strict=True):
        exact = means(image[rows, columns].astype(float), cells)
        apart = band - exact
        assert np.abs(apart).mean() < 0.02 * image.std()  # whose pixels are independent
        assert abs(apart.mean()) < 1
    assert (found.observed == 1).all()
    assert (found.clear == 1).all()


@pytest.mark.parametrize("place", ["west", "middle"])
def test_pixels_that_are_not_clear_count_only_where_none_is(place: str) -> None:
    source, cells = setting(place, count=24)
    grade = np.full(source.shape, 2, dtype="uint8")
    grade[:, :80] = 1  # the west is cloudy
    grade[:40] = 0  # the north was not seen
    stack = np.where(grade == 2, 1000.0, np.where(grade == 1, 9000.0, np.nan)).astype("float32")
    found = average(stack[np.newaxis], grade, remembered_geometry(source, cells))
    rows, columns = pixels_of(source, cells, FINE)
    under = grade[rows, columns]
    seen, clear = means(1.0 * (under > 0), cells), means(1.0 * (under == 2), cells)
    assert np.abs(found.observed - seen).max() < 0.03
    some = seen > 0.1
    assert np.abs(found.clear[some] - (clear / np.maximum(seen, 1e-9))[some]).max() < 0.06
    np.testing.assert_allclose(found.mean[0][clear > 0.02], 1000, rtol=1e-6)
    np.testing.assert_allclose(found.mean[0][(found.clear == 0) & (seen > 0.02)], 9000, rtol=1e-6)
    half = (clear > 0.4) & (clear < 0.6)
    assert half.any()  # cells half under cloud are known as such, and hold no cloud
    assert np.isnan(found.mean[0][found.observed == 0]).all()


@pytest.mark.parametrize("place", ["west", "middle"])
@pytest.mark.parametrize("size", [10, 20, 60])
def test_cells_beyond_the_raster_have_nothing_and_those_on_its_edge_their_share(
    place: str, size: int
) -> None:
    source, cells = setting(place, size)
    stack = np.full((1, *source.shape), 7, dtype="uint16")
    found = average(stack, np.full(source.shape, 2, "uint8"), remembered_geometry(source, cells))
    rows, columns = pixels_of(source, cells, FINE)
    height, width = source.shape
    share = means(1.0 * ((rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)), cells)
    assert (share == 0).any()
    assert np.abs(found.observed - share).max() < 0.06
    np.testing.assert_allclose(found.mean[0][found.observed > 0], 7, rtol=1e-5)
    assert np.isnan(found.mean[0][found.observed == 0]).all()


@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_the_nearest_pixel_is_the_one_under_the_centre(kind: str) -> None:
    source, cells = setting("west")
    stack = np.arange(1, 1 + source.shape[0] * source.shape[1]).reshape(1, *source.shape)
    out = np.zeros((1, *cells.shape), dtype=kind)
    nearest(stack.astype(kind), remembered_geometry(source, cells), 0, out)
    rows, columns = pixels_of(source, cells, 1)
    height, width = source.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    wanted = np.zeros(cells.shape, dtype=kind)
    wanted[inside] = stack[0, rows[inside], columns[inside]].astype(kind)
    assert (out[0] == wanted).mean() > 0.995  # the lattice is off by centimetres


def test_integers_are_rounded_and_missing_ones_left_out() -> None:
    source, cells = setting("middle", 100)
    stack = np.full((1, *source.shape), 501, dtype="uint16")
    stack[:, ::2] = 500
    stack[0, 10:14, 10:14] = 0
    out = np.ones((1, *cells.shape), dtype="uint16")
    bilinear(stack, remembered_geometry(source, cells), 0, out)
    assert set(np.unique(out)) == {0, 500, 501}


def test_strips_of_threads_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    source, cells = setting("west")
    stack = np.random.default_rng(1).random((2, *source.shape)).astype("float32")
    grade = np.random.default_rng(2).integers(0, 3, source.shape).astype("uint8")
    made = []
    for threads in (1, 3):
        monkeypatch.setattr(gather, "THREADS", threads)
        found = average(stack, grade, remembered_geometry(source, cells))
        made.append((found.mean.tobytes(), found.observed.tobytes(), found.clear.tobytes()))
    assert made[0] == made[1]


def test_a_raster_narrower_than_a_lane_is_averaged() -> None:
    source = GeoBox((3, 3), Affine(20, 0, 500_000, 0, -20, 6_000_000), "EPSG:32615")
    to_grid = Transformer.from_crs("EPSG:32615", "EPSG:3979", always_xy=True)
    x, y = (round(edge, -2) for edge in to_grid.transform(500_030, 5_999_970))
    cells = geobox((x - 200, y - 200, x + 200, y + 200), "EPSG:3979", 100)
    stack = np.full((1, 3, 3), 5, dtype="uint16")
    found = average(stack, np.full((3, 3), 2, "uint8"), remembered_geometry(source, cells))
    assert found.observed.sum() * 10_000 == pytest.approx(3600, rel=0.15)
    np.testing.assert_allclose(found.mean[0][found.observed > 0], 5)
