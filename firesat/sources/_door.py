"""The one way out: a provider's own addresses, its rates, finite retries, time limits, counts."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry

from firesat.errors import UnreachableError
from firesat.sources._pace import wait_turn
from firesat.sources._reach import CheckedPools, Reach, retried
from firesat.sources.commons import commons

_REDIRECTS = 5  # one is usual, to where the files lie
_PASSING = (429, 500, 502, 503, 504)  # refusals that may pass


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait for a server, and how often.

    Parameters
    ----------
    connect, read : float
        Seconds to connect, and between two bytes.
    head : float
        Seconds until status and headers are complete, however they drip.
    attempts : int
        Of a request that the server refuses for now, or of a download that breaks off.
    connects, reads : int
        Of a request that gets no connection, or no answer.
    pause : float
        Seconds before the second attempt; twice as long before each further one.
    longest : float
        Seconds before an attempt at most, whatever the server asks for.
    slowest : float
        Bytes a second below which a download is given up,
    grace : float
        once it has lasted so many seconds.
    """

    connect: float = 10.0
    read: float = 60.0
    head: float = 60.0
    attempts: int = 7
    connects: int = 2
    reads: int = 3
    pause: float = 0.5
    longest: float = 120.0
    slowest: float = 1000.0
    grace: float = 60.0


PATIENCE = Patience()


class _Retry(Retry):
    """Retries that wait as told, within reason, and never all at the same moment."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Seconds that the server asks to wait."""
        asked = super().get_retry_after(response)
        return None if asked is None else min(asked, PATIENCE.longest)

    def get_backoff_time(self) -> float:
        """Seconds to wait where the server says nothing: the first repetition waits, too."""
        failed = len(self.history)
        planned = PATIENCE.pause * 2 ** max(failed - 1, 0) if failed else 0.0
        return float(min(planned * random.uniform(0.75, 1.25), PATIENCE.longest))


class Bearer(AuthBase):
    """A token for one host; unlike a plain header, it is not displaced by ``~/.netrc``.

    Parameters
    ----------
    token : str
        The provider's token.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request.

        Parameters
        ----------
        request : requests.PreparedRequest
            About to be sent.

        Returns
        -------
        requests.PreparedRequest
            With its authorization header.
        """
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Door(HTTPAdapter):
    """The one way out: checked addresses, the provider's rates, time limits, counts."""

    def __init__(self, reach: Reach, retries: Retry, *, kept: bool) -> None:
        self._reach, self._shared, self._kept = reach, commons(), kept
        super().__init__(max_retries=retries)

    def init_poolmanager(
        self,
        connections: int,
        maxsize: int,
        block: bool = False,
        **pool_kwargs: Any,  # noqa: ANN401  the parent's own
    ) -> None:
        """Make the pools of checked connections, or take those that are kept."""
        if self._kept:
            self.poolmanager = _kept_pools(self._reach, PATIENCE.head, maxsize)
            return
        self.poolmanager = CheckedPools(
            self._reach, PATIENCE.head, num_pools=connections, maxsize=maxsize, block=block,
            **pool_kwargs,
        )  # fmt: skip

    def close(self) -> None:
        """Hang up, but keep what others use as well."""
        if not self._kept:
            super().close()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,  # noqa: ANN401  the parent's own
        *args: Any,  # noqa: ANN401
        **kwargs: Any,  # noqa: ANN401
    ) -> requests.Response:
        """Send one request; redirects come by here one by one."""
        self._reach.check(request.url or "")
        wait_turn(self._shared, requests=1)
        limits = timeout or (PATIENCE.connect, PATIENCE.read)
        try:
            response = super().send(request, stream, limits, *args, **kwargs)
        except requests.ConnectionError as error:
            if _never_connected(error):
                raise unreachable(request.url or "", error) from error
            raise
        repeated = retried(response.raw)
        self._shared.meter.requests += 1 + repeated
        again = not self.max_retries.status_forcelist and response.status_code in _PASSING
        self._shared.meter.retries += repeated + again
        return response


@lru_cache(maxsize=8)
def _kept_pools(reach: Reach, patience: float, most: int) -> CheckedPools:
    """Connections that the sessions of this process share: to open one takes three round trips."""
    return CheckedPools(reach, patience, maxsize=most)  # urllib3 itself would keep one of a host


def _never_connected(error: requests.ConnectionError) -> bool:
    """Whether no connection was opened at all."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, (NewConnectionError, ConnectTimeoutError))


def open_session(
    base_url: str, also: Sequence[str] = (), *, repeat: bool = True, kept: bool = False
) -> requests.Session:
    """Open a session with a provider.

    Parameters
    ----------
    base_url : str
        Root of its addresses.
    also : sequence of str
        Endings of further hosts that it may send to.
    repeat : bool
        Whether to repeat what is refused with 429 or 5xx, waiting as Retry-After says; else only
        requests that got no connection, because the provider's own client does the rest.
    kept : bool
        Whether its connections stay open for later sessions of this process: for small requests,
        of a provider that does not count connections.

    Returns
    -------
    requests.Session
        The caller closes it. It opens no other addresses, whoever names them.
    """
    retries = _Retry(
        total=PATIENCE.attempts - 1,
        connect=PATIENCE.connects - 1,
        read=PATIENCE.reads - 1 if repeat else 0,
        status_forcelist=_PASSING if repeat else (),
        allowed_methods=("GET", "HEAD", "POST"),
        respect_retry_after_header=repeat,
        raise_on_status=False,  # the last answer says more than "too many retries"
    )
    session = requests.Session()
    session.max_redirects = _REDIRECTS
    door = _Door(Reach(base_url=base_url, also=tuple(also)), retries, kept=kept)
    for scheme in ("http://", "https://"):
        session.mount(scheme, door)
    return session


def unreachable(url: str, error: Exception) -> UnreachableError:
    """Say that no connection could be opened.

    Parameters
    ----------
    url : str
        What was asked.
    error : Exception
        What happened.

    Returns
    -------
    UnreachableError
        To raise.
    """
    parts = urlsplit(url)
    kind = "no such host" if "NameResolution" in repr(error) else "no connection"
    return UnreachableError(
        f"{parts.scheme}://{parts.netloc.rpartition('@')[2]} did not answer ({kind}): check the "
        "network, or run the command again later"
    )


def plain(url: str) -> str:
    """Give an address without what may be secret.

    Parameters
    ----------
    url : str
        Any address.

    Returns
    -------
    str
        Without its query, user and password.
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
