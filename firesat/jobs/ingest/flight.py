"""One block on its way, and how long it may take."""

import time
from dataclasses import dataclass, field

from distributed import Future

from firesat.blocks import Block
from firesat.jobs.ingest.lines import QUEUED, Line
from firesat.jobs.ingest.workplace import Outcome
from firesat.sources.base import Source


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a block may take.

    Parameters
    ----------
    seconds : float
        Of most providers' blocks.
    queued : float
        Of blocks that wait in a data store's queue.
    """

    seconds: float = 3600.0
    queued: float = 86_400.0

    def of(self, source: Source) -> float:
        """Give the time that a source's block may take.

        Parameters
        ----------
        source : Source
            Any.

        Returns
        -------
        float
            Seconds.
        """
        return self.queued if source.provider in QUEUED else self.seconds


@dataclass(kw_only=True)
class Flight:
    """A block on its way.

    Parameters
    ----------
    line : Line
        Where it came from.
    block : Block
        Which.
    future : Future, optional
        Dask's.
    sent : float
        When it was sent, or was last taken from a worker; seconds of the monotonic clock.
    begun : float
        When a worker began it; 0 = it waits, as far as is known.
    worker : str
        Address of that worker.
    """

    line: Line
    block: Block
    future: "Future[Outcome] | None" = None
    sent: float = field(default_factory=time.monotonic)
    begun: float = 0.0
    worker: str = ""

    def overdue(self, limit: float, stirred: float) -> bool:
        """Tell whether it has had its time.

        Parameters
        ----------
        limit : float
            Seconds that a block may take.
        stirred : float
            When anything last moved, on any worker. A block that waits is late only where nothing
            has moved for long: its beginning may have gone unheard.

        Returns
        -------
        bool
            True if its worker is to be asked no longer.
        """
        now = time.monotonic()
        if self.begun:
            return now - self.begun > limit
        return now - max(self.sent, stirred) > 2 * limit

    def land(self) -> None:
        """Take it from its worker; it waits for another."""
        self.begun, self.worker, self.sent = 0.0, "", time.monotonic()
