"""Zip archives, opened without letting them choose where they write."""

import lzma
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import IO

from firesat.errors import CorruptFileError

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
        If it is no zip archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted(n for n in archive.namelist() if n.lower().endswith(suffixes))
    except _DAMAGE as error:
        raise CorruptFileError(
            f"{path} is no zip archive ({error}): delete it and run the command again"
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
