"""The manifest: one row per block, made from receipts."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from firesat.manifest.groups import GroupRecords
from firesat.manifest.lease import Lease, held
from firesat.manifest.receipt import Receipt, crc32c
from firesat.manifest.table import DamagedTableError, Table, table_of
from firesat.store import store_of

log = logging.getLogger(__name__)

PACKS = "packs"


class Manifest:
    """The table of a cube's blocks. One process writes it; any may read.

    Parameters
    ----------
    ledger : Path
        Folder of the ledger, on a disk or in a bucket; made if absent.

    Raises
    ------
    CubeError
        If it was made by a version of firesat whose ledgers this one cannot read.
    """

    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger
        self.store = store_of(ledger)
        self.table: Table = table_of(ledger)
        self.groups = GroupRecords(ledger)
        self._lease: Lease | None = None
        self.refresh()

    def refresh(self) -> None:
        """Bring the table up to date with the packs, which are what it is made from."""
        try:
            self._refresh()
        except DamagedTableError:
            self.renew()

    def renew(self) -> None:
        """Make the table again from the packs."""
        self.table.remove()
        self.table = Table(self.table.path)
        self._refresh()

    def _refresh(self) -> None:
        """Add the packs that the table lacks."""
        there = self.store.names(PACKS)
        known = self.table.packs()
        if known - set(there):  # packs never change: these are another cube's, or were repaired
            log.warning("the table of %s is made again from its receipts", self.ledger)
            self.table.clear()
            known = set()
        for name in there:
            if name not in known:
                self.table.add(name, self.intact(name))

    def intact(self, pack: str) -> Iterator[Receipt]:
        """Read a pack.

        Parameters
        ----------
        pack : str
            Its name.

        Yields
        ------
        Receipt
            Those whose every bit is right; the others are logged and left out, so that their
            blocks count as missing.
        """
        for line in self.store.read(f"{PACKS}/{pack}").splitlines(keepends=True):
            receipt = Receipt.parse(line)
            if receipt is None:
                log.warning("%s holds a damaged receipt: run firesat cube verify", pack)
            else:
                yield receipt

    def fold(self) -> list[Receipt]:
        """Fold the receipts that lie there into the table.

        Returns
        -------
        list of Receipt
            Those folded, in the order of their keys.
        """
        loose = self._loose()
        folded = [receipt for receipt in loose.values() if receipt is not None]
        self.add(folded)
        for name in loose:
            self.store.delete(f"receipts/{name}")
        return folded

    def loose(self) -> list[Receipt]:
        """Read the receipts that are not folded yet.

        Returns
        -------
        list of Receipt
            Those that are intact.
        """
        return [receipt for receipt in self._loose().values() if receipt is not None]

    def _loose(self) -> dict[str, Receipt | None]:
        """The receipts that are not folded yet by their files' names; None for a damaged one."""
        found: dict[str, Receipt | None] = {}
        for name in self.store.names("receipts"):
            try:
                found[name] = Receipt.parse(self.store.read(f"receipts/{name}"))
            except FileNotFoundError:  # folded meanwhile, by the process that holds the lease
                continue
            if found[name] is None:
                log.warning("the receipt %s is damaged: its block will be fetched again", name)
        return found

    def add(self, receipts: Iterable[Receipt]) -> None:
        """Put receipts into the table; newer ones replace older ones.

        They are durable in a pack first: a table without them would be brought up to date.

        Parameters
        ----------
        receipts : iterable of Receipt
            Rows to write.
        """
        rows = list(receipts)
        if not rows:
            return
        lines = [receipt.line for receipt in rows]
        last = max(self.store.names(PACKS), default="0")
        # The checksum in the name tells packs of one number apart: they are never written over.
        name = f"{int(last.split('-')[0]) + 1:08d}-{crc32c(*lines)}"
        self.store.put([(f"{PACKS}/{name}", lines)])
        self.table.add(name, rows)

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
        return self.table.finished(group)

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
        return {r.key for r in self.loose() if r.group == group and r.status != "failed"}

    def rows(self, group: str | None = None, *, since: str = "") -> list[Receipt]:
        """Read the table.

        Parameters
        ----------
        group : str, optional
            One group; None = all.
        since : str
            Smallest key.

        Returns
        -------
        list of Receipt
            In the order of their keys.
        """
        return list(self.table.rows(group, since=since))

    def unnoted(self, group: str) -> list[Receipt]:
        """List the blocks done whose times the cube may not have yet.

        Parameters
        ----------
        group : str
            Name of the group.

        Returns
        -------
        list of Receipt
            In the order of their keys.
        """
        return list(self.table.unnoted(group))

    def note(self, receipts: Iterable[Receipt]) -> None:
        """Remember that the cube has the times of some blocks.

        Parameters
        ----------
        receipts : iterable of Receipt
            Rows of :meth:`unnoted`.
        """
        self.table.note([receipt.key for receipt in receipts])

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
        return self.table.configs(group)

    def counts(self) -> dict[str, Counter[str]]:
        """Count blocks by status.

        Returns
        -------
        dict of Counter
            Group to its count of "done", "empty" and "failed".
        """
        return self.table.counts()

    def content_hash(self) -> str:
        """Hash what has been written, from the checksums of its values: no pixel is read.

        Returns
        -------
        str
            SHA-256 over key, status and checksum of every block that is done or empty, in the order
            of their keys; the same for the same content, however often the work was interrupted.
        """
        digest = hashlib.sha256()
        for row in self.table.rows():
            if row.status != "failed":
                digest.update(f"{row.key} {row.status} {row.checksum}\n".encode())
        return digest.hexdigest()

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
            If another process holds it.
        """
        with held(self.store) as lease:
            self._lease = lease
            self.refresh()
            yield
        self._lease = None

    def beat(self) -> None:
        """Tell other hosts that the holder of the lease is still at work.

        Raises
        ------
        CubeError
            If another has taken the cube over.
        """
        if self._lease is not None:
            self._lease.beat()
