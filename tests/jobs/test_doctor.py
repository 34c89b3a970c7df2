from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from firesat.cli.main import main
from firesat.jobs import doctor

SECRET = "s3cr3t-value"


@pytest.fixture(autouse=True)
def _no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SH_CLIENT_ID", "SH_CLIENT_SECRET", "CDSAPI_KEY", "CDSAPI_RC", "EARTHDATA_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))


def credentials() -> dict[str, doctor.Finding]:
    return {f.subject: f for f in doctor.examine(ask_providers=False) if "ey" in f.subject}


def test_missing_keys_are_notes_with_advice() -> None:
    found = credentials()
    assert found["CDS and EWDS key"].state == "note"
    assert "~/.cdsapirc" in found["CDS and EWDS key"].advice


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
