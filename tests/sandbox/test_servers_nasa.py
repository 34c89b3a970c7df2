"""The granule search and the land archive, by plain requests and pyhdf."""

import re
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from pyhdf.SD import SD

from firesat.blocks import cut
from firesat.grid import Grid
from firesat.raster import align
from firesat.sandbox.observe import modis
from firesat.sandbox.servers.addresses import base_urls, environment
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.modis_products import PRODUCTS
from firesat.sandbox.world import World
from firesat.sources.modis import Modis
from tests.sandbox.servers_tools import Serve, bounds_in, world_cell

pytest_plugins = ["tests.sandbox.servers_fixtures"]

RADIUS = 6371007.181
TILE = 1111950.5196666666  # metres: the MODIS land grid's published size of a tile
TOKEN = {"Authorization": "Bearer sandbox"}
DAY = 177  # of the year; MOD13A1 and MOD11A2 both begin then


def search(url: str, **query: Any) -> requests.Response:
    """One page; double underscores stand for brackets."""
    named = {key.replace("__", "[]"): value for key, value in query.items()}
    return requests.get(f"{url}/nasa/search/granules.umm_json", params=named, timeout=9)


def start(world: World) -> date:
    return date.fromordinal(date(world.config.seasons[-1], 1, 1).toordinal() + DAY - 1)


def granules(url: str, world: World, product: str) -> dict[str, str]:
    """Address of each production of the composite of `DAY`, by name."""
    query = {"short_name": product, "version": "061", "provider": "LPCLOUD"}
    query["temporal__"] = f"{start(world)}T00:00:00Z,{start(world)}T23:59:59Z"
    found = {}
    for item in search(url, page_size=100, **query).json()["items"]:
        name = item["umm"]["GranuleUR"]
        if f".A{start(world):%Y%j}." in name:
            urls = {each["Type"]: each["URL"] for each in item["umm"]["RelatedUrls"]}
            found[name] = urls["GET DATA"]
    return found


@pytest.fixture(scope="module")
def layers(
    url: str, small_world: World, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, bool], dict[str, np.ndarray]]:
    """All layers of the composite of `DAY`, by product and whether it is the newest production."""
    folder, content = tmp_path_factory.mktemp("hdf"), {}
    for product in ("MOD13A1", "MOD11A2", "MOD15A2H"):
        found = sorted(granules(url, small_world, product).items())
        for name, address in found:
            path = folder / f"{name}.hdf"
            path.write_bytes(requests.get(address, headers=TOKEN, timeout=30).content)
            file = SD(str(path))
            arrays = {layer: file.select(layer).get() for layer in file.datasets()}
            arrays["attributes"] = {
                layer: file.select(layer).attributes() for layer in file.datasets()
            }
            arrays["structure"] = file.attributes()["StructMetadata.0"]
            file.end()
            content[product, name == found[-1][0]] = arrays
    return content


def cells_of(world: World, size: int, cell: float) -> tuple[Any, Any, Any]:
    """For the pixels of a tile's window: their index, the world's cell, and which are certain."""
    h, v = tile_of(world)
    west, south, east, north = bounds_in(world, f"+proj=sinu +R={RADIUS} +units=m +no_defs")
    pixel = TILE / size
    left, top = (h - 18) * TILE, (9 - v) * TILE
    columns = np.arange(int((west - left) / pixel), int((east - left) / pixel) + 1)
    rows = np.arange(int((top - north) / pixel), int((top - south) / pixel) + 1)
    row, column = np.meshgrid(rows, columns, indexing="ij")
    latitude = np.degrees((top - (row + 0.5) * pixel) / RADIUS)
    x = left + (column + 0.5) * pixel
    longitude = np.degrees(x / (RADIUS * np.cos(np.radians(latitude))))
    y, x, off = world_cell(world, longitude, latitude, "EPSG:4326", cell)
    height, width = (round(side * 100 / cell) for side in world.geobox.shape)
    sure = (y >= 0) & (y < height) & (x >= 0) & (x < width) & (off < 0.49)
    return (row[sure], column[sure]), (y[sure], x[sure]), (row, column)


def tile_of(world: World) -> tuple[int, int]:
    """Column and row of the tile of the world's centre, by the grid's definition."""
    west, south, east, north = bounds_in(world, "EPSG:4326")
    longitude, latitude = np.radians((west + east) / 2), np.radians((south + north) / 2)
    x, y = RADIUS * longitude * np.cos(latitude), RADIUS * latitude
    return int(18 + x // TILE), int(8 - y // TILE)


def test_search_finds_a_composite_by_its_first_day_and_tile(url: str, small_world: World) -> None:
    h, v = tile_of(small_world)
    query = {
        "short_name": "MOD13A1",
        "readable_granule_name__": f"*.A{start(small_world):%Y%j}.h{h:02d}v{v:02d}.*",
        "options[readable_granule_name][pattern]": "true",
    }
    answer = search(url, **query)
    names = [item["umm"]["GranuleUR"] for item in answer.json()["items"]]
    form = rf"MOD13A1\.A{start(small_world):%Y%j}\.h{h:02d}v{v:02d}\.061\.\d{{13}}"
    assert all(re.fullmatch(form, name) for name in names)
    assert len(names) == len(set(names)) == int(answer.headers["CMR-Hits"]) == 2


def test_search_by_place_finds_the_tile_and_nothing_elsewhere(url: str, small_world: World) -> None:
    here = ",".join(map(str, bounds_in(small_world, "EPSG:4326")))
    h, v = tile_of(small_world)
    inside = search(url, short_name="MOD11A2", bounding_box=here, page_size=2000).json()["items"]
    assert any(f"h{h:02d}v{v:02d}" in item["umm"]["GranuleUR"] for item in inside)
    assert search(url, short_name="MOD11A2", bounding_box="10,45,11,46").json()["items"] == []


def test_every_granule_comes_once_page_by_page_and_an_empty_page_ends_it(url: str) -> None:
    names, headers = [], {}
    for _ in range(1000):
        answer = requests.get(
            f"{url}/nasa/search/granules.umm_json",
            params={"short_name": "MOD13A1", "page_size": 3},
            headers=headers,
            timeout=9,
        )
        items = answer.json()["items"]
        if not items:
            break
        assert len(items) <= 3
        names += [item["umm"]["GranuleUR"] for item in items]
        headers = {"CMR-Search-After": answer.headers["CMR-Search-After"]}
    assert "CMR-Search-After" not in answer.headers
    assert len(names) == len(set(names)) == int(answer.headers["CMR-Hits"]) > 3


def test_a_composite_says_its_own_period(url: str, small_world: World) -> None:
    items = search(url, short_name="MOD13A1", page_size=2000).json()["items"]
    for item in items:
        period = item["umm"]["TemporalExtent"]["RangeDateTime"]
        begin, end = (
            date.fromisoformat(period[key][:10]) for key in ("BeginningDateTime", "EndingDateTime")
        )
        assert f"A{begin:%Y%j}" in item["umm"]["GranuleUR"]
        assert (end - begin).days == 15 or (end.month, end.day) == (12, 31)


def test_unknown_arguments_are_refused(url: str) -> None:
    answer = search(url, shortname="MOD13A1")
    assert answer.status_code == 400
    assert answer.json() == {"errors": ["Parameter [shortname] was not recognized."]}


def test_without_login_there_is_a_web_page_instead_of_a_file(url: str, small_world: World) -> None:
    address = next(iter(granules(url, small_world, "MOD11A2").values()))
    for headers in ({}, {"Authorization": "Bearer guess"}):
        answer = requests.get(address, headers=headers, timeout=9)
        assert answer.status_code == 401
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.content.startswith(b"<!DOCTYPE html>")


def test_with_login_a_signed_address_gives_the_file_to_anyone(url: str, small_world: World) -> None:
    address = next(iter(granules(url, small_world, "MOD11A2").values()))
    sent = requests.get(address, headers=TOKEN, timeout=9, allow_redirects=False)
    assert sent.status_code == 303
    signed = sent.headers["Location"]
    assert requests.get(signed, timeout=30).content[:4] == b"\x0e\x03\x13\x01"
    forged = re.sub(r"Signature=\w{4}", "Signature=0000", signed)
    assert requests.get(forged, timeout=9).status_code == 403
    extended = re.sub(r"Expires=\d", "Expires=9", signed)
    assert requests.get(extended, timeout=9).status_code == 403


@pytest.mark.parametrize(
    ("product", "layer", "field", "scale", "cell"),
    [
        ("MOD13A1", "500m 16 days NDVI", "ndvi", 1e-4, 500.0),
        ("MOD13A1", "500m 16 days EVI", "evi", 1e-4, 500.0),
        ("MOD11A2", "LST_Day_1km", "lst_day", 0.02, 1000.0),
        ("MOD11A2", "LST_Night_1km", "lst_night", 0.02, 1000.0),
        ("MOD15A2H", "Fpar_500m", "fpar", 0.01, 500.0),
        ("MOD15A2H", "Lai_500m", "lai", 0.1, 500.0),
    ],
)
def test_values_lie_on_the_right_pixels_of_the_sinusoidal_grid(
    layers: Any, small_world: World, product: str, layer: str, field: str, scale: float, cell: float
) -> None:
    composite = modis.composite(small_world, product, start(small_world))
    found = layers[product, True][layer]
    assert found.shape == (PRODUCTS[product].size,) * 2
    pixels, cells, _ = cells_of(small_world, found.shape[0], cell)
    seen = np.isfinite(composite[field][cells])
    assert seen.sum() > 50
    values, expected = found[pixels][seen] * scale, composite[field][cells][seen]
    if field in ("ndvi", "evi"):
        expected = np.clip(expected, -0.2, 1.0)  # the product's range: open water is below
    np.testing.assert_allclose(values, expected, atol=scale * 0.51)


@pytest.mark.parametrize(
    ("product", "layer", "cell"),
    [
        ("MOD13A1", "500m 16 days VI Quality", 500.0),
        ("MOD11A2", "QC_Day", 1000.0),
        ("MOD15A2H", "FparLai_QC", 500.0),
    ],
)
def test_quality_bits_say_what_was_seen(
    layers: Any, small_world: World, product: str, layer: str, cell: float
) -> None:
    quality = modis.composite(small_world, product, start(small_world))["quality"]
    content = layers[product, True]
    pixels, cells, _ = cells_of(small_world, content[layer].shape[0], cell)
    bits, truth = content[layer][pixels].astype(int), quality[cells]
    usable = {
        "MOD13A1": (bits & 0b11) <= 1,
        "MOD11A2": (bits & 0b11) <= 1,
        "MOD15A2H": (bits >> 5) < 4,
    }[product]
    best = {"MOD13A1": bits & 0b11, "MOD11A2": bits & 0b11, "MOD15A2H": bits & 1}[product] == 0
    np.testing.assert_array_equal(best, truth == 0)
    np.testing.assert_array_equal(usable, truth < 2)


def drawn(product: str, layer: str) -> list[int]:
    """A layer's values for a good, a marginal and a cloudy pixel, and one outside."""
    values = np.array([0.5, 0.5, np.nan, np.nan], dtype="float32")
    fields = {"ndvi": values, "evi": values, "fpar": values, "lai": values}
    fields |= {f"lst_{time_}": 560 * values for time_ in ("day", "night")}
    fields["quality"] = np.array([0, 1, 2, np.nan], dtype="float32")
    (found,) = [each for each in PRODUCTS[product].layers if each.name == layer]
    result = found.draw(fields, DAY)
    assert result.dtype.name == found.dtype
    assert result[3] == found.fill
    return [int(value) for value in result[:3]]


def test_vegetation_quality_has_the_bits_of_the_user_guide() -> None:
    bits = drawn("MOD13A1", "500m 16 days VI Quality")
    assert [value & 0b11 for value in bits] == [0, 1, 2]  # good, check, cloudy
    usefulness = [value >> 2 & 0b1111 for value in bits]
    assert usefulness == sorted(usefulness)
    assert [value >> 10 & 1 for value in bits] == [0, 0, 1]  # mixed clouds
    assert {value >> 11 & 0b111 for value in bits} == {1}  # land
    assert {value >> 14 for value in bits} == {0}  # no snow, no shadow
    assert drawn("MOD13A1", "500m 16 days pixel reliability") == [0, 1, 3]
    good, marginal, cloudy = drawn("MOD13A1", "500m 16 days NDVI")
    assert good == marginal == 5000
    assert 0 < cloudy < 1000  # a value is there, and only the quality tells that it is a cloud's
    days = drawn("MOD13A1", "500m 16 days composite day of the year")
    assert all(DAY <= day < DAY + 16 for day in days)


@pytest.mark.parametrize("time_", ["Day", "Night"])
def test_temperature_quality_has_the_bits_of_the_user_guide(time_: str) -> None:
    for product in ("MOD11A1", "MOD11A2"):
        bits = drawn(product, f"QC_{time_}")
        assert [value & 0b11 for value in bits] == [0, 1, 2]  # good, other, cloud
        assert bits[1] >> 6 == 1  # an error of at most 2 K
        assert drawn(product, f"LST_{time_}_1km") == [14_000, 14_000, 0]


def test_leaf_quality_has_the_bits_of_the_user_guide() -> None:
    bits = drawn("MOD15A2H", "FparLai_QC")
    assert [value & 1 for value in bits] == [0, 1, 1]
    assert [value >> 5 for value in bits] == [0, 2, 4]  # main, empirical, not produced
    assert [value >> 3 & 0b11 for value in bits] == [0, 2, 1]  # clear, mixed, cloudy
    assert drawn("MOD15A2H", "Fpar_500m") == [50, 50, 255]
    assert drawn("MOD15A2H", "Lai_500m") == [5, 5, 255]


def test_temperatures_by_night_have_a_quality_of_their_own(layers: Any, small_world: World) -> None:
    composite = modis.composite(small_world, "MOD11A2", start(small_world))
    content = layers["MOD11A2", True]
    pixels, cells, _ = cells_of(small_world, 1200, 1000.0)
    for time_, hours in (("Day", 10.5), ("Night", 22.5)):
        missing = np.isnan(composite[f"lst_{time_.lower()}"][cells])
        values, bits = (content[name][pixels] for name in (f"LST_{time_}_1km", f"QC_{time_}"))
        np.testing.assert_array_equal(values == 0, missing)
        np.testing.assert_array_equal(bits & 0b11 == 2, missing)
        seen = content[f"{time_}_view_time"][pixels]
        np.testing.assert_allclose(seen, np.where(missing, 255, hours * 10))


def test_everything_outside_the_world_is_fill(layers: Any, small_world: World) -> None:
    for (product, _), content in layers.items():
        cell = 1000.0 if product.startswith("MOD11") else 500.0
        size = PRODUCTS[product].size
        *_, (rows, columns) = cells_of(small_world, size, cell)
        outside = np.ones((size, size), dtype=bool)
        outside[rows.min() - 2 : rows.max() + 3, columns.min() - 2 : columns.max() + 3] = False
        for layer, attributes in content["attributes"].items():
            assert (content[layer][outside] == attributes["_FillValue"]).all(), layer


def test_mod13_says_divide_where_the_others_say_multiply(layers: Any) -> None:
    factors = {
        (product, layer): layers[product, True]["attributes"][layer]["scale_factor"]
        for product, layer in (
            ("MOD13A1", "500m 16 days NDVI"),
            ("MOD11A2", "LST_Day_1km"),
            ("MOD15A2H", "Lai_500m"),
        )
    }
    assert list(factors.values()) == [10000.0, 0.02, 0.1]


def test_corners_of_the_tile_stand_in_the_structure(layers: Any, small_world: World) -> None:
    h, v = tile_of(small_world)
    text = layers["MOD13A1", True]["structure"]
    for key, (column, row) in {
        "UpperLeftPointMtrs": (h, v),
        "LowerRightMtrs": (h + 1, v + 1),
    }.items():
        x, y = map(float, re.search(rf"{key}=\(([-\d.]+),([-\d.]+)\)", text).groups())
        assert (x, y) == pytest.approx(((column - 18) * TILE, (9 - row) * TILE), abs=1e-3)


def test_the_earlier_production_of_a_composite_is_wrong(layers: Any) -> None:
    early, late = (layers["MOD13A1", newest]["500m 16 days NDVI"] for newest in (False, True))
    bits = layers["MOD13A1", True]["500m 16 days VI Quality"]
    good = (bits & 0b11 == 0) & (late > 500)
    assert good.sum() > 50
    assert (early[good] != late[good]).all()


def test_expired_tokens_and_broken_downloads_can_be_had(
    serve: Serve, small_world: World, tmp_path: Path
) -> None:
    with serve(Faults(expire_token=1.0)) as server:
        address = next(iter(granules(server.url, small_world, "MOD11A2").values()))
        assert requests.get(address, headers=TOKEN, timeout=9).status_code == 401
    with serve(Faults(truncate=1.0)) as server:
        address = next(iter(granules(server.url, small_world, "MOD11A2").values()))
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            requests.get(address, headers=TOKEN, timeout=30)


def test_a_full_granule_takes_less_than_a_second(url: str, small_world: World) -> None:
    other = search(url, short_name="MOD13A1", page_size=1).json()["items"][0]["umm"]
    begin = time.process_time()
    answer = requests.get(other["RelatedUrls"][0]["URL"], headers=TOKEN, timeout=30)
    assert answer.status_code == 200
    assert time.process_time() - begin < 2.5  # 0.4 s on an idle core


def test_burned_area_arrives_in_the_cube_s_cells_where_it_burned(
    url: str, small_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    source = Modis(product="MCD64A1", base_url=base_urls(url)["nasa"])
    region = small_world.config.region
    days = np.arange(np.datetime64("2023-05-01"), np.datetime64("2023-10-01"))
    layers = []
    for block in cut(source.layout, Grid(region=region), source.times(days)):
        (found,) = source.search(block)
        read = align(source.read(source.fetch(found, tmp_path)), block.geobox)
        x0, y0, x1, y1 = region
        layer = source.compose([(found, read)], block)
        layers.append(layer.sel(x=slice(x0, x1), y=slice(y1, y0)).isel(time=0))
    assert len(layers) == 5
    burned = np.max([layer["fraction"].values for layer in layers], axis=0) == 1
    hours = small_world.season(2023).burn_hour.reshape(40, 5, 40, 5)
    share = np.isfinite(hours).mean((1, 3))
    assert burned.sum() == pytest.approx((share >= 0.5).sum(), rel=0.3)
    assert share[burned].mean() > 0.6  # to the sinusoidal grid and back by the nearest pixel
    dates = [np.where(burned, layer["burn_day"].values, np.nan) for layer in layers]
    for month, dated in enumerate(dates):
        found_days = dated[np.isfinite(dated)].astype("datetime64[D]").astype("datetime64[M]")
        assert set(found_days.astype(str)) <= {f"2023-{month + 5:02d}"}
    assert np.isfinite(dates).sum() == burned.sum()
