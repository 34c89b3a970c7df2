"""A file is whole, exact and small, or it is not there."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rio_cogeo import cog_validate

from firesat.errors import ProductError
from firesat.grid import geobox
from firesat.products import cog
from firesat.products.cog import Layer, Raster, publish, round_mantissa
from firesat.products.statistics import Statistics


def raster(cells: GeoBox, **changes: object) -> Raster:
    layers = (Layer(name="a", units="1", valid_range=(0, 1)), Layer(name="b", units="m"))
    return Raster(**{"cells": cells, "layers": layers, "tags": {"model": "tiny"}, **changes})


@pytest.fixture
def values() -> NDArray[np.float32]:
    made = np.random.default_rng(3).random((2, 600, 600), dtype=np.float32)
    made[:, 30:50, 70:200] = np.nan
    made[1] *= 700.0
    return made


def strips(values: NDArray, height: int = 512) -> Iterator[tuple[int, NDArray]]:
    for row in range(0, values.shape[1], height):
        yield row, values[:, row : row + height]


@settings(deadline=None)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=0, max_value=2.0**120))
def test_rounding_moves_a_number_by_at_most_half_a_step(value: float) -> None:
    number = np.float32(value)
    rounded = round_mantissa(np.array([number]))[0]
    assert abs(float(rounded) - float(number)) <= 2**-11 * float(number) + 2.0**-137
    assert rounded.view(np.uint32) & np.uint32(0x1FFF) == 0


def test_rounding_keeps_what_is_no_number_and_what_is_round() -> None:
    odd = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 0.5, -1.0], dtype=np.float32)
    all_ones = np.array([0x7FFFFFFF], dtype=np.uint32).view(np.float32)  # a NaN that could carry
    np.testing.assert_array_equal(round_mantissa(odd), odd)
    assert np.isnan(round_mantissa(all_ones)[0])


def test_rounding_is_to_the_nearest_and_ties_go_to_even() -> None:
    step = 2.0**-10
    exact = np.array([1 + 0.49 * step, 1 + 0.51 * step, 1 + 0.5 * step, 1 + 1.5 * step])
    expected = np.array([1, 1 + step, 1, 1 + 2 * step])
    np.testing.assert_array_equal(round_mantissa(exact.astype(np.float32)), expected)


@settings(deadline=None, max_examples=50)
@given(parts=st.lists(st.lists(st.floats(-1e3, 1e3), max_size=20), min_size=1, max_size=6))
def test_statistics_of_parts_equal_those_of_the_whole(parts: list[list[float]]) -> None:
    counted = Statistics()
    for part in parts:
        counted.add(np.array(part), np.ones(len(part), dtype=bool))
    whole = np.array([value for part in parts for value in part])
    if whole.size:
        assert counted.minimum == whole.min()
        assert counted.maximum == whole.max()
        assert counted.mean == pytest.approx(whole.mean(), rel=1e-9, abs=1e-9)
        assert (counted.squares / counted.count) ** 0.5 == pytest.approx(
            whole.std(), rel=1e-6, abs=1e-6
        )
    else:
        assert counted.tags() == {"STATISTICS_VALID_PERCENT": "0"}


def test_statistics_in_the_file_are_those_of_its_own_pixels(
    tmp_path: Path, cells: GeoBox, values: NDArray[np.float32]
) -> None:
    path = tmp_path / "map.tif"
    publish(path, raster(cells), strips(values))
    with rasterio.open(path) as file:
        for band in file.indexes:
            tags, stored = file.tags(band), file.read(band, masked=True)
            known = stored.compressed().astype(np.float64)
            assert float(tags["STATISTICS_MINIMUM"]) == known.min()
            assert float(tags["STATISTICS_MAXIMUM"]) == known.max()
            assert float(tags["STATISTICS_MEAN"]) == pytest.approx(known.mean(), rel=1e-12)
            assert float(tags["STATISTICS_STDDEV"]) == pytest.approx(known.std(), rel=1e-12)
            share = 100 * known.size / stored.size
            assert float(tags["STATISTICS_VALID_PERCENT"]) == pytest.approx(share, rel=1e-5)
    assert [p.name for p in tmp_path.iterdir()] == ["map.tif"]  # no .aux.xml, no leftovers


def test_pixels_come_back_rounded_with_nodata_where_nan(
    tmp_path: Path, cells: GeoBox, values: NDArray[np.float32]
) -> None:
    publish(tmp_path / "map.tif", raster(cells), strips(values))
    with rasterio.open(tmp_path / "map.tif") as file:
        found = file.read()
        assert file.nodata == -9999
    missing = np.isnan(values)
    assert (found[missing] == -9999).all()
    np.testing.assert_array_equal(found[~missing], round_mantissa(values)[~missing])
    assert len(np.unique(found[~missing].view(np.uint32) & 0x1FFF)) == 1


def test_overviews_average_what_is_valid_alone(tmp_path: Path, cells: GeoBox) -> None:
    ones = np.full((2, 600, 600), 0.25, dtype=np.float32)
    ones[:, ::3] = np.nan
    publish(tmp_path / "map.tif", raster(cells), strips(ones))
    with rasterio.open(tmp_path / "map.tif", overview_level=0) as file:
        small = file.read(1, masked=True)
    assert small.shape == (300, 300)
    assert (small == 0.25).all()


@pytest.mark.parametrize("side", [2, 10, 60, 513, 1100])
def test_maps_of_any_size_are_valid_with_an_overview(tmp_path: Path, side: int) -> None:
    cells = geobox((0.0, 0.0, side * 100.0, side * 100.0), "EPSG:3979", 100)
    path = tmp_path / "map.tif"
    publish(path, raster(cells), strips(np.full((2, side, side), 0.5, dtype=np.float32)))
    assert cog_validate(path, strict=True) == (True, [], [])
    with rasterio.open(path) as file:
        assert file.overviews(1)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_the_same_forecast_gives_the_same_bytes(
    tmp_path: Path, cells: GeoBox, values: NDArray[np.float32]
) -> None:
    publish(tmp_path / "a.tif", raster(cells), strips(values))
    publish(tmp_path / "b.tif", raster(cells), strips(values))
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_rounding_saves_a_third_of_the_file(
    tmp_path: Path, cells: GeoBox, values: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path / "rounded.tif", raster(cells), strips(values))
    monkeypatch.setattr(cog, "round_mantissa", lambda kept: kept)
    publish(tmp_path / "full.tif", raster(cells), strips(values))
    full, rounded = ((tmp_path / f"{n}.tif").stat().st_size for n in ("full", "rounded"))
    assert rounded < 0.66 * full


@pytest.mark.parametrize(
    ("windows", "says"),
    [
        ([(0, 512)], "ends at row 512 of 600"),
        ([(0, 512), (500, 600)], "rows 512 to 500"),
        ([(512, 600)], "rows 0 to 512"),
    ],
)
def test_a_map_with_missing_rows_is_refused_and_leaves_nothing(
    tmp_path: Path,
    cells: GeoBox,
    values: NDArray[np.float32],
    windows: list[tuple[int, int]],
    says: str,
) -> None:
    parts = ((start, values[:, start:stop]) for start, stop in windows)
    with pytest.raises(ProductError, match=says):
        publish(tmp_path / "map.tif", raster(cells), parts)
    assert list(tmp_path.iterdir()) == []


def test_an_impossible_value_is_refused_and_the_old_map_stays(
    tmp_path: Path, cells: GeoBox, values: NDArray[np.float32]
) -> None:
    path = tmp_path / "map.tif"
    publish(path, raster(cells), strips(values))
    before = path.read_bytes()
    values[0, 300, 300] = 1.5
    with pytest.raises(ProductError, match=r"a reaches from .* to 1\.5, outside"):
        publish(path, raster(cells), strips(values))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["map.tif"]


def test_a_run_that_dies_leaves_nothing_under_the_final_name(
    tmp_path: Path, cells: GeoBox, values: NDArray[np.float32]
) -> None:
    def dying() -> Iterator[tuple[int, NDArray]]:
        yield 0, values[:, :512]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path / "map.tif", raster(cells), dying())
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_reads_back_differently_is_not_kept(
    tmp_path: Path, cells: GeoBox, values: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    to_cog = cog._to_cog

    def spoil(plain: Path, part: Path, wanted: Raster) -> None:
        to_cog(plain, part, wanted)
        with rasterio.open(plain, "r+") as file:
            file.write(np.full((1, 1, 1), 0.125, dtype=np.float32), indexes=[1],
                       window=((4, 5), (4, 5)))  # fmt: skip

    monkeypatch.setattr(cog, "_to_cog", spoil)
    with pytest.raises(ProductError, match="came back with other pixels"):
        publish(tmp_path / "map.tif", raster(cells), strips(values))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, cells: GeoBox, values: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise rasterio.errors.RasterioIOError("No space left on device")

    monkeypatch.setattr(cog, "_to_cog", full_disk)
    with pytest.raises(ProductError, match=r"map\.tif could not be written .*No space left"):
        publish(tmp_path / "map.tif", raster(cells), strips(values))
    assert list(tmp_path.iterdir()) == []


def test_rows_of_another_width_are_refused(tmp_path: Path, cells: GeoBox) -> None:
    with pytest.raises(ProductError, match="do not fit 2 bands of 600 columns"):
        publish(tmp_path / "map.tif", raster(cells), [(0, np.zeros((2, 600, 60)))])
