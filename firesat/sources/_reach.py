"""Which addresses a source may open: its provider's own and those it is known to send to.

What a provider answers is not trusted: an address in a catalogue, a job's result or a redirect
could lead to a neighbour on the local network or to a cloud's metadata service. Schemes and hosts
are checked before every request, redirects included; the numbers that a name resolves to are
checked in the act of connecting, so a name cannot mean one thing when asked and another when used.
"""

import ipaddress
import re
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from urllib3 import HTTPConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NameResolutionError
from urllib3.response import BaseHTTPResponse

from firesat.errors import ConfigError, ProviderError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HOST = re.compile(r"[a-z0-9.:-]+", re.ASCII)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Reach:
    """The addresses that a source may open.

    Parameters
    ----------
    base_url : str
        Root of the provider's addresses, as the config says.
    also : tuple of str
        Endings of further hosts of the provider, such as ".nasa.gov"; without meaning where
        `base_url` is on this machine: there nothing but its own port is opened.
    """

    base_url: str
    also: tuple[str, ...] = ()

    def check(self, url: str) -> None:
        """Refuse an address that is not the provider's.

        Parameters
        ----------
        url : str
            What is about to be requested.

        Raises
        ------
        ProviderError
            If scheme, host or port is another.
        """
        if not self._allowed(url):
            parts = urlsplit(url)
            raise ProviderError(
                f"{self.host} names an address of {parts.scheme}://{parts.hostname or ''}, which "
                "is not its own and was not opened: check base_url, or tell the provider"
            )

    def _allowed(self, url: str) -> bool:
        """Whether an address is the provider's."""
        base, asked = urlsplit(self.base_url), urlsplit(url)
        if "@" in asked.netloc or asked.scheme not in _PORTS:
            return False
        host = asked.hostname or ""
        if not _HOST.fullmatch(host):  # an encoded character could end the name that is looked up
            return False
        if self.local:
            return host in _LOOPBACK and port_of(url) == port_of(self.base_url)
        if host == base.hostname:
            return asked.scheme in ("https", base.scheme)
        return asked.scheme == "https" and host.endswith(self.also or ("\0",))

    @property
    def host(self) -> str:
        """The provider's host.

        Returns
        -------
        str
            For messages.
        """
        return urlsplit(self.base_url).hostname or self.base_url

    @property
    def local(self) -> bool:
        """Whether the provider is on this machine.

        Returns
        -------
        bool
            True for the sandbox.
        """
        return self.host in _LOOPBACK

    def numbers(self, host: str, port: int) -> list[str]:
        """Resolve a name, refusing what leads into a private network.

        Parameters
        ----------
        host : str
            A host that `check` has passed.
        port : int
            Its port.

        Returns
        -------
        list of str
            Addresses to try in turn.

        Raises
        ------
        ProviderError
            If the name resolves to anything that is not public. The configured host itself may be
            anywhere: the user has chosen it.
        """
        found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)]
        if host == self.host or self.local:
            return found
        private = [each for each in found if not ipaddress.ip_address(each).is_global]
        if private:
            raise ProviderError(
                f"{host} leads to {private[0]}, which is no public address and was not opened: "
                "check this machine's name service"
            )
        return found


def port_of(url: str) -> int:
    """Give the port of an address.

    Parameters
    ----------
    url : str
        Of http or https.

    Returns
    -------
    int
        The scheme's own where none is written.

    Raises
    ------
    ConfigError
        If there is none.
    """
    parts = urlsplit(url)
    try:
        return parts.port or _PORTS[parts.scheme]
    except (KeyError, ValueError):
        raise ConfigError(f"{url!r} is no address of http or https: correct base_url") from None


class _Checked(HTTPConnection):
    """A connection to where it may go, whose answer's head comes in time or not at all."""

    reach: Reach
    patience: float

    def _new_conn(self) -> socket.socket:
        """Connect to a checked number; the name stays in TLS and in the Host header."""
        try:
            *others, last = self.reach.numbers(self._dns_host, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        for number in others:
            try:
                return self._connect_to(number)
            except HTTPError:
                continue
        return self._connect_to(last)

    def _connect_to(self, number: str) -> socket.socket:
        """Connect to one of the numbers of a name."""
        name, self._dns_host = self._dns_host, number
        try:
            return super()._new_conn()
        finally:
            self._dns_host = name

    def getresponse(self) -> Any:  # noqa: ANN401  urllib3's own, untyped upstream
        """Wait for status and headers; hang up on who sends them drop by drop."""
        watch = threading.Timer(self.patience, _hang_up, [self.sock])
        watch.daemon = True
        watch.start()
        try:
            return super().getresponse()
        finally:
            watch.cancel()


class _CheckedTls(_Checked, HTTPSConnection):
    """The same over TLS."""


def _hang_up(sock: socket.socket | None) -> None:
    """Wake whoever reads from a socket."""
    try:
        if sock is not None:
            sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has been closed meanwhile
        pass


class CheckedPools(PoolManager):
    """Connections of a session, all of them checked.

    Parameters
    ----------
    reach : Reach
        Where they may go.
    patience : float
        Seconds until the whole head of an answer must be there.
    **kwargs : object
        Of urllib3.
    """

    def __init__(self, reach: Reach, patience: float, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        self._reach, self._patience = reach, patience

    def _new_pool(
        self, scheme: str, host: str, port: int, request_context: dict[str, Any] | None = None
    ) -> HTTPConnectionPool:
        """A pool whose connections are checked."""
        pool = super()._new_pool(scheme, host, port, request_context)
        kind = _CheckedTls if scheme == "https" else _Checked
        chosen = {"reach": self._reach, "patience": self._patience}
        pool.ConnectionCls = type(kind.__name__, (kind,), chosen)
        return pool


def retried(response: BaseHTTPResponse) -> int:
    """Count the repetitions behind an answer.

    Parameters
    ----------
    response : BaseHTTPResponse
        Of urllib3.

    Returns
    -------
    int
        Requests that had failed before.
    """
    history: Sequence[object] = response.retries.history if response.retries else ()
    return len(history)
