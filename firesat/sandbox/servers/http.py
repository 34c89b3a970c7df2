"""The web server that all providers share."""

import logging
import re
import socket
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from firesat.errors import ConfigError, FiresatError
from firesat.sandbox.servers.faults import Dice, Faults
from firesat.sandbox.servers.messages import RefusalError, Request, Response, Route, Service

_LOG = logging.getLogger(__name__)
_RANGE = re.compile(r"bytes=(\d+)-(\d*)$")
_RETRY_AFTER = "0"  # seconds, RFC 9110 section 10.2.3: at once, so that nobody waits for a sandbox


class SandboxServer(ThreadingHTTPServer):
    """A loopback server that hands each request to its provider.

    Parameters
    ----------
    services : sequence of Service
        The providers.
    port : int
        Port, 0 for any that is free.
    faults : Faults, optional
        What goes wrong on purpose; nothing by default.

    Raises
    ------
    ConfigError
        If the port is taken.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, services: Sequence[Service], port: int = 0, faults: Faults | None = None
    ) -> None:
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise ConfigError(
                f"the sandbox cannot listen on port {port} ({error.strerror}): "
                "choose another, or 0 for any that is free"
            ) from error
        self.faults = faults or Faults()
        self.dice = Dice(self.faults.seed)
        self.table = [
            (service, route, re.compile(re.escape(service.prefix) + route.pattern))
            for service in services
            for route in service.routes()
        ]

    @property
    def url(self) -> str:
        """Scheme, host and port.

        Returns
        -------
        str
            Such as "http://127.0.0.1:8080".
        """
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def find(self, method: str, path: str) -> tuple[Service, Route, tuple[str, ...]] | None:
        """Find who answers an address.

        Parameters
        ----------
        method : str
            GET, POST or DELETE.
        path : str
            Decoded path.

        Returns
        -------
        tuple of (Service, Route, tuple of str) or None
            Provider, route and the groups of its pattern; None where nobody answers.
        """
        for service, route, pattern in self.table:
            found = pattern.fullmatch(path) if route.method == method else None
            if found:
                return service, route, found.groups()
        return None

    def handle_error(self, request: object, client_address: object) -> None:
        """Log what a handler did not catch; the client sees the connection close.

        Parameters
        ----------
        request : object
            The connection.
        client_address : object
            Where it came from.
        """
        gone = isinstance(sys.exc_info()[1], ConnectionError)  # clients may hang up as they like
        level = logging.DEBUG if gone else logging.ERROR
        _LOG.log(level, "request from %s broke", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """One connection; kept open between requests."""

    server: SandboxServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits for the client's delayed ACK
    timeout = 60

    def do_GET(self) -> None:
        self._answer("GET")

    def do_HEAD(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        _LOG.debug(format, *args)

    def _answer(self, method: str) -> None:
        """Read a request, find its provider, send what it says."""
        parts = urlsplit(self.path)
        request = Request(
            method=method,
            path=unquote(parts.path),
            query=parse_qs(parts.query, keep_blank_values=True),
            headers=self.headers,
            body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            base=self._base(),
        )
        found = self.server.find(method, request.path)
        if found is None:
            self._send(Response(status=404, kind="text/plain", body=b"404 page not found\n"))
            return
        service, route, groups = found
        response = self._fault(service, route, request) or _handled(service, route, request, groups)
        self._send(response)

    def _base(self) -> str:
        """The server as the client knows it."""
        host = self.headers.get("Host")
        return f"http://{host}" if host else self.server.url

    def _fault(self, service: Service, route: Route, request: Request) -> Response | None:
        """A failure on purpose, if the dice say so."""
        faults, dice = self.server.faults, self.server.dice
        if route.spared:
            return None
        expirable = route.bearer and "Authorization" in request.headers
        for rate, status, reason in (
            (faults.rate_429, 429, "Too many requests"),
            (faults.rate_500, 500, "Internal server error"),
            (faults.expire_token if expirable else 0.0, 401, "The token has expired"),
        ):
            if dice.hit(rate):
                return service.refuse(status, reason)
        return None

    def _send(self, response: Response) -> None:
        """Send one response, a part of a file where a range is asked for."""
        status, body, headers = response.status, response.body, dict(response.headers)
        if status == 429:
            headers.setdefault("Retry-After", _RETRY_AFTER)
        if response.download and status == 200:
            headers["Accept-Ranges"] = "bytes"
            status, body = self._part(body, headers)
        self.send_response(status)
        self.send_header("Content-Type", response.kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if response.download and self.server.dice.hit(self.server.faults.truncate):
            self._break_off(body)
            return
        if response.download and self.server.dice.hit(self.server.faults.corrupt):
            body = _damaged(body)
        self.wfile.write(body)

    def _part(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and bytes of the range that was asked for, or the whole."""
        asked = _RANGE.match(self.headers.get("Range") or "")
        if asked is None:
            return 200, body
        first = int(asked[1])
        last = min(int(asked[2] or len(body) - 1), len(body) - 1)
        if first > last:
            headers["Content-Range"] = f"bytes */{len(body)}"
            return 416, b""
        headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        return 206, body[first : last + 1]

    def _break_off(self, body: bytes) -> None:
        """Send half of a file and hang up."""
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _damaged(body: bytes) -> bytes:
    """A file with sixteen bytes of its middle inverted."""
    middle = len(body) // 2
    changed = bytes(255 - byte for byte in body[middle : middle + 16])
    return body[:middle] + changed + body[middle + 16 :]


def _handled(service: Service, route: Route, request: Request, groups: tuple[str, ...]) -> Response:
    """The provider's answer, errors in its own words."""
    try:
        return route.handle(request, groups)
    except RefusalError as error:
        return service.refuse(error.status, str(error))
    except FiresatError as error:
        _LOG.exception("%s %s", request.method, request.path)
        return service.refuse(500, str(error))
