"""What goes wrong on the network: nothing is lost, nothing wrong is kept, and it ends.

N1 to N5 of the matrix of faults. No failure in n tries bounds its rate at 3/n with 95 % confidence:
the short counts of the ordinary run say that the machinery works, the full ones how well.
"""

import time
from http.client import HTTPException
from pathlib import Path

import numpy as np
import pytest
from urllib3.response import HTTPResponse

from firesat.errors import FiresatError, ProviderError
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.mischief import Mischief
from firesat.sources import _door
from firesat.sources._door import PATIENCE, _Retry
from firesat.sources._download import backoff, download
from firesat.sources._http import list_links
from firesat.sources.commons import Commons, Meter, OwnTokens, sharing
from tests.sources.shelf import BODY, hurried, shelf

# Where no answer hangs, a busy machine's pauses must not pass for silence.
NEVER_SILENT = {"read": 60.0, "head": 60.0, "grace": 60.0}
FULL = pytest.mark.exhaustive
PASSING = {f"wire_{kind}": {"wire": {kind: 0.2}} for kind in (
    "reset", "reset_body", "truncate", "stall", "stall_body", "drip_head", "drip_body", "longer",
)}  # fmt: skip
KINDS = {"status_500": {"rate_500": 0.2}, "status_429": {"rate_429": 0.2}, **PASSING}


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture(autouse=True)
def _metered(meter: Meter) -> object:
    with sharing(Commons(tokens=OwnTokens(), meter=meter)):
        yield


@pytest.mark.parametrize("retry_after", ["0", ""], ids=["told", "untold"])
@pytest.mark.parametrize(
    "count",
    [pytest.param(60, id="N1-60"), pytest.param(1000, id="N1-1000", marks=FULL)],
)
def test_of_many_requests_a_fifth_refused_for_now_none_is_lost(
    monkeypatch: pytest.MonkeyPatch, meter: Meter, count: int, retry_after: str
) -> None:
    hurried(monkeypatch)
    with shelf(Faults(rate_429=0.2, retry_after=retry_after, seed=1)) as server:
        url = f"{server.url}/shelf"
        found = [list_links(url) for _ in range(count)]
    assert found == [[f"{url}/file"]] * count
    assert meter.requests == count + meter.retries
    assert 0.1 * count < meter.retries < 0.5 * count  # 0.2 / 0.8 = 0.25 are expected


def test_a_wait_is_as_long_as_told_and_never_longer_than_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def asked(text: str) -> float | None:
        return _Retry(total=3).get_retry_after(HTTPResponse(headers={"Retry-After": text}))

    assert asked("7") == 7.0
    assert asked("86400") == PATIENCE.longest
    hurried(monkeypatch)
    with shelf(Faults(rate_429=1.0, retry_after="86400")) as server:
        begin = time.monotonic()
        with pytest.raises(ProviderError, match="answered 429"):
            list_links(f"{server.url}/shelf")
    lasted = time.monotonic() - begin
    waits = _door.PATIENCE.attempts - 1
    assert 0.5 * waits <= lasted < 0.5 * waits + 3.0


def test_waits_double_are_drawn_and_end() -> None:
    waits = np.array([[backoff(attempt) for attempt in range(1, 12)] for _ in range(200)])
    middle = np.minimum(PATIENCE.pause * 2.0 ** np.arange(11), PATIENCE.longest)
    assert (waits <= PATIENCE.longest).all()
    assert (abs(waits[:, :8] / middle[:8] - 1) <= 0.25).all()
    assert (waits[:, :8].std(axis=0) > 0.05 * middle[:8]).all()  # workers do not come back at once


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize(
    "count",
    [pytest.param(6, id="N2-6"), pytest.param(1000, id="N2-1000", marks=FULL)],
)
def test_faults_that_pass_are_ridden_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, meter: Meter, count: int, kind: str
) -> None:
    hurried(monkeypatch, attempts=9, reads=9)
    with shelf(Faults(**KINDS[kind], seed=3)) as server:
        url = f"{server.url}/shelf/file"
        for number in range(count):
            path = tmp_path / str(number)
            download(url, path)
            assert path.read_bytes() == BODY
            path.unlink()
    assert meter.retries > 0.1 * count  # 0.25 are expected


LASTING = {
    "status_500": ({"rate_500": 1.0}, "answered 500"),
    **{
        f"wire_{kind}": ({"wire": {kind: 1.0}}, "did not")
        for kind in ("reset", "stall", "stall_body", "drip_head", "drip_body", "longer")
    },
}


@pytest.mark.parametrize("kind", sorted(LASTING))
def test_faults_that_stay_end_within_their_budget_and_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    hurried(monkeypatch, attempts=3, reads=2)
    faults, words = LASTING[kind]
    with shelf(Faults(**faults)) as server:
        begin = time.monotonic()
        with pytest.raises(ProviderError, match=words):
            download(f"{server.url}/shelf/file", tmp_path / "file")
        lasted = time.monotonic() - begin
    # attempts x reads x the longest of head, read and grace, and some room for a busy machine
    assert lasted < 3 * 2 * 0.3 + 3.0


def test_a_body_cut_anywhere_is_taken_up_where_it_broke(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, meter: Meter
) -> None:
    hurried(monkeypatch, **NEVER_SILENT)
    with shelf() as server:
        server.script.append(Mischief(kind="truncate", at=1500))
        download(f"{server.url}/shelf/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert meter.bytes == len(BODY)  # the second request asked for the rest alone


@pytest.mark.parametrize(
    "points",
    [pytest.param(40, id="N4-40"), pytest.param(500, id="N4-500", marks=FULL)],
)
def test_a_truncated_body_is_never_taken_for_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, points: int
) -> None:
    hurried(monkeypatch, **NEVER_SILENT)
    with shelf() as server:
        for at in np.linspace(0, len(BODY) - 1, points).astype(int):
            server.script.append(Mischief(kind="truncate", at=int(at)))
            download(f"{server.url}/shelf/file", tmp_path / "file")
            assert (tmp_path / "file").read_bytes() == BODY
            assert not server.script


@pytest.mark.parametrize(
    ("kind", "size"),
    [("longer", None), ("shorter", len(BODY)), ("truncate", len(BODY))],
    ids=["N4-longer", "N4-shorter", "N4-cut"],
)
def test_a_wrong_length_is_noticed_and_fetched_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, size: int | None
) -> None:
    # A length announced too short cannot be noticed in one answer: a size known from elsewhere
    # tells, or the format, whose reader discards the file.
    hurried(monkeypatch, **NEVER_SILENT)
    with shelf() as server:
        server.script.append(Mischief(kind=kind))
        download(f"{server.url}/shelf/file", tmp_path / "file", size=size)
        assert (tmp_path / "file").read_bytes() == BODY
        with pytest.raises(ProviderError, match="announced"):
            download(f"{server.url}/shelf/file", tmp_path / "file", size=len(BODY) + 1)


@pytest.mark.parametrize(
    "kind", ["whole", "other", "blind"], ids=["ignores-range", "changes-etag", "ignores-if-range"]
)
@pytest.mark.parametrize(
    "count",
    [pytest.param(5, id="N5-5"), pytest.param(50, id="N5-50", marks=FULL)],
)
def test_a_file_that_cannot_be_taken_up_is_begun_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, meter: Meter, count: int, kind: str
) -> None:
    hurried(monkeypatch, **NEVER_SILENT)
    with shelf() as server:
        for at in np.linspace(1, len(BODY) - 1, count).astype(int):
            meter.bytes = 0
            server.script.extend((Mischief(kind="truncate", at=int(at)), Mischief(kind=kind)))
            download(f"{server.url}/shelf/file", tmp_path / "file")
            assert (tmp_path / "file").read_bytes() == BODY
            assert meter.bytes == at + len(BODY)  # none of the first part was kept


def test_a_version_that_changes_with_every_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hurried(monkeypatch, attempts=3)
    with (
        shelf(Faults(truncate=1.0, wire={"other": 1.0})) as server,
        pytest.raises(ProviderError, match="did not come whole in 3 attempts"),
    ):
        download(f"{server.url}/shelf/file", tmp_path / "file")


def test_nothing_else_than_our_own_errors_comes_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every kind of mischief at once, often: whatever does not succeed is one of the family."""
    hurried(monkeypatch, attempts=2, reads=1)
    wire = dict.fromkeys(
        ("reset", "reset_body", "truncate", "stall_body", "longer", "shorter", "whole", "other"),
        0.1,
    )
    outcomes = []
    with shelf(Faults(rate_429=0.1, rate_500=0.1, wire=wire, seed=5)) as server:
        for _ in range(40):
            try:
                download(f"{server.url}/shelf/file", tmp_path / "file", size=len(BODY))
                outcomes.append((tmp_path / "file").read_bytes() == BODY)
            except FiresatError as error:
                outcomes.append(str(error) != "")
            except HTTPException:  # would be ours to translate
                outcomes.append(False)
    assert all(outcomes)
