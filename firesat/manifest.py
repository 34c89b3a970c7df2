"""The ledger beside a cube: what is in it, block by block, and who is writing.

Workers leave a receipt for each block they have written and synced; the one coordinator folds
receipts into an SQLite table. A receipt that was never folded counts as finished work, so a killed
run loses nothing. ::

    canada.ledger/
        manifest.sqlite      one row per (group, block)
        receipts/            not folded yet
        lease.json           the ingest that is at work
"""

import json
import os
import socket
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from firesat.errors import CubeError

LEASE_EXPIRES = timedelta(minutes=10)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS blocks (
    key TEXT PRIMARY KEY,
    group_name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('done', 'empty', 'failed')),
    receipt TEXT NOT NULL
)
"""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a worker vouches for.

    Parameters
    ----------
    key : str
        The block's key.
    group : str
        Its group.
    status : {"done", "empty", "failed"}
        Written; nothing to write; or not obtained.
    checksum : str
        SHA-256 of the stored values; "" where nothing was written.
    items : list of str
        The provider's ids of what went in.
    available : list of str
        ISO times, UTC, at which each time step became available; "" = never.
    stream : {"final", "nrt"}
        Which version of the product.
    config : str
        Hash of the settings it was made with.
    reason : str
        Why it failed.
    """

    key: str
    group: str
    status: str
    checksum: str = ""
    items: list[str] = field(default_factory=list)
    available: list[str] = field(default_factory=list)
    stream: str = "final"
    config: str = ""
    reason: str = ""


def leave_receipt(ledger: Path, receipt: Receipt) -> None:
    """Leave a receipt, durably, to be folded later. Any worker may do so.

    Parameters
    ----------
    ledger : Path
        Folder of the ledger.
    receipt : Receipt
        Of a block whose files are already synced.
    """
    write_json(ledger / "receipts" / f"{receipt.key.replace('/', '-')}.json", asdict(receipt))


class Manifest:
    """The table of a cube's blocks. One process writes it; any may read.

    Parameters
    ----------
    ledger : Path
        Folder of the ledger; made if absent.
    """

    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger
        self.receipts = ledger / "receipts"
        self.receipts.mkdir(parents=True, exist_ok=True)
        with self._database() as database:
            database.execute(_SCHEMA)

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """A connection that commits, rolls back on error, and closes."""
        path = self.ledger / "manifest.sqlite"
        with closing(sqlite3.connect(path, timeout=60)) as connection, connection:
            yield connection

    def fold(self) -> list[Receipt]:
        """Fold the receipts that lie there into the table.

        Returns
        -------
        list of Receipt
            Those folded, in the order of their keys.
        """
        paths = sorted(self.receipts.glob("*.json"))
        folded = [_read(path) for path in paths]
        self.add(folded)
        for path in paths:
            path.unlink(missing_ok=True)
        return folded

    def add(self, receipts: Iterable[Receipt]) -> None:
        """Put receipts into the table in one transaction; newer ones replace older ones.

        Parameters
        ----------
        receipts : iterable of Receipt
            Rows to write.
        """
        rows = [(r.key, r.group, r.status, json.dumps(asdict(r))) for r in receipts]
        with self._database() as database:
            database.executemany("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?)", rows)

    def finished(self, group: str) -> set[str]:
        """List the blocks that need no more work.

        Parameters
        ----------
        group : str
            Name of the group.

        Returns
        -------
        set of str
            Keys of blocks that are done or empty.
        """
        query = "SELECT key FROM blocks WHERE group_name = ? AND status != 'failed'"
        with self._database() as database:
            return {key for (key,) in database.execute(query, (group,))}

    def unfolded(self, group: str) -> set[str]:
        """List the blocks whose receipts have not been folded yet.

        Parameters
        ----------
        group : str
            Name of the group.

        Returns
        -------
        set of str
            Keys of blocks that are done or empty.
        """
        receipts = [_read(path) for path in self.receipts.glob("*.json")]
        return {r.key for r in receipts if r.group == group and r.status != "failed"}

    def rows(self, group: str | None = None) -> list[Receipt]:
        """Read the table.

        Parameters
        ----------
        group : str, optional
            One group; None = all.

        Returns
        -------
        list of Receipt
            In the order of their keys.
        """
        query = "SELECT receipt FROM blocks WHERE ?1 IS NULL OR group_name = ?1 ORDER BY key"
        with self._database() as database:
            return [Receipt(**json.loads(text)) for (text,) in database.execute(query, (group,))]

    def counts(self) -> dict[str, Counter[str]]:
        """Count blocks by status.

        Returns
        -------
        dict of Counter
            Group to its count of "done", "empty" and "failed".
        """
        query = "SELECT group_name, status, COUNT(*) FROM blocks GROUP BY group_name, status"
        counts: dict[str, Counter[str]] = {}
        with self._database() as database:
            for group, status, number in database.execute(query):
                counts.setdefault(group, Counter())[status] = number
        return counts

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Keep a second ingest out for as long as this one works.

        Yields
        ------
        None
            While the lease is held.

        Raises
        ------
        CubeError
            If another live process holds it.
        """
        path = self.ledger / "lease.json"
        _claim(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    def beat(self) -> None:
        """Tell other hosts that the holder of the lease is still at work."""
        (self.ledger / "lease.json").touch()


def _read(path: Path) -> Receipt:
    """A receipt from its file."""
    return Receipt(**json.loads(path.read_text()))


def _claim(path: Path) -> None:
    """Create the lease, or take over one whose holder is gone."""
    if path.exists():
        holder = json.loads(path.read_text())
        if _alive(holder, path):
            raise CubeError(
                f"process {holder['pid']} on {holder['host']} has been writing this cube since "
                f"{holder['since']}: wait for it, or delete {path} if it is gone"
            )
        path.unlink(missing_ok=True)
    text = json.dumps(
        {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )
    try:
        with path.open("x") as file:
            file.write(text)
    except FileExistsError:
        raise CubeError(f"another ingest took {path} just now: wait for it to end") from None


def _alive(holder: dict[str, str | int], path: Path) -> bool:
    """Whether a lease's holder may still be at work: by its process here, by its beat elsewhere."""
    if holder["host"] == socket.gethostname():
        return bool(psutil.pid_exists(int(holder["pid"])))
    beat = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return datetime.now(UTC) - beat < LEASE_EXPIRES


def write_json(path: Path, content: object) -> None:
    """Write JSON so that the file is either whole and on disk, or not there.

    Parameters
    ----------
    path : Path
        Final name.
    content : object
        Anything JSON can hold.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("w") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable.

    Parameters
    ----------
    folder : Path
        A local folder.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
