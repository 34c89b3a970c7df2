"""What workers share through the Dask scheduler: tokens in its memory, never on a disk."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from distributed import Lock, Variable, Worker, get_client, get_worker, rejoin, secede

from firesat.sources.commons import OwnTokens, Token, Tokens


def topic(run: str) -> str:
    """Name the events of a run.

    Parameters
    ----------
    run : str
        Its name.

    Returns
    -------
    str
        A topic of the scheduler's.
    """
    return f"firesat-{run}"


def announce(run: str, key: str) -> None:
    """Tell the coordinator that a block has been begun, and where.

    Parameters
    ----------
    run : str
        Name of the run.
    key : str
        Of the block.
    """
    worker = _worker()
    if worker is not None:
        worker.log_event(topic(run), {"key": key, "worker": worker.address})


def _worker() -> Worker | None:
    """The Dask worker that this code runs on, if any."""
    try:
        worker: Worker = get_worker()
        return worker
    except ValueError:
        return None


@contextmanager
def waiting() -> Iterator[None]:
    """Leave the worker to other blocks for as long as a provider makes one wait."""
    if _worker() is None:
        yield
        return
    secede()
    try:
        yield
    finally:
        rejoin()


def tokens_of(run: str) -> Tokens:
    """Give the tokens of a run.

    Parameters
    ----------
    run : str
        Its name.

    Returns
    -------
    Tokens
        Shared by all workers; this process's own where there is no scheduler.
    """
    return _own() if _worker() is None else _of_cluster(run)


@lru_cache(maxsize=1)
def _own() -> OwnTokens:
    """Tokens of a process that works alone."""
    return OwnTokens()


@lru_cache(maxsize=4)
def _of_cluster(run: str) -> "ClusterTokens":
    """Tokens of a run, remembered between blocks."""
    return ClusterTokens(run)


class ClusterTokens:
    """Tokens in the scheduler's memory: whoever needs a new one asks for all, the others wait.

    Parameters
    ----------
    run : str
        Name of the run.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._known: dict[str, Token] = {}

    def get(self, name: str, ask: Callable[[], Token], *, spent: str = "") -> Token:
        """Give a token, asking for a new one only if no other worker has.

        Parameters
        ----------
        name : str
            Of the account and service.
        ask : callable
            Logs in.
        spent : str
            A token that the provider has refused; "" = none.

        Returns
        -------
        Token
            Another one than `spent`.
        """
        known = self._known.get(name)
        if known is None or not known.serves(spent):
            known = self._known[name] = self._shared(name, ask, spent)
        return known

    def _shared(self, name: str, ask: Callable[[], Token], spent: str) -> Token:
        """The scheduler's token, or a new one."""
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        place = f"{topic(self._run)}-{digest}"
        variable = Variable(place, client=get_client())
        # The lock is a lease: that of a worker that dies is free again after half a minute.
        with Lock(place):
            found = _read(variable)
            if found is None or not found.serves(spent):
                found = ask()
                variable.set([found.text, found.expires])
        return found


def _read(variable: Variable) -> Token | None:
    """What a variable of the scheduler holds; None if it has not been set."""
    try:
        text, expires = variable.get(timeout=0.05)
    except TimeoutError:
        return None
    return Token(text=text, expires=expires)
