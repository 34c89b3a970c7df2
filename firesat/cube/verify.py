"""Whether a cube is as it was written, bit by bit."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from firesat.cube.hierarchy import NODE
from firesat.cube.shards import damaged_chunks
from firesat.cube.times import Times
from firesat.errors import CubeError
from firesat.manifest import FileSum, Manifest, Receipt
from firesat.manifest.audit import audit, remake
from firesat.store import address, exists, store_of

Progress = Callable[[int, int, str], None]
Kind = Literal["block", "metadata", "times", "ledger"]


@dataclass(frozen=True, kw_only=True)
class Damage:
    """One thing that is not as it was written.

    Parameters
    ----------
    kind : {"block", "metadata", "times", "ledger"}
        What it belongs to.
    file : str
        Its file, in the cube or in the ledger.
    reason : str
        What is wrong.
    group : str
        The group it belongs to; "" = the cube itself.
    block : str
        Key of the block that has to be fetched again; "" = none.
    part : str
        Which part of the file, such as "chunk 2/3".
    """

    kind: Kind
    file: str
    reason: str
    group: str = ""
    block: str = ""
    part: str = ""

    def __str__(self) -> str:
        where = f"{self.file} {self.part}".strip()
        return f"{self.block}: {where}: {self.reason}" if self.block else f"{where}: {self.reason}"


@dataclass(kw_only=True)
class Findings:
    """What a verification has found.

    Parameters
    ----------
    blocks, files, size : int
        How many blocks and files were looked at, and their bytes.
    damages : list of Damage
        None if the cube is as it was written.
    """

    blocks: int = 0
    files: int = 0
    size: int = 0
    damages: list[Damage] = field(default_factory=list)

    @property
    def missing(self) -> dict[str, str]:
        """What has to be fetched again.

        Returns
        -------
        dict
            Key of a block to the last thing that is wrong with it.
        """
        return {d.block: d.reason for d in self.damages if d.block}

    def groups(self, *kinds: Kind) -> set[str]:
        """List the groups with damages of some kinds.

        Parameters
        ----------
        *kinds : str
            Kinds of damage.

        Returns
        -------
        set of str
            Names; "" = the cube itself.
        """
        return {damage.group for damage in self.damages if damage.kind in kinds}


class Verifier:
    """Reads every file of a cube and compares it with what its receipt says.

    Parameters
    ----------
    path : Path
        A cube, with its ledger beside it. No ingest should be at work.

    Raises
    ------
    CubeError
        If there is no ledger.
    """

    def __init__(self, path: Path) -> None:
        ledger = path.with_suffix(".ledger")
        if not exists(ledger, "groups/cube.sums"):
            raise CubeError(
                f"{address(path)} has no ledger beside it, so nobody can say what it was: give a "
                "cube that firesat ingest made"
            )
        self.path = path
        self.store = store_of(path)
        self.manifest = Manifest(ledger)
        self.findings = Findings()

    def run(self, progress: Progress) -> Findings:
        """Look at everything.

        Parameters
        ----------
        progress : callable
            Called with (blocks looked at, blocks in all, what).

        Returns
        -------
        Findings
            Everything that is not as it was written.
        """
        self._check_ledger()
        groups = self.manifest.groups.names()
        for group in ["", *groups]:
            self._check_metadata(group)
        rows = [r for r in (*self.manifest.rows(), *self.manifest.loose()) if r.status == "done"]
        for number, row in enumerate(rows, start=1):
            self.findings.blocks += 1
            for wanted in row.sums:
                self._check_file(wanted, "block", row.group, row.key)
            progress(number, len(rows), row.key)
        unreadable = self.findings.groups("metadata")
        for group in [] if "" in unreadable else sorted(set(groups) - unreadable):
            self._check_times(group)
        return self.findings

    def _add(self, damage: Damage) -> None:
        """Note a damage."""
        self.findings.damages.append(damage)

    def _check_ledger(self) -> None:
        """Compare the ledger with itself."""
        found = audit(self.manifest)
        for name, reason in found.files.items():
            self._add(Damage(kind="ledger", file=name, reason=reason))
        if self.manifest.table.path.name in found.files:
            self.manifest.renew()  # only an index: what follows is asked of the receipts
        for block, reason in found.blocks.items():
            row = {"group": block.split("/")[0], "block": block}
            self._add(Damage(kind="block", file="manifest.sqlite", reason=reason, **row))

    def _check_metadata(self, group: str) -> None:
        """Compare a group's metadata and coordinates."""
        sums = self.manifest.groups.sums(group)
        if sums is None:
            file = f"groups/{group or 'cube'}.sums"
            reason = "its bytes do not match its checksum"
            self._add(Damage(kind="metadata", file=file, reason=reason, group=group))
            return
        for wanted in sums:
            self._check_file(wanted, "metadata", group)

    def _check_file(self, wanted: FileSum, kind: Kind, group: str, block: str = "") -> None:
        """Compare a file."""
        self.findings.files += 1
        try:
            content = self.store.read(wanted.key)
        except FileNotFoundError:
            about = {"reason": "it is not there", "group": group, "block": block}
            self._add(Damage(kind=kind, file=wanted.key, **about))
            return
        self.findings.size += len(content)
        if FileSum.of(wanted.key, [content]) == wanted:
            return
        reason = "its bytes are not those that were written"
        if len(content) != wanted.size:
            reason = f"it has {len(content)} bytes, {wanted.size} were written"
        for part in self._parts(wanted.key, content) if block else [""]:
            about = {"reason": reason, "group": group, "block": block, "part": part}
            self._add(Damage(kind=kind, file=wanted.key, **about))

    def _parts(self, key: str, content: bytes) -> list[str]:
        """The chunks of a shard that are damaged."""
        try:
            metadata = json.loads(self.store.read(f"{key.split('/c/')[0]}/{NODE}"))
            outer = metadata["chunk_grid"]["configuration"]["chunk_shape"]
            inner = metadata["codecs"][0]["configuration"]["chunk_shape"]
        except (ValueError, KeyError, FileNotFoundError):  # damaged as well, and named as such
            return [""]
        return damaged_chunks((outer[-2] // inner[-2], outer[-1] // inner[-1]), content)

    def _check_times(self, group: str) -> None:
        """Compare the times of a group with those in its receipts."""
        file = f"{group}/available_time"
        times = Times(self.path, group)
        try:
            stored = times.read()
        except ValueError as error:  # zarr's own checksum
            reason = " ".join(str(error).split())
            self._add(Damage(kind="times", file=file, reason=reason, group=group))
            return
        pending = {row.key for row in self.manifest.unnoted(group)}
        rows = [row for row in self.manifest.rows(group) if row.key not in pending]
        for row in times.differing(stored, (row for row in rows if row.status == "done")):
            reason = "its times are not those of its receipt"
            self._add(Damage(kind="times", file=file, reason=reason, group=group, part=row.key))


def repair(path: Path, findings: Findings) -> None:
    """Mark what is damaged as missing, so that the next ingest fetches it again.

    Damaged blocks lose their receipt and their times: a reader that keeps to ``available_time``
    sees them no more. Groups with damaged metadata are gone until the next ingest makes them again
    around their blocks, which stay.

    Parameters
    ----------
    path : Path
        A cube.
    findings : Findings
        What :class:`Verifier` has found.

    Raises
    ------
    CubeError
        If an ingest is at work.
    """
    manifest, store = Manifest(path.with_suffix(".ledger")), store_of(path)
    with manifest.lease():
        remake(manifest, findings.missing)
        gone = findings.groups("metadata")
        for group in gone:
            store.delete(f"{group}/{NODE}" if group else NODE)
        if "" not in gone:
            for group in findings.groups("block", "times") - gone:
                _rewrite_times(path, manifest, group)


def _rewrite_times(path: Path, manifest: Manifest, group: str) -> None:
    """Give a group the times of its receipts alone."""
    rows: Iterable[Receipt] = [r for r in manifest.rows(group) if r.status == "done"]
    times = Times(path, group)
    times.write(times.table(rows))
    manifest.note(rows)
