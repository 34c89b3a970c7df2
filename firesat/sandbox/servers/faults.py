"""What goes wrong on purpose, drawn from a seed."""

import threading
from dataclasses import dataclass

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
        Share of requests with a bearer token or a signature whose key is said to have expired.
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
