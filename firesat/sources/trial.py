"""A first reading in a process of its own: a file that makes a library die takes no worker along.

The C libraries behind HDF4, GRIB and NetCDF end the process on some damaged files: of files with a
few wrong bytes, ecCodes died of 1 in 100 and HDF4 of 1 in 40. So such a file is read twice, first
by a child that may die. HDF4 may also write where it should not and live on, and one of 2 000 such
files then ended the second reader: of HDF4 the child's own result is taken. The child is a small
server that forks for each file; it ends with us.
"""

import atexit
import base64
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from firesat.errors import CorruptFileError, FiresatError
from firesat.sources.base import InParts

RISKY = (b"\x0e\x03\x13\x01", b"GRIB", b"\x89HDF", b"CDF", b"PK")
"""First bytes of HDF4, GRIB, HDF5, classic NetCDF, and of archives that hold one of these."""

PATIENCE = 30  # seconds of a reading, and one more for each megabyte
MEMORY = 4 << 30  # bytes beyond what the child holds, and 32 times the file
_FULL = 3  # exit status of a child that got no more memory

Read = Callable[[Path], Any]


def try_first(read: Read, path: Path) -> None:
    """Read a file in another process, if its format asks for it.

    Parameters
    ----------
    read : callable
        A source's method, or another that can be pickled.
    path : Path
        A local file.

    Raises
    ------
    CorruptFileError
        If the reader dies, does not end, or asks for more memory than such a file can need. Errors
        that the reader itself raises are left to the second reading.
    """
    if not hasattr(os, "fork") or not _risky(path):
        return
    status = _server().status_of(read, path)
    if os.WIFSIGNALED(status):
        end = signal.Signals(os.WTERMSIG(status))
        seconds = _patience(path.stat().st_size)
        why = f"does not end in {seconds} s" if end == signal.SIGALRM else f"dies of {end.name}"
        raise CorruptFileError(f"{path}: its reader {why}: delete it and run the command again")
    if os.waitstatus_to_exitcode(status) == _FULL:
        size = path.stat().st_size
        raise CorruptFileError(
            f"{path}: reading its {size} bytes takes over {_allowance(size) >> 30} GiB: delete it "
            "and run the command again"
        )


def read_tried(read: Read, path: Path) -> Any:  # noqa: ANN401  whatever it reads
    """Read a file whose format may end its reader, or write into its memory.

    Parameters
    ----------
    read : callable
        A source's method, or another that can be pickled.
    path : Path
        A local file.

    Returns
    -------
    object
        What `read` gives.

    Raises
    ------
    CorruptFileError
        As :func:`try_first`.
    FiresatError
        What `read` raises.
    """
    if not (hasattr(os, "fork") and _starts_with(path, RISKY[:1])):
        try_first(read, path)
        return read(path)
    with TemporaryDirectory() as folder:
        answer = Path(folder) / "answer"
        try_first(partial(_answering, read, answer), path)
        if not answer.is_file():
            raise CorruptFileError(f"{path} cannot be read: delete it and run the command again")
        found = pickle.loads(answer.read_bytes())  # noqa: S301  from our own child
    if isinstance(found, FiresatError):
        raise found
    return found


def _answering(read: Read, answer: Path, path: Path) -> None:
    """Read a file and leave the result, or the error, as another file."""
    try:
        found = read(path)
    except FiresatError as error:
        found = error
    answer.write_bytes(pickle.dumps(found))


def _starts_with(path: Path, marks: tuple[bytes, ...]) -> bool:
    """Whether a file begins with one of some marks; a folder does not."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4).startswith(marks)


def _risky(path: Path) -> bool:
    """Whether a file is of a format that may end its reader; a folder is not."""
    return _starts_with(path, RISKY)


def read_through(source: InParts, path: Path) -> None:
    """Read a file part by part, and keep nothing.

    Parameters
    ----------
    source : InParts
        A source that reads so.
    path : Path
        A local file.
    """
    for _ in source.parts(path):
        pass


def _allowance(size: int) -> int:
    """Memory for a file."""
    return MEMORY + 32 * size


def _patience(size: int) -> int:
    """Seconds for a file."""
    return PATIENCE + size // 1_000_000


class _Server:
    """Our end of the child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._passed: set[tuple[Path, int, int]] = set()  # several blocks need a file
        self._start()

    def _start(self) -> None:
        """Start the child; it ends when its input does."""
        one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # it forks: no other threads
        self._child = subprocess.Popen(
            [sys.executable, "-m", "firesat.sources.trial"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **one},
        )

    def status_of(self, read: Read, path: Path) -> int:
        """How the reading of a file ended, as `os.wait` says it."""
        state = path.stat()
        known = (path, state.st_size, state.st_mtime_ns)
        answering = isinstance(read, partial) and read.func is _answering
        with self._lock:
            if known in self._passed and not answering:
                return 0
            if self._child.poll() is not None:
                self._start()
            status = self._answer(base64.b64encode(pickle.dumps((read, path))))
            if status is None:
                raise CorruptFileError(f"{path}: the process that tries files died: run again")
            if status == 0:
                self._passed.add(known)
        return status

    def _answer(self, question: bytes) -> int | None:
        """What the child says; None if it has died."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            self._child.stdin.write(question + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            return None
        answer = self._child.stdout.readline()
        return int(answer) if answer else None

    def close(self) -> None:
        """Let the child end."""
        with self._lock, self._child:  # closes the pipes and waits
            pass


@lru_cache(maxsize=1)
def _server() -> _Server:
    """The child of this process, started when first needed."""
    server = _Server()
    atexit.register(server.close)
    return server


def _serve() -> None:
    """Answer each line of input with how a fork ended."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # libraries may print what they like
    for line in sys.stdin.buffer:
        read, path = pickle.loads(base64.b64decode(line))  # noqa: S301  from our own parent
        _warm()
        child = os.fork()
        if child == 0:
            status = 1  # also of errors that are not ours: the second reading raises them again
            try:
                status = _attempt(read, path)
            finally:
                os._exit(status)
        answers.write(f"{os.waitpid(child, 0)[1]}\n")


@lru_cache(maxsize=1)
def _warm() -> None:
    """Load ecCodes and its tables before any fork instead of in each: they take a second."""
    import eccodes
    import pyproj  # noqa: F401  first: ecCodes brings another PROJ along

    eccodes.codes_release(eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib1"))


def _attempt(read: Read, path: Path) -> int:
    """Read within limits; the exit status."""
    import resource  # only where there is fork(), which this runs in

    size = path.stat().st_size
    limit = psutil.Process().memory_info().vms + _allowance(size)
    _, most = resource.getrlimit(resource.RLIMIT_AS)  # a batch system may have set it, for good
    if most != resource.RLIM_INFINITY:
        limit = min(limit, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    signal.alarm(_patience(size))  # by default it ends the process, whatever a library is at
    try:
        read(path)
    except MemoryError:
        return _FULL
    except FiresatError:
        return 1
    return 0


if __name__ == "__main__":
    _serve()
