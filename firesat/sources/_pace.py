"""Connections and rates that all workers keep together, through files of the shared cache.

Locks are the kernel's: those of a process that dies are free at once. On a network disk they need
flock (NFS 4, Lustre with ``-o flock``).
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from filelock import FileLock, Timeout

from firesat.sources.commons import Commons

_LOOK_AGAIN = 0.02  # seconds
_BURST = 5.0  # seconds' worth of requests that may go out at once
_FAR = 3600.0  # seconds: a reservation further ahead is the mark of a clock that was wrong

_HELD: ContextVar[str] = ContextVar("connection held", default="")


@contextmanager
def connection(shared: Commons) -> Iterator[None]:
    """Hold one of the connections that a provider allows; wait for one if need be.

    Parameters
    ----------
    shared : Commons
        Provider, quota and folder of the locks.

    Yields
    ------
    None
        Download inside. Inside another one of the same provider nothing more is taken.
    """
    if shared.folder is None or _HELD.get() == shared.provider:
        yield
        return
    lock = _free_one(shared.folder, shared.provider, shared.quota.connections)
    held = _HELD.set(shared.provider)
    try:
        yield
    finally:
        _HELD.reset(held)
        lock.release()


def _free_one(folder: Path, provider: str, count: int) -> FileLock:
    """One of a provider's locks, taken."""
    folder.mkdir(parents=True, exist_ok=True)
    locks = [FileLock(folder / f"{provider}-{number}.lock") for number in range(count)]
    while True:
        random.shuffle(locks)
        for lock in locks:
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            return lock
        time.sleep(_LOOK_AGAIN * random.uniform(0.5, 1.5))


def wait_turn(shared: Commons, *, requests: float = 0.0, units: float = 0.0) -> None:
    """Wait until the provider's rates allow something more.

    Parameters
    ----------
    shared : Commons
        Provider, quota and folder of the book.
    requests, units : float
        What is about to be used.
    """
    if shared.folder is None:
        return
    quota = shared.quota
    used = {"requests": requests / quota.requests_per_minute,
            "units": units / quota.units_per_minute}  # fmt: skip
    waits = [
        _reserve(shared.folder, f"{shared.provider}-{kind}", 60 * minutes)
        for kind, minutes in used.items()
        if minutes > 0
    ]
    time.sleep(max(waits, default=0.0))


def _reserve(folder: Path, name: str, seconds: float) -> float:
    """Book a stretch of a rate; how long to wait for its start.

    A generic cell rate algorithm (ITU-T I.371): the book holds the moment until which the rate is
    spoken for, and whoever comes adds what they need.
    """
    folder.mkdir(parents=True, exist_ok=True)
    book = folder / f"{name}.book"
    with FileLock(f"{book}.lock"):
        now = time.time()
        taken = _taken(book)
        if not now - _FAR < taken < now + _FAR:
            taken = now - _BURST
        start = max(taken, now - _BURST)
        book.write_text(repr(start + seconds))
    return max(0.0, start - now)


def _taken(book: Path) -> float:
    """Until when a rate is spoken for; long ago where nothing legible is written."""
    try:
        return float(book.read_text())
    except (FileNotFoundError, ValueError):
        return 0.0
