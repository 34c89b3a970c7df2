"""Sentinel Hub, asked by its own client."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import requests
from oauthlib.oauth2 import OAuth2Error
from rasterio.io import MemoryFile
from sentinelhub import (
    CRS,
    BBox,
    DataCollection,
    MimeType,
    SentinelHubCatalog,
    SentinelHubDownloadClient,
    SentinelHubRequest,
    SHConfig,
)
from sentinelhub.exceptions import DownloadFailedException, SHRateLimitWarning

from firesat.bands import SENTINEL2_BANDS
from firesat.sandbox.observe import sentinel2
from firesat.sandbox.servers.evalscript import parse
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.messages import RefusalError
from firesat.sandbox.world import World
from tests.sandbox.servers_tools import Serve, bounds_in, world_cell

pytest_plugins = ["tests.sandbox.servers_fixtures"]

UTM = "EPSG:32615"


def evalscript(bands: tuple[str, ...] = SENTINEL2_BANDS) -> str:
    names = ",".join(f'"{name}"' for name in (*bands, "dataMask"))
    samples = ",".join(f"s.{name}" for name in (*bands, "dataMask"))
    return (
        f'//VERSION=3\nfunction setup(){{return{{input:[{{bands:[{names}],units:"DN"}}],'
        f'output:{{id:"default",bands:{len(bands) + 1},sampleType:"UINT16"}}}}}}\n'
        f"function evaluatePixel(s){{return[{samples}]}}"
    )


@dataclass
class Hub:
    """The real client, set up for one deployment."""

    url: str
    secret: str = "sandbox"

    @property
    def config(self) -> SHConfig:
        root = f"{self.url}/sentinelhub"
        return SHConfig(
            use_defaults=True,
            sh_client_id="sandbox",
            sh_client_secret=self.secret,
            sh_base_url=root,
            sh_token_url=f"{root}/auth/realms/main/protocol/openid-connect/token",
            max_download_attempts=3,
            download_sleep_time=0.01,
            max_retries=20,
        )

    @property
    def collection(self) -> DataCollection:
        return DataCollection.SENTINEL2_L1C.define_from(
            f"SANDBOX_{self.url}", service_url=f"{self.url}/sentinelhub"
        )

    def search(self, box: tuple[float, ...], period: tuple[datetime, datetime], **more: Any) -> Any:
        catalog = SentinelHubCatalog(config=self.config)
        return list(catalog.search(self.collection, bbox=BBox(box, CRS.WGS84), time=period, **more))

    def request(self, box: BBox, size: tuple[int, int], period: Any, **more: Any) -> Any:
        script = more.pop("script", evalscript())
        return SentinelHubRequest(
            evalscript=script,
            input_data=[
                SentinelHubRequest.input_data(self.collection, time_interval=period, **more)
            ],
            responses=[SentinelHubRequest.output_response("default", MimeType.TIFF)],
            bbox=box,
            size=size,
            config=self.config,
        )

    def picture(self, *args: Any, **more: Any) -> tuple[np.ndarray, Any, Any, dict[str, str]]:
        """Pixels, transform, CRS and headers."""
        answer = self.request(*args, **more).get_data(decode_data=False)[0]
        with MemoryFile(answer.content) as memory, memory.open() as file:
            return file.read(), file.transform, file.crs, dict(answer.headers)


@pytest.fixture
def hub(url: str) -> Iterator[Hub]:
    yield Hub(url)
    SentinelHubDownloadClient.clear_cache()


@pytest.fixture
def season(small_world: World) -> tuple[datetime, datetime]:
    year = small_world.config.seasons[-1]
    return datetime(year, 6, 1, tzinfo=UTC), datetime(year, 7, 31, tzinfo=UTC)


@pytest.fixture
def degrees(small_world: World) -> tuple[float, float, float, float]:
    return bounds_in(small_world, "EPSG:4326")


@pytest.fixture
def square(small_world: World) -> BBox:
    """A square of UTM that covers the world, on whole hundreds of metres."""
    x0, y0, x1, y1 = (edge // 100 * 100 for edge in bounds_in(small_world, UTM))
    return BBox((x0, y0, x1 + 100, y1 + 100), CRS(UTM.removeprefix("EPSG:")))


def size_of(box: BBox) -> tuple[int, int]:
    x0, y0, x1, y1 = box
    return round((x1 - x0) / 100), round((y1 - y0) / 100)


def centres(transform: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[: shape[-2], : shape[-1]]
    return transform @ (columns + 0.5, rows + 0.5)


def around(acquisition: sentinel2.Acquisition) -> tuple[datetime, datetime]:
    minute = timedelta(minutes=1)
    return acquisition.time - minute, acquisition.time + minute


def numbers(world: World, acquisition: sentinel2.Acquisition) -> tuple[np.ndarray, np.ndarray]:
    """Digital numbers and validity on the world's own cells."""
    values, valid = sentinel2.reflectance(world, acquisition)
    scaled = np.rint(np.clip(np.where(valid, values, 0) * 10_000, 0, 32767))
    return scaled.astype("uint16"), valid


def test_a_wrong_secret_is_refused(url: str, season: Any, degrees: Any) -> None:
    with pytest.raises(OAuth2Error, match="invalid_client"):
        Hub(url, secret="guess").search(degrees, season)


def test_catalog_lists_every_acquisition_page_by_page(
    hub: Hub, small_world: World, season: Any, degrees: Any
) -> None:
    expected = {each.id for each in sentinel2.acquisitions(small_world, *season)}
    found = hub.search(degrees, season, limit=4)
    assert len(found) == len(expected) > 4
    assert {item["id"] for item in found} == expected


def test_catalog_filters_by_cloud_and_returns_the_fields_asked_for(
    hub: Hub, small_world: World, season: Any, degrees: Any
) -> None:
    covers = {each.id: each for each in sentinel2.acquisitions(small_world, *season)}
    limit = float(np.median([each.cloud_cover for each in covers.values()]))
    fields = {"include": ["id", "properties.datetime"], "exclude": []}
    found = hub.search(degrees, season, filter=f"eo:cloud_cover < {limit}", fields=fields)
    clear = {name for name, each in covers.items() if each.cloud_cover < limit}
    assert {item["id"] for item in found} == clear
    for item in found:
        assert set(item) == {"id", "properties"}
        moment = datetime.fromisoformat(item["properties"]["datetime"])
        assert abs(moment - covers[item["id"]].time) < timedelta(seconds=1)


def test_catalog_finds_nothing_in_another_country(hub: Hub, season: Any) -> None:
    assert hub.search((10.0, 45.0, 11.0, 46.0), season) == []


def test_pixels_in_utm_are_the_worlds_own_at_the_place_they_claim(
    hub: Hub, small_world: World, season: Any, square: BBox
) -> None:
    acquisition = sentinel2.acquisitions(small_world, *season)[0]
    pixels, transform, crs, _ = hub.picture(square, size_of(square), around(acquisition))
    assert crs.to_epsg() == 32615
    assert (transform.a, transform.e) == (100, -100)
    assert (transform.c, transform.f) == (square.min_x, square.max_y)
    row, column, off = world_cell(small_world, *centres(transform, pixels.shape), UTM)
    height, width = small_world.geobox.shape
    sure = (row >= 0) & (row < height) & (column >= 0) & (column < width) & (off < 0.35)
    assert sure.mean() > 0.2
    expected, valid = numbers(small_world, acquisition)
    np.testing.assert_array_equal(pixels[13][sure], valid[row[sure], column[sure]])
    for band in range(13):
        np.testing.assert_array_equal(pixels[band][sure], expected[band][row[sure], column[sure]])
    outside = (row < -1) | (row > height) | (column < -1) | (column > width)
    assert outside.any()
    assert not pixels[:, outside].any()


def test_pixels_in_degrees_put_longitude_first(
    hub: Hub, small_world: World, season: Any, degrees: Any
) -> None:
    acquisition = sentinel2.acquisitions(small_world, *season)[0]
    box = BBox(degrees, CRS.WGS84)
    pixels, transform, crs, _ = hub.picture(box, (90, 120), around(acquisition))
    assert crs.to_epsg() == 4326
    row, column, off = world_cell(small_world, *centres(transform, pixels.shape), "EPSG:4326")
    height, width = small_world.geobox.shape
    sure = (row >= 0) & (row < height) & (column >= 0) & (column < width) & (off < 0.3)
    expected, _ = numbers(small_world, acquisition)
    assert sure.sum() > 100
    np.testing.assert_array_equal(pixels[3][sure], expected[3][row[sure], column[sure]])


def test_bilinear_differs_from_nearest_and_stays_between_neighbours(
    hub: Hub, small_world: World, season: Any, square: BBox
) -> None:
    acquisition = sentinel2.acquisitions(small_world, *season)[0]
    size = size_of(square)
    nearest, *_ = hub.picture(square, size, around(acquisition))
    smooth, *_ = hub.picture(square, size, around(acquisition), upsampling="BILINEAR")
    both = (nearest[13] == 1) & (smooth[13] == 1)
    assert (nearest[7][both] != smooth[7][both]).mean() > 0.1
    assert smooth[7][both].min() >= nearest[7].min()
    assert smooth[7][both].max() <= nearest[7].max()


@pytest.mark.parametrize("order", ["mostRecent", "leastRecent", "leastCC"])
def test_a_mosaic_takes_the_preferred_acquisition_and_fills_its_gaps(
    hub: Hub, small_world: World, season: Any, square: BBox, order: str
) -> None:
    first, second = sentinel2.acquisitions(small_world, *season)[:2]
    period = (first.time - timedelta(minutes=1), second.time + timedelta(minutes=1))
    size = size_of(square)
    single = [hub.picture(square, size, around(each))[0] for each in (first, second)]
    mixed, *_ = hub.picture(square, size, period, mosaicking_order=order)
    key = {
        "mostRecent": [1, 0],
        "leastRecent": [0, 1],
        "leastCC": [0, 1] if first.cloud_cover <= second.cloud_cover else [1, 0],
    }
    top, below = (single[index] for index in key[order])
    np.testing.assert_array_equal(mixed, np.where(top[13] == 1, top, below))


def test_too_cloudy_acquisitions_are_left_out(
    hub: Hub, small_world: World, season: Any, square: BBox
) -> None:
    acquisitions = sentinel2.acquisitions(small_world, *season)
    cloudiest = max(acquisitions, key=lambda each: each.cloud_cover)
    pixels, *_ = hub.picture(
        square, size_of(square), around(cloudiest), maxcc=(cloudiest.cloud_cover - 2) / 100
    )
    assert not pixels.any()


def test_a_request_costs_what_the_price_list_says(hub: Hub, season: Any, square: BBox) -> None:
    period = (season[0], season[0] + timedelta(minutes=1))
    *_, headers = hub.picture(square, (264, 264), period)
    assert float(headers["X-ProcessingUnits-Spent"]) == pytest.approx(264**2 / 512**2 * 13 / 3)


def test_the_client_decodes_rows_columns_bands(hub: Hub, season: Any, square: BBox) -> None:
    period = (season[0], season[1])
    (array,) = hub.request(square, (30, 20), period, script=evalscript(("B04", "B8A"))).get_data()
    assert array.shape == (20, 30, 3)
    assert array.dtype == np.uint16


def test_more_than_2500_pixels_are_refused(hub: Hub, season: Any, square: BBox) -> None:
    with pytest.raises(DownloadFailedException, match="2501"):
        hub.picture(square, (2501, 10), season)


def test_canadas_lambert_is_refused_as_by_the_real_service(hub: Hub, season: Any) -> None:
    box = BBox((10_000, 620_000, 20_000, 630_000), CRS("3979"))
    with pytest.raises(DownloadFailedException, match="Unsupported CRS"):
        hub.picture(box, (10, 10), season)


@pytest.mark.parametrize("token", [None, "Bearer made.up.token", "Bearer x"])
@pytest.mark.parametrize("path", ["process", "catalog/1.0.0/search"])
def test_without_a_token_of_this_server_nothing_is_given(
    url: str, path: str, token: str | None
) -> None:
    headers = {"Authorization": token} if token else {}
    answer = requests.post(f"{url}/sentinelhub/api/v1/{path}", json={}, headers=headers, timeout=9)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "COMMON_UNAUTHORIZED"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("return [1]", "first line"),
        (evalscript().replace("s.B04", "2 * s.B04"), "as they are"),
        (evalscript().replace("B04", "B14"), "no band|not a band"),
        (evalscript().replace("bands:14", "bands:13"), "13 bands"),
        (evalscript().replace('"B04",', ""), "no input"),
        (evalscript().replace("UINT16", "UINT8"), "UINT8"),
    ],
)
def test_scripts_that_the_sandbox_cannot_run_are_refused(script: str, reason: str) -> None:
    with pytest.raises(RefusalError, match=reason):
        parse(script)


def test_reflectance_units_come_as_fractions() -> None:
    asked = parse(evalscript(("B04",)).replace('units:"DN"', "").replace("UINT16", "FLOAT32"))
    assert (asked.units, asked.sample_type) == ("REFLECTANCE", "float32")
    assert asked.outputs == ("B04", "dataMask")


def test_a_busy_service_is_asked_again_after_milliseconds(
    serve: Serve, season: Any, degrees: Any
) -> None:
    with serve(Faults(rate_429=0.5, seed=3)) as server:
        hub, begin = Hub(server.url), time.monotonic()
        with pytest.warns(SHRateLimitWarning):
            found = hub.search(degrees, season)
        assert found
        assert time.monotonic() - begin < 5.0
    SentinelHubDownloadClient.clear_cache()


def test_an_expired_token_is_said_so(serve: Serve, season: Any, degrees: Any) -> None:
    with serve(Faults(expire_token=1.0)) as server:
        hub = Hub(server.url)
        assert hub.search(degrees, season)  # a new token serves once
        for _ in range(2):  # and never again
            with pytest.raises(DownloadFailedException, match="expired"):
                hub.search(degrees, season)
    SentinelHubDownloadClient.clear_cache()


def test_a_full_picture_takes_less_than_a_second(
    hub: Hub, small_world: World, season: Any, square: BBox
) -> None:
    acquisition = sentinel2.acquisitions(small_world, *season)[0]
    hub.picture(square, (10, 10), around(acquisition))  # the acquisition is now in memory
    begin = time.process_time()
    hub.picture(square, (600, 600), around(acquisition), upsampling="BILINEAR")
    assert time.process_time() - begin < 3.0  # 0.4 s on an idle core, client included
