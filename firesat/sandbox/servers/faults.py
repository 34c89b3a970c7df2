"""What goes wrong on purpose, drawn from a seed."""

import threading
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What goes wrong on purpose.

    Parameters
    ----------
    rate_429 : float
        Share of requests answered "too many requests", 0 to 1.
    rate_500 : float
        Share of requests answered "server error".
    truncate : float
        Share of downloads that break off half way.
    corrupt : float
        Share of downloads with some bytes changed and nothing to show it.
    expire_token : float
        Share of requests at which a bearer token ends before its time: it stays refused, a new one
        serves at least once. One that the sandbox has not issued has ended from the start, or never
        does; of signatures a share is refused.
    token_uses : int
        Requests after which an issued token ends, as if the server's clock were ahead; 0 = never.
    wire : dict of str to float
        Share of answers that go wrong on the wire, by kind (see `mischief.KINDS`).
    retry_after : str
        What Retry-After says to "too many requests" of all but Sentinel Hub; "" = nothing.
    failed_jobs : float
        Share of the data stores' jobs that fail.
    unlicensed : tuple of str
        Data sets of the data stores whose licence nobody has accepted.
    queue_seconds : float
        Time that each job of the data stores waits before it runs.
    seed : int
        Seed of the draws.
    """

    rate_429: float = 0.0
    rate_500: float = 0.0
    truncate: float = 0.0
    corrupt: float = 0.0
    expire_token: float = 0.0
    token_uses: int = 0
    wire: Mapping[str, float] = field(default_factory=dict)
    retry_after: str = "0"  # RFC 9110 section 10.2.3: at once, so that nobody waits for a sandbox
    failed_jobs: float = 0.0
    unlicensed: tuple[str, ...] = ()
    queue_seconds: float = 0.0
    seed: int = 0


class Dice:
    """Draws of faults, in the order of the requests.

    Parameters
    ----------
    seed : int
        Seed of the draws.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._lock = threading.Lock()

    def hit(self, rate: float) -> bool:
        """Draw once.

        Parameters
        ----------
        rate : float
            Probability, 0 to 1.

        Returns
        -------
        bool
            Whether it happens. Nothing is drawn at a rate of 0.
        """
        if rate <= 0.0:
            return False
        with self._lock:
            return bool(self._rng.random() < rate)


class TokenClock:
    """Which tokens have ended before their time.

    Parameters
    ----------
    faults : Faults
        How often they do.
    dice : Dice
        Draws.
    """

    def __init__(self, faults: Faults, dice: Dice) -> None:
        self._faults, self._dice = faults, dice
        self._uses: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.ended: set[str] = set()

    def refuses(self, token: str) -> bool:
        """Tell whether a token has ended, counting this use.

        Parameters
        ----------
        token : str
            What stands in the authorization header.

        Returns
        -------
        bool
            True from its end on.
        """
        with self._lock:
            if token in self.ended:
                return True
            self._uses[token] += 1
            if self._ends(token, self._uses[token]):
                self.ended.add(token)
            return token in self.ended

    def _ends(self, token: str, uses: int) -> bool:
        """Whether a token ends with this use."""
        rate, limit = self._faults.expire_token, self._faults.token_uses
        if token.startswith("Bearer eyJ"):  # issued here: it serves at least once
            return 0 < limit < uses or (uses > 1 and self._dice.hit(rate))
        if token.startswith("Bearer "):  # drawn by its name, whatever comes before and between
            own = np.random.default_rng([self._faults.seed, zlib.crc32(token.encode())])
            return bool(own.random() < rate)
        return self._dice.hit(rate)  # a signature, another one for each request
