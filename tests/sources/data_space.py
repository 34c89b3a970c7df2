"""A small world over two UTM zones, and servers of its granules that count, doctor and delay."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from firesat.blocks import Block, cut
from firesat.cube import Cube, create_cube
from firesat.grid import Grid
from firesat.sandbox.config import WorldConfig
from firesat.sandbox.observe.granules import Granule
from firesat.sandbox.servers.addresses import base_urls
from firesat.sandbox.servers.data_space import Eodata, StacCatalogue
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.http import SandboxServer
from firesat.sandbox.servers.messages import Request, Response, Service
from firesat.sandbox.servers.safe import SafeArchive
from firesat.sandbox.world import World
from firesat.sources.granules import Sentinel2Granules

REGION = (-70_000.0, 630_000.0, -60_000.0, 640_000.0)  # 96 W, where zones 14 and 15 meet
GRID = Grid(region=REGION)
TWICE = "2021-06-29"  # a pass with two productions, of baselines 03.01 and 05.00
KEY = "sandbox"

Doctor = Callable[[str, bytes], bytes]


def make_world() -> World:
    return World.create(
        WorldConfig(seed=4, region=REGION, seasons=(2021,), first_day="06-20", last_day="07-09")
    )


def block_of(source: Sentinel2Granules, day: str = TWICE, grid: Grid = GRID) -> Block:
    return next(iter(cut(source.layout, grid, np.array([day], dtype="datetime64[D]"))))


def passes(archive: SafeArchive, day: str = TWICE) -> list[Granule]:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return archive.between(start, start.replace(hour=23))


class Doctored(SafeArchive):
    """Files changed at the provider, so that the catalogue's sums agree with them."""

    def __init__(self, archive: SafeArchive, doctor: Doctor) -> None:
        super().__init__(archive.world)
        self._healthy, self._doctor = archive, doctor
        self._changed: dict[str, dict[str, bytes]] = {}

    def files(self, granule: Granule) -> dict[str, bytes]:
        if granule.id not in self._changed:
            whole = self._healthy.files(granule)
            changed = {key: self._doctor(key, content) for key, content in whole.items()}
            self._changed[granule.id] = changed
        return self._changed[granule.id]


class Counted(Eodata):
    """An archive that counts its answers and how many it gives at a time."""

    def __init__(self, archive: SafeArchive, key: str = KEY, delay: float = 0.0) -> None:
        super().__init__(archive, key)
        self.answers: Counter[str] = Counter()
        self.now, self.most, self.delay = 0, 0, delay
        self._counting = threading.Lock()

    def _object(self, request: Request, groups: tuple[str, ...]) -> Response:
        with self._counting:
            self.answers[groups[0].rpartition("/")[2]] += 1
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            time.sleep(self.delay)
            return super()._object(request, groups)
        finally:
            with self._counting:
                self.now -= 1


def cube_for(source: Sentinel2Granules, block: Block, path: Path) -> Cube:
    cube = create_cube(path, GRID)
    cube.add_group(source.layout, np.array(block.times))
    cube.manifest()
    return cube


@contextmanager
def running(services: list[Service], faults: Faults | None = None) -> Iterator[str]:
    """Address of a server for as long as the context."""
    with SandboxServer(services, 0, faults) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield base_urls(server.url)["cdse"]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def data_space(
    archive: SafeArchive, faults: Faults | None = None, eodata: Eodata | None = None
) -> Iterator[Sentinel2Granules]:
    """A source whose catalogue and archive are served on loopback."""
    services: list[Service] = [StacCatalogue(archive), eodata or Eodata(archive, KEY)]
    with running(services, faults) as url:
        yield Sentinel2Granules(base_url=url, max_cloud=100, attempts=8, pause=0.01)


def use_key(patch: pytest.MonkeyPatch, key: str = KEY) -> None:
    patch.setenv("CDSE_S3_ACCESS_KEY", key)
    patch.setenv("CDSE_S3_SECRET_KEY", key)
    patch.setenv("NO_PROXY", "127.0.0.1,localhost")
