"""Power that fails at any moment: what was not synced is gone, torn, or there in another order.

A run is logged call by call. For a moment of the log, a disk is made as it may look after the power
came back: synced bytes and names are there; of the others nothing, everything, or any part.
SQLite's own syncs are its authors' to prove (sqlite.org/testing.html): its file comes back as it
was at one of its last connections, or not at all, which the ledger must bear as well.

The disk here is more forgetful than a real one (POSIX promises no more; ext4 keeps names in order);
a rename is atomic, as POSIX has it. The short form samples moments and disks; the exhaustive one
takes every moment with five disks: complete in the moments, a sample of the disks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firesat.cube import cube_hash
from tests.cube.faults import Shim
from tests.cube.small import check_readable, make, sources


@dataclass
class Node:
    """A file: its bytes, and how many of them are on the disk."""

    content: bytes = b""
    synced: bytes | None = None


@dataclass
class Disk:
    """Names and files; each change of a name is pending until its folder is synced."""

    names: dict[str, Node | None] = field(default_factory=dict)  # None = a folder
    now: dict[str, Node | None] = field(default_factory=dict)
    pending: list[dict[str, Any]] = field(default_factory=list)
    database: list[tuple[str, bytes]] = field(default_factory=list)

    def play(self, entry: tuple[Any, ...]) -> None:
        """Follow one call."""
        name, key, *rest = entry
        moves: dict[str, dict[str, Any]] = {
            "open": {key: Node()} if name == "open" else {},
            "mkdir": {key: None},
            "unlink": {key: "gone"},
            "link": {rest[0]: self.now.get(key)} if name == "link" else {},
            "rename": {rest[0]: self.now.get(key), key: "gone"} if name == "rename" else {},
        }
        if name in moves:
            self.pending.append(moves[name])
            apply(self.now, moves[name])
        elif name == "write":
            self.file(key).content += rest[0]
        elif name == "fsync":
            self.file(key).synced = self.file(key).content
        elif name == "fsync folder":
            self.settle(key)
        elif name == "sqlite":
            self.database.append((key, rest[0]))

    def file(self, key: str) -> Node:
        node = self.now[key]
        assert node is not None
        return node

    def settle(self, folder: str) -> None:
        """The names in a folder are on the disk, and with them each rename that touches it."""
        kept = []
        for op in self.pending:
            if any(str(Path(key).parent) == folder for key in op):
                apply(self.names, op)
            else:
                kept.append(op)
        self.pending = kept


def apply(names: dict[str, Node | None], op: dict[str, Any]) -> None:
    for key, node in op.items():
        if node == "gone":
            names.pop(key, None)
        else:
            names[key] = node


def after(disk: Disk, how: str, rng: np.random.Generator) -> dict[str, bytes | None]:
    """What is there when the power comes back."""
    names = dict(disk.names)
    for op in disk.pending:
        if how == "all" or (how == "some" and rng.random() < 0.5):
            apply(names, op)
    files = {key: None if node is None else survivor(node, how, rng) for key, node in names.items()}
    if disk.database and (how == "all" or (how == "some" and rng.random() < 0.5)):
        key, content = disk.database[-1 if how == "all" else int(rng.integers(len(disk.database)))]
        files[key] = content
    return {key: content for key, content in files.items() if reachable(key, files)}


def survivor(node: Node, how: str, rng: np.random.Generator) -> bytes:
    """The bytes of a file: what was synced, or anything between nothing and all of it."""
    if node.synced == node.content:
        return node.content
    if how == "all":
        return node.content
    keep = 0 if how == "none" else int(rng.integers(len(node.content) + 1))
    zeros = b"\0" * int(rng.integers(2)) * (len(node.content) - keep)
    return node.content[:keep] + zeros


def reachable(key: str, files: dict[str, bytes | None]) -> bool:
    """Whether all folders above a name are there."""
    return all(str(folder) in files for folder in Path(key).parents if str(folder) != ".")


def put(files: dict[str, bytes | None], root: Path) -> None:
    """Make such a disk."""
    for key, content in sorted(files.items()):
        if content is None:
            (root / key).mkdir()
        else:
            (root / key).write_bytes(content)


@dataclass(frozen=True)
class Recorded:
    """A whole run, and what it should come to."""

    log: list[tuple[Any, ...]]
    hash: str


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    path = tmp_path_factory.mktemp("run") / "a.zarr"
    shim = Shim(root=path.parent)
    with pytest.MonkeyPatch.context() as patch, shim.under(patch):
        make(path, sources())
    return Recorded(shim.log, cube_hash(path))


def disks(run: Recorded, moments: set[int]) -> Iterator[tuple[int, Disk, set[str]]]:
    """The disk before some of the calls, and the blocks vouched for until then."""
    disk, vouched = Disk(), set[str]()
    for number, entry in enumerate(run.log):
        if number in moments:
            yield number, disk, set(vouched)
        disk.play(entry)
        if entry[0] == "fsync folder" and entry[1].endswith(".ledger/receipts"):
            vouched |= {block(k) for k in disk.names if "/receipts/" in k}
    yield len(run.log), disk, set(vouched)


def block(key: str) -> str:
    return Path(key).name.removesuffix(".receipt").replace("-", "/")


def check(run: Recorded, number: int, disk: Disk, vouched: set[str], how: str, root: Path) -> None:
    """A reader finds no torn block; a rerun makes the same cube and no block vouched for again."""
    root.mkdir()
    put(after(disk, how, np.random.default_rng([number, len(str(root))])), root)
    path = root / "a.zarr"
    check_readable(path, sources())
    again = sources()
    with pytest.MonkeyPatch.context() as patch:
        release(root, patch)
        make(path, again)
    assert not vouched & {key for source in again for key in source.fetched}
    assert cube_hash(path) == run.hash


def release(root: Path, patch: pytest.MonkeyPatch) -> None:
    """After a power failure the machine has booted anew: wait until the old lease has run out."""
    patch.setattr("firesat.store.holder._machine", lambda: "anew")
    patch.setattr("firesat.manifest.lease.LEASE_EXPIRES", np.timedelta64(0, "s").item())


def loop(run: Recorded, moments: set[int], hows: list[str], folder: Path) -> int:
    count = 0
    for number, disk, vouched in disks(run, moments):
        for place, how in enumerate(hows):
            check(run, number, disk, vouched, how, folder / f"{number}.{place}{'x' * place}")
            count += 1
    return count


def test_power_that_fails_now_and_then_loses_nothing(run: Recorded, memory: Path) -> None:
    moments = set(range(7, len(run.log), 50))
    assert loop(run, moments, ["none", "some"], memory) >= 10


@pytest.mark.exhaustive
def test_power_that_fails_at_any_moment_loses_nothing(run: Recorded, memory: Path) -> None:
    hows = ["none", "all", "some", "some", "some"]
    assert loop(run, set(range(len(run.log))), hows, memory) > 1000


def test_the_simulated_disk_would_catch_a_store_that_forgets_to_sync(
    run: Recorded, memory: Path
) -> None:
    """The test can fail: leave out the syncs of the blocks' files, and blocks come back torn."""
    shards = {e[1] for e in run.log if e[0] == "rename" and "/c/" in e[2]}
    lax = [e for e in run.log if not (e[0] == "fsync" and e[1] in shards)]
    with pytest.raises((AssertionError, ValueError), match=r"not equal|checksum|buffer|size"):
        loop(Recorded(lax, run.hash), {len(lax) - 1}, ["none"], memory)
