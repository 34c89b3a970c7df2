"""The Copernicus Data Space of a small world, through plain HTTP and boto3."""

import hashlib
from typing import Any

import boto3
import numpy as np
import pytest
import rasterio
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from firesat.bands import SENTINEL2_BANDS
from firesat.sandbox.servers.addresses import base_urls
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.world import World
from tests.sandbox.servers_tools import Serve, bounds_in, world_cell

pytest_plugins = ["tests.sandbox.servers_fixtures"]

BOX = [-180, 40, -50, 84]
WEEK = "2023-06-20T00:00:00Z/2023-06-26T00:00:00Z"


@pytest.fixture(scope="module")
def root(url: str) -> str:
    return base_urls(url)["cdse"]


def search(root: str, **body: Any) -> requests.Response:
    given = {"collections": ["sentinel-2-l1c"], "datetime": WEEK, "bbox": BOX}
    return requests.post(f"{root}/search", json=given | body, timeout=120)


@pytest.fixture(scope="module")
def items(root: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = search(root).json()["features"]
    return found


def client(root: str, key: str = "sandbox", secret: str = "sandbox") -> Any:
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    return boto3.session.Session().client(
        "s3", endpoint_url=f"{root}/s3", region_name="default", aws_access_key_id=key,
        aws_secret_access_key=secret, config=config,
    )  # fmt: skip


def key_of(item: dict[str, Any], band: str) -> str:
    return str(item["assets"][band]["href"]).removeprefix("s3://eodata/")


@pytest.fixture(scope="module")
def image(root: str, items: list[dict[str, Any]]) -> bytes:
    body = client(root).get_object(Bucket="eodata", Key=key_of(items[0], "B8A"))["Body"]
    return bytes(body.read())


def test_the_landing_page_leads_to_the_search(root: str) -> None:
    page = requests.get(root, timeout=9).json()
    assert page["links"][0]["href"] == f"{root}/search"


def test_items_are_products_of_the_passes_newest_first(
    items: list[dict[str, Any]], small_world: World
) -> None:
    assert len(items) >= 2
    times = [item["properties"]["datetime"] for item in items]
    assert times == sorted(times, reverse=True)
    for item in items:
        assert item["id"].startswith(("S2A_MSIL1C_2023", "S2B_MSIL1C_2023"))
        assert item["properties"]["grid:code"] == f"MGRS-{item['id'][39:44]}"
        assert item["properties"]["processing:version"] == "05.09"
        assert list(item["assets"]) == list(SENTINEL2_BANDS)
        west, south, east, north = bounds_in(small_world, "EPSG:4326")
        assert west - 0.01 < item["bbox"][0] < item["bbox"][2] < east + 0.01
        assert south - 0.01 < item["bbox"][1] < item["bbox"][3] < north + 0.01


def test_pages_follow_each_other_by_token(root: str, items: list[dict[str, Any]]) -> None:
    found: list[str] = []
    body: dict[str, Any] = {"limit": 1}
    for _ in items:
        page = search(root, **body).json()
        found += [item["id"] for item in page["features"]]
        for link in page["links"]:
            assert (link["rel"], link["method"]) == ("next", "POST")
            body = link["body"]
    assert found == [item["id"] for item in items]
    assert not page["links"]


@pytest.mark.parametrize(
    "body",
    [{"collections": ["sentinel-2-l2a"]}, {"limit": 0}, {"limit": 1001}, {"token": "next:x:1"},
     {"datetime": "soon"}, {"bbox": [1, 2]}],
)  # fmt: skip
def test_searches_that_the_service_would_refuse_are_refused(
    root: str, body: dict[str, Any]
) -> None:
    response = search(root, **body)
    assert response.status_code == 400
    assert response.json()["detail"]


def test_other_places_and_times_have_no_products(root: str) -> None:
    assert search(root, bbox=[0, 0, 1, 1]).json()["features"] == []
    assert search(root, datetime="2023-12-01T00:00:00Z/2023-12-31T00:00:00Z").json()["links"] == []


def test_a_file_is_what_the_catalogue_says(
    root: str, items: list[dict[str, Any]], image: bytes
) -> None:
    asset = items[0]["assets"]["B8A"]
    assert len(image) == asset["file:size"]
    assert asset["file:checksum"] == f"1620{hashlib.sha3_256(image).hexdigest()}"
    with rasterio.MemoryFile(image) as memory, memory.open(driver="JP2OpenJPEG") as raster:
        assert (raster.driver, raster.dtypes, raster.count) == ("JP2OpenJPEG", ("uint16",), 1)
        assert list(raster.shape) == asset["proj:shape"]
        assert f"EPSG:{raster.crs.to_epsg()}" == asset["proj:code"]
        assert list(raster.bounds) == asset["proj:bbox"]
        assert raster.res == (20, 20)


def test_pixels_lie_where_the_world_s_cells_do(
    root: str, items: list[dict[str, Any]], small_world: World
) -> None:
    from datetime import datetime

    from firesat.sandbox.observe import sentinel2

    moment = datetime.fromisoformat(items[0]["properties"]["datetime"]).replace(microsecond=0)
    (pass_,) = sentinel2.acquisitions(small_world, moment, moment)
    truth, valid = sentinel2.reflectance(small_world, pass_)
    body = client(root).get_object(Bucket="eodata", Key=key_of(items[0], "B01"))["Body"].read()
    with rasterio.MemoryFile(body) as memory, memory.open() as raster:
        numbers = raster.read(1)
        rows, columns = np.indices(numbers.shape)
        x, y = raster.transform @ np.stack([columns + 0.5, rows + 0.5])
        row, column, off = world_cell(small_world, x, y, raster.crs.to_wkt())
    height, width = truth.shape[1:]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width) & (off < 0.45)
    assert inside.mean() > 0.3
    seen = valid[row[inside], column[inside]]
    wanted = np.clip(np.rint(truth[0][row[inside], column[inside]] * 10_000) + 1000, 1, 32_766)
    np.testing.assert_array_equal(numbers[inside], np.where(seen, wanted, 0))
    assert (numbers[(row < -1) | (row > height)] == 0).all()


def test_parts_and_heads_are_served(root: str, items: list[dict[str, Any]], image: bytes) -> None:
    s3, key = client(root), key_of(items[0], "B8A")
    part = s3.get_object(Bucket="eodata", Key=key, Range="bytes=10-99")
    assert part["Body"].read() == image[10:100]
    assert s3.head_object(Bucket="eodata", Key=key)["ContentLength"] == len(image)


@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [("another", "sandbox", "InvalidAccessKeyId"), ("sandbox", "another", "SignatureDoesNotMatch")],
)
def test_only_the_right_pair_of_keys_opens_the_archive(
    root: str, items: list[dict[str, Any]], key: str, secret: str, code: str
) -> None:
    with pytest.raises(ClientError, match=code):
        client(root, key, secret).get_object(Bucket="eodata", Key=key_of(items[0], "B01"))


def test_a_request_that_was_changed_on_its_way_is_refused(
    root: str, items: list[dict[str, Any]]
) -> None:
    key = key_of(items[0], "B01")
    url = f"{root}/s3/eodata/{key}"
    assert requests.get(url, timeout=9).status_code == 403
    signed: dict[str, str] = {}
    s3 = client(root)
    s3.meta.events.register("before-send.s3", lambda request, **_: signed.update(request.headers))
    s3.get_object(Bucket="eodata", Key=key)
    headers = {name: value if isinstance(value, str) else value.decode()
               for name, value in signed.items()}  # fmt: skip
    assert requests.get(url, headers=headers, timeout=9).status_code == 200
    other = f"{root}/s3/eodata/{key.replace('B01', 'B09')}"
    assert "SignatureDoesNotMatch" in requests.get(other, headers=headers, timeout=9).text
    headers["X-Amz-Date"] = "20200101T000000Z"
    assert "RequestTimeTooSkewed" in requests.get(url, headers=headers, timeout=9).text


@pytest.mark.parametrize(
    "key", ["nothing", "Sentinel-2/MSI/L1C/2023/06/24/x.SAFE/a", "../etc/passwd"]
)
def test_what_does_not_exist_is_not_found(root: str, key: str) -> None:
    with pytest.raises(ClientError, match=r"NoSuchKey|SignatureDoesNotMatch"):
        client(root).get_object(Bucket="eodata", Key=key)


def test_faults_are_worded_as_s3_words_them(
    serve: Serve, items: list[dict[str, Any]], image: bytes
) -> None:
    key = key_of(items[0], "B8A")
    for faults, code in (
        (Faults(rate_429=1.0), "SlowDown"),
        (Faults(rate_500=1.0), "InternalError"),
        (Faults(expire_token=1.0), "ExpiredToken"),
    ):
        with serve(faults) as server, pytest.raises(ClientError, match=code) as caught:
            client(base_urls(server.url)["cdse"]).get_object(Bucket="eodata", Key=key)
        headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
        assert headers.get("retry-after") == ("1" if code == "SlowDown" else None)
    with serve(Faults(corrupt=1.0)) as server:
        s3 = client(base_urls(server.url)["cdse"])
        body = s3.get_object(Bucket="eodata", Key=key)["Body"].read()
    assert len(body) == len(image)
    assert sum(a != b for a, b in zip(body, image, strict=True)) == 16
