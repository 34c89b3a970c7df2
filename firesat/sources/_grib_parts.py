"""Large GRIB files, read part by part."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import xarray as xr

from firesat.sources._grib import blaming, read_grib, read_messages
from firesat.sources._grib_quantity import seconds
from firesat.sources._grib_spans import spans

PART = 1_000_000
"""Bytes of a file read at once: six hours of a country are more, a region's month is less."""


def read_grib_parts(path: Path) -> Iterator[xr.Dataset]:
    """Read a GRIB file part by part: no more than `PART` of it, or six hours, at once.

    Parameters
    ----------
    path : Path
        As for :func:`read_grib`.

    Yields
    ------
    xr.Dataset
        What :func:`read_grib` would give of the messages that are valid in some quarters of
        calendar days, in order of time; all of them if the file is small.

    Raises
    ------
    CorruptFileError, SourceError
        As :func:`read_grib`, of a part.
    """
    if path.stat().st_size <= PART:
        yield read_grib(path)
        return
    with path.open("rb") as file:
        for places in _joined(_quarters(file, path)):
            yield read_messages(_messages_at(file, places), path)


def _quarters(file: BinaryIO, path: Path) -> list[list[tuple[int, int]]]:
    """Where the messages of each quarter of a day stand, in order of time."""
    found: dict[int, list[tuple[int, int]]] = {}
    for start, end in spans(path):
        file.seek(start)
        with blaming(path):
            quarter = _valid(file.read(end - start)) // (6 * 3600)
        found.setdefault(quarter, []).append((start, end))
    return [places for _, places in sorted(found.items())]


def _joined(quarters: list[list[tuple[int, int]]]) -> Iterator[list[tuple[int, int]]]:
    """Quarters put together for as long as they are small: each part has its own cost."""
    places: list[tuple[int, int]] = []
    for quarter in quarters:
        if places and sum(end - start for start, end in places + quarter) > PART:
            yield places
            places = []
        places = places + quarter
    if places:
        yield places


def _messages_at(file: BinaryIO, places: list[tuple[int, int]]) -> Iterator[bytes]:
    """Messages of an open file."""
    for start, end in places:
        file.seek(start)
        yield file.read(end - start)


def _valid(message: bytes) -> int:
    """When a message is valid, seconds since 1970."""
    import eccodes

    handle = eccodes.codes_new_from_message(message)
    try:
        keys = partial(eccodes.codes_get, handle)
        return seconds(keys("validityDate"), keys("validityTime"))
    finally:
        eccodes.codes_release(handle)
