"""Zip archives, opened without letting them choose where they write, or how much."""

import lzma
import re
import shutil
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from firesat.errors import CorruptFileError
from firesat.sources._declared import refuse_larger

_ASTRAY = re.compile(r"[/\\]|[A-Za-z]:|(.*[/\\])?\.\.([/\\]|$)", re.DOTALL)
_MAX_MEMBER = 8 << 30  # bytes: no archive of a provider unpacks to more, a hostile one may

# Wrong sums and headers, unknown methods or a password, a stream or a name that cannot be decoded.
_DAMAGE = (zipfile.BadZipFile, RuntimeError, zlib.error, lzma.LZMAError, UnicodeDecodeError)


def members(path: Path, suffixes: tuple[str, ...]) -> list[str]:
    """List the members of a zip archive with given endings.

    Parameters
    ----------
    path : Path
        The archive.
    suffixes : tuple of str
        Such as ``(".csv",)``, lower case.

    Returns
    -------
    list of str
        Sorted names.

    Raises
    ------
    CorruptFileError
        If it is no zip archive, or one of the kinds that are made to do harm: names that lead out
        of a folder, links, the same name twice, far more inside than fits into its size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except _DAMAGE as error:
        raise CorruptFileError(
            f"{path} is no zip archive ({error}): delete it and run the command again"
        ) from error
    _check_entries(path, entries)
    chosen = [entry for entry in entries if entry.filename.lower().endswith(suffixes)]
    refuse_larger(path, sum(float(entry.file_size) for entry in chosen), "members")
    return sorted(entry.filename for entry in chosen)


def _check_entries(path: Path, entries: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse an archive that no provider makes; what we would not unpack counts as well."""
    names = Counter(entry.orig_filename for entry in entries)
    reasons = {
        "a name that leads out of its folder": [n for n in names if _ASTRAY.match(n) or "\0" in n],
        "a link": [e.filename for e in entries if stat.S_ISLNK(e.external_attr >> 16)],
        "the same name twice": [name for name, count in names.items() if count > 1],
    }
    for reason, found in reasons.items():
        if found:
            raise CorruptFileError(
                f"{path} holds {reason}, {found[0][:80]!r}: not opened; delete it and run the "
                "command again"
            )


@contextmanager
def reading(path: Path, member: str) -> Iterator[None]:
    """Name archive and member in what is said of an unpacked file, which nobody else can see.

    Parameters
    ----------
    path : Path
        The archive.
    member : str
        What was unpacked.

    Yields
    ------
    None
        While it is read.

    Raises
    ------
    CorruptFileError
        Instead of the one that names the unpacked file.
    """
    try:
        yield
    except CorruptFileError as error:
        raise CorruptFileError(
            f"{path}: its member {member} cannot be read ({error}): delete the archive and run the "
            "command again"
        ) from error


def extract(path: Path, member: str, target: Path) -> None:
    """Unpack one member to a name of our own, so that no archive chooses where it writes.

    Parameters
    ----------
    path : Path
        The archive.
    member : str
        One of its members.
    target : Path
        Where to write it.

    Raises
    ------
    CorruptFileError
        If it is damaged, or larger than any such file can be.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(member).file_size > _MAX_MEMBER:
                raise CorruptFileError(f"{path}: {member} unpacks to more than 8 GiB: not opened")
            with _opened(archive, member) as packed, target.open("wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)
    except (*_DAMAGE, EOFError, KeyError) as error:
        raise CorruptFileError(
            f"{path}: {member} is damaged ({error}): delete the file and run the command again"
        ) from error


def _opened(archive: zipfile.ZipFile, member: str) -> IO[bytes]:
    """A member, from wherever the archive says it begins; that may be before the file."""
    try:
        return archive.open(member)
    except OSError as error:
        raise zipfile.BadZipFile(f"its directory points astray: {error}") from error
