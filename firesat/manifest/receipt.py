"""Receipts: what a worker vouches for, as a line that no flipped bit survives."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, get_args

import google_crc32c

from firesat.errors import CubeError
from firesat.store import Buffer, store_of

Status = Literal["done", "empty", "failed"]


@dataclass(frozen=True, kw_only=True)
class FileSum:
    """What a file must be.

    Parameters
    ----------
    key : str
        Its name in the cube, such as "sentinel2/clear/c/0/0/1".
    size : int
        Bytes.
    crc : str
        CRC-32C of them, eight hexadecimal digits.
    """

    key: str
    size: int
    crc: str

    @classmethod
    def of(cls, key: str, pieces: Sequence[Buffer]) -> "FileSum":
        """Sum a file up.

        Parameters
        ----------
        key : str
            Its name.
        pieces : sequence of buffers
            Its content.

        Returns
        -------
        FileSum
            Of all pieces in their order.
        """
        return cls(key=key, size=sum(len(piece) for piece in pieces), crc=crc32c(*pieces))

    @classmethod
    def parse(cls, text: str) -> "FileSum":
        """Read one.

        Parameters
        ----------
        text : str
            What ``str()`` gave.

        Returns
        -------
        FileSum
            The same.
        """
        key, size, crc = text.rsplit(" ", 2)
        return cls(key=key, size=int(size), crc=crc)

    def __str__(self) -> str:
        return f"{self.key} {self.size} {self.crc}"


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
    files : list of str
        Its files, each as `FileSum` writes it.
    items : list of str
        The provider's ids of what went in.
    available : list of str
        ISO times, UTC, at which each time step became available; "" = never.
    stream : {"final", "nrt"}
        Which version of the product.
    config : str
        Hash of the settings it was made with.
    reason : str
        Why it failed, or what the provider does not have of it, or which rows of its tables were
        left out.
    units : float
        Processing units that the provider counted for it.

    Raises
    ------
    CubeError
        If the status is another.
    """

    key: str
    group: str
    status: Status
    checksum: str = ""
    files: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    available: list[str] = field(default_factory=list)
    stream: str = "final"
    config: str = ""
    reason: str = ""
    units: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what nobody could count."""
        if self.status not in get_args(Status):
            raise CubeError(f"{self.key}: no status {self.status!r}: say done, empty or failed")

    @property
    def index(self) -> tuple[int, int, int]:
        """Where its block lies.

        Returns
        -------
        tuple of int
            Number of the block along time, y and x.
        """
        step, row, column = (int(part) for part in self.key.split("/")[1:])
        return step, row, column

    @property
    def sums(self) -> list[FileSum]:
        """Its files.

        Returns
        -------
        list of FileSum
            One for each variable; none where nothing was written.
        """
        return [FileSum.parse(text) for text in self.files]

    @property
    def line(self) -> bytes:
        """It as a line.

        Returns
        -------
        bytes
            CRC-32C of the rest, then JSON; ends in a newline.
        """
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()
        return crc32c(text).encode() + b" " + text + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> "Receipt | None":
        """Read a line.

        Parameters
        ----------
        line : bytes
            With its newline.

        Returns
        -------
        Receipt or None
            None if any bit of it is not as it was written.
        """
        crc, text, end = line[:8], line[9:-1], line[8:9] + line[-1:]
        if end != b" \n" or crc != crc32c(text).encode():
            return None
        return cls(**json.loads(text))


def leave_receipt(ledger: Path, receipt: Receipt) -> None:
    """Leave a receipt, durably, to be folded later. Any worker may do so.

    Parameters
    ----------
    ledger : Path
        Folder of the ledger.
    receipt : Receipt
        Of a block whose files are already durable.
    """
    store_of(ledger).put([(f"receipts/{receipt.key.replace('/', '-')}.receipt", [receipt.line])])


def crc32c(*pieces: Buffer) -> str:
    """Compute the Castagnoli checksum of some bytes, by the processor's own instruction.

    Parameters
    ----------
    *pieces : buffers
        In their order.

    Returns
    -------
    str
        Eight hexadecimal digits.
    """
    value = 0
    for piece in pieces:
        value = google_crc32c.extend(
            value, bytes(piece) if isinstance(piece, memoryview) else piece
        )
    return f"{value:08x}"
