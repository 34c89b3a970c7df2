import logging
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from firesat.errors import CubeError
from firesat.manifest import FileSum, Manifest, Receipt, leave_receipt
from firesat.manifest.audit import audit, remake
from firesat.manifest.receipt import Status, crc32c


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return Manifest(tmp_path / "a.ledger")


def receipt(number: int, status: Status = "done", group: str = "s2") -> Receipt:
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


def test_the_content_s_hash_knows_neither_order_nor_failures(tmp_path: Path) -> None:
    first, second, third = (replace(receipt(n), checksum=f"{n:064x}") for n in (1, 2, 3))
    one, other = Manifest(tmp_path / "one.ledger"), Manifest(tmp_path / "other.ledger")
    one.add([first, second, third])
    other.add([replace(second, status="failed", checksum="")])
    other.add([third, first])
    assert other.content_hash() != one.content_hash()
    other.add([second, receipt(4, "failed")])
    assert other.content_hash() == one.content_hash()
    other.add([replace(first, checksum="f" * 64)])
    assert other.content_hash() != one.content_hash()


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


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(CubeError, match="no status 'perhaps'"):
        receipt(2, "perhaps")  # type: ignore[arg-type]


def test_a_receipt_survives_its_line_and_no_flipped_bit_does() -> None:
    whole = receipt(7)
    assert Receipt.parse(whole.line) == whole
    assert whole.index == (7, 0, 0)
    for bit in range(8 * len(whole.line)):
        flipped = bytearray(whole.line)
        flipped[bit // 8] ^= 1 << bit % 8
        assert Receipt.parse(bytes(flipped)) is None, bit


def test_the_checksum_is_the_castagnoli_polynomial_s() -> None:
    assert crc32c(b"123456789") == "e3069283"  # the check value of RFC 3720, B.4 and its errata
    assert crc32c(b"1234", memoryview(b"56789")) == crc32c(b"123456789")
    total = FileSum.of("a b/c", [b"12", b"3"])
    assert (total.size, FileSum.parse(str(total))) == (3, total)


def test_a_table_that_is_lost_or_ruined_is_made_again(
    manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    manifest.add([receipt(1), receipt(2, "failed")])
    manifest.add([receipt(2)])
    path = manifest.ledger / "manifest.sqlite"
    path.unlink()
    assert [row.status for row in Manifest(manifest.ledger).rows()] == ["done", "done"]
    path.write_bytes(b"no database" * 1000)
    with caplog.at_level(logging.WARNING):
        assert len(Manifest(manifest.ledger).rows()) == 2
    assert "is made again from the receipts" in caplog.text


def test_a_table_ruined_inside_says_so_and_is_made_again(
    manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    manifest.add([receipt(n) for n in range(200)])
    path = manifest.ledger / "manifest.sqlite"
    content = bytearray(path.read_bytes())
    content[4096 * 2 :] = b"\xff" * (len(content) - 4096 * 2)
    path.write_bytes(content)
    with pytest.raises(CubeError, match=r"is damaged .*: remove it, it is made again"):
        manifest.rows()
    assert list(audit(manifest).files) == ["manifest.sqlite"]
    with caplog.at_level(logging.WARNING):
        manifest.renew()
    assert len(manifest.rows()) == 200


def test_a_table_whose_packs_cannot_be_read_is_made_again_when_it_is_opened(
    manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    manifest.add([receipt(1)])
    path = manifest.ledger / "manifest.sqlite"
    content = bytearray(path.read_bytes())
    content[content.index(manifest.store.names("packs")[0].encode())] ^= 1 << 7  # no UTF-8
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert Manifest(manifest.ledger).finished("s2") == {"s2/0001/0/0"}
    assert "is damaged: it is made again" in caplog.text


def test_a_ledger_of_an_earlier_version_is_refused_in_one_line(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "manifest.sqlite") as database:
        database.execute("CREATE TABLE blocks (key TEXT PRIMARY KEY, receipt TEXT)")
    database.close()
    with pytest.raises(CubeError, match="ledger of an earlier firesat: ingest into another"):
        Manifest(tmp_path)


def test_an_older_pack_never_replaces_a_newer_row(manifest: Manifest) -> None:
    manifest.add([receipt(1, "failed")])
    older = manifest.store.names("packs")[0]
    manifest.add([receipt(1)])
    manifest.table.add(older, [receipt(1, "failed")])  # a reader that was slow
    assert manifest.finished("s2") == {"s2/0001/0/0"}


def test_packs_of_another_cube_under_the_same_name_are_noticed(
    manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    manifest.add([receipt(1)])
    for pack in (manifest.ledger / "packs").iterdir():
        pack.unlink()
    with caplog.at_level(logging.WARNING):
        assert Manifest(manifest.ledger).rows() == []
    assert "made again from its receipts" in caplog.text


def test_a_damaged_receipt_counts_as_missing(
    manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    leave_receipt(manifest.ledger, receipt(1))
    leave_receipt(manifest.ledger, receipt(2))
    path = manifest.ledger / "receipts" / "s2-0001-0-0.receipt"
    path.write_bytes(path.read_bytes().replace(b"S2A", b"S2B"))
    assert list(audit(manifest).files) == ["receipts/s2-0001-0-0.receipt"]
    with caplog.at_level(logging.WARNING):
        assert [r.key for r in manifest.fold()] == ["s2/0002/0/0"]
    assert "will be fetched again" in caplog.text
    assert manifest.finished("s2") == {"s2/0002/0/0"}
    assert not list((manifest.ledger / "receipts").iterdir())


def test_a_damaged_line_of_a_pack_is_named_and_its_block_made_missing(
    manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    manifest.add([receipt(n) for n in range(3)])
    pack = next((manifest.ledger / "packs").iterdir())
    pack.write_bytes(pack.read_bytes().replace(b"s2/0001", b"s2/0009"))
    with caplog.at_level(logging.WARNING):
        found = audit(manifest)
        assert list(found.files) == [f"packs/{pack.name}"]
        assert list(found.blocks) == ["s2/0001/0/0"]
        remake(manifest, found.blocks)
    assert "holds a damaged receipt" in caplog.text
    assert manifest.finished("s2") == {"s2/0000/0/0", "s2/0002/0/0"}
    assert manifest.counts() == {"s2": {"done": 2, "failed": 1}}
    clean = audit(manifest)
    assert not clean.files
    assert not clean.blocks


def test_a_row_of_the_table_that_was_changed_is_named(
    manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    manifest.add([receipt(n) for n in range(3)])
    with manifest.table.database() as database:
        database.execute("UPDATE blocks SET status = 'failed' WHERE key = 's2/0001/0/0'")
        database.execute("UPDATE blocks SET line = 'x' WHERE key = 's2/0002/0/0'")
    assert list(audit(manifest).blocks) == ["s2/0001/0/0", "s2/0002/0/0"]
    with caplog.at_level(logging.WARNING):
        assert len(manifest.rows()) == 2
    assert "the row of s2/0002/0/0 is damaged" in caplog.text


def test_times_are_noted_once(manifest: Manifest) -> None:
    manifest.add([receipt(1), receipt(2, "empty"), receipt(3)])
    first = manifest.unnoted("s2")
    assert [row.key for row in first] == ["s2/0001/0/0", "s2/0003/0/0"]
    manifest.note(first[:1])
    assert manifest.unnoted("s2") == first[1:]


def test_settings_and_sums_are_kept_by_group(manifest: Manifest) -> None:
    groups = manifest.groups
    groups.keep_settings("s2", "abc", {"level": "20"})
    before = (manifest.ledger / "groups" / "s2.abc.json").stat().st_mtime_ns
    groups.keep_settings("s2", "abc", {"level": "20"})
    assert (manifest.ledger / "groups" / "s2.abc.json").stat().st_mtime_ns == before
    assert groups.settings("s2", "abc") == {"level": "20"}
    assert groups.settings("s2", "xyz") == {}
    sums = [FileSum.of("s2/zarr.json", [b"{}"])]
    groups.keep_sums("s2", sums)
    groups.keep_sums("", [])
    assert groups.names() == ["s2"]
    assert groups.sums("s2") == sums
    assert groups.sums("none") is None
    path = manifest.ledger / "groups" / "s2.sums"
    path.write_bytes(path.read_bytes().replace(b"json 2", b"json 3"))
    assert groups.sums("s2") is None


def test_the_settings_of_blocks_are_listed_without_reading_receipts(manifest: Manifest) -> None:
    rows = [
        Receipt(key=f"s2/{n:04d}/0/0", group="s2", status="done", config="ab"[n % 2])
        for n in range(4)
    ]
    manifest.add([*rows, Receipt(key="s2/0009/0/0", group="s2", status="failed", config="z")])
    assert manifest.configs("s2") == {"a", "b"}


@pytest.mark.exhaustive
def test_a_million_blocks_are_planned_within_five_seconds(tmp_path: Path) -> None:
    """The row B13 of the benchmarks, where the wall's clock counts. Here the process's own time
    does, which other work on the machine cannot lengthen; waiting for a cold disk is not in it."""
    from benchmarks.plan_rows import MILLION, fill, planned

    fill(tmp_path / "a.ledger")
    start = time.process_time()
    missing, total = planned(tmp_path / "a.ledger")
    assert time.process_time() - start < 5
    assert (missing, total) == (0, MILLION)
