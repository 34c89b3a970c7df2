from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from odc.geo.geobox import GeoBox

from firesat.errors import CorruptFileError, GridError
from firesat.grid import geobox
from firesat.raster import align, on_cells, open_raster

CELLS = geobox((0.0, 0.0, 10_000.0, 10_000.0), "EPSG:3979", 1000)


def test_average_of_finer_pixels_is_their_mean_and_skips_what_is_missing() -> None:
    fine = CELLS.zoom_out(1 / 5)
    values = np.arange(2500, dtype="float32").reshape(50, 50)
    values[0, 0] = np.nan
    scene = xr.Dataset({"fraction": on_cells(values, fine, ())})
    got = align(scene, CELLS)["fraction"].values
    want = np.nanmean(values.reshape(10, 5, 10, 5), axis=(1, 3))
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_leading_dims_are_warped_as_one_by_one() -> None:
    coarse = CELLS.zoom_out(2)
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 2, *coarse.shape)).astype("float32")
    scene = xr.Dataset({"t2m": on_cells(values, coarse, ("time", "band"))})
    together = align(scene, CELLS)["t2m"]
    assert together.dims == ("time", "band", "y", "x")
    alone = align(xr.Dataset({"t2m": on_cells(values[2, 1], coarse, ())}), CELLS)["t2m"]
    np.testing.assert_array_equal(together.values[2, 1], alone.values)


def test_classes_are_never_mixed() -> None:
    fine = CELLS.zoom_out(1 / 3)
    rng = np.random.default_rng(1)
    values = rng.choice([1.0, 7.0], size=fine.shape).astype("float32")
    got = align(xr.Dataset({"fuel": on_cells(values, fine, ())}), CELLS)["fuel"].values
    majority = (values.reshape(10, 3, 10, 3) == 7).sum(axis=(1, 3)) > 4
    np.testing.assert_array_equal(got, np.where(majority, 7.0, 1.0))


def test_a_variable_may_say_its_own_rule() -> None:
    fine = CELLS.zoom_out(1 / 2)
    values = np.tile([[0.0, 4.0], [0.0, 4.0]], (10, 10)).astype("float32")
    scene = xr.Dataset({"t2m": on_cells(values, fine, ())})
    scene["t2m"].attrs["resampling"] = "average"
    np.testing.assert_allclose(align(scene, CELLS)["t2m"].values, 2.0)


def test_another_crs_lands_in_the_right_place() -> None:
    utm = GeoBox.from_bbox((490_000, 5_420_000, 520_000, 5_450_000), "EPSG:32614", resolution=100)
    values = np.zeros(utm.shape, dtype="float32")
    values[150:160, 150:160] = 1.0
    scene = xr.Dataset({"fraction": on_cells(values, utm, ())})
    x, y = 490_000 + 15_500, 5_450_000 - 15_500
    from pyproj import Transformer

    east, north = Transformer.from_crs("EPSG:32614", "EPSG:3979", always_xy=True).transform(x, y)
    around = geobox(
        (round(east, -3) - 5000, round(north, -3) - 5000, round(east, -3) + 5000,
         round(north, -3) + 5000), "EPSG:3979", 100,
    )  # fmt: skip
    got = align(scene, around)["fraction"]
    weight = got.fillna(0.0)
    assert float((weight * got.x).sum() / weight.sum()) == pytest.approx(east, abs=15)
    assert float((weight * got.y).sum() / weight.sum()) == pytest.approx(north, abs=15)


def test_a_scene_without_crs_is_refused() -> None:
    with pytest.raises(GridError, match="set it in the source's read"):
        align(xr.Dataset({"t2m": (("y", "x"), np.zeros((2, 2)))}), CELLS)


def test_files_that_are_no_rasters_are_named(tmp_path: Path) -> None:
    page = tmp_path / "B04.tif"
    page.write_text("<html>please log in</html>")
    with pytest.raises(CorruptFileError, match=r"B04\.tif is no GTiff .*<html>please"):
        open_raster(page)
    with pytest.raises(CorruptFileError, match="there is no such file"):
        open_raster(tmp_path / "gone.tif")
    with pytest.raises(CorruptFileError, match="is a folder, no raster"):
        open_raster(tmp_path)


def test_a_file_that_points_elsewhere_is_refused(tmp_path: Path) -> None:
    real = tmp_path / "real.tif"
    with rasterio.open(
        real, "w", driver="GTiff", width=2, height=2, count=1, dtype="uint8", crs="EPSG:3979",
        transform=CELLS.affine,
    ) as target:  # fmt: skip
        target.write(np.ones((1, 2, 2), "uint8"))
    sneaky = tmp_path / "sneaky.tif"
    sneaky.write_text(
        f'<VRTDataset rasterXSize="2" rasterYSize="2"><VRTRasterBand dataType="Byte" band="1">'
        f"<SimpleSource><SourceFilename>{real}</SourceFilename></SimpleSource>"
        f"</VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(CorruptFileError):
        open_raster(sneaky)
    with open_raster(real, driver="GTiff") as opened:
        assert opened.count == 1
