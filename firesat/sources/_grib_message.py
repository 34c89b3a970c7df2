"""GRIB messages as bytes: simple packing undone directly.

A month of reanalysis is thousands of small messages that differ in time and values alone. ecCodes
builds a tree for each (0.3 ms); here the first of each kind goes through ecCodes, and those that
agree with it in every other byte are unpacked by the two formulas of the WMO Manual on Codes
(FM 92, regulation 92.9.4): ``value = (R + X * 2**E) / 10**D``.
"""

import calendar
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BITS_ALIGNED = {8: ">u1", 16: ">u2", 32: ">u4"}


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
