"""The server and its process."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import requests

from firesat.errors import ConfigError, ProviderError
from firesat.sandbox import serve as serve_module
from firesat.sandbox.serve import Servers, open_world, serve_forever
from firesat.sandbox.servers.faults import Dice, Faults
from firesat.sandbox.servers.http import SandboxServer
from firesat.sandbox.servers.messages import Request, Response, Route
from firesat.sandbox.world import World
from tests.sandbox.servers_tools import Serve

pytest_plugins = ["tests.sandbox.servers_fixtures"]


def listens(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, int(port))) == 0


def wait_until_silent(url: str) -> bool:
    end = time.monotonic() + 15
    while listens(url) and time.monotonic() < end:
        time.sleep(0.05)
    return not listens(url)


def test_the_child_ends_with_the_context(
    small_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_module, "_CHILD", "tests.sandbox.servers_light")
    with Servers(small_world) as servers:
        url = servers.url
        assert requests.get(f"{url}/nobody", timeout=9).status_code == 404
        assert servers.environment()["CDSAPI_KEY"] == "sandbox"
    assert wait_until_silent(url)
    assert servers.url == ""


def test_a_child_that_dies_at_once_is_said_so(
    small_world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serve_module, "_CHILD", "tests.sandbox.no_such_module")
    with pytest.raises(ProviderError, match="did not start"), Servers(small_world):
        pass
    assert "no_such_module" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL does not exist on Windows")
def test_the_child_serves_all_providers_until_its_parent_is_killed(
    small_world: World, clients_environment: None, tmp_path: Path
) -> None:
    path = tmp_path / "world.npz"
    small_world.save(path)
    script = """
        import json, sys, time
        from pathlib import Path
        from firesat.sandbox.serve import Servers
        with Servers(Path(sys.argv[1])) as servers:
            sys.stdout.write(json.dumps(servers.base_urls()) + chr(10))
            sys.stdout.flush()
            time.sleep(600)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(path)],
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        try:
            assert parent.stdout is not None
            roots = json.loads(parent.stdout.readline())
            assert set(roots) == {
                "sentinelhub", "cdse", "cds", "ewds", "nasa", "firms", "nrcan", "eccc",
                "ecmwf", "static",
            }  # fmt: skip
            assert requests.get(roots["cdse"], timeout=20).json()["type"] == "Catalog"
            assert requests.get(f"{roots['static']}/fuel.tif", timeout=20).status_code == 200
            assert "NBAC_" in requests.get(f"{roots['nrcan']}/nbac/", timeout=20).text
            search = f"{roots['nasa']}/search/granules.umm_json"
            assert requests.get(search, timeout=20).json()["hits"] > 0
            for store in ("cds", "ewds"):
                news = requests.get(f"{roots[store]}/catalogue/v1/messages", timeout=20)
                assert news.json() == {"messages": []}
        finally:
            os.kill(parent.pid, signal.SIGKILL)
    assert wait_until_silent(roots["static"].removesuffix("/static"))


def test_serving_goes_on_until_it_is_shut_down(small_world: World) -> None:
    seen = []

    def ready(server: SandboxServer) -> None:
        seen.append(server.url)
        assert listens(server.url)
        threading.Thread(target=server.shutdown).start()

    serve_forever(small_world, ready=ready)
    assert len(seen) == 1
    assert not listens(seen[0])


def test_a_saved_world_is_opened_again(small_world: World, tmp_path: Path) -> None:
    path = tmp_path / "world.npz"
    small_world.save(path)
    assert open_world(path).config == small_world.config


class Troubled:
    """A provider in which things go wrong that nobody meant to."""

    prefix = "/troubled"

    def routes(self) -> list[Route]:
        return [
            Route(method="GET", pattern="/expected", handle=self._expected),
            Route(method="GET", pattern="/unexpected", handle=self._unexpected),
        ]

    def refuse(self, status: int, reason: str) -> Response:
        return Response(body=reason.encode(), status=status, kind="text/plain")

    def _expected(self, request: Request, groups: tuple[str, ...]) -> Response:
        raise ProviderError("the world ended")

    def _unexpected(self, request: Request, groups: tuple[str, ...]) -> Response:
        raise ZeroDivisionError


def test_errors_of_a_provider_are_logged_and_the_server_lives_on(
    clients_environment: None, caplog: pytest.LogCaptureFixture
) -> None:
    with SandboxServer([Troubled()]) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{server.url}/troubled/unexpected", timeout=9)
        answer = requests.get(f"{server.url}/troubled/expected", timeout=9)
        server.shutdown()
        thread.join()
    assert (answer.status_code, answer.text) == (500, "the world ended")
    assert "ZeroDivisionError" in caplog.text


def test_a_port_in_use_is_said_so(url: str) -> None:
    with pytest.raises(ConfigError, match="cannot listen"):
        SandboxServer([], int(url.rpartition(":")[2]))


def test_a_world_that_is_not_there_needs_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no sandbox world"):
        open_world(tmp_path / "nothing.npz")


def test_faults_come_at_their_rate_and_again_from_the_same_seed() -> None:
    dice, again = Dice(5), Dice(5)
    first = [dice.hit(0.3) for _ in range(1000)]
    assert first == [again.hit(0.3) for _ in range(1000)]
    assert 250 < sum(first) < 350
    assert not any(dice.hit(0.0) for _ in range(100))


@pytest.mark.parametrize(("fault", "status"), [("rate_429", 429), ("rate_500", 500)])
def test_providers_word_faults_in_their_own_way(serve: Serve, fault: str, status: int) -> None:
    with serve(Faults(**{fault: 1.0})) as server:
        texts = {}
        for path in (
            "/cds/api/catalogue/v1/messages",
            "/nasa/search/granules.umm_json",
            "/nrcan/downloads/nbac/",
            "/static/fuel.tif",
        ):
            answer = requests.get(server.url + path, timeout=9)
            assert answer.status_code == status
            assert ("Retry-After" in answer.headers) == (status == 429)
            texts[path] = answer.text
    assert len(set(texts.values())) == len(texts)


def test_sentinel_hub_says_when_to_come_back_in_milliseconds_and_nasa_in_seconds(
    serve: Serve,
) -> None:
    with serve(Faults(rate_429=1.0)) as server:
        catalog = f"{server.url}/sentinelhub/api/v1/catalog/1.0.0/search"
        hub = requests.post(catalog, json={}, timeout=9)
        nasa = requests.get(f"{server.url}/nasa/search/granules.umm_json", timeout=9)
    assert (hub.headers["Retry-After"], nasa.headers["Retry-After"]) == ("50", "0")


def test_a_connection_serves_one_request_after_the_other(url: str) -> None:
    with requests.Session() as session:
        begin = time.monotonic()
        for _ in range(50):
            assert session.get(f"{url}/cds/api/catalogue/v1/messages", timeout=9).ok
        assert time.monotonic() - begin < 2.0  # 40 ms each if Nagle met delayed acknowledgement


def test_a_body_that_is_no_json_is_refused(url: str) -> None:
    address = f"{url}/cds/api/retrieve/v1/processes/reanalysis-era5-land/execution"
    answer = requests.post(address, data=b"{", headers={"PRIVATE-TOKEN": "sandbox"}, timeout=9)
    assert answer.status_code == 400
    assert "JSON" in answer.json()["detail"]
