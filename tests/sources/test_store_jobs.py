"""Jobs of a data store: queued once, whoever dies while they wait; and what a refusal says."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firesat.blocks import Block, cut
from firesat.cube import create_cube
from firesat.errors import LicenceError, NoDataError, ProviderError
from firesat.grid import Grid
from firesat.jobs.ingest import plan
from firesat.jobs.ingest.block import ingest_block
from firesat.jobs.ingest.workplace import Workplace
from firesat.project import CubeSettings, Project
from firesat.sandbox.config import WorldConfig
from firesat.sandbox.servers.addresses import environment
from firesat.sandbox.servers.cads import DataStore
from firesat.sandbox.servers.datasets import LAND
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.http import SandboxServer
from firesat.sandbox.world import World
from firesat.sources._tickets import Ticket
from firesat.sources.era5 import Era5Land
from firesat.sources.settings import IngestSettings
from firesat.window import Period

REGION = (20_000.0, 630_000.0, 40_000.0, 650_000.0)
DAYS = np.arange(np.datetime64("2023-06-20"), np.datetime64("2023-06-22"))
NEVER = Period(start="2019-06-20", end="2019-06-21")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def world() -> World:
    return World.create(
        WorldConfig(seed=4, region=REGION, seasons=(2023,), first_day="06-20", last_day="06-21")
    )


@pytest.fixture(scope="module", autouse=True)
def variables() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment().items():
            patch.setenv(name, value)
        yield


@contextmanager
def store(world: World, **faults: Any) -> Iterator[tuple[str, DataStore]]:
    """A Climate Data Store: its address, and itself to be looked into."""
    kinds = Faults(**faults)
    service = DataStore(world, "/cds", [LAND], key="sandbox", faults=kinds)
    with SandboxServer([service], 0, kinds) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"{server.url}/cds/api", service
        finally:
            server.shutdown()
            thread.join()


def queued(service: DataStore) -> int:
    """How many jobs the store has ever accepted."""
    return len(service._board._jobs)


def block_of(days: np.ndarray = DAYS) -> Block:
    return next(iter(cut(Era5Land().layout, Grid(region=REGION), days)))


def land(url: str) -> Era5Land:
    return Era5Land(base_url=url, retries=1, pause=0.2)


def killed_while_waiting(config: Path, service: DataStore) -> int:
    """An ingest, killed with all its workers as soon as the store has a job; its exit."""
    with subprocess.Popen(
        [sys.executable, "-m", "firesat.cli.main", "ingest", "--config", str(config)],
        cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 90
        cache = config.parent / "cache"
        while not (queued(service) and list(cache.glob(".*.job"))):
            assert time.monotonic() < deadline, "no job was queued"
            assert process.poll() is None, "the ingest ended by itself"
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def project(folder: Path, url: str) -> Path:
    config = folder / "project.yaml"
    content = {
        "grid": {"region": list(REGION)},
        "cube": {
            "path": str(folder / "cube.zarr"),
            "periods": [{"start": "2023-06-20", "end": "2023-06-21"}],
        },
        "ingest": {
            "workers": 1,
            "sources": [
                {
                    "class_path": "firesat.sources.era5.Era5Land",
                    "init_args": {"base_url": url, "retries": 1, "pause": 0.2},
                }
            ],
        },
    }
    config.write_text(json.dumps(content))
    return config


@pytest.mark.slow
def test_an_ingest_killed_while_its_job_waits_collects_it_and_queues_no_other(
    world: World, tmp_path: Path
) -> None:
    with store(world, queue_seconds=6.0) as (url, service):
        config = project(tmp_path, url)
        assert killed_while_waiting(config, service) == -signal.SIGKILL
        assert queued(service) == 1
        done = subprocess.run(
            [sys.executable, "-m", "firesat.cli.main", "ingest", "--config", str(config)],
            cwd=ROOT, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        assert queued(service) == 1
    assert list((tmp_path / "cache").glob("*.grib"))
    assert not list((tmp_path / "cache").glob(".*.job"))


def test_a_job_that_the_store_has_forgotten_is_queued_anew(world: World, tmp_path: Path) -> None:
    with store(world) as (url, service):
        source = land(url)
        scene = source.search(block_of())[0]
        part = tmp_path / f".{scene.id}.part"
        ticket = Ticket.beside(part, url, source.dataset, scene.request)
        ticket.keep("no-such-job")
        assert ticket.job() == "no-such-job"
        assert replace(ticket, request={"year": "1999"}).job() == ""  # another request
        assert replace(ticket, url="http://elsewhere").job() == ""
        assert source.fetch(scene, tmp_path).stat().st_size > 0
        assert queued(service) == 1
        assert ticket.job() == ""


def test_a_job_that_failed_is_queued_anew_by_the_next_attempt(world: World, tmp_path: Path) -> None:
    with store(world, failed_jobs=1.0) as (url, service):
        source = land(url)
        scene = source.search(block_of())[0]
        for attempt in (1, 2):
            with pytest.raises(ProviderError, match="job has failed"):
                source.fetch(scene, tmp_path)
            assert queued(service) == attempt
    assert not list(tmp_path.glob(".*.job"))


def test_a_ticket_that_is_damaged_is_no_ticket(tmp_path: Path) -> None:
    ticket = Ticket.beside(tmp_path / ".x.grib.part", "u", "d", {})
    for text in ("", "{", "[]", '{"job": 1}'):
        ticket.path.write_text(text)
        assert ticket.job() == ""


def test_a_licence_is_one_line_with_the_page_to_visit(world: World, tmp_path: Path) -> None:
    with store(world, unlicensed=(LAND.name,)) as (url, service):
        source = land(url)
        with pytest.raises(LicenceError) as refused:
            source.fetch(source.search(block_of())[0], tmp_path)
    assert len(str(refused.value).splitlines()) == 1
    assert f"{url.removesuffix('/api')}/datasets/{LAND.name}" in str(refused.value)
    assert queued(service) == 0
    assert not list(tmp_path.glob(".*.job"))


def test_a_variable_that_the_store_has_renamed_is_named_with_the_nearest(
    world: World, tmp_path: Path
) -> None:
    with store(world) as (url, _):
        source = land(url)
        scene = source.search(block_of())[0]
        old = {**scene.request, "variable": ["2m_temperature", "volumetric_soil_water_level_1"]}
        with pytest.raises(
            ProviderError,
            match=r"reanalysis-era5-land has no variable 'volumetric_soil_water_level_1': "
            r"the nearest is 'volumetric_soil_water_layer_1'",
        ):
            source.fetch(replace(scene, request=old), tmp_path)


def test_days_that_a_store_never_had_are_marked_and_not_asked_for_again(
    world: World, tmp_path: Path
) -> None:
    # June of a year that the store has none of, and a winter's end into its first day
    days = np.array(["2022-12-30", "2022-12-31", "2023-01-01"], dtype="datetime64[D]")
    never = np.arange(np.datetime64("2019-06-20"), np.datetime64("2019-06-22"))
    with store(world) as (url, service):
        source = land(url)
        with pytest.raises(NoDataError, match="has nothing of reanalysis-era5-land for these"):
            source.fetch(source.search(block_of(never))[0], tmp_path)
        receipts = {}
        for name, axis in (("never", never), ("partly", days)):
            cube = create_cube(tmp_path / f"{name}.zarr", Grid(region=REGION))
            (block,) = cube.add_group(source.layout, axis)
            place = Workplace(cube=cube, cache=tmp_path / "cache")
            receipts[name] = ingest_block(source, block, place).receipt
            cube.manifest().fold()
        asked = queued(service)
        settings = {"cube": CubeSettings(path=tmp_path / "never.zarr", periods=[NEVER])}
        made = Project(
            **settings, grid=Grid(region=REGION), ingest=IngestSettings(sources=[source])
        )
        assert [each.left for each in plan(made)] == [0]
        assert queued(service) == asked
    assert receipts["never"].status == "empty"
    assert "has nothing of" in receipts["never"].reason
    assert receipts["partly"].status == "done"
    assert receipts["partly"].available == ["", "", "2023-01-07T12:00:00"]
    assert "has nothing of" in receipts["partly"].reason
