"""What FIRMS says where it has no table, and which dates are asked for."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from firesat.errors import CorruptFileError, CredentialsError, FiresatError, ProviderError
from firesat.sources._firms import ask
from firesat.sources.commons import commons, sharing
from firesat.sources.firms import Firms, _runs
from tests.sources.shelf import hurried
from tests.sources.small import first_block
from tests.sources.test_http import Server

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    hurried(monkeypatch)
    monkeypatch.setenv("FIRMS_MAP_KEY", KEY)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (400, b"Invalid MAP_KEY.", CredentialsError, "refuses the map key in FIRMS_MAP_KEY"),
        (200, b"Invalid MAP_KEY.", CredentialsError, "refuses the map key"),
        (403, b"", CredentialsError, "api/map_key"),
        (400, b"Exceeding allowed transaction limit.", ProviderError, "of these 10 minutes"),
        (404, b"not here", ProviderError, r"csv/\*\*\*/rest answered 404"),
        (200, b"<html>maintenance</html>", ProviderError, "'<html>maintenance</html>' instead of"),
        (200, b"", ProviderError, "answered '' instead of a table"),
    ],
)
def test_refusals_are_one_line_without_the_key(
    server: Server, status: int, body: bytes, error: type[FiresatError], words: str
) -> None:
    server.script = lambda path, headers: (status, {}, body)
    with pytest.raises(error, match=words) as caught:
        ask(server.url, "area", "rest")
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert server.seen[0][0] == f"/api/area/csv/{KEY}/rest"


def test_a_server_that_is_gone_is_named_without_the_key(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProviderError) as caught:
        ask("http://127.0.0.1:9", "area", "rest")
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None or KEY not in str(caught.value)


def test_availability_that_cannot_be_read_is_no_date(server: Server) -> None:
    server.script = lambda path, headers: (200, {}, b"data_id,min_date,max_date\nMODIS_SP,a,b\n")
    source = Firms(base_url=server.url)
    with pytest.raises(CorruptFileError, match="says nothing of VIIRS_SNPP_NRT's dates"):
        source.search(first_block(source))


def test_dates_in_a_row_are_asked_for_together_at_most_five() -> None:
    days = np.datetime64("2023-07-01") + np.array([0, 1, 2, 3, 4, 5, 6, 9, 10])
    assert [len(run) for run in _runs(days)] == [5, 2, 2]
    assert np.concatenate(list(_runs(days))).tolist() == days.tolist()
    assert list(_runs(days[:0])) == []


def test_today_is_asked_for_as_far_as_it_has_come_and_its_table_is_not_taken_for_a_whole_one(
    server: Server,
) -> None:
    server.script = lambda path, headers: (
        200, {}, b"data_id,min_date,max_date\nVIIRS_SNPP_NRT,2023-01-01,2023-12-31\n"
    )  # fmt: skip
    source = Firms(base_url=server.url, products=("VIIRS_SNPP_NRT",))
    block = first_block(source)

    def asked(now: str) -> list[tuple[str, str]]:
        """Names of the tables, and what is asked for, at a moment."""
        with sharing(replace(commons(), now=np.datetime64(now, "s"))):
            return [(each.id, str(each.request["rest"])) for each in source.search(block)]

    ((name, rest),) = asked("2023-07-02T12:00")
    assert name.startswith("firms-until-20230702T1200-VIIRS_SNPP_NRT-")
    assert rest.endswith("/2/2023-07-01")
    ((name, rest),) = asked("2023-07-03T03:00")
    assert name.startswith("firms-until-20230703T0300-")
    assert rest.endswith("/3/2023-07-01")
    ((name, rest),) = asked("2024-01-01T00:00")
    assert name.startswith("firms-VIIRS_SNPP_NRT-")
    assert rest.endswith("/5/2023-07-01")
    assert asked("2023-07-01T02:59") == []
