"""Answers that want to lead us elsewhere: X1 (addresses) and X2 (names) of the matrix of faults."""

import json
import socket
import string
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firesat.errors import FiresatError, ProviderError, SourceError
from firesat.sources._cads import DataStore
from firesat.sources._download import download
from firesat.sources._earthdata import download_granule, find_granules
from firesat.sources._http import list_links
from firesat.sources._reach import Reach
from firesat.sources.base import cached
from tests.sources.shelf import hurried
from tests.sources.test_http import DAY, Answer, Server

SCHEMES = ("file", "ftp", "gopher", "s3", "dict", "data", "vsicurl", "javascript", "")
HOSTS = (
    "169.254.169.254", "[fd00:ec2::254]", "metadata.google.internal", "10.0.0.1", "172.16.0.1",
    "192.168.0.1", "100.64.0.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "2130706433",
    "0x7f000001", "127.1", "0177.0.0.1", "localhost.evil.org", "evil.org", "nasa.gov.evil.org",
    "xnasa.gov", "evil.org%23.nasa.gov", "user:pw@evil.org",
    "224.0.0.1", "198.18.0.1", "[fe80::1]",
)  # fmt: skip
LOCAL = (
    "127.0.0.1", "localhost", "127.0.0.2", "[::1]", "0.0.0.0", "127.1", "2130706433", "localhost.",
    "LOCALHOST",
)  # fmt: skip


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


class Canary:
    """A neighbour that nobody should ever call."""

    def __init__(self) -> None:
        self.calls = 0
        self._socket = socket.create_server(("0.0.0.0", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.calls += 1
            connection.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    bird = Canary()
    yield bird
    bird.close()


def hrefs(port: int) -> list[str]:
    """Eighty addresses and more that no answer may send us to."""
    found = [f"{scheme}://{LOCAL[0]}:{port}/x" for scheme in SCHEMES]
    found += [
        "/vsicurl/http://127.0.0.1/x", "/vsis3/bucket/x", "/vsizip//etc/passwd", "/etc/passwd",
        "//127.0.0.1/x", "file:///etc/passwd", "\\\\127.0.0.1\\x", "http:127.0.0.1/x",
    ]  # fmt: skip
    for host in HOSTS:
        found += [f"http://{host}:{port}/x", f"https://{host}:{port}/x"]
    for host in LOCAL:
        found += [f"http://{host}:{port}/x", f"https://{host}:{port}/x", f"http://{host}/x"]
    return found


def test_there_are_as_many_addresses_as_promised() -> None:
    assert len(set(hrefs(1))) >= 80


@pytest.mark.parametrize("base", ["https://cmr.earthdata.nasa.gov", "http://127.0.0.1:1"])
def test_no_address_of_a_stranger_passes(base: str) -> None:
    reach = Reach(base_url=base, also=(".nasa.gov",))
    for href in hrefs(2):
        with pytest.raises((ProviderError, ValueError)):
            reach.check(href)


def test_a_provider_s_own_addresses_pass() -> None:
    reach = Reach(base_url="https://cmr.earthdata.nasa.gov", also=(".nasa.gov", ".cloudfront.net"))
    for href in ("https://cmr.earthdata.nasa.gov/a", "https://data.lpdaac.earthdatacloud.nasa.gov/b",
                 "https://d1.cloudfront.net/c?Signature=1"):  # fmt: skip
        reach.check(href)
    with pytest.raises(ProviderError):  # never back to a connection that others can read
        reach.check("http://cmr.earthdata.nasa.gov/a")
    Reach(base_url="http://127.0.0.1:81/nasa").check("http://localhost:81/elsewhere")


def test_a_name_that_leads_into_the_house_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    reach = Reach(base_url="https://cmr.earthdata.nasa.gov", also=(".nasa.gov",))
    for number in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00:ec2::254"):
        found = [(2, 1, 6, "", (each, 0)) for each in ("93.184.216.34", number)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, found=found: found)
        with pytest.raises(ProviderError, match="no public address"):
            reach.numbers("data.nasa.gov", 443)


def test_a_download_s_redirect_is_checked_anew(
    server: Server,
    canary: Canary,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hurried(monkeypatch)
    for number, href in enumerate(hrefs(canary.port)):
        status = (301, 302, 303, 307, 308)[number % 5]
        server.script = lambda path, headers, s=status, h=href: (s, {"Location": h}, b"")
        before = len(server.seen)
        with pytest.raises(FiresatError):
            download(f"{server.url}/file", tmp_path / "file")
        assert len(server.seen) - before <= 7  # relative ones lead back to the server itself
    assert canary.calls == 0


def test_granules_at_hostile_addresses_are_refused_before_anything_is_sent(
    server: Server,
    canary: Canary,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hurried(monkeypatch)
    monkeypatch.setenv("EARTHDATA_TOKEN", "secret-token-of-mine")

    def fetch() -> None:
        for _, url in find_granules(server.url, "MOD13A1", "061", DAY, {(12, 3)}):
            download_granule(url, tmp_path / "a.hdf", server.url)

    for href in hrefs(canary.port):
        umm = {"GranuleUR": "a", "RelatedUrls": [{"URL": href, "Type": "GET DATA"}]}
        answers = iter([json.dumps({"items": [{"umm": umm}]}).encode(), b'{"items": []}'])
        server.script = lambda path, headers, a=answers: (200, {}, next(a))
        with pytest.raises(FiresatError):
            fetch()
    assert canary.calls == 0
    assert not any("secret" in headers.get("Authorization", "") for _, headers in server.seen)


def store_answers(server: Server, monitor: str, result: str) -> Any:
    """A data store whose links lead where they are told to."""
    job = {"jobID": "1", "processID": "x", "status": "successful", "metadata": {}, "links": []}

    def script(path: str, headers: dict[str, str]) -> Answer:
        if path.endswith("/messages"):
            content: Any = {"messages": []}
        elif path.endswith("/execution"):
            content = {**job, "links": [{"rel": "monitor", "href": monitor}]}
        elif path.endswith("/results"):
            content = {"asset": {"value": {"href": result, "file:size": 4, "type": "x"}}}
        else:
            content = job
        return 200, {"Content-Type": "application/json"}, json.dumps(content).encode()

    return script


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_data_store_cannot_send_us_or_our_key_elsewhere(
    server: Server,
    canary: Canary,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hurried(monkeypatch)
    monkeypatch.setenv("CDSAPI_KEY", "secret-key-of-mine")
    url = f"{server.url}/api"
    own = f"{url}/retrieve/v1/jobs/1"
    for href in [*hrefs(canary.port)[:12], *hrefs(canary.port)[-21:]]:
        for monitor, result in ((href, "file"), (own, href)):
            server.script = store_answers(server, monitor, result)
            with pytest.raises(FiresatError):
                DataStore(url=url, retries=1, pause=0.01).retrieve("x", {}, tmp_path / "a")
    assert canary.calls == 0


def test_links_of_an_index_stay_on_its_server(server: Server, canary: Canary) -> None:
    page = (
        "".join(f'<a href="{href}">x</a>' for href in hrefs(canary.port)) + '<a href="a.zip">y</a>'
    )
    server.script = lambda path, headers: (200, {}, page.encode())
    assert all(link.startswith(f"{server.url}/") for link in list_links(server.url))
    assert canary.calls == 0


def names(count: int, seed: int) -> Iterator[str]:
    """Identifiers as an evil catalogue would make them."""
    rng = np.random.default_rng(seed)
    parts = [
        "..", ".", "/", "\\", "//", "%2e%2e", "\0", "\n", " ", "~", "con", "a" * 300, "é", "🔥",
        "-rf", "$HOME", "`id`", ";", ":", "*", "?", "S2A_MSIL1C", ".part", ".lock", "etc/passwd",
        "\ud800", *string.ascii_letters,
    ]  # fmt: skip
    yield from (
        "",
        ".",
        "..",
        "...",
        "/",
        "../../etc/passwd",
        "/etc/passwd",
        "..\\..\\x",
        "C:\\x",
        "\0",
    )
    for _ in range(count):
        yield "".join(rng.choice(parts, int(rng.integers(1, 9))))


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(300, id="X2-300"),
        pytest.param(5000, id="X2-5000", marks=pytest.mark.exhaustive),
    ],
)
def test_no_name_leaves_the_cache_nor_takes_another_s_place(tmp_path: Path, count: int) -> None:
    cache = tmp_path / "cache"
    owner: dict[Path, str] = {}
    for name in names(count, seed=7):
        content = repr(name).encode()
        path = cached(cache, name, partial(_write, content))
        assert path.parent == cache
        assert path.resolve().is_relative_to(cache.resolve())
        assert path.is_file()
        assert not path.name.startswith(".")
        assert len(path.name) <= 200
        assert owner.setdefault(path, name) == name
        assert path.read_bytes() == content
    assert {each.name for each in tmp_path.iterdir()} == {"cache"}


def _write(content: bytes, part: Path) -> None:
    part.write_bytes(content)


def test_an_empty_download_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="came back empty"):
        cached(tmp_path, "a", lambda part: part.touch())
