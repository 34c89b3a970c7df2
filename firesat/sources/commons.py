"""What the workers of an ingest share, and what the block at hand has used.

A source does not know who else is at work. Whoever runs it says so here, for the time of a block:
which folder locks lie in, what the provider allows all workers together, where tokens are kept.
Without that a source works on its own.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from firesat.sources.quotas import Quota

EARLY = 60.0  # seconds before its end at which a token is renewed


@dataclass(kw_only=True)
class Meter:
    """What has been used; counts add up from several threads.

    Parameters
    ----------
    requests, retries : int
        HTTP requests, and how many of them repeated one that had failed.
    bytes : int
        Downloaded.
    units : float
        Processing units, as the service counted them.
    """

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    units: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Token:
    """A key that ends soon.

    Parameters
    ----------
    text : str
        The key; kept in memory only.
    expires : float
        Seconds since 1970 at which it ends.
    """

    text: str = field(repr=False)
    expires: float

    def serves(self, spent: str) -> bool:
        """Tell whether it can still be used.

        Parameters
        ----------
        spent : str
            A key that the provider has refused; "" = none.

        Returns
        -------
        bool
            False for that one, and shortly before its end.
        """
        return self.text != spent and time.time() < self.expires - EARLY


class Tokens(Protocol):
    """Where tokens are kept: one for all who share it."""

    def get(self, name: str, ask: Callable[[], Token], *, spent: str = "") -> Token:
        """Give a token, asking for a new one only if nobody else has.

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
        ...


class OwnTokens:
    """Tokens of this process."""

    def __init__(self) -> None:
        self._known: dict[str, Token] = {}
        self._lock = threading.Lock()

    def get(self, name: str, ask: Callable[[], Token], *, spent: str = "") -> Token:
        """Give a token, asking for a new one only if no other thread has.

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
        with self._lock:
            known = self._known.get(name)
            if known is None or not known.serves(spent):
                known = self._known[name] = ask()
            return known


@dataclass(frozen=True, kw_only=True)
class Commons:
    """What is shared while one block is fetched.

    Parameters
    ----------
    provider : str
        Who serves the block; names its locks.
    quota : Quota
        What the provider allows all workers together.
    folder : Path, optional
        Where all workers' locks lie; None = nobody else is at work.
    tokens : Tokens
        Where tokens are kept.
    meter : Meter
        What the block has used.
    away : callable
        Gives a context in which the worker may do something else: a provider makes one wait.
    now : np.datetime64, optional
        UTC; nothing that is published later is asked for. None = everything is.
    """

    provider: str = ""
    quota: Quota = field(default_factory=Quota)
    folder: Path | None = None
    tokens: Tokens
    meter: Meter = field(default_factory=Meter)
    away: Callable[[], AbstractContextManager[object]] = nullcontext
    now: np.datetime64 | None = None


_AT_HAND: ContextVar[Commons] = ContextVar("commons")


@lru_cache(maxsize=1)
def _own_tokens() -> OwnTokens:
    """Tokens of whoever works alone."""
    return OwnTokens()


def commons() -> Commons:
    """Tell what is shared at the moment.

    Returns
    -------
    Commons
        As `sharing` has said; otherwise one without limits.
    """
    return _AT_HAND.get(None) or Commons(tokens=_own_tokens())


@contextmanager
def sharing(shared: Commons) -> Iterator[Commons]:
    """Say for a while what is shared.

    Parameters
    ----------
    shared : Commons
        For the calls of sources inside.

    Yields
    ------
    Commons
        The same.
    """
    before = _AT_HAND.set(shared)
    try:
        yield shared
    finally:
        _AT_HAND.reset(before)
