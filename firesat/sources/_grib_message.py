"""GRIB messages as bytes: where they lie in a file, and simple packing undone directly.

A month of reanalysis is thousands of small messages that differ in time and values alone. ecCodes
builds a tree for each (0.3 ms); here the first of each kind goes through ecCodes, and those that
agree with it in every other byte are unpacked by the two formulas of the WMO Manual on Codes
(FM 92, regulation 92.9.4): ``value = (R + X * 2**E) / 10**D``.
"""

import calendar
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firesat.errors import CorruptFileError

_BITS_ALIGNED = {8: ">u1", 16: ">u2", 32: ">u4"}
_LARGE = 0x800000  # edition 1 messages above 8 MB write their length in units of 120 bytes


@dataclass(frozen=True)
class Packed:
    """A message in simple packing, taken apart.

    Parameters
    ----------
    skeleton : bytes
        All that describes it, but for its time and values.
    reference : int
        Reference time, seconds since 1970.
    scaling : tuple of float
        R, E and D.
    bits : int
        Bits of a number; 0 = all are R.
    numbers : bytes
        The packed numbers.
    bitmap : bytes
        A bit for each point, 1 where there is a number; empty = everywhere.
    """

    skeleton: bytes
    reference: int
    scaling: tuple[float, int, int]
    bits: int
    numbers: bytes
    bitmap: bytes


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


def _short_last_section(data: mmap.mmap, start: int) -> int:
    """How much shorter than a multiple of 120 bytes a large message is, less the end section."""
    position = start + 8
    flags = data[position + 7]
    for there in (0x100, flags & 0x80, flags & 0x40):  # the product section is always there
        position += int.from_bytes(data[position : position + 3]) if there else 0
    return int.from_bytes(data[position : position + 3]) - 4


def dissect(message: bytes) -> Packed | None:
    """Take a message apart if it is in plain simple packing.

    Parameters
    ----------
    message : bytes
        One message.

    Returns
    -------
    Packed or None
        None where only ecCodes knows how.
    """
    try:
        return _edition_1(message) if message[7] == 1 else _edition_2(message)
    except (IndexError, ValueError):  # not as the manual says: ecCodes will word it
        return None


def _edition_1(message: bytes) -> Packed | None:
    """A message of edition 1: product, grid, bitmap, numbers."""
    product, rest = _section_1(message, 8)
    grid, rest = _section_1(message, rest) if product[7] & 0x80 else (b"", rest)
    bitmap, rest = _section_1(message, rest) if product[7] & 0x40 else (b"", rest)
    data, rest = _section_1(message, rest)
    plain = data[3] >> 4 == 0 and not int.from_bytes(bitmap[4:6])
    if not plain or rest != len(message) - 4:
        return None
    year = (product[24] - 1) * 100 + product[12]
    scaling = (_ibm_float(data[6:10]), _signed(data[4:6]), _signed(product[26:28]))
    return Packed(
        skeleton=b"1" + product[3:12] + product[17:24] + product[25:] + grid,
        reference=_moment(year, *product[13:17]),
        scaling=scaling,
        bits=data[10],
        numbers=data[11:],
        bitmap=bitmap[6:],
    )


def _section_1(message: bytes, start: int) -> tuple[bytes, int]:
    """A section of edition 1 and where the next one starts."""
    end = start + int.from_bytes(message[start : start + 3])
    return message[start:end], end


def _edition_2(message: bytes) -> Packed | None:
    """A message of edition 2: numbered sections."""
    sections: dict[int, bytes] = {}
    start = 16
    while message[start : start + 4] != b"7777":
        end = start + int.from_bytes(message[start : start + 4])
        number = message[start + 4]
        if number in sections or end <= start:
            return None  # several fields in one message
        sections[number] = message[start:end]
        start = end
    packing, bitmap = sections[5], sections[6]
    if packing[9:11] != b"\0\0" or bitmap[5] not in (0, 255):
        return None
    name, product = sections[1], bytearray(sections[4])
    if product[7:9] == b"\0\x08":
        product[34:41] = bytes(7)  # end of the interval: it moves with the reference time
    reference = np.frombuffer(packing[11:15], ">f4")[0]
    return Packed(
        skeleton=b"2" + message[6:7] + name[5:12] + name[19:] + sections.get(2, b"")
        + sections[3] + bytes(product),
        reference=_moment(int.from_bytes(name[12:14]), *name[14:18]),
        scaling=(float(reference), _signed(packing[15:17]), _signed(packing[17:19])),
        bits=packing[19],
        numbers=sections[7][5:],
        bitmap=bitmap[6:] if bitmap[5] == 0 else b"",
    )  # fmt: skip


def _signed(two: bytes) -> int:
    """A number with a sign bit, as GRIB writes negative ones."""
    raw = int.from_bytes(two)
    return -(raw & 0x7FFF) if raw & 0x8000 else raw


def _ibm_float(four: bytes) -> float:
    """A float of base 16, as edition 1 writes them."""
    mantissa = int.from_bytes(four[1:]) / 2**24
    value = mantissa * 16.0 ** ((four[0] & 0x7F) - 64)
    return -value if four[0] & 0x80 else value


def _moment(year: int, month: int, day: int, hour: int, minute: int) -> int:
    """Seconds since 1970."""
    return calendar.timegm((year, month, day, hour, minute, 0))


def unpack(packed: Packed, points: int) -> NDArray[np.float64] | None:
    """Undo simple packing.

    Parameters
    ----------
    packed : Packed
        A message.
    points : int
        Points of its grid.

    Returns
    -------
    ndarray of float64, shape (points,) or None
        In the order of the file, NaN where missing; None if the numbers do not suffice.
    """
    there = None
    if packed.bitmap:
        bitmap = np.frombuffer(packed.bitmap, "u1")
        there = np.unpackbits(bitmap)[:points].astype(bool)
        if len(there) != points:
            return None
    count = points if there is None else int(there.sum())
    numbers = _numbers(packed, count)
    if numbers is None:
        return None
    start, binary, decimal = packed.scaling
    values = (start + numbers * 2.0**binary) / 10.0**decimal
    if there is None:
        return values
    field = np.full(points, np.nan)
    field[there] = values
    return field


def _numbers(packed: Packed, count: int) -> NDArray[np.float64] | None:
    """The packed whole numbers."""
    bits = packed.bits
    if bits == 0:
        return np.zeros(count)
    size = -(-count * bits // 8)
    if bits > 32 or len(packed.numbers) < size:
        return None
    if bits in _BITS_ALIGNED:
        return np.frombuffer(packed.numbers[:size], _BITS_ALIGNED[bits]).astype("float64")
    spread = np.unpackbits(np.frombuffer(packed.numbers[:size], "u1"))[: count * bits]
    weights = 2.0 ** np.arange(bits - 1, -1, -1)
    numbers: NDArray[np.float64] = spread.reshape(count, bits) @ weights
    return numbers
