"""Bands and mask say the same thing about every cell."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.products.base import Issue, local_offset
from firesat.products.cog import round_mantissa
from firesat.products.probability import Probability
from firesat.products.quality import Quality
from firesat.products.strips import STRIP, Spool, State, Strip


@pytest.fixture(scope="module")
def files(
    spool: Spool, cells: GeoBox, issue: Issue, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    assets = Probability().write(spool, cells, issue, tmp_path_factory.mktemp("forecast"))
    return {asset.roles[0]: asset.path for asset in assets}


def bands(path: Path) -> NDArray:
    with rasterio.open(path) as file:
        return file.read()


def test_names_hold_the_day_and_the_horizon(issue: Issue) -> None:
    assert [str(path) for path in Probability().files(issue)] == [
        "firesat_2023-07-05_p8d.tif",
        "firesat_2023-07-05_p8d.qml",
        "masks/firesat_2023-07-05_p8d_mask.tif",
        "masks/firesat_2023-07-05_p8d_mask.qml",
    ]


def test_the_map_is_float32_with_three_named_bands(files: dict[str, Path]) -> None:
    with rasterio.open(files["data"]) as file:
        assert file.dtypes == ("float32",) * 3
        assert file.nodata == -9999
        assert file.descriptions == ("p_fire", "p_growth", "p_new")
        assert file.units == ("1", "1", "1")
        assert file.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == "3"
        assert file.tags(1)["long_name"] == "probability that the cell burns within the window"
        assert file.tags(1)["long_name_fr"].startswith("probabilité que la cellule brûle")


def test_fire_is_either_process(files: dict[str, Path]) -> None:
    fire, growth, new = bands(files["data"]).astype(np.float64)
    known = fire >= 0
    assert known.any()
    expected = 1 - (1 - growth[known]) * (1 - new[known])
    np.testing.assert_allclose(fire[known], expected, rtol=2**-10)


def test_tiny_chances_do_not_drown() -> None:
    tiny = np.full((1, 1), 3e-8, dtype=np.float32)
    zeros = np.zeros((1, 1), dtype=np.uint8)
    strip = Strip(row=0, growth=tiny, new=tiny, state=zeros, looks=zeros, age=tiny)
    assert strip.fire[0, 0] == pytest.approx(6e-8, rel=1e-6)


def test_a_cell_has_a_probability_exactly_where_the_mask_says_forecast(
    files: dict[str, Path], spool: Spool
) -> None:
    (mask,) = bands(files["data-mask"])
    expected = np.array(spool.state)
    expected[:20, 580:] = State.NOT_EVALUATED
    np.testing.assert_array_equal(mask, expected)
    assert set(np.unique(mask)) == {int(state) for state in State}
    for band in bands(files["data"]):
        np.testing.assert_array_equal(band != -9999, mask == State.FORECAST)
    growth = np.array(spool.growth)[mask == State.FORECAST]
    np.testing.assert_array_equal(
        bands(files["data"])[1][mask == State.FORECAST], round_mantissa(growth)
    )


def test_the_mask_names_its_codes_and_colours(files: dict[str, Path]) -> None:
    with rasterio.open(files["data-mask"]) as file:
        assert file.dtypes == ("uint8",)
        assert file.tags(1)["flag_values"] == "0, 1, 2, 3, 4, 5"
        assert file.tags(1)["flag_meanings"].split() == [state.name.lower() for state in State]
        colours = [file.colormap(1)[state] for state in State]
    assert len(set(colours)) == len(State)


def test_quality_tells_looks_and_their_age(
    spool: Spool, cells: GeoBox, issue: Issue, tmp_path: Path
) -> None:
    (asset,) = Quality().write(spool, cells, issue, tmp_path)
    looks, age = bands(asset.path)
    assert (looks[:500, :500] == 3).all()
    assert (looks[500:, 500:] == 0).all()
    assert (age[:500, :500] == 4).all()  # 4.3 days are 4 whole days
    assert (age[500:, 500:] == 255).all()


def test_a_spool_is_read_twice_in_whole_strips(spool: Spool) -> None:
    first, second = ([strip.row for strip in spool] for _ in range(2))
    assert first == second == [0, STRIP]
    assert sum(strip.growth.shape[0] for strip in spool) == 600


@pytest.mark.parametrize(
    ("bbox", "hours"), [((-94.6, 55.0, -94.4, 55.2), -6), ((-123.2, 49.0, -123.0, 49.2), -8)]
)
def test_local_time_follows_the_meridian(
    bbox: tuple[float, float, float, float], hours: int
) -> None:
    assert local_offset(GeoBox.from_bbox(bbox, "EPSG:4326", shape=(4, 4))) == hours
