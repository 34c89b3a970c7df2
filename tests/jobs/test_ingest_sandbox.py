"""The real clients on real workers, against the sandbox: shared downloads, shared tokens, secrets.

N3, X3 and the whole ingest under faults. No failure in n tries bounds its rate at 3/n with 95 %
confidence.
"""

import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

from firesat.blocks import cut
from firesat.cli.main import main
from firesat.cube import cube_hash
from firesat.grid import Grid
from firesat.jobs.ingest import IngestReport, Unwatched, Workplace, ingest
from firesat.jobs.ingest.cluster import client_of
from firesat.project import CubeSettings, Project, load
from firesat.sandbox.config import WorldConfig
from firesat.sandbox.servers.addresses import base_urls, environment
from firesat.sandbox.servers.everything import services
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.http import SandboxServer
from firesat.sandbox.servers.messages import RefusalError, Request, Response, Route
from firesat.sandbox.servers.weather_runs import Runs
from firesat.sandbox.world import World
from firesat.sources.commons import sharing
from firesat.sources.datamart import Datamart
from firesat.sources.ecmwf_open import EcmwfOpen
from firesat.sources.era5 import Era5Land
from firesat.sources.era5_single_levels import Era5SingleLevels
from firesat.sources.fire_weather import CemsFireWeather
from firesat.sources.granules import Sentinel2Granules
from firesat.sources.hotspots import Hotspots
from firesat.sources.modis import Modis
from firesat.sources.nbac import Nbac
from firesat.sources.sentinel2 import Sentinel2
from firesat.sources.settings import IngestSettings
from firesat.sources.static import Static
from firesat.window import Period

REGION = (90_000.0, 630_000.0, 110_000.0, 650_000.0)  # over the line between two tiles
GRID = Grid(region=REGION)
FULL = pytest.mark.exhaustive
ROOT = Path(__file__).resolve().parents[2]
TAKE = "/sentinelhub/api/v1/process"


@pytest.fixture(scope="module")
def world() -> World:
    return World.create(
        WorldConfig(
            seed=4, region=REGION, seasons=(2023,), first_day="06-20", last_day="07-12",
            fire_activity=100.0,
        )
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment().items():
            patch.setenv(name, value)
        with client_of(IngestSettings(workers=2)) as connected:
            yield connected


@contextmanager
def running(server: SandboxServer) -> Iterator[SandboxServer]:
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def serving(
    world: World, faults: Faults, runs: Runs | None = None
) -> AbstractContextManager[SandboxServer]:
    """All providers of a world."""
    return running(SandboxServer(services(world, faults, runs), 0, faults))


def project_of(
    client: Client,
    folder: Path,
    url: str,
    sources: Sequence[Any],
    *days: tuple[str, str],
    grid: Grid = GRID,
) -> Project:
    """A project whose providers are at an address of this machine, on the workers of a client."""
    urls = base_urls(url)
    moved = [replace(source, base_url=urls[source.provider]) for source in sources]
    # What the real providers' rates would cost in time, nobody waits for here.
    fast = {name: {"requests_per_minute": 1e6, "units_per_minute": 1e6} for name in urls}
    return Project(
        cube=CubeSettings(
            path=folder / "cube.zarr",
            periods=[Period(start=first, end=last) for first, last in days],
        ),
        grid=grid,
        ingest=IngestSettings(sources=moved, address=client.scheduler.address, quotas=fast),
    )


def hub() -> Sentinel2:
    return Sentinel2(max_cloud=100.0, attempts=8, pause=0.05)


def requests_of(server: SandboxServer, start: str) -> Counter[str]:
    return Counter(
        {key: n for key, n in server.answered.items() if key.split()[1].startswith(start)}
    )


def test_a_scene_is_fetched_once_whatever_tiles_and_workers_need_it(
    client: Client, world: World, tmp_path: Path
) -> None:
    sources = [hub(), Modis(product="MOD11A2"), Nbac()]
    with serving(world, Faults()) as server:
        project = project_of(client, tmp_path, server.url, sources, ("2023-06-24", "2023-06-25"))
        report = ingest(project, Unwatched())
        assert report.complete
        assert report.counts["sentinel2"]["done"] >= 2  # both tiles
        taken = requests_of(server, TAKE)
        granules = requests_of(server, "/nasa/cloudfront")
        composites = requests_of(server, "/nrcan/downloads/nbac/NBAC")
    assert taken
    assert set(taken.values()) == {1}
    # As many as the two tiles' squares together, fewer than each would need for itself.
    squares = [{name for scene in scenes for name in scene} for scenes in squares_by_tile(project)]
    overpasses = len(taken) / len(squares[0] | squares[1])
    assert overpasses == int(overpasses) >= 1
    assert squares[0] & squares[1]
    for paths in (granules, composites):
        assert set(Counter(key.split()[1] for key in paths.elements()).values()) == {1}
    names = [path.name for path in (tmp_path / "cache").glob("S2L1C*.tif")]
    assert len(names) == len(taken)


def squares_by_tile(project: Project) -> list[list[list[Any]]]:
    from firesat.sources._utm import fixed_squares

    source = project.ingest.sources[0]
    blocks = list(cut(source.layout, GRID, np.array(["2023-06-24"], dtype="datetime64[D]")))
    return [[list(fixed_squares(block.region))] for block in blocks]


def search_often(source: Sentinel2, place: Workplace, times: int) -> int:
    """Search a day's catalogue again and again; runs on a worker."""
    (block, *_) = cut(source.layout, GRID, np.array(["2023-06-24"], dtype="datetime64[D]"))
    with sharing(place.commons(source.provider)):
        return sum(len(source.search(block)) > 0 for _ in range(times))


@pytest.mark.parametrize(
    "expiries", [pytest.param(4, id="N3-4"), pytest.param(100, id="N3-100", marks=FULL)]
)
def test_a_token_that_ends_is_renewed_once_for_all_workers(
    client: Client, world: World, tmp_path: Path, expiries: int
) -> None:
    """The server's clock is ahead: each token ends after 12 requests, whoever makes them."""
    logins = 0

    class Counted(SandboxServer):
        def count(self, request: str) -> None:
            nonlocal logins
            logins += "openid-connect/token" in request
            super().count(request)

    faults, uses = Faults(token_uses=12), 12 * expiries + 6
    with running(Counted(services(world, faults), 0, faults)) as server:
        source = replace(hub(), base_url=base_urls(server.url)["sentinelhub"])
        place = Workplace(cube=None, cache=tmp_path, run=f"n3-{expiries}")  # type: ignore[arg-type]
        futures = [
            client.submit(search_often, source, place, uses // 6, pure=False) for _ in range(6)
        ]
        found = sum(future.result() for future in futures)
        ended = len(server.clock.ended)
    assert found == uses // 6 * 6  # none was lost
    assert ended >= expiries - 1
    assert logins == ended + 1  # the first, and one for each that ended


CANARIES = {
    name: f"canary-{number:02d}-of-the-secrets"
    for number, name in enumerate(
        ("SH_CLIENT_ID", "SH_CLIENT_SECRET", "CDSAPI_KEY", "EARTHDATA_TOKEN", "CDSE_S3_ACCESS_KEY",
         "CDSE_S3_SECRET_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
         "EARTHDATA_PASSWORD")
    )
}  # fmt: skip
SIGNED = [f"canary-{number:02d}-of-the-signatures" for number in range(10)]


@dataclass
class Gossip:
    """A provider that repeats every secret it hears, and signs its links with more of them."""

    prefix: str = ""

    def routes(self) -> Sequence[Route]:
        handle: Callable[[Request, tuple[str, ...]], Response] = self._tell
        return [Route(method=m, pattern="/.*", handle=handle) for m in ("GET", "POST")]

    def refuse(self, status: int, reason: str) -> Response:
        content = {"title": "no", "detail": reason, "error": {"message": reason}}
        return Response(body=json.dumps(content).encode(), status=status)

    def _tell(self, request: Request, groups: tuple[str, ...]) -> Response:
        signed = "&".join(f"X-Amz-{n}={secret}" for n, secret in enumerate(SIGNED))
        if request.path.endswith(("/nbac/", "/hotspots/", "/archive/")):
            link = "NBAC_2023_20240513.zip" if "nbac" in request.path else "2023_hotspots.zip"
            return Response(body=f'<a href="{link}">x</a>'.encode(), kind="text/html")
        if request.path.endswith("granules.umm_json"):
            name = "MOD11A2.A2023169.h12v03.061.2023178000000"
            url = f"{request.base}/nasa/{name}.hdf?{signed}"
            umm = {"GranuleUR": name, "RelatedUrls": [{"Type": "GET DATA", "URL": url}]}
            return Response(body=json.dumps({"items": [{"umm": umm}]}).encode())
        if "token" in request.path:
            content = {"access_token": SIGNED[0], "expires_in": 600, "token_type": "Bearer"}
            return Response(body=json.dumps(content).encode())
        if request.path.endswith("/messages"):
            return Response(body=b'{"messages": []}')
        heard = " ".join(f"{request.headers} {request.body!r}".split())
        raise RefusalError(400, f"{request.base}/a?{signed} said no to {heard}"[-380:])


def files_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


def test_no_byte_that_is_written_holds_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)
    config = tmp_path / "project.yaml"
    gossip = SandboxServer([Gossip()], 0)
    with running(gossip) as server:
        urls = base_urls(server.url)
        config.write_text(
            f"grid: {{region: {list(REGION)}}}\n"
            f"cube:\n  path: {tmp_path}/out/cube.zarr\n"
            "  periods: [{start: 2023-06-24, end: 2023-06-25}]\n"
            "ingest:\n  sources:\n"
            + "".join(
                f"    - {{class_path: firesat.sources.{path}, init_args: "
                f"{{base_url: '{urls[provider]}'{more}}}}}\n"
                for path, provider, more in (
                    ("sentinel2.Sentinel2", "sentinelhub", ", attempts: 1, pause: 0.0"),
                    ("modis.Modis", "nasa", ", product: MOD11A2"),
                    ("era5.Era5Land", "cds", ", retries: 1, pause: 0.1"),
                    ("fire_weather.CemsFireWeather", "ewds", ", retries: 1, pause: 0.1"),
                    ("nbac.Nbac", "nrcan", ""),
                )
            )
        )
        assert main(["ingest", "--config", str(config), "--verbose"]) == 1
    shown = capfd.readouterr()
    secrets = [*CANARIES.values(), *SIGNED]
    assert len(secrets) == 20
    written = [*files_below(tmp_path), (Path("screen"), f"{shown.out}{shown.err}".encode())]
    hits = [(path, s) for path, content in written for s in secrets if s.encode() in content]
    assert hits == []
    log = next((tmp_path / "out").rglob("ingest-*.log")).read_text()
    assert "***" in log  # the secrets were there to be found
    assert "failed" in log


EVERYTHING = (
    Sentinel2(max_cloud=100.0, attempts=8, pause=0.05),
    Modis(product="MOD11A2"),
    Modis(product="MOD13A1"),
    Modis(product="MOD15A2H"),
    Modis(product="MCD64A1"),
    Era5Land(retries=12, pause=0.2),
    Era5SingleLevels(retries=12, pause=0.2),
    CemsFireWeather(retries=12, pause=0.2),
    Hotspots(),
    Nbac(),
    Static(),
    Datamart(days=1),
    EcmwfOpen(days=1),
)


def disturbed() -> Faults:
    """A fifth of everything goes wrong."""
    return Faults(rate_429=0.1, rate_500=0.1, truncate=0.2, expire_token=0.2, seed=11)


def calm_and_stormy(
    client: Client,
    world: World,
    folder: Path,
    sources: Sequence[Any],
    *days: tuple[str, str],
    storm: Faults | None = None,
) -> None:
    """Ingest twice, once with faults; both end complete and the same."""
    hashes, reports, asked, runs = {}, {}, {}, Runs(world)
    for name, faults in (("calm", Faults()), ("stormy", storm or disturbed())):
        place = folder / name
        place.mkdir()
        with serving(world, faults, runs) as server:
            grid = Grid(region=world.config.region)
            project = project_of(client, place, server.url, sources, *days, grid=grid)
            reports[name] = ingest(project, Unwatched())
            # a slow machine asks more often whether a job has ended
            asked[name] = sum(n for key, n in server.answered.items() if "/jobs/" not in key)
        hashes[name] = cube_hash(place / "cube.zarr")
    calm, stormy = reports["calm"], reports["stormy"]
    assert calm.complete
    assert [f"{r.key}: {r.reason}" for r in stormy.failed] == []
    assert stormy.complete
    assert stormy.counts == calm.counts
    assert stormy.content_hash == calm.content_hash
    assert asked["stormy"] > 1.05 * asked["calm"]
    if storm is None:  # else files of a granule begin anew one by one, and count as one request
        assert stormy.meter.retries > 0.05 * stormy.meter.requests
    assert calm.meter.retries == 0
    assert hashes["stormy"] == hashes["calm"]


@pytest.mark.parametrize(
    "days",
    [
        pytest.param(("2023-06-24", "2023-06-24"), id="day"),
        pytest.param(("2023-06-22", "2023-07-05"), id="fortnight", marks=FULL),
    ],
)
def test_an_ingest_of_all_sources_under_faults_ends_with_the_undisturbed_cube(
    client: Client, world: World, tmp_path: Path, days: tuple[str, str]
) -> None:
    calm_and_stormy(client, world, tmp_path, EVERYTHING, days)


@pytest.mark.parametrize(
    "days",
    [
        pytest.param(("2023-06-24", "2023-06-24"), id="day"),
        pytest.param(("2023-06-22", "2023-07-05"), id="fortnight", marks=FULL),
    ],
)
def test_an_ingest_of_whole_granules_under_faults_ends_with_the_undisturbed_cube(
    client: Client, world: World, tmp_path: Path, days: tuple[str, str]
) -> None:
    """The other way to Sentinel-2: it fills the same group, so that no config has both."""
    source = Sentinel2Granules(max_cloud=100.0, attempts=16, pause=0.05)
    assert source.layout.group == hub().layout.group
    storm = replace(disturbed(), expire_token=0.0)  # its pair of keys is made by hand, for months
    calm_and_stormy(client, world, tmp_path, [source], days, storm=storm)


@FULL
@pytest.mark.timeout(7200)
def test_the_season_of_the_config_of_all_sources_survives_faults(
    client: Client, tmp_path: Path
) -> None:
    project = load(ROOT / "configs" / "everything.yaml")
    assert project.sandbox is not None
    days = [(str(p.days[0]), str(p.days[-1])) for p in project.cube.periods]
    patient = {"sentinel2": {"attempts": 8, "pause": 0.05},
               "era5_land": {"retries": 12, "pause": 0.2},
               "era5": {"retries": 12, "pause": 0.2},
               "cems_fire_weather": {"retries": 12, "pause": 0.2}}  # fmt: skip
    sources = [replace(s, **patient.get(s.layout.group, {})) for s in project.ingest.sources]
    assert {type(source) for source in sources} == {type(source) for source in EVERYTHING}
    calm_and_stormy(client, World.create(project.sandbox), tmp_path, sources, *days)


@FULL
def test_three_seasons_of_two_tiles_in_two_utm_zones_survive_faults(
    client: Client, tmp_path: Path
) -> None:
    region = (290_000.0, 840_000.0, 310_000.0, 860_000.0)  # tiles meet at 300 km, zones at 90 W
    grid = Grid(region=region)
    assert len(grid.tiles()) == 2
    seasons = (2021, 2022, 2023)
    config = WorldConfig(
        seed=5, region=region, seasons=seasons, first_day="06-20", last_day="07-12",
        fire_activity=100.0,
    )  # fmt: skip
    days = [(f"{year}-06-23", f"{year}-06-28") for year in seasons]
    calm_and_stormy(client, World.create(config), tmp_path, EVERYTHING, *days)
    zones = {path.name.split("-")[3] for path in tmp_path.glob("calm/cache/S2L1C-*")}
    assert zones == {"32615", "32616"}


def test_units_are_those_that_the_service_counted(
    client: Client, world: World, tmp_path: Path
) -> None:
    with serving(world, Faults()) as server:
        project = project_of(client, tmp_path, server.url, [hub()], ("2023-06-24", "2023-06-24"))
        report: IngestReport = ingest(project, Unwatched())
        taken = requests_of(server, TAKE).total()
    assert report.meter.units == pytest.approx(taken * 250 * 250 / 512**2 * 13 / 3)
    assert os.environ["SH_CLIENT_ID"] == "sandbox"
