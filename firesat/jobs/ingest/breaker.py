"""Circuit breakers: a provider that is down or refuses is left alone, not asked again and again."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from firesat.jobs.ingest.workplace import Outcome
from firesat.sources._reach import Reach, port_of
from firesat.sources.base import Source

REFUSALS = 2  # in a row: a key that is refused twice is no good
SILENCES = 3  # in a row, or one that a second look confirms
FAILURES = 8  # in a row: answers come, but nothing of use
REST = 120.0  # seconds after which one block may try whether a provider is back
LOOK = 5.0  # seconds that the second look takes at most


@dataclass(kw_only=True)
class Breaker:
    """Whether somebody is worth asking.

    Parameters
    ----------
    clock : callable
        Gives seconds.
    reason : str
        Why not; "" = it is.
    final : bool
        Whether it will not be asked again in this run.
    """

    clock: Callable[[], float] = time.monotonic
    reason: str = ""
    final: bool = False
    _in_a_row: dict[str, int] = field(default_factory=dict)
    _since: float = 0.0
    _trying: bool = False

    @property
    def closed(self) -> bool:
        """Whether requests may go out.

        Returns
        -------
        bool
            False after too many failures in a row.
        """
        return not self.reason

    def allows(self) -> bool:
        """Tell whether another block may be begun, and if it is the one that tries again, note it.

        Returns
        -------
        bool
            True while closed; else once after a rest, unless what is wrong will not pass.
        """
        if self.closed:
            return True
        if self.final or self._trying or self.clock() - self._since < REST:
            return False
        self._trying = True
        return True

    def note(self, outcome: Outcome, confirm: Callable[[], bool]) -> bool:
        """Learn from how a block ended.

        Parameters
        ----------
        outcome : Outcome
            Of a block of this provider.
        confirm : callable
            Looks whether the provider can still not be reached; asked after a first silence.

        Returns
        -------
        bool
            Whether this has opened the breaker.
        """
        trouble = outcome.trouble
        if not trouble:
            self._in_a_row.clear()
            self.reason, self._trying = "", False
            return False
        if trouble == "block":  # its own fault; of the provider it says nothing
            self._trying = False
            return False
        count = self._in_a_row[trouble] = self._in_a_row.get(trouble, 0) + 1
        if not self._too_much(trouble, count, confirm):
            return False
        opened = self.closed
        self.open(outcome.receipt.reason, final=trouble in ("refused", "licence"))
        return opened

    def _too_much(self, trouble: str, count: int, confirm: Callable[[], bool]) -> bool:
        """Whether a kind of trouble has come often enough."""
        if not self.closed or trouble == "licence":
            return True
        if trouble == "unreachable":
            return count >= SILENCES or confirm()
        return count >= (REFUSALS if trouble == "refused" else FAILURES)

    def open(self, reason: str, *, final: bool) -> None:
        """Ask no more.

        Parameters
        ----------
        reason : str
            Why.
        final : bool
            Whether that will not pass in this run.
        """
        self.reason, self.final = reason, self.final or final
        self._since, self._trying = self.clock(), False


def out_of_reach(source: Source) -> bool:
    """Look a second time whether a provider's host lets nobody in.

    Parameters
    ----------
    source : Source
        With the provider's address.

    Returns
    -------
    bool
        True if no connection opens within a few seconds.
    """
    where = Reach(base_url=source.base_url).host, port_of(source.base_url)
    try:
        with socket.create_connection(where, timeout=LOOK):
            return False
    except OSError:
        return True
