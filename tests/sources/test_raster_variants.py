"""Maps as their makers write them: missing values, scales and the order of rows."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.transform import from_origin

from firesat.grid import geobox
from firesat.sources._rasters import cut_raster, read_bands
from firesat.sources.files import LocalRasters
from firesat.sources.static import Static

REGION = geobox((10_000, 620_000, 20_000, 630_000), "EPSG:3979", 100)
NORTH_UP = from_origin(9_000, 631_000, 30, 30)
SOUTH_UP = Affine(30, 0, 9_000, 0, 30, 619_000)
SIDE = 400
HOLE = np.zeros((SIDE, SIDE), dtype=bool)
HOLE[:200, :200] = True
GROUND = 500 + np.arange(SIDE)[:, np.newaxis] + np.zeros(SIDE)  # falls to the north


def written(
    path: Path,
    values: np.ndarray,
    dtype: str,
    nodata: float | None,
    transform: Affine = NORTH_UP,
    **more: str,
) -> Path:
    profile = {"driver": "GTiff", "count": 1, "height": SIDE, "width": SIDE, "crs": "EPSG:3979"}
    with rasterio.open(
        path, "w", **profile | more, dtype=dtype, nodata=nodata, transform=transform
    ) as raster:
        raster.write(values.astype(dtype), 1)
    return path


def cut(whole: Path, layer: str) -> Path:
    target = whole.with_name(f"static-{layer}-x-1-2-3-4.tif")
    cut_raster(whole, target, REGION, margin=4)
    return target


@pytest.mark.parametrize(
    ("dtype", "nodata", "more"),
    [
        ("int16", -32767.0, {}),
        ("float32", -3.4028234663852886e38, {}),
        ("float32", float("nan"), {}),
        ("int16", -32767.0, {"driver": "COG", "compress": "lzw"}),
        ("int16", -32767.0, {"ENDIANNESS": "BIG"}),
    ],
)
def test_ground_that_nobody_measured_is_missing(
    dtype: str, nodata: float, more: dict[str, str], tmp_path: Path
) -> None:
    whole = written(tmp_path / "dem.tif", np.where(HOLE, nodata, GROUND), dtype, nodata, **more)
    found = Static().read(cut(whole, "elevation"))["elevation"].values
    assert np.nanmin(found) > 500
    assert 0.2 < np.isnan(found).mean() < 0.3


def test_a_mask_instead_of_a_nodata_value_is_kept(tmp_path: Path) -> None:
    whole = written(tmp_path / "dem.tif", np.where(HOLE, 0, GROUND), "int16", None)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(whole, "r+") as raster:
        raster.write_mask((~HOLE).astype("uint8") * 255)
    found = Static().read(cut(whole, "elevation"))["elevation"].values
    assert np.nanmin(found) > 500
    assert 0.2 < np.isnan(found).mean() < 0.3


def test_a_map_written_from_the_south_lies_and_slopes_as_one_from_the_north(
    tmp_path: Path,
) -> None:
    north = written(tmp_path / "a.tif", GROUND, "float32", None)
    south = written(tmp_path / "b.tif", GROUND[::-1], "float32", None, SOUTH_UP)
    ours = [Static().read(cut(path, "elevation")) for path in (north, south)]
    at = [each.sel(y=slice(629_000, 621_000), x=slice(11_000, 19_000)) for each in ours]
    for name in ("elevation", "northness"):
        np.testing.assert_allclose(at[0][name].values, at[1][name].values, atol=1e-3)


def test_a_file_s_own_scale_counts_unless_another_is_configured(tmp_path: Path) -> None:
    whole = written(tmp_path / "dem.tif", GROUND, "int16", None)
    with rasterio.open(whole, "r+") as raster:
        raster.scales, raster.offsets = [0.1], [100.0]
    expected = 0.1 * GROUND + 100
    np.testing.assert_allclose(
        read_bands(whole, {"elevation": 1})["elevation"].values, expected, rtol=1e-6
    )
    found = Static().read(cut(whole, "elevation"))["elevation"].values
    assert (found.min(), found.max()) == pytest.approx((150, 190), abs=4)
    own = LocalRasters(
        group="mine", files={"dem.tif": "2023-07-01"}, bands={"elevation": 1}, scale=0.5
    )
    np.testing.assert_allclose(own.read(whole)["elevation"].values, 0.5 * GROUND, rtol=1e-6)


@pytest.mark.parametrize(("dtype", "fill"), [("uint8", 127), ("uint8", 255), ("int8", -128)])
def test_what_is_no_class_of_land_cover_is_missing(dtype: str, fill: int, tmp_path: Path) -> None:
    whole = written(tmp_path / "lc.tif", np.where(HOLE, fill, 6), dtype, None)
    found = Static(land_cover="lc.tif").read(cut(whole, "land_cover"))["land_cover"].values
    assert np.unique(found[np.isfinite(found)]).tolist() == [6]
    assert 0.2 < np.isnan(found).mean() < 0.3
