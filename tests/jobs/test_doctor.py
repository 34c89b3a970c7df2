import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from threading import enumerate as enumerate_threads

import pytest

from firesat.cli.main import main
from firesat.jobs import doctor

SECRET = "s3cr3t-value"


@pytest.fixture(autouse=True)
def _no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SH_CLIENT_ID", "SH_CLIENT_SECRET", "CDSAPI_KEY", "CDSAPI_RC", "EARTHDATA_TOKEN",
                 "FIRMS_MAP_KEY"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))


def credentials() -> dict[str, doctor.Finding]:
    return {f.subject: f for f in doctor.examine(ask_providers=False) if "ey" in f.subject}


def test_missing_keys_are_notes_with_advice() -> None:
    found = credentials()
    assert found["CDS and EWDS key"].state == "note"
    assert "~/.cdsapirc" in found["CDS and EWDS key"].advice


def test_the_map_key_of_firms_says_where_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = credentials()["FIRMS map key"]
    assert (missing.state, missing.detail) == ("note", "no FIRMS map key")
    assert "https://firms.modaps.eosdis.nasa.gov/api/map_key" in missing.advice
    monkeypatch.setenv("FIRMS_MAP_KEY", "0123456789abcdef")
    assert credentials()["FIRMS map key"].detail == "found in FIRMS_MAP_KEY"
    assert main(["doctor", "--offline", "--json"]) == 0
    assert "0123456789abcdef" not in capsys.readouterr().out
    assert doctor.PROVIDERS["NASA FIRMS"].startswith("https://firms.modaps.eosdis.nasa.gov")


def test_keys_are_found_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SH_CLIENT_ID", SECRET)
    monkeypatch.setenv("SH_CLIENT_SECRET", SECRET)
    (tmp_path / ".cdsapirc").write_text(f"key: {SECRET}")
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine urs.earthdata.nasa.gov login me password {SECRET}")
    netrc.chmod(0o600)
    states = {f.subject: f for f in doctor.examine(ask_providers=False)}
    assert states["Sentinel Hub key"].detail == "found in SH_CLIENT_ID and SH_CLIENT_SECRET"
    assert states["CDS and EWDS key"].state == "ok"
    assert states["NASA Earthdata token"].state == "ok"
    assert main(["doctor", "--offline", "--json"]) == 0
    assert SECRET not in capsys.readouterr().out


def test_advice_is_printed_with_its_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--offline"])
    assert "or as profile [cdse] into ~/.aws/credentials" in capsys.readouterr().err


def test_a_package_that_is_missing_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("no-such-package",))
    found = {f.subject: f for f in doctor.examine(ask_providers=False)}
    assert found["no-such-package"].state == "bad"
    assert found["no-such-package"].advice == "pip install no-such-package"


def test_a_provider_answers_or_is_in_the_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        up = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(doctor, "PROVIDERS", {"Up": up, "Down": "http://127.0.0.1:9"})
        found = {f.subject: f for f in doctor.examine()}
        assert main(["doctor"]) == 1
        server.shutdown()
    assert found["Up"].detail == "answers (HTTP 401)"
    assert found["Down"].state == "bad"
    assert "does not answer" in capsys.readouterr().err


def test_a_silent_provider_costs_seconds_and_each_kind_of_silence_its_advice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "TIMEOUT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes calls and says nothing
        port = mute.getsockname()[1]
        providers = {f"Mute {n}": f"http://127.0.0.1:{port}" for n in range(5)}
        providers |= {"Closed": "http://127.0.0.1:9", "Nowhere": "http://no.such.host.invalid"}
        monkeypatch.setattr(doctor, "PROVIDERS", providers)
        begin = time.monotonic()
        found = {f.subject: f for f in doctor._providers()}
        assert time.monotonic() - begin < 5.0  # side by side: not seven times the time of one
    assert "no answer within" in found["Mute 0"].detail
    assert "HTTPS_PROXY" in found["Closed"].advice
    assert "name service" in found["Nowhere"].advice
    assert all(f.state == "bad" and "sandbox" in f.advice for f in found.values())


def test_a_name_service_that_hangs_does_not_hang_the_doctor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "ALL_TIME", 0.3)
    monkeypatch.setattr(doctor, "PROVIDERS", {"Slow": "http://slow.example"})
    gate = Event()

    def hang(*_: object, **__: object) -> None:
        gate.wait(10)
        raise socket.gaierror("nobody knows")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    begin = time.monotonic()
    (found,) = doctor._providers()
    assert time.monotonic() - begin < 2.0
    assert (found.state, "no answer within" in found.detail) == ("bad", True)
    gate.set()
    for each in (t for t in enumerate_threads() if t.name.endswith("(ask)")):
        each.join(10)


def test_a_provider_in_trouble_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(doctor, "PROVIDERS", {"Ill": f"http://127.0.0.1:{server.server_port}"})
        (found,) = doctor._providers()
        server.shutdown()
    assert found.state == "bad"
    assert found.detail == "is in trouble (HTTP 503)"
