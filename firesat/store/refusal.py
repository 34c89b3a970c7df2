"""What a disk refuses, in one line a tired person can act on."""

import errno
import shutil
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
