"""What the ledger keeps of each group: its settings, and the checksums of its metadata."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from firesat.manifest.receipt import FileSum, crc32c
from firesat.store import exists, store_of


class GroupRecords:
    """Small files of a ledger, one or two a group.

    Parameters
    ----------
    ledger : Path
        Folder of the ledger.
    """

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._store = store_of(ledger)

    def keep_settings(self, group: str, config: str, settings: Mapping[str, str]) -> None:
        """Keep the settings behind a hash, so that a difference can be told later.

        Parameters
        ----------
        group : str
            Name of the group.
        config : str
            Hash of the settings.
        settings : mapping
            Name to value.
        """
        key = f"groups/{group}.{config}.json"
        content = json.dumps(dict(settings), indent=1, sort_keys=True).encode()
        if not exists(self._ledger, key) or self._store.read(key) != content:
            self._store.put([(key, [content])])

    def settings(self, group: str, config: str) -> dict[str, str]:
        """Read the settings behind a hash.

        Parameters
        ----------
        group : str
            Name of the group.
        config : str
            Hash of the settings.

        Returns
        -------
        dict
            Name to value; nothing where they were not kept.
        """
        key = f"groups/{group}.{config}.json"
        if not exists(self._ledger, key):
            return {}
        found: dict[str, Any] = json.loads(self._store.read(key))
        return found

    def keep_sums(self, group: str, sums: Sequence[FileSum]) -> None:
        """Keep the checksums of a group's metadata and coordinates.

        Parameters
        ----------
        group : str
            Name of the group; "" = of the cube itself.
        sums : sequence of FileSum
            Of its files.
        """
        content = "".join(f"{each}\n" for each in sums).encode()
        self._store.put([(_sums_key(group), [crc32c(content).encode(), b"\n", content])])

    def sums(self, group: str) -> list[FileSum] | None:
        """Read the checksums of a group's metadata and coordinates.

        Parameters
        ----------
        group : str
            Name of the group; "" = of the cube itself.

        Returns
        -------
        list of FileSum or None
            None if they are not there or not as they were written.
        """
        if not exists(self._ledger, _sums_key(group)):
            return None
        crc, _, content = self._store.read(_sums_key(group)).partition(b"\n")
        if crc != crc32c(content).encode():
            return None
        return [FileSum.parse(line) for line in content.decode().splitlines()]

    def names(self) -> list[str]:
        """List the groups that have been made.

        Returns
        -------
        list of str
            Sorted.
        """
        names = [name for name in self._store.names("groups") if name.endswith(".sums")]
        return [name.removesuffix(".sums") for name in names if name != _sums_key("")[7:]]


def _sums_key(group: str) -> str:
    """File of a group's checksums."""
    return f"groups/{group or 'cube'}.sums"
