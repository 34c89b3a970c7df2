"""Exact shares of cells, by arithmetic."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from shapely.geometry import Point, box

from firesat.coverage import burned_fraction, covered, disjoint, overlapping
from firesat.grid import cell_area, geobox

CELLS = geobox((0.0, 0.0, 1000.0, 1000.0), "EPSG:3979", 100)
HECTARE = 1e4


def by_clipping(shape: shapely.Geometry) -> np.ndarray:
    """The same shares, cell by cell with GEOS."""
    rows = [
        [
            shapely.intersection(shape, box(x, y, x + 100, y + 100)).area / HECTARE
            for x in range(0, 1000, 100)
        ]
        for y in range(900, -100, -100)
    ]
    return np.array(rows)


def test_a_square_on_the_lines_fills_its_cells_and_no_others() -> None:
    share = burned_fraction([box(200, 300, 400, 500)], CELLS)
    wanted = np.zeros((10, 10))
    wanted[5:7, 2:4] = 1  # y 300 to 500 are the sixth and seventh row from the top
    np.testing.assert_array_equal(share, wanted)


def test_half_covered_cells_are_halves_and_corners_quarters() -> None:
    share = burned_fraction([box(50, 850, 250, 1050)], CELLS)
    np.testing.assert_allclose(share[:2, :3], [[0.5, 1, 0.5], [0.25, 0.5, 0.25]], rtol=1e-6)
    assert share[2:].sum() == 0
    assert share[:, 3:].sum() == 0


def test_a_diagonal_cuts_cells_into_triangles() -> None:
    share = burned_fraction([shapely.Polygon([(0, 0), (1000, 0), (1000, 1000)])], CELLS)
    wanted = np.tri(10)[:, ::-1] - 0.5 * np.eye(10)[:, ::-1]
    np.testing.assert_allclose(share, wanted, atol=1e-7)


def test_a_ring_with_a_hole_leaves_the_hole() -> None:
    ring = box(100, 100, 900, 900) - box(350, 350, 650, 650)
    share = burned_fraction([ring], CELLS)
    assert share.sum() * HECTARE == pytest.approx(800**2 - 300**2, rel=1e-6)
    assert share[5, 5] == 0
    assert share[3, 3] == 0.75  # x and y from 350: a quarter of the cell lies in the hole


def test_ground_under_two_polygons_counts_once() -> None:
    share = burned_fraction([box(0, 0, 250, 100), box(150, 0, 400, 100)], CELLS)
    np.testing.assert_allclose(share[9], [1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    share = burned_fraction([box(0, 0, 60, 100), box(30, 0, 70, 100)], CELLS)
    assert share[9, 0] == pytest.approx(0.7, rel=1e-6)  # the sum would be 1.0


def test_neighbours_that_share_an_edge_are_not_joined() -> None:
    shapes = [box(0, 0, 100, 100), box(100, 0, 200, 100), box(150, 50, 250, 150)]
    groups = overlapping(np.array(shapes, dtype=object))
    assert groups[0] != groups[1] == groups[2]
    assert sorted(shape.area for shape in disjoint(shapes)) == [HECTARE, 1.75 * HECTARE]


@pytest.mark.parametrize(
    "shape",
    [
        Point(500, 500).buffer(333) - Point(520, 480).buffer(100),
        Point(0, 500).buffer(333),  # leaves the cells on the left
        Point(1000, 1000).buffer(333),  # at the upper right
        box(-500, 250, 2000, 275),  # through all of them
        box(-500, -500, 2000, 2000),  # around all of them
        shapely.Polygon([(-300, -300), (1500, 500), (-200, 1200)]),
        shapely.MultiPolygon([box(10, 10, 30, 30), box(910, 910, 990, 990)]),
        shapely.GeometryCollection(
            [box(10, 10, 130, 30), shapely.LineString([(0, 0), (900, 900)])]
        ),
    ],
    ids=["ring", "left", "corner", "band", "all", "triangle", "parts", "collection"],
)
def test_cells_agree_with_clipping_one_by_one(shape: shapely.Geometry) -> None:
    np.testing.assert_allclose(covered([shape], CELLS), by_clipping(shape), atol=2e-7)


@settings(max_examples=40, deadline=None)  # the first example compiles
@given(st.integers(0, 10**6), st.integers(3, 12))
def test_any_repaired_tangle_agrees_with_clipping(seed: int, corners: int) -> None:
    tangle = shapely.Polygon(np.random.default_rng(seed).uniform(-400, 1400, (corners, 2)))
    shape = shapely.make_valid(tangle, method="structure", keep_collapsed=False)
    np.testing.assert_allclose(covered([shape], CELLS), by_clipping(shape), atol=2e-7)


@settings(max_examples=40, deadline=None)  # the first example compiles
@given(
    st.integers(0, 10**6),
    st.floats(-2.4e6, 2.9e6),
    st.floats(-8e5, 3.8e6),
    st.floats(30.0, 20_000.0),
)
def test_fractions_times_cell_areas_are_the_polygons_true_area(
    seed: int, x: float, y: float, radius: float
) -> None:
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    reach = radius * rng.uniform(0.4, 1.0, 60)
    outline = np.column_stack([x + reach * np.cos(angles), y + reach * np.sin(angles)])
    shape = shapely.Polygon(outline) - Point(x, y).buffer(0.2 * radius)
    low, high = (np.floor((c - radius) / 100) * 100 for c in (x, y))
    side = np.ceil(2 * radius / 100 + 1) * 100
    cells = geobox((low, high, low + side, high + side), "EPSG:3979", 100)
    share = burned_fraction([shape], cells).astype(np.float64)
    assert share.sum() * HECTARE == pytest.approx(shape.area, rel=1e-6)
    to_albers = Transformer.from_crs("EPSG:3979", "ESRI:102001", always_xy=True)
    fine = shapely.segmentize(shape, 500.0)  # edges are straight on the grid, not in Albers
    truth = shapely.transform(fine, to_albers.transform, interleaved=False).area
    assert (share * cell_area(cells)).sum() == pytest.approx(truth, rel=1e-3)


def test_nothing_drawn_is_zero() -> None:
    assert burned_fraction([], CELLS).sum() == 0
    assert burned_fraction([shapely.Polygon()], CELLS).sum() == 0
