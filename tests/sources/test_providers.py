"""Every source through its real client, against the sandbox's servers."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from pyproj import Transformer

from firesat.blocks import Block, cut
from firesat.cube import create_cube, open_cube
from firesat.errors import (
    ConfigError,
    CredentialsError,
    LicenceError,
    NoDataError,
    ProviderError,
)
from firesat.grid import Grid
from firesat.jobs.ingest.block import published_by
from firesat.raster import align
from firesat.sandbox.config import WorldConfig
from firesat.sandbox.law.cover import Cover
from firesat.sandbox.observe import era5, nrcan, sentinel2, static
from firesat.sandbox.servers.addresses import CREDENTIAL, base_urls, environment
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.world import World
from firesat.sources.commons import commons, sharing
from firesat.sources.disturbance import Disturbance
from firesat.sources.era5 import Era5Land
from firesat.sources.era5_single_levels import Era5SingleLevels
from firesat.sources.fire_weather import CemsFireWeather
from firesat.sources.fires import Firms, Hotspots, Nbac, Nfdb
from firesat.sources.modis import Modis
from firesat.sources.sentinel2 import Sentinel2
from firesat.sources.static import Static
from tests.sandbox.servers_fixtures import serving

REGION = (20_000.0, 630_000.0, 40_000.0, 650_000.0)
GRID = Grid(region=REGION)
DAYS = np.arange(np.datetime64("2023-06-20"), np.datetime64("2023-07-10"))


@pytest.fixture(scope="module")
def world() -> World:
    config = WorldConfig(
        seed=4, region=REGION, seasons=(2023,), first_day="06-20", last_day="07-09",
        fire_activity=100.0,
    )  # fmt: skip
    return World.create(config)


@pytest.fixture(scope="module")
def variables() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment().items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def urls(world: World, variables: None) -> Iterator[dict[str, str]]:
    with serving(world, Faults()) as server:
        yield base_urls(server.url)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


def at(source: Any, urls: dict[str, str]) -> Any:
    return replace(source, base_url=urls[source.provider])


def filled(source: Any, block: Block, cache: Path) -> xr.Dataset:
    scenes = []
    for found in source.search(block):
        dataset = source.read(source.fetch(found, cache))
        on_grid = {"y", "x"} <= set(dataset.dims)
        scenes.append((found, align(dataset, block.geobox) if on_grid else dataset))
    assert scenes
    return source.compose(scenes, block)


def region_of(layer: xr.Dataset, name: str) -> np.ndarray:
    """The values within the region, rows from the north."""
    x0, y0, x1, y1 = REGION
    inside = layer.sel(x=slice(x0, x1), y=slice(y1, y0))
    return inside[name].values


def test_static_layers_arrive_cell_by_cell(world: World, urls: dict[str, str], cache: Path) -> None:
    source = at(Static(), urls)
    (block,) = cut(source.layout, GRID, source.times(DAYS))
    layer = filled(source, block, cache)
    truth = static.layers(world)
    np.testing.assert_allclose(region_of(layer, "elevation")[0], truth["elevation"], atol=1e-3)
    fuel = region_of(layer, "fuel")[0]
    np.testing.assert_array_equal(fuel, truth["fuel"])
    np.testing.assert_allclose(region_of(layer, "water")[0], truth["water"], atol=1e-5)


def test_land_cover_settlements_and_past_years_arrive_too(
    world: World, urls: dict[str, str], cache: Path
) -> None:
    maps = at(Static(land_cover="land_cover.tif", settlement_distance="settlements.geojson"), urls)
    (block,) = cut(maps.layout, GRID, maps.times(DAYS))
    layer = filled(maps, block, cache)
    truth = static.layers(world)
    np.testing.assert_array_equal(region_of(layer, "land_cover")[0], truth["land_cover"])
    near = region_of(layer, "settlement_distance")[0]
    assert (near[world.landscape.cover == Cover.BUILT] == 0).all()
    assert near.max() > 1
    past = at(Disturbance(fires=("burned.tif", "fires.zip"), harvests=("harvest.tif",),
                          first_fire=1985), urls)  # fmt: skip
    *_, block = cut(past.layout, GRID, past.times(DAYS))  # known in 2023: nothing of 2023
    layer = filled(past, block, cache)
    for name, years in (("fire", truth["burned"]), ("harvest", truth["harvest"])):
        wanted = np.where(years > 0, 2023 - years, 2023 - 1984)
        np.testing.assert_array_equal(region_of(layer, f"years_since_{name}")[0], wanted)
    later = replace(block, times=(np.datetime64("2023-10-01"),))
    burned = region_of(filled(past, later, cache), "years_since_fire")[0] == 1
    frame = nrcan.agency_perimeters(world).to_crs("EPSG:3979")
    assert burned.sum() == pytest.approx(frame.clip(REGION).union_all().area / 1e4, rel=0.1, abs=3)


def test_daily_weather_is_that_of_the_hours_served(
    world: World, urls: dict[str, str], cache: Path
) -> None:
    source = at(Era5Land(), urls)
    block = next(iter(cut(source.layout, GRID, source.times(DAYS))))
    layer = filled(source, block, cache)
    x, y = block.region.coordinates["x"].values, block.region.coordinates["y"].values
    lon, lat = Transformer.from_crs("EPSG:3979", "EPSG:4326", always_xy=True).transform(x[0], y[0])
    step = np.timedelta64(3, "h")
    hours = np.arange(
        np.datetime64("2023-06-30T12", "h"), np.datetime64("2023-07-01T12", "h"), step
    )
    truth = era5.hours(world, ["t2m", "u10", "v10"], hours, np.array([lat]), np.array([lon]))
    day = list(block.times).index(np.datetime64("2023-06-30"))
    found = {name: region_of(layer, name)[day, 0, 0] for name in ("t2m", "t2m_max", "ws")}
    # Bilinear between the service's points, 16 bits a value: a tenth of a kelvin.
    assert found["t2m"] == pytest.approx(truth["t2m"].mean(), abs=0.1)
    assert found["t2m_max"] == pytest.approx(truth["t2m"].max(), abs=0.2)
    assert found["ws"] == pytest.approx(np.hypot(truth["u10"], truth["v10"]).mean(), abs=0.15)
    assert np.isfinite(region_of(layer, "tp")).all()
    assert layer["available_time"].values[day] == np.datetime64("2023-07-06T12:00:00")


@pytest.mark.parametrize("data_format", ["grib", "netcdf"])
def test_both_reanalyses_come_side_by_side_each_with_the_rain_that_it_served(
    world: World, urls: dict[str, str], tmp_path: Path, data_format: str
) -> None:
    days = np.arange(np.datetime64("2023-06-25"), np.datetime64("2023-07-05"))
    cube = create_cube(tmp_path / "cube.zarr", GRID)
    for kind in (Era5Land, Era5SingleLevels):
        source = at(kind(data_format=data_format), urls)
        (block,) = cube.add_group(source.layout, days)
        assert cube.write_block(source.layout, block, filled(source, block, tmp_path))
    to_degrees = Transformer.from_crs("EPSG:3979", "EPSG:4326", always_xy=True)
    place, hour = to_degrees.transform(25_000.0, 645_000.0), np.timedelta64(1, "h")
    # GDAL widens its kernel where points are closer than our cells, as the columns of ERA5-Land.
    for group, seen, step, near in (
        ("era5_land", land_hours, 0.1, 0.05),
        ("era5", era5.single_levels, 0.25, 0.02),
    ):
        (west, right), (south, up) = ((c // step * step, c / step % 1) for c in place)
        weights = np.outer([up, 1 - up], [1 - right, right])  # bilinear, rows from the north
        span = np.arange(np.datetime64("2023-06-24T00"), np.datetime64("2023-07-06T00"), hour)
        corners = np.array([south + step, south]), np.array([west, west + step])
        hours = seen(world, ["t2m", "tp"], span, *corners)
        air, rain = ((values * weights).sum((1, 2)) for values in hours.values())
        with open_cube(cube.path, group) as opened:
            found = opened.sel(x=25_000, y=645_000)
            for number, day in enumerate(days.astype("datetime64[h]")):
                for name, end in (("tp", 36), ("tp_noon", 18)):
                    fell = (span > day + (end - 24) * hour) & (span <= day + end * hour)
                    wanted = pytest.approx(1000 * rain[fell].sum(), rel=near, abs=0.01)
                    assert float(found[name][number]) == wanted
                within = (span >= day + 12 * hour) & (span < day + 36 * hour)
                within &= (span - day).astype(int) % (3 if group == "era5_land" else 1) == 0
                assert float(found["t2m"][number]) == pytest.approx(air[within].mean(), abs=near)
            assert found["tp"].sum() > 1
            told = found["preliminary"].values
    assert (told == 1).all()  # the world ends on 9 July: all that is left of it is ERA5T


def land_hours(world: World, names: list[str], hours: Any, lat: Any, lon: Any) -> Any:
    """ERA5-Land with its rain hour by hour."""
    made = era5.hours(world, names, hours, lat, lon)
    if "tp" in made:
        before = era5.hours(world, names, hours - np.timedelta64(1, "h"), lat, lon)["tp"]
        first = (hours.astype("int64") % 24 == 1)[:, None, None]
        made["tp"] = np.where(first, made["tp"], made["tp"] - before)
    return made


def test_netcdf_and_grib_of_the_store_agree(urls: dict[str, str], cache: Path) -> None:
    grib, netcdf = (at(Era5Land(data_format=kind), urls) for kind in ("grib", "netcdf"))
    block = next(iter(cut(grib.layout, GRID, DAYS[:2])))
    one, other = (filled(source, block, cache) for source in (grib, netcdf))
    assert np.isnan(one["preliminary"]).all()  # the sandbox's GRIB does not say
    for name in one.data_vars.keys() - {"preliminary"}:
        tolerance = 1e-3 * max(1.0, float(np.nanmax(np.abs(one[name]))))
        np.testing.assert_allclose(one[name], other[name], atol=tolerance)


def test_fire_weather_arrives_with_its_names(urls: dict[str, str], cache: Path) -> None:
    source = at(CemsFireWeather(), urls)
    block = next(iter(cut(source.layout, GRID, source.times(DAYS))))
    layer = filled(source, block, cache)
    for name in ("ffmc", "dmc", "dc", "isi", "bui", "fwi"):
        assert np.isfinite(region_of(layer, name)).all()
    drought = region_of(layer, "dc").mean(axis=(1, 2))
    assert 0 < drought.min() < drought.max() < 1000
    assert layer["available_time"].values[0] == np.datetime64("2023-06-23T00:00:00")


def test_hotspots_are_counted_once_each(world: World, urls: dict[str, str], cache: Path) -> None:
    source = at(Hotspots(), urls)
    block = next(iter(cut(source.layout, GRID, source.times(DAYS))))
    count = region_of(filled(source, block, cache), "hotspot_count")
    table = nrcan.hotspots(
        world, datetime(2023, 6, 20, 9, tzinfo=UTC), datetime(2023, 7, 9, 9, tzinfo=UTC)
    )
    places = gpd.GeoSeries(gpd.points_from_xy(table["lon"], table["lat"]), crs=4326).to_crs(3979)
    x0, y0, x1, y1 = REGION
    assert len(table) >= 2
    assert np.nansum(count[:19]) == len(places.cx[x0:x1, y0:y1])


def test_at_t_hotspots_are_there_that_were_published_by_then_and_no_other(
    world: World, urls: dict[str, str], cache: Path
) -> None:
    now = np.datetime64("2023-07-01T12:00:00")
    for plain in (Hotspots(), Firms(products=("VIIRS_SNPP_NRT", "VIIRS_NOAA20_NRT"))):
        source = at(plain, urls)
        block = next(iter(cut(source.layout, GRID, source.times(DAYS))))
        with sharing(replace(commons(), now=now)):
            layer = published_by(filled(source, block, cache), now)
        known = layer["time"].values[~np.isnat(layer["available_time"].values)]
        assert known.max() == np.datetime64("2023-06-30")  # which ended just now
        passes = (datetime(2023, 6, 20, 9, tzinfo=UTC), datetime(2023, 7, 1, 9, tzinfo=UTC))
        table = nrcan.hotspots(world, *passes)
        places = gpd.GeoSeries(gpd.points_from_xy(table["lon"], table["lat"]), crs=4326)
        x0, y0, x1, y1 = REGION
        seen = len(places.to_crs(3979).cx[x0:x1, y0:y1])
        assert np.nansum(region_of(layer, "hotspot_count")) == seen
        assert seen >= 2


def test_firms_counts_what_the_same_sensor_has_at_cwfis(
    urls: dict[str, str], cache: Path, tmp_path: Path
) -> None:
    counts = {}
    for source in (Hotspots(), Firms(products=("VIIRS_SNPP_NRT", "VIIRS_NOAA20_NRT"))):
        block = next(iter(cut(source.layout, GRID, source.times(DAYS))))
        layer = filled(at(source, urls), block, cache)
        counts[source.provider] = region_of(layer, "hotspot_count")
    assert np.nansum(counts["nrcan"]) >= 2
    np.testing.assert_array_equal(counts["firms"], counts["nrcan"])
    power = region_of(layer, "frp")
    assert (np.isfinite(power) == (counts["firms"] > 0)).all()
    assert source.layout.stream == "nrt"
    asked = [scene.request for scene in at(source, urls).search(block)]
    assert all(len(request["dates"]) <= 5 for request in asked)
    assert not any(CREDENTIAL in str(request) for request in asked)


def test_dates_that_firms_does_not_have_are_missing_not_quiet(
    urls: dict[str, str], cache: Path
) -> None:
    source = at(Firms(), urls)
    later = np.arange(np.datetime64("2023-12-30"), np.datetime64("2024-01-03"))
    block = next(iter(cut(source.layout, GRID, later)))
    layer = filled(source, block, cache)
    days = np.isfinite(region_of(layer, "hotspot_count")).all(axis=(1, 2))
    assert days.tolist() == [True, False, False, False]  # that of the 31st needs 1 January, too


def test_a_map_key_that_is_missing_or_refused_is_asked_for_and_never_shown(
    urls: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = at(Firms(), urls)
    block = next(iter(cut(source.layout, GRID, DAYS)))
    monkeypatch.setenv("FIRMS_MAP_KEY", "0123456789abcdef0123456789abcdef")
    caplog.set_level("DEBUG", logger="firesat.sources")
    with pytest.raises(CredentialsError, match=r"api/map_key and put it in FIRMS_MAP_KEY") as wrong:
        source.search(block)
    gone = replace(source, base_url=source.base_url + "/nothing")
    with pytest.raises(ProviderError) as absent:
        gone.search(block)
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("firesat.sources")]
    for text in (str(wrong.value), str(absent.value), *ours):
        assert "0123456789abcdef" not in text
    monkeypatch.setenv("FIRMS_MAP_KEY", "a/../b")
    with pytest.raises(CredentialsError, match="other than letters and digits"):
        source.check()
    monkeypatch.delenv("FIRMS_MAP_KEY")
    with pytest.raises(CredentialsError, match="no FIRMS map key"):
        source.check()


@pytest.mark.parametrize("products", [(), ("VIIRS_NRT",), ("VIIRS_SNPP_NRT", "MODIS_SP")])
def test_products_of_firms_are_known_and_of_one_stream(products: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="FIRMS"):
        Firms(products=products)


def test_perimeters_burn_their_hectares(world: World, urls: dict[str, str], cache: Path) -> None:
    source = at(Nbac(), urls)
    (block,) = cut(source.layout, GRID, source.times(DAYS))
    layer = filled(source, block, cache)
    frame = nrcan.perimeters(world, 2023).to_crs("EPSG:3979")
    x0, y0, x1, y1 = REGION
    wild = frame[frame["PRESCRIBED"].astype("str").str.lower() != "true"].clip((x0, y0, x1, y1))
    wanted = wild.geometry.union_all().area / 1e4
    assert wanted > 1
    assert np.nansum(region_of(layer, "fraction")) == pytest.approx(wanted, rel=0.02, abs=0.3)
    assert layer["available_time"].values[0] > np.datetime64("2024-01-01")


def test_the_national_database_has_the_same_ground_by_the_agencies_dates(
    urls: dict[str, str], cache: Path
) -> None:
    made = {}
    for source in (at(Nbac(), urls), at(Nfdb(), urls)):
        (block,) = cut(source.layout, GRID, source.times(DAYS))
        made[source.layout.group] = filled(source, block, cache)
    for name in ("fraction", "prescribed", "agency_start", "agency_end"):
        one, other = (region_of(made[group], name) for group in ("nbac", "nfdb"))
        np.testing.assert_allclose(other, one, atol=2e-3)
    assert np.isnan(region_of(made["nfdb"], "hotspot_start")).all()
    assert made["nfdb"]["available_time"].values[0] == np.datetime64("2024-09-30T00:00:00")
    (early,) = cut(source.layout, GRID, source.times(DAYS - np.timedelta64(366, "D")))
    with pytest.raises(NoDataError, match="has no fires of 2022, but of 2023"):
        source.fetch(source.search(early)[0], cache)
    assert not (cache / "nfdb-2022.parquet").exists()


@pytest.mark.parametrize("product", ["MOD13A1", "MOD11A2", "MOD11A1", "MOD15A2H"])
def test_modis_products_arrive(urls: dict[str, str], cache: Path, product: str) -> None:
    source = at(Modis(product=product), urls)
    block = next(iter(cut(source.layout, GRID, source.times(DAYS))))
    layer = filled(source, block, cache)
    for variable in source.layout.variables:
        assert np.isfinite(region_of(layer, variable.name)).mean() > 0.01
    assert layer["available_time"].values[0] > block.times[0]


def test_an_overpass_arrives_where_it_was_seen(
    world: World, urls: dict[str, str], cache: Path
) -> None:
    source = at(Sentinel2(max_cloud=80), urls)
    for block in cut(source.layout, GRID, source.times(DAYS)):
        if source.search(block):
            break
    layer = filled(source, block, cache)
    day = block.times[0].astype("datetime64[s]").item()
    start = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    passes = sentinel2.acquisitions(world, start, start.replace(day=start.day + 1))
    values, valid = sentinel2.reflectance(world, passes[0])
    found = region_of(layer, "reflectance")[0]
    there = np.isfinite(found).all(axis=0)  # not all of the world's edge is
    both = valid & there & np.roll(there, 1, axis=1)
    assert both.mean() > 0.3
    # Interpolated to UTM and back: small on average, and not moved by a cell.
    error = np.abs(found - values)[:, both]
    moved = np.abs(np.roll(found, 1, axis=2) - values)[:, both]
    assert error.mean() < 0.01
    assert error.mean() < 0.6 * moved.mean()


def test_a_day_without_overpass_is_empty(urls: dict[str, str]) -> None:
    source = at(Sentinel2(max_cloud=0.5), urls)
    blocks = list(cut(source.layout, GRID, source.times(DAYS)))
    assert [] in [source.search(block) for block in blocks[:5]]


def test_nothing_is_written_beside_the_cache(
    urls: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    source = at(Sentinel2(), urls)
    source.search(next(iter(cut(source.layout, GRID, source.times(DAYS)))))
    assert list(tmp_path.iterdir()) == []


def test_an_unaccepted_licence_says_where_to_accept_it(
    world: World, variables: None, tmp_path: Path
) -> None:
    faults = Faults(unlicensed=("reanalysis-era5-land",))
    with serving(world, faults) as server:
        source = at(Era5Land(retries=1, pause=0.1), base_urls(server.url))
        scene = source.search(next(iter(cut(source.layout, GRID, DAYS))))[0]
        with pytest.raises(LicenceError, match=r"accept its licence once at http.*manage-licences"):
            source.fetch(scene, tmp_path)
    assert not list(tmp_path.glob("*.grib"))


def test_a_failed_job_is_the_provider_s_fault(
    world: World, variables: None, tmp_path: Path
) -> None:
    with serving(world, Faults(failed_jobs=1.0)) as server:
        source = at(CemsFireWeather(retries=1, pause=0.1), base_urls(server.url))
        scene = source.search(next(iter(cut(source.layout, GRID, DAYS))))[0]
        with pytest.raises(ProviderError, match=r"cems-fire-historical-v1.*job has failed"):
            source.fetch(scene, tmp_path)


def test_wrong_keys_are_refused_as_such(
    urls: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDSAPI_KEY", "wrong")
    monkeypatch.setenv("EARTHDATA_TOKEN", "wrong")
    monkeypatch.setenv("SH_CLIENT_ID", "wrong")
    for source in (Era5Land(retries=1, pause=0.1), Modis(), Sentinel2(attempts=1, pause=0.0)):
        moved = at(source, urls)
        block = next(iter(cut(moved.layout, GRID, moved.times(DAYS))))
        with pytest.raises(CredentialsError):
            [moved.fetch(scene, tmp_path) for scene in moved.search(block)]


@pytest.mark.filterwarnings("ignore::sentinelhub.exceptions.SHRateLimitWarning")
def test_crowded_and_failing_servers_are_outlasted(
    world: World, variables: None, tmp_path: Path
) -> None:
    # Sentinel Hub says in milliseconds when to come back, everybody else in seconds.
    crowded, failing = Faults(rate_429=0.3, seed=5), Faults(rate_500=0.2, seed=5)
    for faults, sources in (
        (crowded, [Sentinel2(attempts=6, pause=0.01)]),
        (failing, [Static(), Modis(product="MOD11A2"), Sentinel2(attempts=6, pause=0.01)]),
    ):
        with serving(world, faults) as server:
            for source in sources:
                moved = at(source, base_urls(server.url))
                for block in list(cut(moved.layout, GRID, moved.times(DAYS)))[:3]:
                    for scene in moved.search(block):
                        moved.read(moved.fetch(scene, tmp_path))


def test_a_token_that_ends_early_is_renewed(
    world: World, variables: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(world, Faults(expire_token=0.3, seed=1)) as server:
        source = at(Sentinel2(attempts=1, pause=0.0), base_urls(server.url))
        answers = []
        for block in list(cut(source.layout, GRID, source.times(DAYS))):
            try:
                answers.append(source.search(block))
            except CredentialsError:
                answers.append(None)
    # 30 % of the requests meet an expired token; twice in a row is 9 %.
    assert sum(answer is None for answer in answers) <= 5
