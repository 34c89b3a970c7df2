"""B3: Sentinel-2 through a link of 80 ms and 4 x 20 MB/s, by whole granules and by squares.

The link's own limit is the first row, and plain requests for the same files, thrown away, are the
second contender: on a busy machine neither reaches the link, and their ratio is what counts. The
decoding of JPEG 2000 is a matter of processors, not of the link: its row tells how many keep up.
"""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import requests
from affine import Affine
from botocore.awsrequest import AWSPreparedRequest
from odc.geo.geobox import GeoBox

from benchmarks.link import CONNECTIONS, LIMIT, far_away
from benchmarks.timing import Timing, interleaved
from firesat.bands import SENTINEL2_BANDS
from firesat.blocks import cut
from firesat.grid import Grid
from firesat.sandbox.config import WorldConfig
from firesat.sandbox.encode.jp2 import encode_jp2
from firesat.sandbox.encode.safe import (
    GranuleFacts,
    ProductFacts,
    encode_granule_metadata,
    encode_product_metadata,
)
from firesat.sandbox.servers.addresses import environment
from firesat.sandbox.servers.data_space import Eodata
from firesat.sandbox.servers.http import SandboxServer
from firesat.sandbox.servers.messages import Service
from firesat.sandbox.servers.safe import checksum
from firesat.sandbox.servers.sentinel_hub import SentinelHub
from firesat.sandbox.world import World
from firesat.sources._eodata import Archive
from firesat.sources._granule import PIXELS, Fetcher, arrivals, average_granule
from firesat.sources._products import BUCKET, Product, Stored
from firesat.sources.sentinel2 import Sentinel2

GRANULE = 109_800**2  # square metres
BITS = 7.1  # a pixel of a real L1C image, lossless
EXTENT = 21_600  # metres: what is decoded to tell how many cores the link would feed
REPETITIONS = 3
ID = "S2B_MSIL1C_20230701T181909_N0509_R127_T14UPF_20230701T200645"
FOLDER = f"Sentinel-2/MSI/L1C/2023/07/01/{ID}.SAFE/GRANULE/L1C_T14UPF_A033000_20230701T181911"
TILE_ID = "S2B_OPER_MSI_L1C_TL_2BPS_20230701T200645_A033000_T14UPF_N05.09"
REGION = (0.0, 600_000.0, 60_000.0, 660_000.0)


def remote_ingest() -> list[Timing]:
    """Files of a granule beside plain requests for them; its decoding; squares of pixels."""
    os.environ.update(environment())
    with tempfile.TemporaryDirectory() as folder:
        return [*_granules(Path(folder)), *_squares(Path(folder))]


class _Files:
    """A bucket of made files."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def file(self, key: str) -> bytes | None:
        return self._files.get(key)


def _granules(folder: Path) -> Iterator[Timing]:
    rng = np.random.default_rng(0)
    files = {
        f"{FOLDER}/IMG_DATA/T14UPF_20230701T181909_{band}.jp2": rng.bytes(
            int(GRANULE / PIXELS[band] ** 2 * BITS / 8)
        )
        for band in SENTINEL2_BANDS
    }
    size = sum(map(len, files.values()))
    product = _product(files)
    with _running([Eodata(_Files(files))]) as url, far_away(url) as near:  # type: ignore[arg-type]
        archive = Archive(endpoint=f"{near}/cdse/v1/s3", attempts=2, pause=0.1)
        signed = _signed(archive, list(files))

        def ours() -> None:
            target = Path(tempfile.mkdtemp(dir=folder))
            fetcher = Fetcher(
                archive=archive, client=archive.client(), product=product, cache=folder,
                folder=target, connections=CONNECTIONS,
            )  # fmt: skip
            arrived = {band: path.stat().st_size for band, path in arrivals(fetcher)}
            assert arrived == {band: product.files[band].size for band in SENTINEL2_BANDS}
            shutil.rmtree(target)

        def plain() -> None:  # the same requests, read and thrown away: what this machine can do
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                read = pool.map(
                    lambda each: len(requests.get(each[0], headers=each[1]).content), signed
                )
                assert sum(read) == size

        timings = interleaved({"granules, whole files": ours, "plain GET": plain}, REPETITIONS)
    yield Timing(
        name="the link itself", median=size / LIMIT, spread=0.0, note=_share(size, size / LIMIT)
    )
    for timing in timings:
        yield replace(timing, note=_share(size, timing.median))
    yield _decoding(folder)


def _read(signed: tuple[str, dict[str, str]]) -> int:
    """Length of an answer."""
    url, headers = signed
    return len(requests.get(url, headers=headers, timeout=300).content)


def _signed(archive: Archive, keys: list[str]) -> list[tuple[str, dict[str, str]]]:
    """Addresses and headers of requests that the archive accepts, the largest file first."""
    seen: list[tuple[str, dict[str, str]]] = []
    client = archive.client()

    def remember(request: AWSPreparedRequest, **_: object) -> None:
        headers = {k: v if isinstance(v, str) else v.decode() for k, v in request.headers.items()}
        seen.append((request.url, headers))

    client.meta.events.register("before-send.s3", remember)
    for key in sorted(keys, key=lambda key: PIXELS[key[-7:-4]]):
        client.get_object(Bucket=BUCKET, Key=key)["Body"].close()
    client.meta.events.unregister("before-send.s3", remember)
    return seen


def _decoding(folder: Path) -> Timing:
    """Averaging a smaller granule of noise, with no link in between."""
    files = dict(_made_granule())
    size = sum(map(len, files.values()))
    with _running([Eodata(_Files(files))]) as url:  # type: ignore[arg-type]
        archive = Archive(endpoint=f"{url}/cdse/v1/s3", attempts=2, pause=0.1)
        start = time.process_time()
        average_granule(_product(files), archive, folder, CONNECTIONS, folder / "a.tif")
        spent = time.process_time() - start
    note = (
        f"processor seconds of {size / 1e6:.0f} MB: {spent * LIMIT / size:.0f} cores fill the link"
    )
    return Timing(name="decoded and averaged", median=spent, spread=0.0, note=note)


def _squares(folder: Path) -> Iterator[Timing]:
    world = World.create(
        WorldConfig(
            seed=4, region=REGION, seasons=(2023,), first_day="06-20", last_day="07-09",
            fire_activity=0.0,
        )
    )  # fmt: skip
    hub = SentinelHub(world, "sandbox")
    hub._renderer = _Noisy(hub._renderer)  # type: ignore[assignment]
    with _running([hub]) as url, far_away(url) as near:
        source = Sentinel2(
            base_url=f"{near}/sentinelhub", resolution=20, max_cloud=100, attempts=2, pause=0.1
        )
        days = np.arange(np.datetime64("2023-06-20"), np.datetime64("2023-07-10"))
        blocks = cut(source.layout, Grid(region=REGION), days)
        found = (scene for block in blocks for scene in source.search(block))
        scenes = [
            replace(scene, request={**scene.request, "squares": {name: square}})
            for scene in islice(found, 2 * CONNECTIONS)
            for name, square in scene.request["squares"].items()  # type: ignore[attr-defined]
        ]

        sizes: list[int] = []

        def fetch() -> None:
            cache = Path(tempfile.mkdtemp(dir=folder))
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                list(pool.map(lambda scene: source.fetch(scene, cache), scenes))
            sizes[:] = [path.stat().st_size for path in cache.rglob("*.tif*")]
            shutil.rmtree(cache)

        (timing,) = interleaved(
            {f"Process, {len(scenes)} squares, 4 at a time": fetch}, REPETITIONS
        )
        yield replace(timing, note=_share(sum(sizes), timing.median))


class _Noisy:
    """A renderer with a sensor's noise: smooth pictures would be next to nothing on the link."""

    def __init__(self, plain: Any) -> None:  # noqa: ANN401  what draws for the server
        self._plain = plain

    def draw(self, *asked: Any) -> np.ndarray:  # noqa: ANN401
        picture = self._plain.draw(*asked)
        noise = np.random.default_rng(0).integers(0, 2 ** round(BITS), picture[:-1].shape)
        picture[:-1] += noise.astype(picture.dtype) * picture[-1]
        return picture


def _share(size: int, seconds: float) -> str:
    """What part of the link was used."""
    return f"{size / 1e6:.0f} MB, {100 * size / LIMIT / seconds:.0f} % of the link"


@contextmanager
def _running(services: list[Service]) -> Iterator[str]:
    with SandboxServer(services) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.url
        finally:
            server.shutdown()


def _made_granule() -> Iterator[tuple[str, bytes]]:
    """Files of a granule of noise, which compresses as badly as the real ones."""
    rng, left, top = np.random.default_rng(0), 600_000, 6_100_020
    for band in SENTINEL2_BANDS:
        size = PIXELS[band]
        shape = (EXTENT // size, EXTENT // size)
        numbers = rng.normal(2500, 30, shape).astype("uint16")
        cells = GeoBox(shape, Affine(size, 0, left, 0, -size, top), "EPSG:32614")
        yield f"{FOLDER}/IMG_DATA/T14UPF_20230701T181909_{band}.jp2", encode_jp2(numbers, cells)
    moment = "2023-07-01T18:19:09.024Z"
    yield (
        f"{FOLDER}/MTD_TL.xml",
        encode_granule_metadata(
            GranuleFacts(
                tile_id=TILE_ID, sensed=moment, epsg=32614, corner=(left, top),
                extent=(EXTENT, EXTENT), cloud=0.0,
            )
        ),
    )  # fmt: skip
    yield (
        f"{FOLDER.partition('/GRANULE')[0]}/MTD_MSIL1C.xml",
        encode_product_metadata(
            ProductFacts(
                uri=f"{ID}.SAFE", tile_id=TILE_ID, spacecraft="Sentinel-2B", baseline="05.09",
                sensed=moment, produced=moment, orbit=127, cloud=0.0, images=(), offset=-1000,
                quantification=10_000, special={"NODATA": 0, "SATURATED": 65535},
            )
        ),
    )  # fmt: skip


def _product(files: dict[str, bytes]) -> Product:
    stored = {
        Path(key).stem.rpartition("_")[2] if key.endswith(".jp2") else Path(key).stem: Stored(
            key=key, size=len(content), checksum=checksum(content)
        )
        for key, content in files.items()
    }
    moment = datetime(2023, 7, 1, 18, 19, 9, tzinfo=UTC)
    return Product(
        id=ID, tile="14UPF", observed=moment, cloud=0.0, strip=moment, files=stored
    )  # fmt: skip
