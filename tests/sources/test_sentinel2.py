"""Sentinel-2 scenes: what is asked for, what is read, and how a day is mosaicked."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer

from firesat.errors import CorruptFileError, CredentialsError
from firesat.grid import geobox
from firesat.raster import align
from firesat.sources._overpasses import name_of_overpass, overpasses
from firesat.sources._sentinelhub import Hub, processing_units
from firesat.sources._utm import SIDE, fixed_squares, grouped
from firesat.sources.sentinel2 import Sentinel2
from tests.sources.small import first_block, made_scenes

SOURCE = Sentinel2()
REGION = geobox((10_000, 620_000, 70_000, 680_000), "EPSG:3979", 100)


def write_tiff(path: Path, numbers: np.ndarray, *, crs: str | None = "EPSG:32615") -> Path:
    count, height, width = numbers.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype="uint16",
        crs=crs, transform=Affine(100, 0, 4e5, 0, -100, 6.1e6),
    ) as raster:  # fmt: skip
        raster.write(numbers)
    return path


def digital_numbers(size: int = 8) -> np.ndarray:
    numbers = np.arange(14 * size * size, dtype="uint16").reshape(14, size, size)
    numbers[13] = 1
    return numbers


def test_numbers_become_reflectance_and_the_mask_becomes_missing(tmp_path: Path) -> None:
    numbers = digital_numbers()
    numbers[13, 2, 3] = 0
    numbers[:13, 2, 4] = 0  # harmonising clamps dark pixels to 0: that is a value
    dataset = SOURCE.read(write_tiff(tmp_path / "a.tif", numbers))
    reflectance = dataset["reflectance"].values
    assert np.isnan(reflectance[:, 2, 3]).all()
    assert (reflectance[:, 2, 4] == 0).all()
    kept = np.ones((8, 8), dtype=bool)
    kept[2, 3] = False
    np.testing.assert_allclose(reflectance[:, kept], numbers[:13][:, kept] / 10_000, rtol=1e-6)
    assert dataset["observed"].values.tolist() == kept.astype(float).tolist()
    assert dataset.attrs["mask"] == "sentinel2"
    assert dataset.odc.geobox.crs.epsg == 32615
    assert list(dataset["band"].values)[8] == "B8A"


def test_finer_pixels_are_averaged_and_equal_ones_interpolated(tmp_path: Path) -> None:
    dataset = SOURCE.read(write_tiff(tmp_path / "a.tif", digital_numbers()))
    assert dataset["reflectance"].attrs["resampling"] == "bilinear"
    with rasterio.open(tmp_path / "a.tif", "r+") as raster:
        raster.transform = Affine(20, 0, 4e5, 0, -20, 6.1e6)
    assert SOURCE.read(tmp_path / "a.tif")["reflectance"].attrs["resampling"] == "average"


def test_averaging_fine_pixels_counts_clear_ones_only(tmp_path: Path) -> None:
    to_utm = Transformer.from_crs("EPSG:3979", "EPSG:32615", always_xy=True)
    x, y = (round(edge, -3) for edge in to_utm.transform(20_000, 630_000))
    numbers = np.full((14, 100, 100), 1000, dtype="uint16")
    numbers[:13, :, 50:] = 9000
    numbers[13] = 1
    numbers[13, :, 50:] = 0  # the bright half was not seen
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", count=14, height=100, width=100, dtype="uint16",
        crs="EPSG:32615", transform=Affine(20, 0, x, 0, -20, y + 2000),
    ) as raster:  # fmt: skip
        raster.write(numbers)
    cells = geobox((19_000, 629_000, 23_000, 633_000), "EPSG:3979", 100)
    aligned = align(Sentinel2(resolution=20).read(tmp_path / "a.tif"), cells)
    values = aligned["reflectance"].values
    assert np.isfinite(values).any()
    np.testing.assert_allclose(values[np.isfinite(values)], 0.1, atol=1e-6)
    share = aligned["observed"].values
    assert ((share > 0.05) & (share < 0.95)).any()  # cells on the line


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match="has 3 bands"):
        SOURCE.read(write_tiff(tmp_path / "a.tif", digital_numbers()[:3]))
    (tmp_path / "b.tif").write_bytes(b"II*\0 then nothing")
    with pytest.raises(CorruptFileError, match=r"b\.tif"):
        SOURCE.read(tmp_path / "b.tif")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_pixels_without_a_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match="CRS None"):
        SOURCE.read(write_tiff(tmp_path / "a.tif", digital_numbers(), crs=None))


def in_zone(epsg: int, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return Transformer.from_crs("EPSG:3979", f"EPSG:{epsg}", always_xy=True).transform(x, y)


def places(region: tuple[float, float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    x0, y0, x1, y1 = region
    return np.meshgrid(np.linspace(x0, x1, 61), np.linspace(y0, y1, 61))


@pytest.mark.parametrize(
    "region",
    [
        (10_000, 620_000, 70_000, 680_000),
        (-60_000, 560_000, 40_000, 660_000),  # over the meridian between zones 14 and 15
        (-2_000_000, 300_000, -1_900_000, 400_000),
        (2_000_000, 1_000_000, 2_100_000, 1_100_000),
    ],
)
def test_every_place_lies_in_one_fixed_square_of_its_own_zone(region: tuple) -> None:
    squares = fixed_squares(geobox(region, "EPSG:3979", 100))
    x, y = places(region)
    longitude, _ = Transformer.from_crs("EPSG:3979", "EPSG:4326", always_xy=True).transform(x, y)
    zone = 32601 + (longitude + 180) // 6
    found = np.zeros(x.shape, dtype=int)
    for epsg, (x0, y0, x1, y1) in squares:
        assert (x0 % SIDE, y0 % SIDE, x1 - x0, y1 - y0) == (0, 0, SIDE, SIDE)
        east, north = in_zone(epsg, x, y)
        found += (zone == epsg) & (east >= x0) & (east < x1) & (north >= y0) & (north < y1)
    assert (found == 1).all()


def test_neighbours_share_the_squares_on_their_line() -> None:
    left = set(fixed_squares(geobox((0, 600_000, 100_000, 700_000), "EPSG:3979", 100)))
    right = set(fixed_squares(geobox((100_000, 600_000, 200_000, 700_000), "EPSG:3979", 100)))
    both = set(fixed_squares(geobox((0, 600_000, 200_000, 700_000), "EPSG:3979", 100)))
    assert left | right == both
    assert 4 <= len(left & right) <= 10


def test_a_picture_is_never_larger_than_a_request_may_be() -> None:
    squares = fixed_squares(geobox((-60_000, 560_000, 40_000, 660_000), "EPSG:3979", 100))
    for size in (20, 100):
        groups = grouped(squares, 2500 * size)
        assert sorted(square for group in groups for square in group) == sorted(squares)
        for group in groups:
            assert len({epsg for epsg, _ in group}) == 1
            edges = np.array([corners for _, corners in group])
            spans = edges[:, 2:].max(axis=0) - edges[:, :2].min(axis=0)
            assert spans.max() <= 2500 * size


def test_granules_of_one_pass_are_one_overpass() -> None:
    start = datetime(2023, 7, 1, 17, 50, 1, tzinfo=UTC)
    granules = [(start + timedelta(seconds=s), f"g{s}") for s in (0, 14, 28, 3000, 3010)]
    names = [[name for _, name in group] for group in overpasses(granules)]
    assert names == [["g0", "g14", "g28"], ["g3000", "g3010"]]
    assert list(overpasses([])) == []


def test_an_overpass_has_one_name_whatever_part_of_it_a_block_sees() -> None:
    start = datetime(2023, 7, 1, 17, 50, 1, tzinfo=UTC)
    taken = "S2B_MSIL1C_20230701T174909_N0509_R141_T"
    first, later = (start, f"{taken}15UVB_x"), (start + timedelta(seconds=29), f"{taken}15UVA_x")
    assert name_of_overpass(first) == name_of_overpass(later) == "S2B-20230701T174909"
    other = (start + timedelta(seconds=40), "S2A_MSIL1C_20230701T175011_N0509_R098_T15UVB_x")
    assert [len(group) for group in overpasses([first, later, other])] == [2, 1]
    assert name_of_overpass((start, "of another form")) == "20230701T175001"


def test_a_scene_knows_its_day_and_when_it_was_published(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def granules(self: Hub, box: tuple, period: tuple, max_cloud: float) -> list:
        asked.update(box=box, period=period, max_cloud=max_cloud)
        return [(datetime(2023, 7, 1, 17, 50, 1, tzinfo=UTC), "S2B_A")]

    monkeypatch.setattr(Hub, "granules", granules)
    (scene,) = SOURCE.search(first_block(SOURCE))
    assert asked["period"] == (
        datetime(2023, 7, 1, 12, tzinfo=UTC),
        datetime(2023, 7, 2, 11, 59, 59, tzinfo=UTC),
    )
    assert asked["max_cloud"] == 60
    assert scene.observed == np.datetime64("2023-07-01T17:50:01")
    assert scene.available == np.datetime64("2023-07-02T17:50:01")
    assert scene.request["start"] == "2023-07-01T17:49:01+00:00"
    assert scene.request["granules"] == ["S2B_A"]


def test_each_cell_comes_from_the_clearest_overpass() -> None:
    block = first_block(SOURCE)
    ((scene, first),) = made_scenes(SOURCE, block)
    second = first.copy(deep=True)
    first["reflectance"][:] = 0.1
    second["reflectance"][:] = 0.3
    shape = block.geobox.shape
    first["clear"] = (("y", "x"), np.full(shape, 0.4, dtype="float32"))
    second["clear"] = (("y", "x"), np.full(shape, 0.4, dtype="float32"))
    row, column = (int(axis) for axis in np.array(shape) // 2)
    row, column = 700, 200  # 130 km from the tile's corner: inside the region
    second["clear"][row, column] = 0.9
    first["clear"][row, column + 1] = np.nan
    first["observed"][row, column + 1] = 0
    for data in (first, second):
        data["clear"][row, column + 2] = np.nan
        data["observed"][row, column + 2] = 0
    layer = SOURCE.compose([(scene, first), (scene, second)], block)
    found = layer["reflectance"].values[0, 0, row, column - 1 : column + 3]
    np.testing.assert_allclose(found, [0.1, 0.3, 0.3, np.nan], rtol=1e-6)
    clear = layer["clear"].values[0, row, column - 1 : column + 3]
    np.testing.assert_allclose(clear, [0.4, 0.9, 0.4, np.nan], rtol=1e-6)


def test_a_cloudy_cell_is_0_clear_and_an_unseen_one_is_missing() -> None:
    block = first_block(SOURCE)
    ((scene, dataset),) = made_scenes(SOURCE, block)
    dataset["clear"] = (("y", "x"), np.zeros(block.geobox.shape, dtype="float32"))
    dataset["observed"][700, 200] = 0
    clear = SOURCE.compose([(scene, dataset)], block)["clear"].values[0]
    assert clear[700, 201] == 0
    assert np.isnan(clear[700, 200])


def test_processing_units_are_those_of_the_service_s_examples() -> None:
    assert processing_units(512, 512, bands=3) == pytest.approx(1.0)
    assert processing_units(264, 264) == pytest.approx(1.15, abs=0.01)
    assert processing_units(1024, 1024) == pytest.approx(17.3, abs=0.05)
    assert processing_units(2500, 2500) == pytest.approx(103, abs=0.5)
    assert processing_units(10, 10, bands=1) == pytest.approx(0.005)


HUB = Hub(base_url="https://sh.dataspace.copernicus.eu", attempts=1, pause=0.0)


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("SH_CLIENT_ID", "SH_CLIENT_SECRET", "SH_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "sentinelhub" / "config.toml"


def test_without_a_key_it_says_where_to_put_one_and_writes_nothing(no_keys: Path) -> None:
    with pytest.raises(CredentialsError, match="set SH_CLIENT_ID and SH_CLIENT_SECRET"):
        HUB.config()
    assert not no_keys.parent.exists()


def test_the_key_may_stand_in_the_client_s_file(no_keys: Path) -> None:
    no_keys.parent.mkdir()
    no_keys.write_text(
        '[default-profile]\nsh_client_id = "me"\nsh_client_secret = "mine"\n'
        'sh_base_url = "https://services.sentinel-hub.com"\n'
    )
    config = HUB.config()
    assert (config.sh_client_id, config.sh_client_secret) == ("me", "mine")
    assert config.sh_base_url == HUB.base_url  # the source's, not the file's
    assert "identity.dataspace" in config.sh_token_url
    assert config.max_retries is not None


def test_another_deployment_has_its_own_token_address(
    no_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SH_CLIENT_ID", "me")
    monkeypatch.setenv("SH_CLIENT_SECRET", "mine")
    config = Hub(base_url="https://services.sentinel-hub.com", attempts=1, pause=0.0).config()
    assert config.sh_token_url == (
        "https://services.sentinel-hub.com/auth/realms/main/protocol/openid-connect/token"
    )
    assert not no_keys.exists()


def test_a_profile_that_the_file_lacks_is_named(
    no_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_keys.parent.mkdir()
    no_keys.write_text("[other]\n")
    monkeypatch.setenv("SH_PROFILE", "work")
    with pytest.raises(CredentialsError, match=r"config\.toml cannot be used"):
        HUB.config()
