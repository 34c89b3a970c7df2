import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from firesat.errors import CubeError, StoreError
from firesat.manifest import Manifest, lease
from firesat.manifest.lease import Claim, latest, unlock
from firesat.store import DiskStore, Holder

ROOT = Path(__file__).parents[1]
ELSEWHERE = Holder(host="elsewhere", machine="12345678", pid=1, started=0.0)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return Manifest(tmp_path / "a.ledger")


@pytest.fixture
def gone() -> Holder:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return replace(Holder.here(), pid=process.pid)


def claim(manifest: Manifest, holder: Holder, age: float = 0) -> Claim:
    """A claim of another process, last beaten `age` seconds ago."""
    made = Claim(number=1, holder=holder, since="2021-05-01T00:00:00+00:00")
    assert manifest.store.create(made.key, made.content)
    os.utime(manifest.ledger / made.key, (time.time() - age,) * 2)
    return made


def test_a_second_ingest_is_kept_out_while_the_first_lives(manifest: Manifest) -> None:
    manifest.beat()  # without a lease there is nothing to say
    with manifest.lease():
        manifest.beat()
        with (
            pytest.raises(CubeError, match=f"process {os.getpid()} .* has been writing"),
            manifest.lease(),
        ):
            pass
    with manifest.lease():
        pass
    found = latest(manifest.store)
    assert found is not None
    assert (found.number, found.released) == (2, True)


def test_the_lease_of_a_dead_process_is_taken_over_at_once(
    manifest: Manifest, gone: Holder
) -> None:
    claim(manifest, gone)
    with manifest.lease():
        pass


def test_a_process_that_got_a_dead_one_s_number_is_another(manifest: Manifest) -> None:
    assert Holder.here().alive
    claim(manifest, replace(Holder.here(), started=1.0))
    with manifest.lease():
        pass


@pytest.mark.parametrize(("age", "refused"), [(60, True), (3600, False)])
def test_another_machine_is_judged_by_its_beat(
    manifest: Manifest, age: float, refused: bool
) -> None:
    claim(manifest, ELSEWHERE, age)
    if refused:
        with (
            pytest.raises(CubeError, match=r"on elsewhere .* since 2021.* last beat was 6. s ago"),
            manifest.lease(),
        ):
            pass
    else:
        with manifest.lease():
            pass


def test_the_age_of_a_beat_is_told_by_the_disk_s_clock_alone(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = claim(manifest, ELSEWHERE, 100)
    monkeypatch.setattr(time, "time", lambda: 0.0)  # this machine's clock is wrong by decades
    assert timedelta(seconds=95) < lease.silence(manifest.store, made) < timedelta(seconds=200)


def test_a_damaged_claim_is_judged_by_its_beat(manifest: Manifest) -> None:
    made = claim(manifest, ELSEWHERE, 60)
    (manifest.ledger / made.key).write_text("{")
    with pytest.raises(CubeError, match="unlock"), manifest.lease():
        pass


def test_unlock_clears_a_lease_and_says_whose_it_was(manifest: Manifest, gone: Holder) -> None:
    assert unlock(manifest.store, force=False) is None
    claim(manifest, ELSEWHERE, 60)
    with pytest.raises(CubeError, match="--force"):
        unlock(manifest.store, force=False)
    taken = unlock(manifest.store, force=True)
    assert taken is not None
    assert taken.holder == ELSEWHERE
    assert unlock(manifest.store, force=False) is None
    with manifest.lease():
        with pytest.raises(CubeError, match="wait for it, or stop it"):
            unlock(manifest.store, force=True)
        assert latest(manifest.store) is not None


def test_a_holder_whose_cube_was_taken_over_stops(
    manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    with manifest.lease():
        now = latest(manifest.store)
        assert now is not None
        other = replace(now, number=now.number + 1, holder=ELSEWHERE)
        manifest.store.create(other.key, other.content)
        with pytest.raises(CubeError, match=r"elsewhere took .* over"):
            manifest.beat()
    assert "the lease was not released" in caplog.text
    assert latest(manifest.store) == other


def test_a_claim_made_between_our_look_and_ours_wins(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with manifest.lease():
        monkeypatch.setattr(lease, "latest", lambda store: None)  # a look before the other's claim
        with pytest.raises(CubeError, match="just now"), manifest.lease():
            pass


def test_an_unlock_that_comes_too_late_says_so(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = claim(manifest, ELSEWHERE, 3600)
    with manifest.lease():
        monkeypatch.setattr(lease, "latest", lambda store: before)
        with pytest.raises(CubeError, match="nothing to unlock"):
            unlock(manifest.store, force=False)
        monkeypatch.undo()


def test_the_holder_beats_by_itself(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.01)
    with manifest.lease():
        deadline = time.monotonic() + 20
        while (now := latest(manifest.store)) and now.beats < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_beat_that_fails_is_logged_and_tried_again(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.01)
    beats: list[int] = []

    def beat(self: lease.Lease) -> None:
        beats.append(1)
        if len(beats) == 1:
            raise StoreError("full")

    monkeypatch.setattr(lease.Lease, "beat", beat)
    with manifest.lease():
        deadline = time.monotonic() + 20
        while len(beats) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(beats) >= 2
    assert "the lease was not renewed: full" in caplog.text


def test_parts_of_the_dead_are_swept_and_those_of_the_living_stay(
    manifest: Manifest, gone: Holder
) -> None:
    """S6: whoever takes the lease clears away what a dead process left half-written."""
    parts = manifest.ledger / "parts"
    names = {
        "dead": f"{gone.label}.1.part",
        "alive": f"{Holder.here().label}.999999.part",
        "far": f"{ELSEWHERE.label}.1.part",
        "long gone": f"{ELSEWHERE.label}.2.part",
        "not ours": "something.part",
    }
    parts.mkdir(exist_ok=True)
    for name in names.values():
        (parts / name).write_text("half")
    os.utime(parts / names["long gone"], (1e9, 1e9))
    with manifest.lease():
        pass
    left = {path.name for path in parts.iterdir()}
    assert left == {names["alive"], names["far"], names["not ours"]}


CONTENDER = """
import sys, time
from pathlib import Path
from firesat.errors import CubeError
from firesat.manifest import Manifest

ledger, rounds = Path(sys.argv[1]), int(sys.argv[2])
alone = ledger.parent / "alone"
while rounds:
    try:
        with Manifest(ledger).lease():
            with alone.open("x"):  # fails if another holds the lease as well
                time.sleep(0.001)
            alone.unlink()
            rounds -= 1
    except CubeError:
        time.sleep(0.001)
"""


def contend(folder: Path, processes: int, rounds: int) -> None:
    """Processes that want the lease at once until each has had it so many times."""
    manifest = Manifest(folder / "a.ledger")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    claim(manifest, replace(Holder.here(), pid=dead.pid))  # all find a dead holder to begin with
    command = [sys.executable, "-c", CONTENDER, str(manifest.ledger), str(rounds)]
    running = [subprocess.Popen(command, cwd=ROOT) for _ in range(processes)]
    assert [process.wait() for process in running] == [0] * processes
    found = latest(manifest.store)
    assert found is not None
    assert found.number == 1 + processes * rounds  # each claim was held by one, and none was lost


def test_of_several_that_want_a_dead_one_s_lease_one_has_it(tmp_path: Path) -> None:
    contend(tmp_path, 4, 8)


@pytest.mark.exhaustive
@pytest.mark.parametrize("processes", [2, 4, 8])
def test_of_many_that_want_the_lease_for_long_one_has_it_at_a_time(
    tmp_path: Path, processes: int
) -> None:
    """2 to 8 processes x 200 rounds: two at once would fail on the file that only one may make."""
    contend(tmp_path, processes, 200)


def test_a_holder_is_told_by_name_number_and_start(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Holder.here()
    assert Holder.parse(f"{here.label}.7.part") == replace(here, started=round(here.started, 2))
    assert Holder.parse("nothing") is None
    far = Holder.parse(f"{ELSEWHERE.label}.1.part")
    assert far == ELSEWHERE
    assert far is not None
    assert far.alive is None
    assert json.loads(json.dumps(here.record))["pid"] == os.getpid()
    assert DiskStore(Path("a"), Path("b")).address == "a"
