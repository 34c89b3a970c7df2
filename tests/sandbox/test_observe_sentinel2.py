"""What Sentinel-2 would see: passes, ground, clouds, shadows, smoke, scars."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest

from firesat.sandbox.law import clock
from firesat.sandbox.law.cover import Cover
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.observe import sentinel2
from firesat.sandbox.observe.atmosphere import Sky, light_of, look_through, moved, relief_light
from firesat.sandbox.observe.clouds import cloud_opacity, hour_index
from firesat.sandbox.observe.ground import ground_reflectance, snow_share
from firesat.sandbox.observe.smoke import burning_cells, smoke_depth
from firesat.sandbox.observe.spectra import BANDS, Look, Member, fill_shares
from firesat.sandbox.world import World

B02, B04, B08, B10, B12 = (BANDS.index(name) for name in ("B02", "B04", "B08", "B10", "B12"))
YEAR = 2023


@pytest.fixture(scope="module")
def passes(small_world: World) -> list[sentinel2.Acquisition]:
    """All passes of the year."""
    start = datetime(YEAR, 1, 1, tzinfo=UTC)
    return sentinel2.acquisitions(small_world, start, datetime(YEAR, 12, 31, tzinfo=UTC))


def noon(month: int, day: int) -> datetime:
    return datetime(YEAR, month, day, 18, 10, tzinfo=UTC)


def ndvi(bands: Floats) -> Floats:
    return (bands[B08] - bands[B04]) / (bands[B08] + bands[B04])


def busy(world: World) -> datetime:
    """A moment before which much burnt within eight hours."""
    hours = world.seasons[0].burn_hour
    per_hour = np.bincount(hours[~np.isnan(hours)].astype(int))
    return clock.from_hours(YEAR, float(np.convolve(per_hour, np.ones(8)).argmax() + 1))


def test_passes_come_every_few_days_at_local_noon_by_two_platforms(
    passes: list[sentinel2.Acquisition],
) -> None:
    gaps = np.diff([each.time.toordinal() for each in passes])
    assert set(gaps) <= {2, 3, 5}
    assert 3.0 < gaps.mean() < 3.7
    assert {each.platform for each in passes} == {"S2A", "S2B"}
    assert all(each.time.hour in (17, 18) for each in passes)
    assert passes[0].time.month == 4
    assert passes[-1].time.month == 10


def test_names_are_esas(passes: list[sentinel2.Acquisition]) -> None:
    form = r"S2[AB]_MSIL1C_2023\d{4}T\d{6}_N0509_R\d{3}_T15U[A-Z]{2}_2023\d{4}T\d{6}"
    assert all(re.fullmatch(form, each.id) for each in passes)
    assert len({each.id for each in passes}) == len(passes)
    assert f"{passes[3].time:%Y%m%dT%H%M%S}" in passes[3].id


def test_the_square_is_the_military_grids() -> None:
    # Sentinel-2's squares over Vancouver and Winnipeg
    assert sentinel2.mgrs_square(-123.1, 49.25) == "10UDV"
    assert sentinel2.mgrs_square(-97.14, 49.9) == "14UPA"


def test_squares_of_british_columbia_are_named_as_esa_names_them(real_data: Path) -> None:
    tiles = gpd.read_file(real_data / "sentinel2" / "bc_tiles" / "Sentinel_BC_Tiles.shp")
    middle = tiles.geometry.union_all().bounds
    assert middle[0] < -120 < middle[2]
    right = []
    for name, outline in zip(tiles["Name"], tiles.geometry, strict=True):
        x, y = outline.centroid.x, outline.centroid.y
        if int((x + 180) // 6) + 1 == int(name[:2]):  # not beyond the edge of its zone
            right.append(sentinel2.mgrs_square(x, y) == name)
    assert len(right) > 100
    assert all(right)


def test_a_period_includes_its_ends_and_no_other_year(
    small_world: World, passes: list[sentinel2.Acquisition]
) -> None:
    one = passes[10].time
    assert sentinel2.acquisitions(small_world, one, one) == [passes[10]]
    after = one + timedelta(seconds=1)
    assert sentinel2.acquisitions(small_world, after, one + timedelta(hours=9)) == []
    other = datetime(2019, 6, 1, tzinfo=UTC), datetime(2019, 7, 1, tzinfo=UTC)
    assert sentinel2.acquisitions(small_world, *other) == []


def test_a_look_is_repeatable_physical_and_cut_at_the_swath(
    small_world: World, passes: list[sentinel2.Acquisition]
) -> None:
    part = next(each for each in passes if each.relative_orbit == 127)
    values, valid = sentinel2.reflectance(small_world, part)
    again, _ = sentinel2.reflectance(small_world, part)
    np.testing.assert_array_equal(values, again)
    assert values.shape == (13, *small_world.place.shape)
    assert values.dtype == np.float32
    assert 0.7 < valid.mean() < 0.99
    assert (values[:, ~valid] == 0).all()
    assert (values[:, valid] > 0).all()
    assert values.max() < 1.5
    whole = next(each for each in passes if each.relative_orbit == 84)
    assert sentinel2.reflectance(small_world, whole)[1].all()


def test_cloudy_scenes_are_bright_also_in_the_cirrus_band(
    small_world: World, passes: list[sentinel2.Acquisition]
) -> None:
    summer = [each for each in passes if each.time.month in (6, 7, 8)]
    scene = min(summer, key=lambda each: abs(each.cloud_cover - 50))
    values, valid = sentinel2.reflectance(small_world, scene)
    opacity = cloud_opacity(small_world.seasons[0], scene.time)
    thick, clear = valid & (opacity > 0.8), valid & (opacity == 0)
    assert values[B02][thick].mean() > 2.5 * values[B02][clear].mean()
    assert values[B10][thick].mean() > values[B10][clear].mean()
    assert scene.cloud_cover == pytest.approx(100 * (opacity > 0.15).mean(), abs=8)


def test_clouds_hang_together(small_world: World) -> None:
    season = small_world.seasons[0]
    scenes = [cloud_opacity(season, noon(7, day)) for day in range(1, 30)]
    scene = min(scenes, key=lambda field: abs((field > 0.15).mean() - 0.5))
    departure = (scene > 0.15) - (scene > 0.15).mean()
    variance = (departure**2).mean()

    def correlation(lag: int) -> float:
        return float((departure[:, lag:] * departure[:, :-lag]).mean() / variance)

    assert correlation(1) > 0.85
    assert correlation(10) > 0.35
    assert correlation(1) > correlation(10) > correlation(60)


def test_clouds_cover_as_much_as_was_asked_and_come_with_rain(small_world: World) -> None:
    season = small_world.seasons[0]
    days = [datetime(YEAR, 5, 1, 18, 10, tzinfo=UTC) + timedelta(days=n) for n in range(150)]
    cover = np.array([(cloud_opacity(season, day, 1000.0) > 0.05).mean() for day in days])
    assert cover.mean() == pytest.approx(small_world.config.cloudiness, abs=0.12)
    rain = np.array([season.weather["rain"][hour_index(day)].mean() for day in days], dtype=float)
    assert cover[rain > 0.1].mean() > cover[rain == 0].mean() + 0.25


def test_a_coarse_sky_is_the_fine_one_sampled(small_world: World) -> None:
    season = small_world.seasons[0]
    fine, coarse = (cloud_opacity(season, noon(7, 5), cell) for cell in (100.0, 500.0))
    assert coarse.shape == tuple(size // 5 for size in fine.shape)
    np.testing.assert_allclose(fine[2::5, 2::5], coarse, atol=0.02)


def test_shadows_fall_to_the_north_at_noon() -> None:
    cloud = np.zeros((40, 40), dtype=np.float32)
    cloud[20, 20] = 1.0
    south = np.pi
    assert np.argwhere(moved(cloud, 1000.0, south)).tolist() == [[10, 20]]
    assert np.argwhere(moved(cloud, 500.0, np.pi / 2)).tolist() == [[20, 15]]  # sun in the east
    assert moved(cloud, 9000.0, south).sum() == 0


def test_slopes_toward_the_sun_are_brighter() -> None:
    toward_south = 10.0 * np.arange(40, 0, -1, dtype=np.float32)[:, None] * np.ones((1, 40))
    assert (relief_light(toward_south.astype(np.float32), np.pi, 1.0) > 1.05).all()
    assert (relief_light(toward_south.astype(np.float32), 0.0, 1.0) < 0.95).all()


def test_the_air_brightens_blue_most_and_the_compiled_view_is_the_written_one() -> None:
    rng = np.random.default_rng(0)
    fields = rng.random((5, 4, 4)).astype(np.float32)
    sky = Sky(*(0 * fields[:4]), 1 + 0 * fields[4], fields[4] < 0.3, 0 * fields[0])
    ground = np.full((13, 4, 4), 0.05, dtype=np.float32)
    clear, plain = ground.copy(), ground.copy()
    look_through(clear, sky, light_of(0.8, 1.0))
    look_through.py_func(plain, sky, light_of(0.8, 1.0))
    np.testing.assert_allclose(clear, plain, rtol=1e-4)
    dark = ~sky.flame
    assert clear[B02][dark].mean() - 0.05 > 3 * abs(clear[B08][dark].mean() - 0.05)
    assert clear[B12][sky.flame].mean() > clear[B12][dark].mean() + 0.3
    hazy = Sky(*fields[:4], *sky[4:])
    mixed, plain = ground.copy(), ground.copy()
    look_through(mixed, hazy, light_of(0.8, 1.0))
    look_through.py_func(plain, hazy, light_of(0.8, 1.0))
    np.testing.assert_allclose(mixed, plain, rtol=1e-4)


def test_the_ground_greens_and_browns(small_world: World) -> None:
    season = small_world.seasons[0]
    land = season.setting.landscape
    unburnt = season.fire_id == 0
    for cover in (Cover.DECIDUOUS, Cover.GRASS):
        cells = (land.cover == cover) & unburnt
        may, july, october = (
            ndvi(ground_reflectance(season, noon(*day)))[cells].mean()
            for day in ((5, 8), (7, 15), (10, 10))
        )
        assert july > may + 0.2
        assert july > october + 0.2
    lakes = ndvi(ground_reflectance(season, noon(7, 15)))[land.cover == Cover.WATER]
    assert (lakes < 0).all()


def test_scars_are_dark_in_the_near_infrared_from_the_burn_on(small_world: World) -> None:
    season = small_world.seasons[0]
    largest = season.fires.sort_values("cells").iloc[-1]
    forest = np.isin(season.setting.landscape.cover, (Cover.CONIFER, Cover.MIXED))
    cells = (season.fire_id == largest["id"]) & forest
    before = ground_reflectance(season, largest["start"] - timedelta(hours=3))
    after = ground_reflectance(season, largest["end"] + timedelta(hours=3))

    def burn_ratio(bands: Floats) -> float:
        return float(((bands[B08] - bands[B12]) / (bands[B08] + bands[B12]))[cells].mean())

    assert burn_ratio(before) - burn_ratio(after) > 0.4


def test_struck_trees_and_drought_are_visible() -> None:
    from tests.sandbox.test_law_vegetation import surface

    def look(**values: float) -> Floats:
        from firesat.sandbox.observe.spectra import surface_reflectance

        one = np.ones((1, 1), dtype=np.float32)
        ground = Look(
            cover=np.full((1, 1), Cover.CONIFER, dtype=np.uint8),
            density=0.7 * one,
            site=0.5 * one,
            burnt_days=-one,
            snow=0 * one,
        )
        return surface_reflectance(ground, surface(**values))[:, 0, 0]

    assert look(red=0.6)[B04] > 1.5 * look()[B04]
    assert look(live=0.75)[B12] > 1.1 * look()[B12]
    assert look(curing=0.9)[B04] > 1.05 * look(curing=0.1)[B04]


def test_shares_of_a_cell_add_to_one_on_every_cover() -> None:
    from tests.sandbox.test_law_vegetation import surface

    values = surface(red=0.3, grey=0.1, regrowth=0.4)._asdict()
    shape = (len(Cover), 4)
    wide = type(surface())(*(np.full(shape, float(v[0, 0]), np.float32) for v in values.values()))
    cover = np.repeat(np.arange(len(Cover), dtype=np.uint8)[:, None], 4, 1)
    even = np.ones(shape, dtype=np.float32)
    burnt = even * np.array([-1, -1, 10, 10], dtype=np.float32)
    snow = even * np.array([0, 0.8, 0, 0.8], dtype=np.float32)
    look = Look(cover=cover, density=0.6 * even, site=0.4 * even, burnt_days=burnt, snow=snow)
    compiled, plain = np.zeros((2, len(Member), *shape), dtype=np.float32)
    fill_shares(look, wide, compiled)
    fill_shares.py_func(look, wide, plain)
    np.testing.assert_allclose(compiled, plain, atol=1e-6)
    np.testing.assert_allclose(compiled.sum(0), 1.0, atol=1e-5)
    assert compiled.min() >= 0


def test_april_is_white_and_july_is_not(small_world: World) -> None:
    season = small_world.seasons[0]
    assert snow_share(season, noon(4, 3)).mean() > 0.5
    assert snow_share(season, noon(7, 15)).max() == 0
    open_land = season.setting.landscape.cover == Cover.GRASS
    assert ground_reflectance(season, noon(4, 3))[B02][open_land].mean() > 0.4


def test_smoke_lies_downwind_of_what_burns(small_world: World) -> None:
    season = small_world.seasons[0]
    when = busy(small_world)
    depth = smoke_depth(season, when)
    assert depth.max() > 0.1
    flames = burning_cells(season, when, 8.0)
    rows, columns = np.argwhere(flames).mean(0) / 10
    y, x = np.mgrid[: depth.shape[0], : depth.shape[1]]
    weight = depth / depth.sum()
    east, north = (weight * (x - columns)).sum(), (weight * (rows - y)).sum()
    hour = hour_index(when)
    u, v = (float(season.weather[name][hour].mean()) for name in ("u", "v"))
    along = (east * u + north * v) / np.hypot(u, v)
    across = abs(east * v - north * u) / np.hypot(u, v)
    assert along > 0
    assert along > across
    assert smoke_depth(season, noon(4, 20)).max() == 0
