import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firesat.errors import CubeError
from firesat.manifest import Manifest, Receipt, leave_receipt


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return Manifest(tmp_path / "a.ledger")


def receipt(number: int, status: str = "done", group: str = "s2") -> Receipt:
    return Receipt(key=f"{group}/{number:04d}/0/0", group=group, status=status, items=["S2A"])


def test_a_receipt_counts_before_and_after_it_is_folded(manifest: Manifest) -> None:
    leave_receipt(manifest.ledger, receipt(1))
    leave_receipt(manifest.ledger, receipt(2, "failed"))
    leave_receipt(manifest.ledger, receipt(3, "empty", group="era5"))
    assert manifest.unfolded("s2") == {"s2/0001/0/0"}
    assert manifest.finished("s2") == set()
    assert [r.key for r in manifest.fold()] == ["era5/0003/0/0", "s2/0001/0/0", "s2/0002/0/0"]
    assert manifest.finished("s2") == {"s2/0001/0/0"}
    assert manifest.finished("era5") == {"era5/0003/0/0"}
    assert manifest.unfolded("s2") == set()
    assert manifest.fold() == []


def test_a_block_that_succeeds_later_is_no_longer_failed(manifest: Manifest) -> None:
    manifest.add([receipt(1, "failed")])
    manifest.add([receipt(1)])
    assert manifest.counts() == {"s2": {"done": 1}}
    assert manifest.rows() == manifest.rows("s2") == [receipt(1)]
    assert manifest.rows("era5") == []


def test_another_process_reads_what_was_committed(manifest: Manifest) -> None:
    manifest.add([receipt(n) for n in range(50)])
    code = (
        "import sys; from pathlib import Path; from firesat.manifest import Manifest; "
        "print(len(Manifest(Path(sys.argv[1])).finished('s2')))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, str(manifest.ledger)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == "50"


def test_an_unknown_status_is_refused_and_nothing_is_kept(manifest: Manifest) -> None:
    with pytest.raises(Exception, match="CHECK constraint"):
        manifest.add([receipt(1), receipt(2, "perhaps")])
    assert manifest.rows() == []


def test_a_second_ingest_is_kept_out_while_the_first_lives(manifest: Manifest) -> None:
    with manifest.lease():
        manifest.beat()
        with (
            pytest.raises(CubeError, match=f"process {os.getpid()} .* has been writing"),
            manifest.lease(),
        ):
            pass
    with manifest.lease():
        pass


def test_the_lease_of_a_dead_process_is_taken_over(manifest: Manifest) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with manifest.lease():
        held = json.loads((manifest.ledger / "lease.json").read_text())
    (manifest.ledger / "lease.json").write_text(json.dumps({**held, "pid": gone.pid}))
    with manifest.lease():
        pass


@pytest.mark.parametrize(("age", "refused"), [(60, True), (3600, False)])
def test_another_host_is_judged_by_its_beat(manifest: Manifest, age: int, refused: bool) -> None:
    lease = manifest.ledger / "lease.json"
    since = "2021-05-01T00:00:00+00:00"
    lease.write_text(json.dumps({"host": "elsewhere", "pid": 1, "since": since}))
    os.utime(lease, (time.time() - age,) * 2)
    if refused:
        with pytest.raises(CubeError, match="on elsewhere"), manifest.lease():
            pass
    else:
        with manifest.lease():
            pass


def test_two_that_claim_at_once_do_not_both_get_it(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    exists = Path.exists
    lease = manifest.ledger / "lease.json"
    with manifest.lease():
        # The other one created the lease between our look and our write.
        monkeypatch.setattr(Path, "exists", lambda p: False if p == lease else exists(p))
        with pytest.raises(CubeError, match="just now"), manifest.lease():
            pass
