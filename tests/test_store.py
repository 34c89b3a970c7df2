import os
import sys
from pathlib import Path

import pytest

from firesat.errors import ConfigError, StoreError
from firesat.manifest import Manifest, Receipt, leave_receipt
from firesat.store import DiskStore, Holder, disk, refuse_unwritable, store_of, write_json


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "a.zarr", tmp_path / "a.ledger" / "parts")


def test_objects_come_back_whole_and_nothing_else_stays(store: DiskStore) -> None:
    store.put([("g/x/c/0", [b"ab", memoryview(b"c"), b""]), ("g/zarr.json", [b"{}"])])
    assert store.read("g/x/c/0") == b"abc"
    assert store.folders("zarr.json") == ["g"]
    assert store.names("g") == ["x", "zarr.json"]
    assert store.names("nothing") == []
    assert not list(store.parts.iterdir())
    store.put([("g/x/c/0", [b"new"])])
    assert store.read("g/x/c/0") == b"new"
    store.delete("g/x/c/0")
    store.delete("g/x/c/0")
    with pytest.raises(FileNotFoundError):
        store.read("g/x/c/0")


def test_an_object_is_created_once(store: DiskStore) -> None:
    assert store.create("lease/1", b"mine")
    assert not store.create("lease/1", b"yours")
    assert store.read("lease/1") == b"mine"
    assert not list(store.parts.iterdir())


def test_what_fails_while_it_is_made_leaves_every_name_as_it_was(store: DiskStore) -> None:
    store.put([("x", [b"old"])])

    def objects() -> "object":
        yield "x", [b"new"]
        raise ValueError("encoding failed")

    with pytest.raises(ValueError, match="encoding failed"):
        store.put(objects())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        store.put([("x", [b"new"]), ("y", ["no bytes"])])  # type: ignore[list-item]
    assert store.read("x") == b"old"
    assert not list(store.parts.iterdir())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda s: s.read("folder"), "cannot be read: Is a directory"),
        (lambda s: s.names("file"), "cannot be listed: Not a directory"),
        (lambda s: s.put([("file/x", [b"1"])]), "cannot be written: Not a directory"),
        (lambda s: s.put([("folder", [b"1"])]), "cannot be written: Is a directory"),
        (lambda s: s.create("a" * 300, b"1"), "cannot be created: File name too long"),
    ],
)
def test_what_the_disk_refuses_is_one_line(store: DiskStore, call: object, said: str) -> None:
    store.put([("folder/x", [b"1"]), ("file", [b"1"])])
    with pytest.raises(StoreError, match=said) as error:
        call(store)  # type: ignore[operator]
    assert "\n" not in str(error.value)
    assert not list(store.parts.iterdir())


def test_a_folder_that_another_process_makes_meanwhile_is_taken(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.mkdir

    def slow(path: Path, *rest: int) -> None:
        real(path, *rest)
        real(path, *rest)  # the other one was faster

    monkeypatch.setattr(os, "mkdir", slow)
    store.put([("g/x", [b"1"])])
    assert store.read("g/x") == b"1"


def test_few_folders_are_remembered(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "REMEMBERED", 2)
    for number in range(6):
        store.put([(f"{number}/x", [b"1"])])
    assert len(store._durable) <= 3


def test_a_part_that_is_finished_while_it_is_looked_at_is_no_orphan(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put([("x", [b"1"])])
    far = Holder(host="elsewhere", machine="12345678", pid=1, started=0.0)
    part = store.parts / f"{far.label}.1.part"
    part.symlink_to("gone")  # listed, and not there when it is asked for its age
    assert store.sweep() == 0


def test_json_is_written_whole(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": 2})
    assert (tmp_path / "a.json").read_text() == '{\n "a": 2,\n "b": 1\n}'
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_receipt_folded_by_another_process_meanwhile_is_no_error(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "a.ledger")
    leave_receipt(manifest.ledger, Receipt(key="g/0001/0/0", group="g", status="done"))
    (manifest.ledger / "receipts" / "g-0002-0-0.receipt").symlink_to("gone")
    assert manifest.unfolded("g") == {"g/0001/0/0"}


def test_without_obstore_a_bucket_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "firesat.store.bucket", raising=False)
    with pytest.raises(ConfigError, match=r"need obstore: pip install 'firesat\[s3\]'"):
        store_of(Path("s3://without/b.zarr"))


def test_the_parts_of_a_machine_are_told_by_its_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Holder.here()
    assert here.alive is True
    monkeypatch.setattr("firesat.store.holder._machine", lambda: "00000000")
    assert here.alive is None  # the same name, another boot or container: cannot be told


def test_a_place_that_cannot_be_written_to_is_refused_and_nothing_stays_of_the_trial(
    tmp_path: Path,
) -> None:
    refuse_unwritable(tmp_path / "new" / "folder", "--output")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    (tmp_path / "astray").symlink_to(tmp_path / "nowhere")
    for wrong in (tmp_path / "file", tmp_path / "file" / "maps", tmp_path / "astray" / "maps"):
        with pytest.raises(ConfigError, match=f"into {wrong}.*: .*; give another folder as --out"):
            refuse_unwritable(wrong, "--output")
    with pytest.raises(ConfigError, match="into /proc/x within /proc: "):
        refuse_unwritable(Path("/proc/x"), "--output")
