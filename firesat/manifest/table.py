"""The table of blocks in SQLite: quick to ask, and never the only copy of anything."""

import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from firesat.errors import CubeError
from firesat.manifest.receipt import Receipt
from firesat.store import address, in_bucket
from firesat.store.refusal import by_disk, refusal

log = logging.getLogger(__name__)

VERSION = 2
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS blocks (
    key TEXT PRIMARY KEY,
    group_name TEXT NOT NULL,
    status TEXT NOT NULL,
    config TEXT NOT NULL,
    noted INTEGER NOT NULL,
    line BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_group ON blocks (group_name, status, noted, config, key);
CREATE TABLE IF NOT EXISTS packs (name TEXT PRIMARY KEY);
PRAGMA user_version = {VERSION};
COMMIT;
"""
_PUT = "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, 0, ?)"


class DamagedTableError(CubeError):
    """A table that can be made again from the receipts."""


class Table:
    """Rows of a cube's blocks.

    Parameters
    ----------
    path : Path
        The database; made anew if it is not one any more.

    Raises
    ------
    CubeError
        If it is a version that this firesat does not read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._prepare()
        except DamagedTableError:
            self.remove()
            self._prepare()

    def remove(self) -> None:
        """Do away with a table that is damaged: it is made again from the receipts."""
        log.warning("%s is damaged: it is made again from the receipts", self.path)
        self.path.unlink(missing_ok=True)
        self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)

    def _prepare(self) -> None:
        """Make the table if need be."""
        with self.database() as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            names = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            if "blocks" in names and "packs" not in names:
                raise CubeError(
                    f"{self.path.parent} is a ledger of an earlier firesat: ingest into "
                    "another cube.path, or remove that cube and its ledger"
                )
            if version != VERSION:
                database.executescript(_SCHEMA)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection that commits, rolls back on an error, and closes."""
        writable = os.access(self.path if self.path.exists() else self.path.parent, os.W_OK)
        mode = "rwc" if writable else "ro&immutable=1"  # a disk that only reads has no locks
        place = f"file:{quote(str(self.path.absolute()))}?mode={mode}"
        with closing(sqlite3.connect(place, timeout=60, uri=True)) as connection, connection:
            yield connection

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """Connect.

        Yields
        ------
        Connection
            Commits, rolls back on an error, and is closed.

        Raises
        ------
        StoreError
            If the disk refuses.
        DamagedTableError
            If a bit of it has flipped.
        """
        try:
            with self._connected() as connection:
                yield connection
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if by_disk(error):
                raise refusal(OSError(0, str(error)), self.path, "used") from error
            raise DamagedTableError(
                f"{self.path} is damaged ({error}): remove it, it is made again from the receipts, "
                "and run firesat cube verify"
            ) from error

    def _ask(self, query: str, values: tuple[str, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of a query."""
        with self.database() as database:
            yield from database.execute(query, values)

    def add(self, pack: str, receipts: Iterable[Receipt]) -> None:
        """Put a pack's receipts into the table; newer ones replace older ones.

        Parameters
        ----------
        pack : str
            Its name.
        receipts : iterable of Receipt
            Rows to write.
        """
        rows = ((r.key, r.group, r.status, r.config, r.line) for r in receipts)
        with self.database() as database:
            database.execute("BEGIN IMMEDIATE")
            # A reader may have been faster, and an older pack must not replace a newer one's rows.
            if database.execute("SELECT 1 FROM packs WHERE name = ?", (pack,)).fetchone():
                return
            database.executemany(_PUT, rows)
            database.execute("INSERT INTO packs VALUES (?)", (pack,))

    def clear(self) -> None:
        """Forget everything."""
        with self.database() as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("DELETE FROM blocks")
            database.execute("DELETE FROM packs")

    def packs(self) -> set[str]:
        """List the packs that it holds.

        Returns
        -------
        set of str
            Names.
        """
        return {name for (name,) in self._ask("SELECT name FROM packs")}

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
        query = "SELECT key FROM blocks WHERE group_name = ? AND status IN ('done', 'empty')"
        return {key for (key,) in self._ask(query, (group,))}

    def rows(self, group: str | None = None, *, since: str = "") -> Iterator[Receipt]:
        """Read the table.

        Parameters
        ----------
        group : str, optional
            One group; None = all.
        since : str
            Smallest key.

        Yields
        ------
        Receipt
            In the order of their keys; one with a flipped bit is logged and left out.
        """
        where = "" if group is None else "AND group_name = ?"
        query = f"SELECT key, line FROM blocks WHERE key >= ? {where} ORDER BY key"
        yield from _parsed(self._ask(query, (since,) if group is None else (since, group)))

    def unnoted(self, group: str) -> Iterator[Receipt]:
        """Read the rows of blocks done whose times the cube may not have.

        Parameters
        ----------
        group : str
            Name of the group.

        Yields
        ------
        Receipt
            In the order of their keys.
        """
        query = (
            "SELECT key, line FROM blocks WHERE group_name = ? AND status = 'done' AND noted = 0 "
            "ORDER BY key"
        )
        yield from _parsed(self._ask(query, (group,)))

    def note(self, keys: Iterable[str]) -> None:
        """Remember that the cube has the times of some blocks.

        Parameters
        ----------
        keys : iterable of str
            The blocks'.
        """
        with self.database() as database:
            database.executemany("UPDATE blocks SET noted = 1 WHERE key = ?", [(k,) for k in keys])

    def configs(self, group: str) -> set[str]:
        """List the settings with which a group's blocks were made.

        Parameters
        ----------
        group : str
            Name of the group.

        Returns
        -------
        set of str
            Hashes; of blocks that are done.
        """
        query = "SELECT DISTINCT config FROM blocks WHERE group_name = ? AND status = 'done'"
        return {config for (config,) in self._ask(query, (group,))}

    def counts(self) -> dict[str, Counter[str]]:
        """Count blocks by status.

        Returns
        -------
        dict of Counter
            Group to its count of "done", "empty" and "failed".
        """
        query = "SELECT group_name, status, COUNT(*) FROM blocks GROUP BY group_name, status"
        counts: dict[str, Counter[str]] = {}
        for group, status, number in self._ask(query):
            counts.setdefault(group, Counter())[status] = int(number)
        return counts


def _parsed(rows: Iterable[tuple[Any, ...]]) -> Iterator[Receipt]:
    """Rows as receipts."""
    for key, line in rows:
        receipt = Receipt.parse(line)
        if receipt is None:
            log.warning("the row of %s is damaged: run firesat cube verify", key)
        else:
            yield receipt


def table_of(ledger: Path) -> Table:
    """Open the table of a ledger.

    Parameters
    ----------
    ledger : Path
        On a disk, where the table lies in it; or in a bucket, where it lies in the user's cache,
        since SQLite cannot.

    Returns
    -------
    Table
        Made if absent.
    """
    home, name = ledger, "manifest"
    if in_bucket(ledger):
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "firesat"
        name = sha256(address(ledger).encode()).hexdigest()[:16]
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(error, home, "made") from error
    return Table(home / f"{name}.sqlite")
