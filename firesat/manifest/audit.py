"""Whether the ledger is as it was written: the table against the receipts it is made from."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from firesat.manifest.ledger import PACKS, Manifest
from firesat.manifest.receipt import Receipt, crc32c
from firesat.manifest.table import DamagedTableError, Table

_DIFFERENT = """
WITH ours AS (SELECT key, group_name, status, config, line FROM blocks),
theirs AS (SELECT key, group_name, status, config, line FROM fresh.blocks)
SELECT key FROM (SELECT * FROM ours EXCEPT SELECT * FROM theirs)
UNION SELECT key FROM (SELECT * FROM theirs EXCEPT SELECT * FROM ours)
"""


@dataclass(kw_only=True)
class Audit:
    """What in a ledger is not as it was written.

    Parameters
    ----------
    blocks : dict
        Key of a block whose row is wrong to what is wrong with it.
    files : dict
        File of the ledger to what is wrong with it.
    """

    blocks: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


def audit(manifest: Manifest) -> Audit:
    """Compare a ledger with itself: every receipt is there twice, and each has its checksum.

    Parameters
    ----------
    manifest : Manifest
        Of a cube.

    Returns
    -------
    Audit
        Empty if every bit is right.
    """
    found = Audit()
    for name in manifest.store.names(PACKS):
        if name[9:] != crc32c(manifest.store.read(f"{PACKS}/{name}")):
            found.files[f"{PACKS}/{name}"] = "its bytes are not those of its name"
    for name in manifest.store.names("receipts"):
        if Receipt.parse(manifest.store.read(f"receipts/{name}")) is None:
            found.files[f"receipts/{name}"] = "its bytes do not match its checksum"
    with TemporaryDirectory() as folder:
        _compare(manifest.table, _anew(manifest, Path(folder)), found)
    return found


def _anew(manifest: Manifest, folder: Path) -> Table:
    """The table made anew from what is intact of the packs."""
    fresh = Table(folder / "fresh.sqlite")
    for name in manifest.store.names(PACKS):
        fresh.add(name, manifest.intact(name))
    return fresh


def _compare(table: Table, fresh: Table, found: Audit) -> None:
    """Add what differs between the table and one that was made anew."""
    try:
        with table.database() as database:
            database.execute("ATTACH ? AS fresh", (str(fresh.path),))
            keys = [str(key) for (key,) in database.execute(_DIFFERENT)]
            words = database.execute("PRAGMA main.integrity_check(1)").fetchone()[0]
    except DamagedTableError as error:
        found.files[table.path.name] = str(error)
        return
    found.blocks.update(dict.fromkeys(keys, "its row is not what its receipt says"))
    if words != "ok":
        found.files[table.path.name] = " ".join(str(words).split())


def remake(manifest: Manifest, missing: dict[str, str]) -> None:
    """Keep only what is intact, and mark blocks as missing.

    Parameters
    ----------
    manifest : Manifest
        Whose lease is held.
    missing : dict
        Key of a block to what is wrong with it; it will be fetched again.
    """
    manifest.fold()
    old = manifest.store.names(PACKS)
    with TemporaryDirectory() as folder:
        rows = [row for row in _anew(manifest, Path(folder)).rows() if row.key not in missing]
    gone = [
        Receipt(key=key, group=key.split("/")[0], status="failed", reason=f"damaged: {reason}")
        for key, reason in missing.items()
    ]
    manifest.add([*rows, *gone])
    for name in old:
        manifest.store.delete(f"{PACKS}/{name}")
    manifest.renew()  # from the one pack that is left
