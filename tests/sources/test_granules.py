"""Sentinel-2 by granules: the real client against a catalogue and an S3 archive on loopback."""

import hashlib
import logging
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.io import MemoryFile
from shapely.geometry.base import BaseGeometry

from firesat.errors import (
    ConfigError,
    CorruptFileError,
    CredentialsError,
    ProviderError,
    SourceError,
    UnreachableError,
)
from firesat.jobs.ingest import Workplace, ingest_block, observe
from firesat.manifest import Receipt
from firesat.sandbox.encode.jp2 import encode_jp2
from firesat.sandbox.observe import sentinel2
from firesat.sandbox.observe.granules import Granule
from firesat.sandbox.servers.data_space import Eodata, StacCatalogue
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.messages import Request, Response, json_response
from firesat.sandbox.servers.safe import SafeArchive
from firesat.sandbox.servers.sentinel_hub import SentinelHub
from firesat.sources import _catalogue
from firesat.sources._eodata import Archive, connection
from firesat.sources._granule import label_of
from firesat.sources._products import Stored
from firesat.sources.base import Scene
from firesat.sources.commons import Commons, OwnTokens, sharing
from firesat.sources.granules import Sentinel2Granules
from firesat.sources.quotas import Quota
from firesat.sources.sentinel2 import Sentinel2
from tests.sources.data_space import (
    KEY,
    REGION,
    TWICE,
    Counted,
    Doctored,
    block_of,
    cube_for,
    data_space,
    make_world,
    passes,
    running,
    use_key,
)

SINGLE = "2021-07-04"  # a pass with one production


@pytest.fixture(scope="module")
def archive() -> SafeArchive:
    return SafeArchive(make_world())


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    use_key(monkeypatch)


@pytest.fixture(scope="module")
def source(archive: SafeArchive) -> Iterator[Sentinel2Granules]:
    with data_space(archive) as found:
        yield found


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


def layer_of(source: Sentinel2Granules | Sentinel2, day: str, cache: Path) -> dict[str, np.ndarray]:
    """A block's arrays within the region, rows from the north."""
    block = block_of(source, day)
    found = [(each, observe(source, each, block, cache)) for each in source.search(block)]
    assert found
    x0, y0, x1, y1 = REGION
    layer = source.compose(found, block).sel(x=slice(x0, x1), y=slice(y1, y0))
    return {name: layer[name].values[0] for name in ("reflectance", "clear")}


def truth_of(archive: SafeArchive, day: str) -> np.ndarray:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    (pass_,) = sentinel2.acquisitions(archive.world, start, start.replace(hour=23))
    values, valid = sentinel2.reflectance(archive.world, pass_)
    return np.where(valid, values, np.nan)


# --- what is found --------------------------------------------------------------------------------


def test_a_day_s_granules_are_those_of_both_zones(source: Sentinel2Granules) -> None:
    scenes = source.search(block_of(source, SINGLE))
    assert [scene.id[38:44] for scene in scenes] == ["T14UPF", "T15UUA"]
    for scene in scenes:
        assert scene.observed == np.datetime64("2021-07-04T18:16:43")
        assert scene.available == scene.observed + np.timedelta64(24, "h")
        assert scene.superseded == ()


def test_of_two_productions_the_newest_is_taken(source: Sentinel2Granules) -> None:
    for scene in source.search(block_of(source)):
        assert "_N0500_" in scene.id
        (older,) = scene.superseded
        assert "_N0301_" in older
        assert older[:26] == scene.id[:26]


def test_cloudy_granules_are_not_fetched(source: Sentinel2Granules, archive: SafeArchive) -> None:
    cover = passes(archive, SINGLE)[0].acquisition.cloud_cover
    block = block_of(source, SINGLE)
    assert len(replace(source, max_cloud=cover).search(block)) == 2
    assert replace(source, max_cloud=cover - 0.1).search(block) == []


def test_pages_are_followed_to_the_last(
    source: Sentinel2Granules, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = source.search(block_of(source))
    monkeypatch.setattr(_catalogue, "_PAGE", 1)
    assert source.search(block_of(source)) == whole
    monkeypatch.setattr(_catalogue, "_MOST_PAGES", 3)
    with pytest.raises(ProviderError, match="more than 3 pages"):
        source.search(block_of(source))


def test_a_day_without_a_pass_is_empty_for_good(source: Sentinel2Granules, tmp_path: Path) -> None:
    block = block_of(source, "2021-07-05")
    assert source.search(block) == []
    cube = cube_for(source, block, tmp_path / "cube.zarr")
    receipt = ingest_block(source, block, Workplace(cube=cube, cache=tmp_path / "cache")).receipt
    assert (receipt.status, receipt.items) == ("empty", [])
    manifest = cube.manifest()
    manifest.fold()
    assert block.key in manifest.finished("sentinel2")  # a rerun does not ask again


# --- what arrives ---------------------------------------------------------------------------------


def test_two_zones_make_one_seamless_block(
    source: Sentinel2Granules, archive: SafeArchive, cache: Path
) -> None:
    layer, truth = layer_of(source, SINGLE, cache), truth_of(archive, SINGLE)
    assert np.isfinite(layer["reflectance"]).all()
    assert np.isfinite(layer["clear"]).all()
    error = np.abs(layer["reflectance"] - truth).mean()
    # The mean over a cell turned against the truth's, then interpolated: smooth, but not moved.
    assert error < 0.01
    for axis in (1, 2):
        for step in (-1, 1):
            moved = np.abs(np.roll(layer["reflectance"], step, axis=axis) - truth).mean()
            assert error < 0.75 * moved


def test_each_baseline_s_own_offset_is_taken_off_once(
    source: Sentinel2Granules, archive: SafeArchive, cache: Path
) -> None:
    for day, baseline, offset in ((SINGLE, "03.01", "0"), (TWICE, "05.00", "-1000")):
        found, truth = layer_of(source, day, cache)["reflectance"], truth_of(archive, day)
        for mine, real in zip(found, truth, strict=True):
            assert np.nanmean(mine) == pytest.approx(np.nanmean(real), abs=0.002)
        for path in cache.glob(f"*{day.replace('-', '')}*.tif"):
            with rasterio.open(path) as raster:
                tags = raster.tags()
            assert tags["PROCESSING_BASELINE"] == baseline
            assert set(tags["RADIO_ADD_OFFSET_APPLIED"].split()) == {offset}
            assert tags["SENSING_TIME"].startswith(day)


def test_both_ways_to_sentinel_2_lead_to_the_same_cube(
    source: Sentinel2Granules, archive: SafeArchive, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SH_CLIENT_ID", "SH_CLIENT_SECRET"):
        monkeypatch.setenv(name, "sandbox")
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    with running([SentinelHub(archive.world, "sandbox")]) as url:
        hub = Sentinel2(
            base_url=url.replace("cdse/v1", "sentinelhub"), max_cloud=100, attempts=1, pause=0.0
        )
        by_pixels = layer_of(hub, SINGLE, cache)
        assert replace(hub.layout, attrs={}) == replace(source.layout, attrs={})
    by_granules = layer_of(source, SINGLE, cache)
    for name in ("reflectance", "clear"):
        assert by_granules[name].shape == by_pixels[name].shape
        assert (np.isfinite(by_granules[name]) == np.isfinite(by_pixels[name])).all()
    apart = by_granules["reflectance"] - by_pixels["reflectance"]
    assert np.abs(apart).mean() < 0.005  # both smooth a cell, one by area, one between centres
    assert np.abs(apart.mean(axis=(1, 2))).max() < 2e-4  # two steps of the cube: no bias in a band
    together = np.corrcoef(
        by_granules["reflectance"][7].ravel(), by_pixels["reflectance"][7].ravel()
    )
    assert together[0, 1] > 0.97


def test_20_m_averaged_here_and_100_m_of_the_service_differ_in_price_alone(
    archive: SafeArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SH_CLIENT_ID", "SH_CLIENT_SECRET"):
        monkeypatch.setenv(name, "sandbox")
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    found: dict[int, np.ndarray] = {}
    units: dict[int, float] = {}
    with running([SentinelHub(archive.world, "sandbox")]) as url:
        for metres in (20, 100):
            hub = Sentinel2(
                base_url=url.replace("cdse/v1", "sentinelhub"), max_cloud=100, attempts=1,
                pause=0.0, resolution=metres,
            )  # fmt: skip
            with sharing(Commons(provider="sentinelhub", tokens=OwnTokens())) as shared:
                found[metres] = layer_of(hub, SINGLE, tmp_path)["reflectance"]
            units[metres] = shared.meter.units
            basis = hub.cost([block_of(hub, SINGLE)]).basis
            assert f"(now {metres} m)" in basis
            assert "at 100 m interpolated by the service" in basis
    assert units[20] == pytest.approx(25 * units[100], rel=0.01)  # as the service counted them
    assert (np.isfinite(found[20]) == np.isfinite(found[100])).all()
    apart = found[20] - found[100]
    assert np.abs(apart.mean(axis=(1, 2))).max() < 2e-4
    assert np.abs(apart).mean() < 0.005


def test_no_more_than_the_project_needs_of_a_granule_is_read(
    source: Sentinel2Granules, tmp_path: Path
) -> None:
    block = block_of(source, TWICE)
    x0, y0, _, _ = REGION
    small = replace(block, whole=(x0 + 3000, y0 + 3000, x0 + 5000, y0 + 4000))
    whole, part = (
        [source.read(source.fetch(scene, tmp_path)) for scene in source.search(b)]
        for b in (block, small)
    )
    for large, little in zip(whole, part, strict=True):
        assert little.sizes["y"] * 100 <= 1000 + 2 * (2000 + 300 + 400)  # margin, lines, a turn
        inside = large.sel(x=little.x, y=little.y)
        np.testing.assert_array_equal(inside["observed"], little["observed"])
        # Shadows may come from clouds beyond: the mask's edge is that of the part.
        same = (inside["clear"] == little["clear"]).values
        assert same.mean() > 0.9
        for band in range(13):
            np.testing.assert_array_equal(
                inside["reflectance"][band].values[same], little["reflectance"][band].values[same]
            )


def test_pixels_that_a_quality_mask_calls_bad_are_no_measurement(
    archive: SafeArchive, tmp_path: Path
) -> None:
    def spoil(key: str, content: bytes) -> bytes:
        """The north-western 500 m of B04 come from a defective detector."""
        if not key.endswith("MSK_QUALIT_B04.jp2"):
            return content
        with MemoryFile(content) as memory, memory.open() as raster:
            planes, cells = raster.read(), GeoBox(raster.shape, raster.transform, str(raster.crs))
        planes[4, :50, :50] = 1
        planes[1] = 1  # degraded ancillary data hurt nothing
        return encode_jp2(planes, cells)

    with data_space(archive) as healthy, data_space(Doctored(archive, spoil)) as spoilt:
        (before, _), (after, _) = (
            [each.read(each.fetch(scene, tmp_path / name)) for scene in each.search(block_of(each))]
            for each, name in ((healthy, "healthy"), (spoilt, "spoilt"))
        )
    seen, left = before["observed"].values, after["observed"].values
    assert (left[:5, :5] == 0).all()
    bad = np.zeros(seen.shape, dtype=bool)
    bad[:5, :5] = True
    np.testing.assert_array_equal(seen[~bad], left[~bad])
    assert np.isnan(after["reflectance"].sel(band="B04").values[:5, :5]).all()
    np.testing.assert_array_equal(
        before["reflectance"].sel(band="B03"), after["reflectance"].sel(band="B03")
    )


def test_a_cloud_over_a_part_of_a_cell_leaves_the_rest(
    archive: SafeArchive, tmp_path: Path
) -> None:
    ground = {"B08": 3000, "B10": 10, "B11": 2000}

    def paint(key: str, content: bytes) -> bytes:
        """Even land under a white cloud of 60 m in the north-western corner."""
        if "IMG_DATA" not in key:
            return content
        band = key.removesuffix(".jp2")[-3:]
        with MemoryFile(content) as memory, memory.open() as raster:
            cells = GeoBox(raster.shape, raster.transform, str(raster.crs))
        numbers = np.full(cells.shape, ground.get(band, 600), dtype="uint16")
        if band in ("B02", "B03", "B04", "B11"):  # with a dark B11 it would be snow
            side = 60 // int(cells.resolution.x)
            numbers[:side, :side] = 6000
        return encode_jp2(numbers, cells)

    with data_space(Doctored(archive, paint)) as painted:
        scene = one_scene(painted)
        found = painted.read(painted.fetch(scene, tmp_path))
    clear, green = found["clear"].values, found["reflectance"].sel(band="B03").values
    # The mask reaches two pixels of 60 m further, which is 180 m in all.
    np.testing.assert_allclose(clear[:3, :3], [[0, 0.2, 1], [0.2, 0.36, 1], [1, 1, 1]], atol=1e-4)
    assert green[0, 0] == pytest.approx(0.06 + 0.36 * 0.54, abs=1e-4)  # nothing else is there
    np.testing.assert_allclose(green[:3, 1:3], 0.06, atol=1e-4)


def test_outside_the_swath_nothing_was_seen(
    source: Sentinel2Granules, archive: SafeArchive, cache: Path
) -> None:
    layer, truth = layer_of(source, "2021-06-27", cache), truth_of(archive, "2021-06-27")
    unseen = np.isnan(truth[0])
    assert 0.02 < unseen.mean() < 0.5
    near = np.isnan(layer["clear"])
    assert (near == unseen).mean() > 0.98  # along the edge, cells are seen in part
    assert np.isnan(layer["reflectance"][:, near]).all()


def test_the_receipt_names_both_productions(
    source: Sentinel2Granules, cache: Path, tmp_path: Path
) -> None:
    block = block_of(source)
    cube = cube_for(source, block, tmp_path / "cube.zarr")
    receipt = ingest_block(source, block, Workplace(cube=cube, cache=cache)).receipt
    assert receipt.status == "done"
    assert [name[27:32] for name in receipt.items] == ["N0500", "N0301"] * 2
    assert [name.endswith("(superseded)") for name in receipt.items] == [False, True] * 2
    assert receipt.available == ["2021-06-30T18:16:45"]


# --- fetched once ---------------------------------------------------------------------------------


def one_scene(source: Sentinel2Granules, day: str = SINGLE) -> Scene:
    return source.search(block_of(source, day))[0]


def test_a_granule_is_fetched_once_and_its_images_are_not_kept(
    archive: SafeArchive, tmp_path: Path
) -> None:
    counted = Counted(archive)
    with data_space(archive, eodata=counted) as source:
        scene = one_scene(source)
        label = label_of(scene.request["product"], scene.request["part"])
        stale = tmp_path / f".{label}"  # of a process that was killed
        stale.mkdir()
        (stale / "T14UPF_20210704T181643_B02.jp2").write_bytes(b"half a file")
        with ThreadPoolExecutor(3) as pool:
            paths = set(pool.map(lambda _: source.fetch(scene, tmp_path), range(3)))
    assert len(paths) == 1
    assert sorted(counted.answers.values()) == [1] * 15
    left = [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")]
    assert left == [f"{label}.tif"]
    assert re.fullmatch(rf"{scene.id}-100m(-[0-9]+){{4}}", label)  # of what the region needs


def test_processes_share_what_one_has_fetched(archive: SafeArchive, tmp_path: Path) -> None:
    counted = Counted(archive)
    with data_space(archive, eodata=counted) as source:
        scene = one_scene(source)
        with (
            ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other,
            ThreadPoolExecutor(1) as here,
        ):
            futures = [pool.submit(source.fetch, scene, tmp_path) for pool in (other, here)]
            paths = {future.result() for future in futures}
    assert len(paths) == 1
    assert sorted(counted.answers.values()) == [1] * 15


def test_no_more_connections_are_open_than_an_account_has(
    archive: SafeArchive, tmp_path: Path
) -> None:
    counted = Counted(archive, delay=0.03)
    with data_space(archive, eodata=counted) as source:
        source = replace(source, connections=2)
        scenes = source.search(block_of(source, SINGLE))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda scene: source.fetch(scene, tmp_path), scenes))
    assert counted.most == 2
    with data_space(archive, eodata=counted) as source:
        counted.most = 0
        quota = Quota(connections=1)  # of ingest.quotas.cdse
        shared = Commons(
            provider="cdse", quota=quota, folder=tmp_path / "locks", tokens=OwnTokens()
        )
        with sharing(shared):
            scene, *_ = source.search(block_of(source, SINGLE))
            source.fetch(scene, tmp_path / "again")
    assert counted.most == 1
    assert shared.meter.requests >= 15


def test_connections_are_given_back(tmp_path: Path) -> None:
    with connection(tmp_path, 2), connection(tmp_path, 2):
        free = threading.Thread(target=lambda: connection(tmp_path, 2).__enter__(), daemon=True)
        free.start()
        free.join(0.3)
        assert free.is_alive()  # the third has to wait
    free.join(5)
    assert not free.is_alive()


def test_a_scene_of_another_source_is_refused(source: Sentinel2Granules, tmp_path: Path) -> None:
    scene = replace(one_scene(source), request={})
    with pytest.raises(SourceError, match="no scene of this source"):
        source.fetch(scene, tmp_path)


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def healthy(source: Sentinel2Granules, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        use_key(patch)
        return source.fetch(one_scene(source), tmp_path_factory.mktemp("healthy")).read_bytes()


@pytest.mark.parametrize(
    "faults",
    [
        Faults(rate_500=0.3, seed=2),
        Faults(truncate=0.3, seed=2),
        Faults(rate_429=0.05, rate_500=0.1, truncate=0.1, seed=3),
    ],
    ids=["failing", "breaking off", "all of it"],
)
def test_a_troubled_archive_is_outlasted(
    archive: SafeArchive, faults: Faults, tmp_path: Path, healthy: bytes
) -> None:
    with data_space(archive, faults) as source:
        path = source.fetch(one_scene(source), tmp_path)
    assert path.read_bytes() == healthy  # not a bit is different


@pytest.mark.parametrize(
    ("faults", "error", "words"),
    [
        (Faults(rate_500=1.0), ProviderError, r"in 3 attempts \(HTTP 500 InternalError"),
        (Faults(truncate=1.0), ProviderError, r"in 3 attempts \((Response|Incomplete)"),
        (Faults(corrupt=1.0), CorruptFileError, r"MTD_MSIL1C\.xml is no XML"),
        (Faults(expire_token=1.0), CredentialsError, "HTTP 403 ExpiredToken.*s3keysmanager"),
    ],
    ids=["failing", "breaking off", "damaging", "expired"],
)
def test_a_broken_archive_is_named_and_leaves_nothing(
    archive: SafeArchive, faults: Faults, error: type[Exception], words: str, tmp_path: Path
) -> None:
    with data_space(archive) as source:
        scene = one_scene(source)
    with running([Eodata(archive, KEY)], faults) as url:
        broken = replace(source, base_url=url, attempts=3)
        with pytest.raises(error, match=words):
            broken.fetch(scene, tmp_path)
    assert [path for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []


def test_without_a_key_or_with_another_s_it_says_where_to_get_one(
    source: Sentinel2Granules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = one_scene(source)
    use_key(monkeypatch, "wrong")
    with pytest.raises(CredentialsError, match="HTTP 403 InvalidAccessKeyId"):
        source.fetch(scene, tmp_path)
    monkeypatch.setenv("CDSE_S3_ACCESS_KEY", KEY)
    with pytest.raises(CredentialsError, match="HTTP 403 SignatureDoesNotMatch"):
        source.fetch(scene, tmp_path)
    monkeypatch.delenv("CDSE_S3_ACCESS_KEY")
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)  # of some other cloud: never used here
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    file.write_text(f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {KEY}\n")
    with pytest.raises(CredentialsError, match=r"no key for the Copernicus archive.*\[cdse\]"):
        source.fetch(scene, tmp_path)
    file.write_text(f"[cdse]\naws_access_key_id = {KEY}\naws_secret_access_key = {KEY}\n")
    assert source.fetch(scene, tmp_path).is_file()


def test_an_image_that_is_broken_in_the_archive_is_fetched_twice_and_named(
    archive: SafeArchive, tmp_path: Path
) -> None:
    def cut_short(key: str, content: bytes) -> bytes:  # the catalogue's sums are of this
        return content[: len(content) // 2] if key.endswith("_B03.jp2") else content

    doctored = Doctored(archive, cut_short)
    counted = Counted(doctored)
    with (
        data_space(doctored, eodata=counted) as source,
        pytest.raises(CorruptFileError, match=r"T14UPF_20210704T181643_B03\.jp2 is damaged or cut"),
    ):
        source.fetch(one_scene(source), tmp_path)
    assert counted.answers["T14UPF_20210704T181643_B03.jp2"] == 2
    assert [path for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []


class Clumsy(Eodata):
    """Sends each file damaged the first time, in a way that its length does not tell."""

    def __init__(self, archive: SafeArchive) -> None:
        super().__init__(archive, KEY)
        self.sent: set[str] = set()

    def _object(self, request: Request, groups: tuple[str, ...]) -> Response:
        response = super()._object(request, groups)
        if groups[0] in self.sent:
            return response
        self.sent.add(groups[0])
        half = len(response.body) // 2
        return replace(response, body=response.body[:half] + bytes(len(response.body) - half))


class Reticent(StacCatalogue):
    """A catalogue that states no sizes or sums."""

    def _item(self, granule: Granule, place: BaseGeometry) -> dict[str, Any]:
        found = super()._item(granule, place)
        for asset in found["assets"].values():
            del asset["file:checksum"], asset["file:size"]
        return found


@pytest.mark.parametrize("catalogue", [StacCatalogue, Reticent])
def test_files_that_were_damaged_on_their_way_are_fetched_again(
    archive: SafeArchive, catalogue: type[StacCatalogue], tmp_path: Path, healthy: bytes
) -> None:
    clumsy = Clumsy(archive)
    with running([catalogue(archive), clumsy]) as url:
        source = Sentinel2Granules(base_url=url, max_cloud=100, attempts=1, pause=0.0)
        assert source.fetch(one_scene(source), tmp_path).read_bytes() == healthy
    assert len(clumsy.sent) == 15


@pytest.mark.parametrize(
    ("checksum", "fits"),
    [
        ("d501104d186321c1a7f0f354b297e8914ab240", False),  # MD5 of something else
        ("d50110" + hashlib.md5(b"the file").hexdigest(), True),
        ("1220" + hashlib.sha256(b"the file").hexdigest(), True),
        ("1620" + hashlib.sha3_256(b"the file").hexdigest(), True),
        ("1620" + hashlib.sha3_256(b"the  file").hexdigest(), False),
        ("d50120" + "0" * 64, True),  # as the catalogue labels sums of metadata: of no known kind
        ("", True),
    ],
)
def test_files_are_held_against_the_catalogue_s_sums(
    checksum: str, fits: bool, tmp_path: Path
) -> None:
    with nullcontext() if fits else pytest.raises(CorruptFileError, match=r"b\.jp2 has 8 bytes"):
        scripted([], tmp_path, Stored(key="a/b.jp2", size=8, checksum=checksum))
    with pytest.raises(CorruptFileError, match=r"b\.jp2 has 8 bytes.*says 9 and"):
        scripted([], tmp_path, Stored(key="a/b.jp2", size=9, checksum=checksum))


def test_metadata_of_another_tile_are_refused(archive: SafeArchive, tmp_path: Path) -> None:
    def other(key: str, content: bytes) -> bytes:
        return content.replace(b"_T14UPF_", b"_T14UPE_") if key.endswith("MTD_TL.xml") else content

    doctored = Doctored(archive, other)
    counted = Counted(doctored)
    with (
        data_space(doctored, eodata=counted) as source,
        pytest.raises(CorruptFileError, match="are of tile 14UPE"),
    ):
        source.fetch(one_scene(source), tmp_path)
    assert sum(counted.answers.values()) == 2  # no image was asked for


def test_a_granule_without_any_pixel_is_an_empty_block(
    archive: SafeArchive, tmp_path: Path
) -> None:
    def blank(key: str, content: bytes) -> bytes:
        if not key.endswith(".jp2"):
            return content
        with rasterio.MemoryFile(content) as memory, memory.open() as raster:
            profile = raster.profile | {"QUALITY": "100", "REVERSIBLE": "YES"}
        with rasterio.MemoryFile(ext=".jp2") as memory:
            with memory.open(**profile) as raster:
                raster.write(np.zeros((1, *raster.shape), dtype="uint16"))
            return bytes(memory.getbuffer())

    with data_space(Doctored(archive, blank)) as source:
        block = block_of(source, SINGLE)
        cube = cube_for(source, block, tmp_path / "cube.zarr")
        receipt = ingest_block(
            source, block, Workplace(cube=cube, cache=tmp_path / "cache")
        ).receipt
    assert receipt.status == "empty"
    assert len(receipt.items) == 2  # looked at, and nothing there


# --- manners and safety ---------------------------------------------------------------------------


class Scripted(BaseHTTPRequestHandler):
    """Answers a GET by a script of (status, headers), then with a file."""

    script: list[tuple[int, dict[str, str]]]
    times: list[float]

    def do_GET(self) -> None:
        self.times.append(time.monotonic())
        status, headers = self.script.pop(0) if self.script else (200, {})
        body = b"the file" if status == 200 else b""
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


B_JP2 = Stored(key="a/b.jp2", size=8)


def scripted(
    script: list[tuple[int, dict[str, str]]], tmp_path: Path, stored: Stored = B_JP2
) -> list[float]:
    """Download by a script; give the seconds between its requests."""
    handler = type("Handler", (Scripted,), {"script": script, "times": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        bucket = Archive(endpoint=f"http://127.0.0.1:{server.server_port}", attempts=4, pause=0.05)
        try:
            bucket.download(bucket.client(), stored, tmp_path / "b.jp2")
        finally:
            server.shutdown()
    assert (tmp_path / "b.jp2").read_bytes() == b"the file"
    return list(np.diff(handler.times))


def test_a_server_that_says_how_long_to_wait_is_waited_for(tmp_path: Path) -> None:
    told, untold = scripted([(429, {"Retry-After": "1"}), (429, {})], tmp_path)
    assert 1.0 <= told < 2.0
    assert 0.05 <= untold < 0.9


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int, tmp_path: Path) -> None:
    assert len(scripted([(status, {}), (status, {})], tmp_path)) == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, ProviderError), (400, ProviderError), (401, CredentialsError), (403, CredentialsError),
     (301, ProviderError), (302, ProviderError), (307, ProviderError)],
)  # fmt: skip
def test_what_will_not_pass_is_not_tried_again(
    status: int, error: type[Exception], tmp_path: Path
) -> None:
    script = [(status, {"Location": "http://127.0.0.1:9/elsewhere"}), (status, {}), (status, {})]
    with pytest.raises(error, match=f"HTTP {status}"):
        scripted(script, tmp_path)
    assert len(script) >= 1  # at most once more: botocore asks where a bucket has moved to


def test_nobody_listening_is_said_so(tmp_path: Path) -> None:
    bucket = Archive(endpoint="http://127.0.0.1:9", attempts=2, pause=0.01)
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:9 did not answer \(no connection"):
        bucket.download(bucket.client(), Stored(key="a"), tmp_path / "a")
    source = Sentinel2Granules(base_url="http://127.0.0.1:9/v1")
    bad = Archive(endpoint="no address", attempts=1, pause=0.0)
    with pytest.raises(ConfigError, match="no S3 client for no address"):
        bad.client()
    assert source.archive_url == "http://127.0.0.1:9/v1/s3"


class Canary:
    """A port that nobody may connect to."""

    def __enter__(self) -> "Canary":
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def touched(self) -> bool:
        try:
            self.socket.accept()
        except BlockingIOError:
            return False
        return True


class Hostile(StacCatalogue):
    """A catalogue that would like to send its readers elsewhere."""

    def __init__(self, archive: SafeArchive, elsewhere: str, how: str) -> None:
        super().__init__(archive)
        self._elsewhere, self._how = elsewhere, how

    def _search(self, request: Request, groups: tuple[str, ...]) -> Response:
        if self._how == "redirect":
            return Response(status=307, headers={"Location": f"{self._elsewhere}/search"})
        if self._how == "page":
            link = {"rel": "next", "href": f"{self._elsewhere}/search", "body": {"token": "t"}}
            pages = [link] if "token" not in request.json() else []
            return json_response({"features": [], "links": pages})
        if self._how == "no token":
            link = {"rel": "next", "href": f"{self._elsewhere}/search"}
            return json_response({"features": [], "links": [link]})
        if self._how == "html":
            return Response(body=b"<html>Log in</html>", kind="text/html")
        if self._how == "list":
            return json_response([1, 2])
        page = super()._search(request, groups)
        text = page.body.decode().replace("s3://eodata", f"{self._elsewhere}/eodata")
        return Response(body=text.encode(), kind=page.kind)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("redirect", "sends to another address"),
        ("href", "refused"),
        ("no token", "no token"),
        ("html", "did not answer"),
        ("list", "no list of items"),
        ("page", None),
    ],
)
def test_a_hostile_catalogue_sends_nobody_anywhere(
    archive: SafeArchive, how: str, words: str | None
) -> None:
    with Canary() as canary, running([Hostile(archive, canary.url, how)]) as url:
        source = Sentinel2Granules(base_url=url, max_cloud=100)
        if words is None:  # the token is asked for at the catalogue's own address
            assert source.search(block_of(source)) == []
        else:
            with pytest.raises(ProviderError, match=words):
                source.search(block_of(source))
        assert not canary.touched()


def test_the_key_stands_in_nothing_that_is_written(
    archive: SafeArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    secret = "c4n4ry-0f-th3-c0al-m1ne"
    use_key(monkeypatch, secret)
    caplog.set_level(logging.DEBUG, logger="firesat")
    receipts: list[Receipt] = []
    for name, server_key, faults in (
        ("good", secret, Faults()),
        ("expired", secret, Faults(expire_token=1.0)),
        ("refused", "another", Faults()),
    ):
        eodata = Eodata(archive, server_key)
        with running([StacCatalogue(archive), eodata], faults) as url:
            source = Sentinel2Granules(base_url=url, max_cloud=100, attempts=2, pause=0.01)
            block = block_of(source, SINGLE)
            cube = cube_for(source, block, tmp_path / f"{name}.zarr")
            receipts.append(
                ingest_block(
                    source, block, Workplace(cube=cube, cache=tmp_path / f"{name}-cache")
                ).receipt
            )
    assert [receipt.status for receipt in receipts] == ["done", "failed", "failed"]
    assert "CredentialsError" in receipts[1].reason
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 10
    for text in (*(path.read_bytes() for path in written), caplog.text.encode()):
        assert secret.encode() not in text
    assert secret not in repr([source, receipts])
    shutil.rmtree(tmp_path / "good.zarr")


# --- what it takes --------------------------------------------------------------------------------


def test_the_cost_follows_from_orbit_and_latitude() -> None:
    source = Sentinel2Granules()
    found = source.cost([block_of(source)])
    # 10 x 10 km near 54.8 N: 2 satellites, 14.3 orbits a day, a swath of 290 km
    looks = 2 * 14.3 * 290 / (40_075 * 0.5764) / 0.966
    assert 0.33 < looks < 0.4  # a look in two or three days
    share = 0.01 * (1 + 100 / 385)  # of a square of 100 km, tiles of both zones
    granules = looks * share * (1 + 100 / 290)
    assert found.bytes == pytest.approx(looks * share * 1.2056 * 600e6, rel=0.01)
    assert found.requests == pytest.approx(1 + 28 * granules, rel=0.01)
    before = replace(block_of(source), index=(1, 0, 0), times=(np.datetime64("2016-07-01"),))
    assert source.cost([before]).bytes == pytest.approx(found.bytes / 2)
    both = source.cost([before, block_of(source)])
    assert both.bytes == pytest.approx(1.5 * found.bytes)
