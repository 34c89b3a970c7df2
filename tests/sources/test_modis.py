"""MODIS composites, quality bits and tiles, on tiny granules."""

from pathlib import Path

import numpy as np
import pytest
from pyhdf.SD import SD, SDC
from pyproj import Transformer

from firesat.errors import CorruptFileError
from firesat.grid import geobox
from firesat.raster import align
from firesat.sources._composites import composite_end, day_of_year, tiles_of
from firesat.sources._hdf4 import SINUSOIDAL, TILE
from firesat.sources._modis_products import bits
from firesat.sources.modis import Modis
from tests.sources.small import first_block, scene

SIZE = 24
KINDS = {"int16": SDC.INT16, "uint16": SDC.UINT16, "uint8": SDC.UINT8, "int8": SDC.INT8}


def write_hdf(path: Path, layers: dict[str, np.ndarray]) -> Path:
    file = SD(str(path), SDC.WRITE | SDC.CREATE)
    for name, values in layers.items():
        data = file.create(name, KINDS[values.dtype.name], values.shape)
        data[:] = values
        data.endaccess()
    file.end()
    return path


def vegetation(**changed: np.ndarray) -> dict[str, np.ndarray]:
    shape = (SIZE, SIZE)
    return {
        "500m 16 days NDVI": np.full(shape, 5000, dtype="int16"),
        "500m 16 days EVI": np.full(shape, 3000, dtype="int16"),
        "500m 16 days VI Quality": np.full(shape, 2116, dtype="uint16"),
        "500m 16 days pixel reliability": np.zeros(shape, dtype="int8"),
        **changed,
    }


@pytest.fixture
def granule(tmp_path: Path) -> Path:
    return tmp_path / "MOD13A1.A2023177.h12v03.061.2023194001533.hdf"


def test_digital_numbers_become_indices_on_the_tile_s_pixels(granule: Path) -> None:
    dataset = Modis().read(write_hdf(granule, vegetation()))
    np.testing.assert_allclose(dataset["ndvi"].values, 0.5, rtol=1e-6)
    np.testing.assert_allclose(dataset["evi"].values, 0.3, rtol=1e-6)
    box = dataset.odc.geobox.boundingbox
    # Tile h12v03 starts 6 tiles west and 6 north of the origin at h18v09.
    assert box.bbox == pytest.approx((-6 * TILE, 5 * TILE, -5 * TILE, 6 * TILE))


@pytest.mark.parametrize(
    ("quality", "reliability", "kept"),
    [
        (0b0000, 0, True),  # good
        (0b0001, 1, True),  # marginal
        (0b0010, 3, False),  # cloudy
        (0b0011, -1, False),  # not produced
        (0b0000, 2, False),  # snow by rank
        (1 << 10, 1, False),  # mixed clouds
        (1 << 14, 1, False),  # snow by bit
        (1 << 15, 1, False),  # shadow
        (1 << 8, 1, True),  # a cloud next door
    ],
)
def test_doubtful_vegetation_is_missing(
    granule: Path, quality: int, reliability: int, kept: bool
) -> None:
    layers = vegetation()
    layers["500m 16 days VI Quality"][3, 4] = quality
    layers["500m 16 days pixel reliability"][3, 4] = reliability
    ndvi = Modis().read(write_hdf(granule, layers))["ndvi"].values
    assert np.isfinite(ndvi[3, 4]) == kept
    assert np.isfinite(ndvi).sum() == SIZE * SIZE - (not kept)


def test_fill_and_impossible_numbers_are_missing(granule: Path) -> None:
    layers = vegetation()
    layers["500m 16 days NDVI"][0, :3] = (-3000, -2001, 10_001)
    ndvi = Modis().read(write_hdf(granule, layers))["ndvi"].values
    assert np.isnan(ndvi[0, :3]).all()
    assert np.isfinite(ndvi[0, 3])


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        (0b00000000, True),  # good
        (0b00000001, True),  # error below 1 K
        (0b01000001, True),  # below 2 K
        (0b10000001, False),  # below 3 K
        (0b11000001, False),  # above
        (0b00000010, False),  # cloud
        (0b00000011, False),  # other
    ],
)
def test_surface_temperature_is_kept_by_its_error(tmp_path: Path, flags: int, kept: bool) -> None:
    shape = (SIZE, SIZE)
    layers = {
        "LST_Day_1km": np.full(shape, 15_000, dtype="uint16"),
        "QC_Day": np.full(shape, flags, dtype="uint8"),
        "LST_Night_1km": np.zeros(shape, dtype="uint16"),
        "QC_Night": np.zeros(shape, dtype="uint8"),
    }
    path = write_hdf(tmp_path / "MOD11A2.A2023177.h12v03.061.2023194001533.hdf", layers)
    dataset = Modis(product="MOD11A2").read(path)
    assert np.isfinite(dataset["lst_day"].values).all() == kept
    assert np.isnan(dataset["lst_night"].values).all()  # 0 is fill though its quality says good
    if kept:
        assert float(dataset["lst_day"][0, 0]) == pytest.approx(300.0)


def test_classes_of_leaf_area_are_not_values(tmp_path: Path) -> None:
    shape = (SIZE, SIZE)
    layers = {
        "Fpar_500m": np.full(shape, 80, dtype="uint8"),
        "Lai_500m": np.full(shape, 35, dtype="uint8"),
        "FparLai_QC": np.zeros(shape, dtype="uint8"),
    }
    layers["Lai_500m"][0] = np.arange(232, 256)
    layers["FparLai_QC"][1, :4] = (0b00000001, 0b00001000, 0b01000000, 0b00100000)
    path = write_hdf(tmp_path / "MOD15A2H.A2023177.h12v03.061.2023194001533.hdf", layers)
    dataset = Modis(product="MOD15A2H").read(path)
    assert np.isnan(dataset["lai"].values[0]).all()
    assert np.isfinite(dataset["lai"].values[1, :4]).tolist() == [False, False, False, True]
    assert float(dataset["fpar"][5, 5]) == pytest.approx(0.8)
    assert float(dataset["lai"][5, 5]) == pytest.approx(3.5)


def test_bits_are_cut_from_the_low_end() -> None:
    assert bits(np.array([0b1011_0110]), 1, 3).tolist() == [0b011]
    assert bits(np.array([65_535], dtype="uint16"), 14, 2).tolist() == [3]


def test_composites_start_anew_each_year_and_the_last_is_short() -> None:
    days = np.arange(np.datetime64("2022-12-15"), np.datetime64("2023-01-20"))
    times = Modis().times(days)
    assert times.astype(str).tolist() == ["2022-12-03", "2022-12-19", "2023-01-01", "2023-01-17"]
    assert str(composite_end(np.datetime64("2022-12-19"), 16)) == "2023-01-01"
    assert str(composite_end(np.datetime64("2022-12-03"), 16)) == "2022-12-19"
    leap = Modis(product="MOD11A2").times(np.array(["2024-12-31"], dtype="datetime64[D]"))
    assert leap.astype(str).tolist() == ["2024-12-26"]
    assert str(composite_end(leap[0], 8)) == "2025-01-01"


def test_aqua_s_composites_lie_between_terra_s_and_reach_over_new_year() -> None:
    days = np.arange(np.datetime64("2022-12-15"), np.datetime64("2023-01-20"))
    times = Modis(product="MYD13A1").times(days)
    assert times.astype(str).tolist() == ["2022-12-11", "2022-12-27", "2023-01-09"]
    assert day_of_year(times[1]) == 361
    assert str(composite_end(times[1], 16, 9)) == "2023-01-12"
    assert str(composite_end(times[0], 16, 9)) == "2022-12-27"


@pytest.mark.parametrize("product", ["MYD13A1", "MOD13A1"])
def test_a_granule_is_of_the_product_that_its_name_says(product: str, tmp_path: Path) -> None:
    path = write_hdf(tmp_path / f"{product}.A2022361.h12v03.006.2023012001533.hdf", vegetation())
    assert np.isfinite(Modis(product=product).read(path)["ndvi"].values).any()
    other = Modis(product="MOD13A1" if product == "MYD13A1" else "MYD13A1")
    with pytest.raises(CorruptFileError, match=r"is no granule of M.D13A1 by its name"):
        other.read(path)


def test_a_composite_is_available_after_its_end_not_its_start() -> None:
    source = Modis()
    block = first_block(source)
    start = block.times[0].astype("datetime64[D]")
    assert str(start) == "2023-06-26"
    end = composite_end(start, 16).astype("datetime64[s]")
    made = scene(block, end, 168.0)
    layer = source.compose([], block)
    assert np.isnat(layer["available_time"].values[0])
    assert made.available == np.datetime64("2023-07-19T00:00:00")


def test_the_demo_region_lies_in_one_tile_and_a_seam_in_two() -> None:
    assert tiles_of(geobox((10_000, 620_000, 70_000, 680_000), "EPSG:3979", 1000)) == {(12, 3)}
    to_grid = Transformer.from_crs(SINUSOIDAL, "EPSG:3979", always_xy=True)
    x, y = to_grid.transform(-6.5 * TILE, 5 * TILE)  # on the edge between v03 and v04
    corner = [round(edge, -4) for edge in (x, y)]
    region = geobox(
        (corner[0] - 1e4, corner[1] - 2e4, corner[0] + 1e4, corner[1] + 2e4), "EPSG:3979", 1000
    )
    assert {v for _, v in tiles_of(region)} == {3, 4}


def test_two_granules_meet_without_a_gap(tmp_path: Path) -> None:
    source = Modis()
    to_grid = Transformer.from_crs(SINUSOIDAL, "EPSG:3979", always_xy=True)
    x, y = to_grid.transform(-6.2 * TILE, 5 * TILE)
    column, row = (round(edge / 500) * 500 for edge in (x, y))
    cells = geobox((column - 1e4, row - 1e4, column + 1e4, row + 1e4), "EPSG:3979", 500)
    scenes = []
    for tile, value in (("h11v03", 4000), ("h11v04", 6000)):
        layers = vegetation(**{"500m 16 days NDVI": np.full((SIZE, SIZE), value, dtype="int16")})
        path = write_hdf(tmp_path / f"MOD13A1.A2023177.{tile}.061.2023194001533.hdf", layers)
        scenes.append((scene(first_block(source), np.datetime64("2023-07-12", "s"), 168.0),
                       align(source.read(path), cells)))  # fmt: skip
    block = type(first_block(source))(
        group="modis_vi", index=(0, 0, 0), times=(np.datetime64("2023-06-26", "s"),),
        geobox=cells, extent=tuple(cells.boundingbox.bbox),
    )  # fmt: skip
    ndvi = source.compose(scenes, block)["ndvi"].values[0]
    assert np.isfinite(ndvi).all()
    assert set(np.unique(ndvi).round(3)) == {np.float32(0.4), np.float32(0.6)}


def test_a_login_page_is_recognised(granule: Path) -> None:
    granule.write_text("<!DOCTYPE html><title>Earthdata Login</title>")
    with pytest.raises(CorruptFileError, match="no HDF4 file, it starts with b'<!DOCTYPE html>"):
        Modis().read(granule)


def test_a_file_under_another_name_is_refused(tmp_path: Path) -> None:
    path = write_hdf(tmp_path / "MOD11A2.A2023177.h12v03.061.2023194001533.hdf", vegetation())
    with pytest.raises(CorruptFileError, match="is no granule of MOD13A1 by its name"):
        Modis().read(path)


def test_a_granule_without_the_product_s_layers_is_refused(granule: Path) -> None:
    write_hdf(granule, {"Something": np.zeros((SIZE, SIZE), dtype="uint8")})
    with pytest.raises(CorruptFileError, match="has none of MOD13A1's layers"):
        Modis().read(granule)
