"""Geometry worked out once, and interpolation between what was measured."""

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scipy.ndimage import map_coordinates

from firesat import geometry
from firesat.gather import bilinear
from firesat.geometry import interpolates, remembered_geometry
from firesat.grid import geobox
from firesat.raster import align
from firesat.sources._layers import georeferenced

SCENE = GeoBox((180, 320), Affine(100, 0, 300_000, 0, -100, 6_077_520), "EPSG:32615")
CELLS = geobox((-65_000, 620_000, -45_000, 640_000), "EPSG:3979", 100)


def exact_places(source: GeoBox, cells: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each cell's centre in the source, cell by cell through PROJ."""
    column, row = np.meshgrid(*(np.arange(count) + 0.5 for count in cells.shape[::-1]))
    x, y = cells.affine @ np.stack([column, row])
    to_source = Transformer.from_crs(cells.crs.to_wkt(), source.crs.to_wkt(), always_xy=True)
    u, v = ~source.affine @ np.stack(to_source.transform(x, y))
    return v - 0.5, u - 0.5


def aligned(stack: np.ndarray, cells: GeoBox, source: GeoBox = SCENE) -> np.ndarray:
    lattice = remembered_geometry(source, cells)
    out = np.zeros((len(stack), *cells.shape), dtype="float32")
    bilinear(stack.astype("float32"), lattice, np.nan, out)
    return out


def test_cells_get_what_an_exact_bilinear_interpolation_gives() -> None:
    stack = np.random.default_rng(0).random((3, *SCENE.shape))
    places = exact_places(SCENE, CELLS)
    within = np.logical_and.reduce(
        [(p >= 0) & (p <= n - 1) for p, n in zip(places, SCENE.shape, strict=True)]
    )
    assert 0.3 < within.mean() < 0.95
    for mine, image in zip(aligned(stack, CELLS), stack, strict=True):
        wanted = map_coordinates(image, places, order=1)
        assert np.abs(mine - wanted)[within].max() < 2e-3  # of noise; the lattice is off by 3 cm
    outside = np.logical_or.reduce(
        [(p < -0.51) | (p > n - 0.49) for p, n in zip(places, SCENE.shape, strict=True)]
    )
    assert np.isnan(aligned(stack, CELLS)[:, outside]).all()


def test_missing_pixels_leave_their_weight_to_their_neighbours() -> None:
    image = np.full(SCENE.shape, 5.0)
    image[100:110, 100:110] = np.nan
    image[:, 200:] = np.nan
    found = aligned(image[np.newaxis], CELLS)[0]
    places = np.round(exact_places(SCENE, CELLS))
    np.testing.assert_allclose(found[np.isfinite(found)], 5.0, rtol=1e-6)
    deep = (places[0] > 100) & (places[0] < 109) & (places[1] > 100) & (places[1] < 109)
    assert np.isnan(found[deep]).all()
    assert np.isfinite(found[(places[1] > 10) & (places[1] < 95) & (places[0] > 10)]).mean() > 0.5


def test_the_same_cells_keep_their_values_and_their_holes() -> None:
    image = np.random.default_rng(1).random((1, *CELLS.shape)).astype("float32")
    image[0, 50, 60] = np.nan
    found = aligned(image, CELLS, CELLS)
    assert np.isnan(found[0, 50, 60])
    np.testing.assert_allclose(found, image, atol=1e-5)


def test_a_pair_s_geometry_is_worked_out_once_for_all_bands_and_days(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    real = geometry.Transformer.from_crs

    class Counting:
        @staticmethod
        def from_crs(*crs: str, always_xy: bool) -> Transformer:
            asked.append(crs)
            return real(*crs, always_xy=always_xy)

    monkeypatch.setattr(geometry, "Transformer", Counting)
    remembered_geometry.cache_clear()
    attrs = {"resampling": "bilinear"}
    for day in range(3):
        bands = xr.DataArray(
            np.full((13, *SCENE.shape), day, dtype="float32"), dims=("band", "y", "x"), attrs=attrs
        )
        scene = georeferenced({"reflectance": bands, "observed": bands[0]}, SCENE)
        found = align(scene, CELLS)
        assert np.nanmax(np.abs(found["reflectance"].values - day)) < 1e-6
    assert len(asked) == 1
    align(scene, geobox((-65_000, 610_000, -45_000, 630_000), "EPSG:3979", 100))
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("crs", "size", "ours"),
    [
        ("EPSG:32615", 100, True),
        ("EPSG:32615", 500, True),  # coarser: between pixels
        ("EPSG:32615", 20, False),  # finer: has to be smoothed
        ("EPSG:4326", 0.1, False),  # degrees wrap around
    ],
)
def test_only_what_needs_no_smoothing_and_no_wrapping_is_interpolated_here(
    crs: str, size: float, ours: bool
) -> None:
    source = GeoBox((9, 9), Affine(size, 0, 0, 0, -size, 0), crs)
    assert interpolates(source, CELLS) == ours


def test_coarse_cells_have_a_point_each() -> None:
    coarse = geobox((-2_600_000, -900_000, 3_100_000, 4_000_000), "EPSG:3979", 10_000)
    assert remembered_geometry(SCENE, coarse).step == 1
    assert remembered_geometry(SCENE, CELLS).step == 32
