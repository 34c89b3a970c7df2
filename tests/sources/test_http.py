"""HTTP manners, against a server that misbehaves on purpose."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from firesat.errors import CorruptFileError, CredentialsError, ProviderError
from firesat.sources import _earthdata
from firesat.sources._cads import DataStore
from firesat.sources._door import PATIENCE, open_session
from firesat.sources._download import download
from firesat.sources._earthdata import download_granule, find_granules
from firesat.sources._http import get_text, list_links, name_of
from firesat.sources.base import Scene
from firesat.sources.modis import Modis

Answer = tuple[int, dict[str, str], bytes]
Script = Callable[[str, dict[str, str]], Answer]


class Server(ThreadingHTTPServer):
    """Answers as its script says and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: Script = lambda path, headers: (200, {}, b"fine")
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.ports: list[int] = []  # of who asked
        self.hangs_up = False  # after an answer, without saying so
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        headers = dict(self.headers)
        self.server.seen.append((self.path, headers))
        self.server.ports.append(self.client_address[1])
        status, extra, body = self.server.script(self.path, headers)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        short = extra.get("Content-Length", str(len(body))) != str(len(body))
        if short or self.server.hangs_up:
            self.close_connection = True

    do_POST = do_GET  # noqa: N815  the standard library's name

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def after(failures: list[Answer], then: Answer) -> Script:
    """Fail some times, then answer."""
    left = list(failures)
    return lambda path, headers: left.pop(0) if left else then


def test_a_busy_server_is_asked_again_after_the_time_it_says(server: Server) -> None:
    busy = (429, {"Retry-After": "1"}, b"")
    server.script = after([busy], (200, {}, b"hello"))
    start = time.monotonic()
    assert get_text(server.url) == "hello"
    assert time.monotonic() - start >= 1.0
    assert len(server.seen) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_passing_fault_is_ridden_out(server: Server, tmp_path: Path, status: int) -> None:
    server.script = after([(status, {}, b"oops")], (200, {}, b"content"))
    download(f"{server.url}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"content"


@pytest.mark.parametrize("kept", [False, True])
def test_kept_connections_serve_later_sessions(server: Server, kept: bool) -> None:
    for _ in range(3):
        with open_session(server.url, kept=kept) as web:
            assert web.get(server.url).text == "fine"
    assert len(set(server.ports)) == (1 if kept else 3)


def test_as_many_connections_are_kept_as_are_used_at_once(server: Server) -> None:
    together = threading.Barrier(4)

    def answer(path: str, headers: dict[str, str]) -> Answer:
        together.wait(10)
        return 200, {}, b"fine"

    def ask(_: int) -> None:
        with open_session(server.url, kept=True) as web:
            assert web.get(server.url).text == "fine"

    server.script = answer
    with ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            list(pool.map(ask, range(4)))
    assert len(server.ports) == 8
    assert len(set(server.ports)) == 4


def test_a_kept_connection_that_the_server_closed_is_opened_anew(server: Server) -> None:
    server.hangs_up = True
    for _ in range(3):
        with open_session(server.url, kept=True) as web:
            assert web.get(server.url).text == "fine"
    assert len(set(server.ports)) == 3


def test_patience_ends(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firesat.sources._door.PATIENCE", replace(PATIENCE, pause=0.0))
    server.script = lambda path, headers: (503, {}, b"")
    with pytest.raises(ProviderError, match="answered 503"):
        get_text(server.url)
    assert len(server.seen) == 7


def test_a_short_body_is_never_taken_for_whole(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firesat.sources._door.PATIENCE", replace(PATIENCE, pause=0.0))
    server.script = lambda path, headers: (200, {"Content-Length": "1000"}, b"half")
    with pytest.raises(ProviderError):
        download(f"{server.url}/a", tmp_path / "a")


def test_a_missing_page_is_not_asked_for_twice(server: Server) -> None:
    server.script = lambda path, headers: (404, {}, b"")
    with pytest.raises(ProviderError, match="answered 404 Not Found"):
        get_text(f"{server.url}/nothing?key=secret")
    assert len(server.seen) == 1


def test_messages_hide_the_query(server: Server) -> None:
    server.script = lambda path, headers: (404, {}, b"")
    with pytest.raises(ProviderError) as caught:
        get_text(f"{server.url}/a?sig=secret")
    assert "secret" not in str(caught.value)


def test_a_dead_server_is_said_to_be_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firesat.sources._door.PATIENCE", replace(PATIENCE, pause=0.0))
    with pytest.raises(ProviderError, match="did not answer"):
        get_text("http://127.0.0.1:9")


def test_links_of_an_index_are_absolute_and_its_own(server: Server) -> None:
    page = (
        b'<a href="../">Up</a> <A HREF="NBAC_2023_20240530.zip">x</A>'
        b'<a href="?C=N;O=D">sort</a> <a href="https://elsewhere.org/a.zip">y</a>'
    )
    server.script = lambda path, headers: (200, {}, page)
    links = list_links(f"{server.url}/nbac")
    assert f"{server.url}/nbac/NBAC_2023_20240530.zip" in links
    assert not any("elsewhere" in link for link in links)
    assert server.seen[0][0] == "/nbac/"


def test_the_name_at_the_end_of_an_address() -> None:
    assert name_of("https://x/a/b%20c.zip?sig=1") == "b c.zip"


def items(*names: str) -> bytes:
    entries = ",".join(
        f'{{"umm": {{"GranuleUR": "{name}", "RelatedUrls": '
        f'[{{"URL": "s3://x/{name}.hdf", "Type": "GET DATA VIA DIRECT ACCESS"}},'
        f'{{"URL": "https://data.nasa.gov/{name}.hdf", "Type": "GET DATA"}}]}}}}'
        for name in names
    )
    return f'{{"items": [{entries}]}}'.encode()


DAY = np.datetime64("2023-06-26", "D")


def test_pages_of_granules_are_turned_until_one_is_empty(server: Server) -> None:
    pages = {None: ("a", "1"), "1": ("b", "2"), "2": (None, "3")}

    def script(path: str, headers: dict[str, str]) -> Answer:
        name, following = pages[headers.get("CMR-Search-After")]
        return 200, {"CMR-Search-After": following}, items(*([name] if name else []))

    server.script = script
    found = list(find_granules(server.url, "MOD13A1", "061", DAY, {(12, 3)}))
    assert found == [("a", "https://data.nasa.gov/a.hdf"), ("b", "https://data.nasa.gov/b.hdf")]
    query = server.seen[0][0]
    assert "short_name=MOD13A1" in query
    assert "2023-06-26T00%3A00%3A00Z%2C2023-06-26T23%3A59%3A59Z" in query
    assert "%2A.h12v03.%2A" in query


def test_the_newest_production_of_a_tile_is_taken(server: Server) -> None:
    from tests.sources.small import first_block

    stem = "MOD13A1.A2023177.h12v03.061."
    names = [
        f"{stem}2023194001533",
        f"{stem}2024001120000",
        f"{stem}2023200000000",
        "MOD13A1.A2023161.h12v03.061.2023180000000",
        "MOD13A1.A2023177.h11v03.061.2023194001533",
    ]
    served = iter([items(*names), items()])
    server.script = lambda path, headers: (200, {"CMR-Search-After": "x"}, next(served))
    (scene,) = Modis(base_url=server.url).search(first_block(Modis()))
    assert scene.id == names[1]


def test_an_answer_of_another_form_is_the_provider_s_fault(server: Server) -> None:
    server.script = lambda path, headers: (200, {}, b'{"errors": ["no"]}')
    with pytest.raises(ProviderError, match="another form"):
        list(find_granules(server.url, "MOD13A1", "061", DAY, {(12, 3)}))


def test_the_token_goes_to_the_archive_and_not_beyond(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARTHDATA_TOKEN", "secret")
    # ~/.netrc must not displace the token.
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("default login me password mine\n")
    (tmp_path / "netrc").chmod(0o600)
    port = server.server_address[1]

    def script(path: str, headers: dict[str, str]) -> Answer:
        if path == "/protected":
            return 303, {"Location": f"http://localhost:{port}/presigned"}, b""
        return 200, {}, b"\x0e\x03\x13\x01data"

    server.script = script
    download_granule(f"{server.url}/protected", tmp_path / "a.hdf", server.url)
    (_, first), (_, second) = server.seen
    assert first["Authorization"] == "Bearer secret"
    assert "secret" not in second.get("Authorization", "")


def test_the_token_is_not_sent_to_strangers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARTHDATA_TOKEN", "secret")
    with pytest.raises(ProviderError, match="not NASA's: your token was not sent"):
        download_granule("https://evil.org/a.hdf", tmp_path / "a", "https://cmr.earthdata.nasa.gov")


def test_without_a_token_it_says_what_to_set(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EARTHDATA_TOKEN", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with pytest.raises(CredentialsError, match="EARTHDATA_TOKEN, or a line for machine"):
        download_granule(f"{server.url}/a", tmp_path / "a", server.url)
    assert server.seen == []


def test_a_login_becomes_a_token(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EARTHDATA_TOKEN", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr(_earthdata, "LOGIN", server.url)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    (tmp_path / "netrc").chmod(0o600)
    server.script = lambda path, headers: (
        (200, {}, b'{"access_token": "made"}') if "token" in path else (200, {}, b"data")
    )
    download_granule(f"{server.url}/a.hdf", tmp_path / "a.hdf", server.url)
    assert server.seen[0][1]["Authorization"].startswith("Basic ")
    assert server.seen[1][1]["Authorization"] == "Bearer made"


def test_a_refused_token_is_said_to_have_expired(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARTHDATA_TOKEN", "old")
    server.script = lambda path, headers: (401, {}, b"<html>")
    with pytest.raises(CredentialsError, match="missing or has expired"):
        download_granule(f"{server.url}/a", tmp_path / "a", server.url)


def test_a_login_page_never_enters_the_cache(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARTHDATA_TOKEN", "token")
    server.script = lambda path, headers: (200, {}, b"<!DOCTYPE html>Login")
    name = "MOD13A1.A2023177.h12v03.061.2023194001533"
    moment = np.datetime64("2023-07-12", "s")
    scene = Scene(id=name, source="modis_vi", observed=moment, available=moment,
                  request={"url": f"{server.url}/a.hdf"})  # fmt: skip
    with pytest.raises(CorruptFileError, match="came as a web page: renew EARTHDATA_TOKEN"):
        Modis(base_url=server.url).fetch(scene, tmp_path)
    assert not (tmp_path / f"{name}.hdf").exists()


def store(url: str) -> DataStore:
    return DataStore(url=url, retries=1, pause=0.1)


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("CDSAPI_KEY", raising=False)
    monkeypatch.setenv("CDSAPI_RC", str(tmp_path / "cdsapirc"))
    return tmp_path / "cdsapirc"


def test_without_a_copernicus_key_it_says_where_to_get_one(no_key: Path, tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="no Copernicus key in CDSAPI_KEY nor"):
        store("http://127.0.0.1:9").retrieve("x", {}, tmp_path / "a")


def test_an_old_key_is_recognised(no_key: Path, tmp_path: Path) -> None:
    no_key.write_text("url: https://cds.climate.copernicus.eu/api/v2\nkey: 12345:abc-def\n")
    with pytest.raises(CredentialsError, match="of the old form UID:KEY"):
        store("http://127.0.0.1:9").retrieve("x", {}, tmp_path / "a")
