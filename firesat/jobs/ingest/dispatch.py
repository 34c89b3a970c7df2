"""Blocks in flight: which worker has them, and what becomes of those that hang or are lost."""

import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty, Queue
from typing import Any

from distributed import Client, Future, Nanny

from firesat.errors import ClusterError, StoreError
from firesat.jobs.ingest.block import ingest_block
from firesat.jobs.ingest.flight import Flight, Limits
from firesat.jobs.ingest.identity import config_hash
from firesat.jobs.ingest.lines import Lines
from firesat.jobs.ingest.shared import topic
from firesat.jobs.ingest.workplace import Outcome, Workplace
from firesat.manifest import Receipt, leave_receipt
from firesat.sources.redaction import redact

log = logging.getLogger(__name__)

IN_FLIGHT = 4  # futures per worker: enough to keep it busy, few enough to bound the memory
COUNT_EVERY = 5.0  # seconds: workers of a cluster come and go
TICK = 0.5  # seconds between two looks at the clock
SHORT = 30.0  # seconds with fewer workers than there were, before others are asked for
ALONE = 300.0  # seconds without any worker, where there had been one, before the work is given up
GATHER = 60.0  # seconds for an outcome of some hundred bytes to come from its worker
LIVES = 3  # times that a block is begun when Dask has given it up with its workers
HANGS = 2  # times that a block may exceed its time


@dataclass(kw_only=True)
class Dispatch:
    """Keeps a few blocks in flight and yields outcomes as they end.

    Parameters
    ----------
    client : Client
        Of Dask.
    lines : Lines
        What is to be done, in turn.
    place : Workplace
        What all blocks have in common.
    limits : Limits
        Time for a block.
    tick : callable
        Called about twice a second, whatever happens.
    """

    client: Client
    lines: Lines
    place: Workplace
    limits: Limits = field(default_factory=Limits)
    tick: Callable[[], None] = lambda: None
    _flying: dict[str, Flight] = field(default_factory=dict)
    _landed: "Queue[str]" = field(default_factory=Queue)
    _lost: Counter[str] = field(default_factory=Counter)
    _hung: Counter[str] = field(default_factory=Counter)
    _crew: tuple[int, float] = (0, float("-inf"))
    _whole: tuple[int, float] = (0, 0.0)  # most workers there were, and when last
    _staffed: float = 0.0  # when a worker was last seen; 0 = none yet, jobs of a batch system wait
    _stirred: float = field(default_factory=time.monotonic)  # when anything last moved

    @property
    def flying(self) -> int:
        """How many blocks are in flight.

        Returns
        -------
        int
            At most `IN_FLIGHT` a worker.
        """
        return len(self._flying)

    def outcomes(self) -> Iterator[Outcome]:
        """Do the work.

        Yields
        ------
        Outcome
            Of each block that was attempted, as it ends.

        Raises
        ------
        ClusterError
            If the scheduler is gone.
        StoreError
            If the disk or the bucket refuses: no other block would fare better.
        """
        self.client.subscribe_topic(topic(self.place.run), self._on_begin)
        try:
            self._fill()
            while self._flying:
                yield from self._landings()
                yield from self._overdue()
                self._fill()
                self.tick()
        finally:
            self.client.unsubscribe_topic(topic(self.place.run))

    def _fill(self) -> None:
        """Begin blocks until enough are in flight."""
        window = IN_FLIGHT * max(1, self._workers())
        while len(self._flying) < window and (found := self.lines.next(window)):
            line, block = found
            # Known before it is sent: a worker may have begun it before submit() returns.
            flight = self._flying[block.key] = Flight(line=line, block=block)
            name = f"{block.key}-{time.time_ns()}"
            flight.future = self.client.submit(
                ingest_block, line.source, block, self.place, pure=False, key=name
            )
            flight.future.add_done_callback(lambda _, key=block.key: self._landed.put(key))

    def _workers(self) -> int:
        """How many workers there are, asked now and then."""
        counted, when = self._crew
        now = time.monotonic()
        if now - when > COUNT_EVERY:
            counted = len(self.client.scheduler_info(n_workers=-1)["workers"])
            self._crew = counted, now
            self._staffed = now if counted else self._staffed
            self._recruit(counted, now)
        if self._staffed and now - self._staffed > ALONE:
            raise ClusterError(
                f"no worker is left since {ALONE:g} s: what is finished is kept, look at the log "
                "and run the command again"
            )
        return counted

    def _recruit(self, counted: int, now: float) -> None:
        """Ask for workers where some stay away: a nanny whose worker dies in starting gives up."""
        most, when = self._whole
        if counted >= most:
            self._whole = counted, now
        elif now - when > SHORT and self.client.cluster is not None:
            log.warning("%d of %d workers are left: others are asked for", counted, most)
            self._whole = most, now
            self.client.cluster.scale(most)

    def _landings(self) -> Iterator[Outcome]:
        """Outcomes of blocks that have ended, after a short wait for one."""
        try:
            key = self._landed.get(timeout=TICK)
        except Empty:
            if self.client.status != "running":
                raise _gone() from None
            key = self._unheard()
        flight = self._flying.get(key)
        if flight is None or flight.future is None or not flight.future.done():
            return  # it was called back, and its successor flies
        outcome = self._outcome(flight, flight.future)
        if outcome is not None:
            yield self._end(flight, outcome)

    def _unheard(self) -> str:
        """A block that has ended without a word; "" if there is none.

        Dask calls back once: not again for a block whose outcome was lost with its worker after the
        call, and that another worker has made since.
        """
        ended = (key for key, each in self._flying.items() if each.future and each.future.done())
        return next(ended, "")

    def _end(self, flight: Flight, outcome: Outcome) -> Outcome:
        """Take a block out of the air, and learn from how it ended."""
        self._stirred = time.monotonic()
        del self._flying[flight.block.key]
        flight.line.flying -= 1
        alone = self.lines.learn(flight.line.source, outcome)
        if alone:
            log.warning("%s is left alone: %s", alone, outcome.receipt.reason or "the budget ends")
            self._call_back(alone)
        return outcome

    def _outcome(self, flight: Flight, future: "Future[Outcome]") -> Outcome | None:
        """What the worker says; None where the block is begun anew."""
        key = flight.block.key
        if future.cancelled():
            raise _gone()
        try:
            error = future.exception(timeout=GATHER)
            if error is None:
                outcome: Outcome = future.result(timeout=GATHER)
                return outcome
        except TimeoutError as late:  # it went with its worker, and Dask does not make it again
            error = late
        if isinstance(error, StoreError):
            raise error
        self._lost[key] += 1
        log.warning("%s was lost with its worker", key, exc_info=error)
        again = isinstance(error, TimeoutError) or type(error).__name__ == "KilledWorker"
        if again and self._lost[key] < LIVES:
            del self._flying[key]
            self.client.cancel([future])
            flight.line.give_back(flight.block)
            return None
        return self._failed(flight, f"{type(error).__name__}: {error}")

    def _failed(self, flight: Flight, reason: str) -> Outcome:
        """The outcome of a block that no worker speaks for."""
        source, block = flight.line.source, flight.block
        receipt = Receipt(
            key=block.key,
            group=block.group,
            status="failed",
            stream=source.layout.stream,
            config=config_hash(source),
            reason=redact(reason),
        )
        leave_receipt(self.place.cube.ledger, receipt)
        return Outcome(receipt=receipt, trouble="block")

    def _call_back(self, name: str) -> None:
        """Take back the blocks of a provider or group that no worker has begun."""
        for key, flight in list(self._flying.items()):
            source = flight.line.source
            if name in (source.provider, source.layout.group) and not flight.begun:
                del self._flying[key]
                self.client.cancel([flight.future])
                flight.line.give_back(flight.block)

    def _on_begin(self, event: tuple[float, dict[str, Any]]) -> None:
        """Note that a worker has begun a block; called from the client's own thread."""
        flight = self._flying.get(event[1]["key"])
        if flight is not None:
            flight.begun, flight.worker = time.monotonic(), event[1]["worker"]
            self._stirred = flight.begun

    def _overdue(self) -> Iterator[Outcome]:
        """End the workers whose block has exceeded its time; Dask begins their blocks anew."""
        for key, flight in list(self._flying.items()):
            limit = self.limits.of(flight.line.source)
            if not flight.overdue(limit, self._stirred):
                continue
            worker = flight.worker or self._worker_of(flight)
            if not worker:
                continue  # no worker has it, so it waits for one
            self._hung[key] += 1
            log.warning("%s hangs on %s, which is restarted", key, worker)
            if self._hung[key] >= HANGS:
                self.client.cancel([flight.future])
                yield self._end(flight, self._failed(flight, _endless(limit)))
            self._restart(worker)

    def _worker_of(self, flight: Flight) -> str:
        """Which worker has a block that none has announced; "" where the scheduler knows none."""
        if flight.future is None:
            return ""
        held: dict[str, list[Any]] = self.client.processing()
        return next((each for each, keys in held.items() if flight.future.key in keys), "")

    def _restart(self, worker: str) -> None:
        """End a worker, without waiting for its successor; Dask begins its blocks anew."""
        self._stirred = time.monotonic()
        held = self.client.processing().get(worker, ())
        for flight in self._flying.values():
            if flight.worker == worker or (flight.future and flight.future.key in held):
                flight.land()
        threading.Thread(target=_end_worker, args=(self.client, worker), daemon=True).start()


def _endless(limit: float) -> str:
    """Why a block that hangs is given up."""
    return f"no end after {limit:g} s, {HANGS} times"


def _end_worker(client: Client, worker: str) -> None:
    """Have a worker's nanny kill it; it starts another, as for any that dies.

    `Client.restart_workers` asks the worker to close first, and of some that hang none comes back.
    """
    try:
        client.run(_kill_child, workers=[worker], nanny=True, on_error="ignore")
    except (KeyError, ValueError, OSError) as error:  # it is gone already, or has no nanny
        log.warning("%s was not restarted (%s)", worker, error)


def _kill_child(dask_worker: Nanny) -> None:
    """Kill the worker of a nanny, to which Dask gives itself by this name."""
    if dask_worker.pid:
        os.kill(dask_worker.pid, signal.SIGKILL)


def _gone() -> ClusterError:
    """The scheduler has gone away."""
    return ClusterError(
        "the Dask scheduler is gone: what is finished is kept, start it and run the command again"
    )
