"""What a disk refuses, in one line a tired person can act on."""

import errno
import shutil
import sqlite3
from pathlib import Path

from firesat.errors import StoreError

_ADVICE = {
    errno.ENOSPC: "free some or move the cube to a larger disk",
    errno.EDQUOT: "free some of your quota or ask for more",
    errno.EACCES: "give yourself the right to write there, or set cube.path elsewhere",
    errno.EPERM: "give yourself the right to write there, or set cube.path elsewhere",
    errno.EROFS: "mount it for writing, or set cube.path elsewhere",
    errno.EMFILE: "raise the limit with ulimit -n, or take fewer ingest.workers",
    errno.ENFILE: "raise the machine's limit of open files, or take fewer ingest.workers",
    errno.EIO: "check the disk and its log before you trust it again",
    errno.ENOENT: "set cube.path to a folder that can be made",
    errno.ENOTDIR: "a part of the path is a file; set cube.path elsewhere",
    errno.EEXIST: "a file has that name; set cube.path elsewhere",
    errno.EXDEV: "keep the .zarr and the .ledger folder on one disk",
}


def refusal(error: OSError, path: Path, what: str, needed: int = 0) -> StoreError:
    """Say in one line what the disk has refused.

    Parameters
    ----------
    error : OSError
        The operating system's.
    path : Path
        What was to be written.
    what : str
        What could not be done with it, such as "written".
    needed : int
        Bytes of it.

    Returns
    -------
    StoreError
        To be raised.
    """
    advice = _ADVICE.get(error.errno or 0, "see what the system says of it")
    room = f"; it needs {needed} bytes, {_free(path)} are free" if needed else ""
    return StoreError(
        f"{path} cannot be {what}: {error.strerror or error}{room}: {advice}, then run the command "
        "again: what is finished is kept"
    )


def _free(path: Path) -> int:
    """Bytes left on the disk that holds, or would hold, a path."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free


_OF_SQLITE = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}
"""What the disk, and not the file's content, is to blame for (sqlite.org/rescode.html)."""


def by_disk(error: Exception) -> bool:
    """Tell whether it was the disk that refused SQLite something.

    Parameters
    ----------
    error : Exception
        Raised by a database.

    Returns
    -------
    bool
        False if what stands in the file is not what was written.
    """
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # text that is no UTF-8 comes from Python, without a code
        return not (isinstance(error, UnicodeDecodeError) or "decode" in str(error))
    return code & 0xFF in _OF_SQLITE
