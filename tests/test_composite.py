"""Clear looks: the mask of doubtful pixels, and which looks a forecaster had in hand."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.bands import SENTINEL2_BANDS
from firesat.composite import Sun, clear_mask, doubts, recent_looks, stack_looks, sun_at, sun_over
from firesat.cube import open_cube
from firesat.errors import BandError
from firesat.window import Window
from tests.tiny_cube import write_tiny_cube

NAN = np.nan

# Top-of-atmosphere reflectance of boreal ground in July, B01 to B12
SPECTRA = {
    "conifers": [0.12, 0.09, 0.07, 0.045, 0.08, 0.17, 0.20, 0.20, 0.22, 0.07, 0.002, 0.10, 0.05],
    "fresh scar": [0.13, 0.10, 0.08, 0.07, 0.08, 0.09, 0.10, 0.10, 0.11, 0.04, 0.002, 0.19, 0.20],
    "lake": [0.12, 0.09, 0.06, 0.035, 0.03, 0.025, 0.02, 0.02, 0.02, 0.01, 0.002, 0.01, 0.005],
    "thin smoke": [0.16, 0.13, 0.11, 0.085, 0.11, 0.19, 0.22, 0.22, 0.23, 0.07, 0.002, 0.10, 0.05],
    "dense smoke": [0.32, 0.28, 0.24, 0.2, 0.21, 0.27, 0.29, 0.29, 0.29, 0.1, 0.002, 0.13, 0.06],
    "cumulus": [0.48, 0.47, 0.46, 0.45, 0.46, 0.48, 0.5, 0.5, 0.5, 0.2, 0.008, 0.4, 0.3],
    "cirrus": [0.16, 0.13, 0.11, 0.09, 0.12, 0.21, 0.24, 0.24, 0.25, 0.09, 0.03, 0.13, 0.07],
    "snow": [0.8, 0.8, 0.79, 0.78, 0.78, 0.77, 0.76, 0.75, 0.74, 0.3, 0.005, 0.10, 0.08],
    "shadowed conifers":
        [0.10, 0.07, 0.045, 0.03, 0.04, 0.06, 0.07, 0.07, 0.075, 0.03, 0.002, 0.03, 0.015],
}  # fmt: skip


def scene(name: str, shape: tuple[int, ...] = (1, 1)) -> NDArray[np.float32]:
    column = np.array(SPECTRA[name], dtype="float32").reshape(13, *(1,) * len(shape))
    return np.broadcast_to(column, (13, *shape)).copy()


@pytest.mark.parametrize("name", ["conifers", "fresh scar", "lake", "thin smoke"])
def test_ground_that_shows_is_clear(name: str) -> None:
    assert clear_mask(scene(name)) == 1


@pytest.mark.parametrize("name", ["cumulus", "cirrus", "dense smoke", "snow"])
def test_ground_that_does_not_show_is_not_clear(name: str) -> None:
    assert clear_mask(scene(name)) == 0


def test_dark_land_is_a_shadow_near_a_cloud_only() -> None:
    view = scene("shadowed conifers", (1, 40))
    assert clear_mask(view).all()
    view[:, 0, 0] = SPECTRA["cumulus"]
    # 1500 m are 15 cells of 100 m, or 30 of 50 m; the cloud and its edge are out anyway
    assert clear_mask(view)[0].tolist() == [0.0] * 16 + [1.0] * 24
    assert clear_mask(view, resolution=50)[0].tolist() == [0.0] * 31 + [1.0] * 9


@pytest.mark.parametrize("name", ["fresh scar", "lake", "conifers"])
def test_only_the_edge_of_a_cloud_takes_other_ground_away(name: str) -> None:
    view = scene(name, (1, 40))
    view[:, 0, 0] = SPECTRA["cumulus"]
    assert clear_mask(view)[0].tolist() == [0.0] * 2 + [1.0] * 38


SUN = Sun(zenith=45.0, azimuth=180.0)  # in the south: a thing h metres high shades h metres north


def cloudy(spectrum: str, height: float) -> NDArray[np.float32]:
    """A cloud of 4 x 4 cells over conifers, and its shadow on ground of a spectrum."""
    view = scene("conifers", (60, 60))
    view[:, 40:44, 30:34] = np.array(SPECTRA["cumulus"], dtype="float32")[:, None, None]
    top = 40 - round(height / 100)
    view[:, top : top + 4, 30:34] = np.array(SPECTRA[spectrum], dtype="float32")[:, None, None]
    return view


@pytest.mark.parametrize("height", [500.0, 1500.0, 3000.0])
def test_a_shadow_is_where_the_sun_throws_a_cloud(height: float) -> None:
    found = doubts(cloudy("shadowed conifers", height), sun=SUN)["shadow"]
    rows, columns = np.nonzero(found)
    top = 40 - round(height / 100)
    assert (rows.min(), rows.max()) == (top, top + 3)
    assert (columns.min(), columns.max()) == (30, 33)


def test_dark_ground_elsewhere_is_no_shadow() -> None:
    view = cloudy("shadowed conifers", 1500.0)
    other = Sun(zenith=45.0, azimuth=90.0)  # in the east: the shadow would lie to the west
    assert not doubts(view, sun=other)["shadow"].any()


def test_a_scar_where_a_shadow_could_be_is_kept() -> None:
    assert not doubts(cloudy("fresh scar", 1500.0), sun=SUN)["shadow"].any()


def test_a_shadow_and_what_is_next_to_it_are_not_clear() -> None:
    clear = clear_mask(cloudy("shadowed conifers", 1500.0), sun=SUN)
    assert (clear == 0).sum() == 2 * 6 * 6  # cloud and shadow of 4 x 4, each with its edge
    fine = cloudy("shadowed conifers", 1500.0).repeat(2, axis=1).repeat(2, axis=2)
    again = clear_mask(fine, resolution=50.0, sun=SUN)
    assert (again == 0).sum() == 2 * 12 * 12


def test_a_full_detector_shows_nothing() -> None:
    view = scene("conifers", (1, 3))
    view[12, 0, 1] = 3.2767
    assert clear_mask(view)[0].tolist() == [1, 0, 1]
    assert doubts(view)["saturated"][0].tolist() == [False, True, False]


def test_the_sun_stands_where_the_almanac_says() -> None:
    # at 105 W the sun is highest at 19:00 UTC, and two minutes later in June
    summer = sun_at(np.datetime64("2023-06-21T19:02:00"), -105.0, 55.0)
    assert summer.zenith == pytest.approx(55 - 23.44, abs=0.1)
    assert summer.azimuth == pytest.approx(180, abs=0.5)
    evening = sun_at(np.datetime64("2023-03-21T00:07:00"), -90.0, 45.0)  # equinox, six hours on
    assert evening.zenith == pytest.approx(90, abs=0.5)
    assert evening.azimuth == pytest.approx(270, abs=0.5)


def test_a_time_that_is_no_overpass_has_no_sun() -> None:
    pixels = GeoBox.from_bbox(
        (400_000, 6_000_000, 410_000, 6_010_000), "EPSG:32613", resolution=100
    )
    assert sun_over(np.datetime64("2023-07-05T18:10:00"), pixels) is not None
    assert sun_over(np.datetime64("2023-07-05T00:00:00"), pixels) is None
    degrees = GeoBox.from_bbox((-105, 55, -104, 56), "EPSG:4326", resolution=0.01)
    assert sun_over(np.datetime64("2023-07-05T18:10:00"), degrees) is None


def test_what_was_not_observed_is_neither() -> None:
    view = scene("conifers", (2, 3))
    view[:, 1, 1] = NAN
    mask = clear_mask(view)
    assert np.isnan(mask[1, 1])
    assert np.nansum(mask) == 5


def test_scenes_of_a_series_do_not_shade_each_other() -> None:
    series = scene("shadowed conifers", (2, 5, 5))
    series[:, 0, 2, 2] = SPECTRA["cumulus"]
    mask = clear_mask(series)
    assert not mask[0].any()
    assert mask[1].all()


def test_a_scene_with_other_bands_is_refused() -> None:
    with pytest.raises(BandError, match="13 bands, this one 12"):
        clear_mask(scene("conifers")[:12])


@pytest.mark.parametrize("day", ["20170703", "20190723"])
def test_real_scenes_agree_with_the_official_classes(real_data: Path, day: str) -> None:
    folder = real_data / "sentinel2" / "sen2r_barbellino"
    (toa,) = folder.glob(f"*{day}*TOA_10.tif")
    (scl,) = folder.glob(f"*{day}*SCL_10.tif")
    with rasterio.open(toa) as source:
        bands = source.read().astype("float32") / 10_000
    with rasterio.open(scl) as source:
        classes = np.kron(source.read(1), np.ones((2, 2), dtype=int))
    whole = np.insert(bands, 8, bands[7], axis=0)  # the file lacks B8A, which the mask ignores
    clear = clear_mask(whole, resolution=1e4)  # 24 x 42 pixels of 10 m: no neighbours
    assert clear[np.isin(classes, (4, 5))].mean() > 0.95  # vegetation and bare ground
    clouds = np.isin(classes, (8, 9))
    assert clouds.any() == (day == "20170703")
    if clouds.any():
        assert clear[clouds].mean() < 0.3


# Looks --------------------------------------------------------------------------------------------


def packed(value: float, clear: list[int]) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """A row of cells as stored: every band has the same value."""
    stored = np.full((13, 1, len(clear)), round(value * 10_000), dtype="uint16")
    return stored, np.array([clear], dtype="uint8")


def test_each_cell_keeps_its_own_latest_looks() -> None:
    scenes = [
        (2.0, *packed(0.2, [100, 0, 255, 50])),
        (5.0, *packed(0.5, [100, 100, 255, 49])),
        (9.0, *packed(0.9, [100, 100, 100, 100])),
    ]
    looks = stack_looks(scenes, 2)
    np.testing.assert_array_equal(looks.age[:, 0], [[2, 5, 9, 2], [5, 9, NAN, 9]])
    np.testing.assert_allclose(
        looks.reflectance[:, 12, 0], [[0.2, 0.5, 0.9, 0.2], [0.5, 0.9, NAN, 0.9]], rtol=1e-6
    )


def test_a_scene_that_misses_a_band_is_no_look() -> None:
    newest, clear = packed(0.2, [100, 100])
    newest[7, 0, 1] = 65535
    looks = stack_looks([(1.0, newest, clear), (3.0, *packed(0.3, [100, 100]))], 1)
    np.testing.assert_array_equal(looks.age[0, 0], [1, 3])


def test_stored_and_decoded_scenes_give_the_same_bits() -> None:
    rng = np.random.default_rng(5)
    stored, decoded = [], []
    for age in (1.0, 4.0, 6.0):
        values = rng.integers(0, 12_000, (13, 6, 7)).astype("uint16")
        values[:, rng.random((6, 7)) < 0.2] = 65535
        clear = rng.choice(np.array([0, 50, 100, 255], dtype="uint8"), (6, 7))
        packed_scene = xr.Dataset(
            {
                "r": (("band", "y", "x"), values, {"scale_factor": 1e-4, "_FillValue": 65535}),
                "c": (("y", "x"), clear, {"scale_factor": 0.01, "_FillValue": 255}),
            }
        )
        plain = xr.decode_cf(packed_scene)
        stored.append((age, values, clear))
        decoded.append((age, plain["r"].values, plain["c"].values))
    ours, theirs = stack_looks(stored, 2), stack_looks(decoded, 2)
    assert ours.reflectance.tobytes() == theirs.reflectance.tobytes()
    assert ours.age.tobytes() == theirs.age.tobytes()


def test_no_scene_is_read_once_every_cell_is_full() -> None:
    def scenes():  # noqa: ANN202
        yield 1.0, *packed(0.1, [100, 100])
        yield 2.0, *packed(0.2, [100, 100])
        raise AssertionError("a third scene was read")

    assert stack_looks(scenes(), 2).age.max() == 2


def test_without_scenes_there_are_no_looks() -> None:
    assert stack_looks([], 3).age.shape == (3, 0, 0)


# From the cube ------------------------------------------------------------------------------------


def in_hand(
    clear: list[list[float]], available: list[str], tiles: tuple[int, int] = (1, 1)
) -> xr.Dataset:
    """Scenes of 1, 2, ... July 2023, a row of cells each; band values are 0.1 x day."""
    count = len(clear)
    times = np.datetime64("2023-07-01", "ns") + np.arange(count) * np.timedelta64(1, "D")
    days = np.arange(1, count + 1, dtype="float32")[:, None, None, None]
    shape = (count, len(SENTINEL2_BANDS), 1, len(clear[0]))
    known = np.array(available, dtype="datetime64[ns]")[:, None, None]
    return xr.Dataset(
        {
            "reflectance": (("time", "band", "y", "x"), np.broadcast_to(0.1 * days, shape)),
            "clear": (("time", "y", "x"), np.array(clear, dtype="float32")[:, None]),
        },
        coords={
            "time": times,
            "y": [99_950.0],
            "x": 50.0 + 100.0 * np.arange(len(clear[0])),
            "available_time": (
                ("time", "tile_y", "tile_x"),
                np.broadcast_to(known, (count, *tiles)).copy(),
            ),
        },
        attrs={"spatial:bbox": [0.0, 0.0, 100_000.0, 100_000.0]},
    )


@pytest.mark.parametrize(
    ("late", "age"), [("2023-07-05T12:00:00", 1.0), ("2023-07-05T12:00:01", 2.0), ("NaT", 2.0)]
)
def test_a_scene_counts_only_once_it_was_available(late: str, age: float) -> None:
    available = [f"2023-07-0{day}T20:00" for day in (1, 2, 3)] + [late]
    looks = recent_looks(in_hand([[1.0]] * 4, available), "2023-07-05", window=Window(), looks=1)
    assert looks.age.item() == age


@pytest.mark.parametrize(("history", "newest"), [(4, 4.0), (3, NAN)])
def test_looks_older_than_the_window_are_not_used(history: int, newest: float) -> None:
    dataset = in_hand([[1.0]], ["2023-07-01T20:00"])
    looks = recent_looks(dataset, "2023-07-05", window=Window(history=history), looks=1)
    np.testing.assert_array_equal(looks.age, [[[newest]]])
    assert looks.reflectance.shape == (1, 13, 1, 1)


def test_each_tile_has_its_own_clock() -> None:
    dataset = in_hand([[1.0] * 4] * 2, ["2023-07-01T20:00", "2023-07-02T20:00"], tiles=(1, 2))
    dataset["x"] = [99_850.0, 99_950.0, 100_050.0, 100_150.0]
    dataset["available_time"].values[1, 0, 1] = np.datetime64("2023-08-01", "ns")
    looks = recent_looks(dataset, "2023-07-05", window=Window(), looks=1)
    np.testing.assert_array_equal(looks.age[0, 0], [3, 3, 4, 4])


def test_a_region_gives_the_same_bits_however_it_is_cut(tmp_path: Path) -> None:
    path = write_tiny_cube(tmp_path / "tiny.zarr", days=32, groups=["sentinel2"])
    dataset = open_cube(path, "sentinel2").isel(y=slice(200, 300), x=slice(100, 220))
    chosen = {"day": "2023-05-31", "window": Window(), "looks": 3}
    whole = recent_looks(dataset, **chosen)
    assert set(np.unique(whole.age[~np.isnan(whole.age)])) <= {6.0, 12.0, 18.0, 24.0, 30.0}
    for rows, columns in ((slice(0, 37), slice(80, 120)), (slice(37, 100), slice(0, 80))):
        part = recent_looks(dataset.isel(y=rows, x=columns), **chosen)
        assert part.age.tobytes() == whole.age[:, rows, columns].tobytes()
        assert part.reflectance.tobytes() == whole.reflectance[:, :, rows, columns].tobytes()
