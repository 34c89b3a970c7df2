"""The lease: one writer at a time, without file locks.

Claims are numbered files, each made by exclusive creation and never removed: a number is given away
once, whoever tries and however late. The highest number holds the cube until it says that it has
released it, its process is dead, or, on another machine, its beat has stopped.
"""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from firesat.errors import CubeError, StoreError
from firesat.store import DiskStore, Holder, Store

LEASE_EXPIRES = timedelta(minutes=10)
BEAT = 30.0  # seconds between two beats
NOBODY = Holder(host="an unknown machine", machine="", pid=0, started=0.0)

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One entry of the list of writers.

    Parameters
    ----------
    number : int
        From 1.
    holder : Holder
        The process.
    since : str
        ISO time, UTC.
    released : bool
        Whether it has ended.
    beats : int
        How often it has said that it is at work.
    """

    number: int
    holder: Holder
    since: str
    released: bool = False
    beats: int = 0

    @property
    def key(self) -> str:
        """Its file.

        Returns
        -------
        str
            In the ledger.
        """
        return f"lease/{self.number:08d}.json"

    @property
    def content(self) -> bytes:
        """What its file holds.

        Returns
        -------
        bytes
            JSON.
        """
        record = {
            **self.holder.record,
            "since": self.since,
            "released": self.released,
            "beats": self.beats,
        }
        return json.dumps(record, indent=1).encode()


def latest(store: Store) -> Claim | None:
    """Read the highest claim.

    Parameters
    ----------
    store : Store
        Of the ledger.

    Returns
    -------
    Claim or None
        None where nobody has ever written.
    """
    names = store.names("lease")
    if not names:
        return None
    number = int(names[-1].split(".")[0])
    try:
        record: dict[str, Any] = json.loads(store.read(f"lease/{names[-1]}"))
        own = {name: record.pop(name) for name in ("since", "released", "beats")}
        return Claim(number=number, holder=Holder(**record), **own)
    except (ValueError, KeyError, TypeError):  # a flipped bit: nobody can say, so its beat must
        return Claim(number=number, holder=NOBODY, since="an unknown time")


def take(store: Store) -> Claim:
    """Become the writer.

    Parameters
    ----------
    store : Store
        Of the ledger.

    Returns
    -------
    Claim
        To be beaten and released.

    Raises
    ------
    CubeError
        If another process is the writer, or was faster.
    """
    found = latest(store)
    if found is not None:
        _refuse_standing(store, found)
    claim = _next(found)
    if not store.create(claim.key, claim.content):
        raise CubeError(f"another ingest took {store.address} just now: wait for it to end")
    return claim


def _next(found: Claim | None) -> Claim:
    """The claim after one."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    number = found.number + 1 if found else 1
    return Claim(number=number, holder=Holder.here(), since=now)


def _refuse_standing(store: Store, found: Claim) -> None:
    """Say who holds the cube, if anybody does."""
    if found.released or found.holder.alive is False:
        return
    who = f"process {found.holder.pid} on {found.holder.host}"
    text = f"{who} has been writing {store.address} since {found.since}"
    if found.holder.alive:
        raise CubeError(f"{text}: wait for it, or stop it")
    silent = silence(store, found)
    if silent < LEASE_EXPIRES:
        raise CubeError(
            f"{text}; its last beat was {silent.total_seconds():.0f} s ago: wait for it; if it is "
            f"gone, its lease ends {LEASE_EXPIRES.total_seconds():.0f} s after that beat, or now "
            "by firesat cube unlock CUBE --force"
        )
    log.warning("%s, but has been silent for %s: taking over", text, silent)


def silence(store: Store, claim: Claim) -> timedelta:
    """Tell how long ago a claim's last beat was, by the clock of the disk or bucket alone.

    Parameters
    ----------
    store : Store
        Of the ledger.
    claim : Claim
        Whose.

    Returns
    -------
    timedelta
        Two machines whose clocks differ agree on it.
    """
    store.put([("clock", [Holder.here().label.encode()])])
    return store.modified("clock") - store.modified(claim.key)


def unlock(store: Store, *, force: bool) -> Claim | None:
    """Take the cube from a writer that is gone.

    Parameters
    ----------
    store : Store
        Of the ledger.
    force : bool
        Also from one of another machine whose lease has not run out.

    Returns
    -------
    Claim or None
        The writer's; None if nobody held the cube.

    Raises
    ------
    CubeError
        If the writer lives on this machine, or may live on another and `force` is False.
    """
    found = latest(store)
    if found is None or found.released:
        return None
    if not (force and found.holder.alive is None):
        _refuse_standing(store, found)
    claim = replace(_next(found), released=True)
    if not store.create(claim.key, claim.content):
        raise CubeError(f"another ingest took {store.address} just now: nothing to unlock")
    return found


class Lease:
    """A claim that is held, and renewed by a thread of its own.

    Parameters
    ----------
    store : Store
        Of the ledger.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._claim = take(store)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def beat(self) -> None:
        """Say that the holder is at work.

        Raises
        ------
        CubeError
            If the cube has been taken over meanwhile: what is finished is kept, but stop.
        """
        self._check()
        self._claim = replace(self._claim, beats=self._claim.beats + 1)
        self._store.put([(self._claim.key, [self._claim.content])])

    def _check(self) -> None:
        """Refuse to go on under another's claim."""
        now = latest(self._store)
        if now is not None and now.number > self._claim.number:
            raise CubeError(
                f"process {now.holder.pid} on {now.holder.host} took {self._store.address} over at "
                f"{now.since}: this ingest stops, what is finished is kept"
            )

    def _keep(self) -> None:
        """Beat until released."""
        while not self._over.wait(BEAT):
            try:
                self.beat()
            except (CubeError, StoreError) as error:
                log.warning("the lease was not renewed: %s", error)

    def release(self) -> None:
        """Let the next one in."""
        self._over.set()
        self._thread.join()
        try:
            self._check()
            self._claim = replace(self._claim, released=True)
            self._store.put([(self._claim.key, [self._claim.content])])
        except (CubeError, StoreError) as error:  # the end of this process releases it as well
            log.warning("the lease was not released: %s", error)


@contextmanager
def held(store: Store) -> Iterator[Lease]:
    """Hold the lease, and clear away what dead writers have left half-done.

    Parameters
    ----------
    store : Store
        Of the ledger.

    Yields
    ------
    Lease
        Renewed until the end.
    """
    lease = Lease(store)
    try:
        if isinstance(store, DiskStore):
            store.sweep()
        yield lease
    finally:
        lease.release()
