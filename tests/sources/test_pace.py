"""What all workers keep together: connections, rates, tokens; and what may never be written."""

import json
import logging
import multiprocessing
import time
from pathlib import Path

import pytest

from firesat.errors import ConfigError
from firesat.sources._pace import connection, wait_turn
from firesat.sources.commons import Commons, OwnTokens, Token
from firesat.sources.quotas import QUOTAS, Cost, Quota, quota_of
from firesat.sources.redaction import RedactedFormatter, redact


def shared(folder: Path, **quota: float) -> Commons:
    return Commons(provider="hub", quota=Quota(**quota), folder=folder, tokens=OwnTokens())


def _work(folder: Path, barrier: object, seconds: float, turns: int) -> None:
    """Hold a connection some times and note when."""
    barrier.wait()
    for _ in range(turns):
        with connection(shared(folder / "locks", connections=2)):
            begin = time.monotonic()
            time.sleep(seconds)
            end = time.monotonic()
        name = f"{multiprocessing.current_process().pid}-{begin}.json"
        (folder / name).write_text(json.dumps([begin, end]))


def test_no_more_connections_than_allowed_are_open_in_all_processes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    crew = [context.Process(target=_work, args=(tmp_path, barrier, 0.05, 4)) for _ in range(4)]
    for each in crew:
        each.start()
    for each in crew:
        each.join()
    spans = [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
    assert len(spans) == 16
    most = max(sum(b <= begin < e for b, e in spans) for begin, _ in spans)
    assert most == 2  # never 3, and both are used


def test_the_connection_of_a_process_that_dies_is_free_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")

    def hold(ready: object) -> None:
        with connection(shared(tmp_path, connections=1)):
            ready.set()
            time.sleep(60)

    ready = context.Event()
    holder = context.Process(target=hold, args=(ready,))
    holder.start()
    assert ready.wait(20)
    holder.kill()
    holder.join()
    begin = time.monotonic()
    with connection(shared(tmp_path, connections=1)):
        assert time.monotonic() - begin < 1.0


def test_a_connection_within_a_connection_waits_for_nobody(tmp_path: Path) -> None:
    one = shared(tmp_path, connections=1)
    with connection(one), connection(one):
        pass


def test_a_rate_holds_over_time_whoever_asks(tmp_path: Path) -> None:
    # 5 seconds' worth go out at once, everything after that at the rate.
    rates = shared(tmp_path, requests_per_minute=1200)  # 20 a second
    begin = time.monotonic()
    for _ in range(110):
        wait_turn(rates, requests=1)
    assert 0.4 <= time.monotonic() - begin < 3.0  # 110 / 20 - 5 = 0.5 s
    begin = time.monotonic()
    wait_turn(shared(tmp_path, requests_per_minute=1200), requests=10)
    assert time.monotonic() - begin < 1.0
    begin = time.monotonic()
    wait_turn(rates, requests=1)  # those ten are paid for now
    assert time.monotonic() - begin >= 0.3


def test_units_have_a_rate_of_their_own(tmp_path: Path) -> None:
    rates = shared(tmp_path, units_per_minute=600)  # 10 a second
    wait_turn(rates, units=55)
    begin = time.monotonic()
    wait_turn(rates, units=1)
    assert 0.3 <= time.monotonic() - begin < 2.0  # 55 / 10 - 5 = 0.5 s
    wait_turn(rates, requests=1000)  # no rate of requests is set


@pytest.mark.parametrize("content", ["", "nonsense", "nan", "1e300", "-5"])
def test_a_spoilt_book_stops_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / "hub-requests.book").write_text(content)
    begin = time.monotonic()
    wait_turn(shared(tmp_path, requests_per_minute=60), requests=1)
    assert time.monotonic() - begin < 1.0


def test_a_token_is_asked_for_once_until_it_is_spent() -> None:
    tokens, logins = OwnTokens(), iter(range(9))

    def log_in() -> Token:
        return Token(text=f"t{next(logins)}", expires=time.time() + 600)

    assert {tokens.get("a", log_in).text for _ in range(5)} == {"t0"}
    assert tokens.get("a", log_in, spent="t0").text == "t1"
    assert tokens.get("a", log_in, spent="t0").text == "t1"  # whoever comes late with the old one
    assert tokens.get("b", log_in).text == "t2"
    assert "t0" not in repr(Token(text="t0", expires=0.0))


def test_a_token_is_renewed_before_it_ends() -> None:
    tokens = OwnTokens()
    old = tokens.get("a", lambda: Token(text="old", expires=time.time() + 30))
    assert tokens.get("a", lambda: Token(text="new", expires=time.time() + 600)).text == "new"
    assert old.text == "old"


def test_months_and_hours_are_those_of_the_scarcest_allowance() -> None:
    quota = QUOTAS["sentinelhub"]
    cost = Cost(requests=20_000, units=5_000, bytes=1e9)
    assert quota.months(cost) == 2.0
    assert quota.seconds(cost) == 4_000.0  # 20 000 requests at 300 a minute
    store = QUOTAS["cds"]
    assert store.months(Cost(jobs=10, requests=40)) == 0.0
    assert store.seconds(Cost(jobs=10, requests=40)) == 10 * 1200 / 2


def test_an_account_s_own_figures_replace_single_ones() -> None:
    quota = quota_of("sentinelhub", {"sentinelhub": {"units_per_month": 30_000, "connections": 8}})
    assert (quota.units_per_month, quota.connections, quota.units_per_minute) == (30_000, 8, 300)
    with pytest.raises(ConfigError, match="is it units_per_month"):
        quota_of("sentinelhub", {"sentinelhub": {"units_a_month": 1}})
    with pytest.raises(ConfigError, match="give more than 0"):
        quota_of("nasa", {"nasa": {"connections": 0}})


SECRETS = {
    "CDSAPI_KEY": "0123abcd-4567-89ef-canary-cds",
    "EARTHDATA_TOKEN": "eyJ0eXAiOiJKV1QifQ.eyJ1aWQiOiJjYW5hcnkifQ.canarysignature",
    "SH_CLIENT_SECRET": "canary/with+odd=signs%",
}


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_user_s_keys_never_show(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = SECRETS[name]
    monkeypatch.setenv(name, secret)
    for text in (
        f"bad key {secret}!",
        f"{{'PRIVATE-TOKEN': '{secret}'}}",
        f"?key={secret}",
        secret * 2,
    ):
        assert secret not in redact(text)
        assert "***" in redact(text)


def test_keys_in_files_never_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CDSAPI_RC", raising=False)
    monkeypatch.delenv("NETRC", raising=False)
    (tmp_path / ".cdsapirc").write_text("url: https://x/api\nkey: canary-in-cdsapirc\n")
    (tmp_path / ".netrc").write_text("machine u.nasa.gov login me password canary-in-netrc\n")
    (tmp_path / ".config/sentinelhub").mkdir(parents=True)
    (tmp_path / ".config/sentinelhub/config.toml").write_text(
        'sh_client_secret = "canary-in-toml"\n'
    )
    text = redact("canary-in-cdsapirc canary-in-netrc canary-in-toml")
    assert text == "*** *** ***"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://a.org/b?X-Amz-Signature=canary&c=d failed", "https://a.org/b?*** failed"),
        ("https://me:canary@a.org/b", "https://***@a.org/b"),
        ("Authorization: Bearer canary.canary-token", "Authorization: Bearer ***"),
        ("token eyJcanary.eyJcanary.canary ended", "token *** ended"),
        ("sig=canary&st=2", "sig=***&st=2"),
        ("nothing secret in /a/b or 12 of 13 bytes", "nothing secret in /a/b or 12 of 13 bytes"),
    ],
)
def test_keys_of_others_never_show(text: str, kept: str) -> None:
    assert redact(text) == kept


def test_tracebacks_are_redacted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDSAPI_KEY", SECRETS["CDSAPI_KEY"])
    try:
        raise ValueError(f"refused: {SECRETS['CDSAPI_KEY']}")
    except ValueError as error:
        record = logging.LogRecord(
            "a", 40, "f", 1, "it %s", ("failed",), (type(error), error, error.__traceback__)
        )
    text = RedactedFormatter("%(message)s").format(record)
    assert "it failed" in text
    assert "ValueError: refused: ***" in text
    assert SECRETS["CDSAPI_KEY"] not in text
