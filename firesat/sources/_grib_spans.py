"""Where the messages of a GRIB file lie, and whether each is whole within itself.

ecCodes follows lengths of sections wherever they lead, out of the message and into other memory:
what comes of that is chance. So they are checked before it sees a message.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

from firesat.errors import CorruptFileError

_LARGE = 0x800000  # edition 1 messages above 8 MB write their length in units of 120 bytes
_LEAST = 4  # bytes of a section: its length and something


def messages(path: Path) -> Iterator[bytes]:
    """Cut a file into its messages; whatever lies between them must be padding.

    Parameters
    ----------
    path : Path
        A GRIB file.

    Yields
    ------
    bytes
        One message.

    Raises
    ------
    CorruptFileError
        If it holds anything else, or ends within a message.
    """
    with path.open("rb") as file:
        for start, end in spans(path):
            file.seek(start)
            yield file.read(end - start)


def spans(path: Path) -> Iterator[tuple[int, int]]:
    """Find where the messages of a file lie.

    Parameters
    ----------
    path : Path
        A GRIB file.

    Yields
    ------
    tuple of int
        First byte of a message, and the one after its last.

    Raises
    ------
    CorruptFileError
        If it holds anything else, or ends within a message.
    """
    if path.stat().st_size == 0:
        raise _damaged(path, "it is empty")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = 0
        while (start := data.find(b"GRIB", end)) >= 0:
            _check_padding(data[end:start], path, end)
            end = start + _length(data, start, path)
            if data[end - 4 : end] != b"7777":
                raise _damaged(path, f"the message at byte {start} has no end")
            if not _holds_together(data, start, end):
                raise _damaged(path, f"sections of the message at byte {start} do not fit it")
            yield start, end
        _check_padding(data[end:], path, end)
        if end == 0:
            raise _damaged(path, "it holds no message")


def _check_padding(between: bytes, path: Path, start: int) -> None:
    """Refuse what would be skipped in silence, such as a message whose start is damaged."""
    if between.strip(b"\0"):
        raise _damaged(path, f"from byte {start} on it holds something else")


def _damaged(path: Path, reason: str) -> CorruptFileError:
    """What to raise."""
    return CorruptFileError(
        f"{path} is a damaged GRIB file: {reason}; delete it and run the command again"
    )


def _length(data: mmap.mmap, start: int, path: Path) -> int:
    """Bytes of the message that starts somewhere."""
    head = data[start : start + 16]
    if len(head) < 16 or head[7] not in (1, 2):
        raise _damaged(path, f"the message at byte {start} is of no known edition")
    if head[7] == 2:
        length = int.from_bytes(head[8:16])
    else:
        length = int.from_bytes(head[4:7])
        if length & _LARGE:
            length = (length & _LARGE - 1) * 120 - _short_last_section(data, start)
    if length < 16 or start + length > len(data):
        raise _damaged(path, f"the message at byte {start} is cut short")
    return length


def _holds_together(data: mmap.mmap, start: int, end: int) -> bool:
    """Whether the sections of a message end before its own end section.

    Source: WMO Manual on Codes, FM 92, editions 1 and 2.
    """
    if data[start + 7] == 2:
        position = start + 16
        while position < end - 4:
            length = int.from_bytes(data[position : position + 4])
            if length < _LEAST:
                return False
            position += length
        return position == end - 4
    position, flags = start + 8, data[start + 15]
    for there in (0x100, flags & 0x80, flags & 0x40):  # the product section is always there
        if there:
            length = int.from_bytes(data[position : position + 3])
            position += length
            if length < _LEAST or position + _LEAST > end - 4:
                return False
    large = data[start + 4] & 0x80  # its last section's length means something else
    return bool(large) or position + int.from_bytes(data[position : position + 3]) <= end - 4


def _short_last_section(data: mmap.mmap, start: int) -> int:
    """How much shorter than a multiple of 120 bytes a large message is, less the end section."""
    position = start + 8
    flags = data[position + 7]
    for there in (0x100, flags & 0x80, flags & 0x40):  # the product section is always there
        position += int.from_bytes(data[position : position + 3]) if there else 0
    return int.from_bytes(data[position : position + 3]) - 4
