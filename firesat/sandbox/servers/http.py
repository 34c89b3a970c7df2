"""The web server that all providers share."""

import hashlib
import itertools
import logging
import re
import sys
import threading
from collections import Counter, deque
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from firesat.errors import ConfigError, FiresatError
from firesat.sandbox.servers.faults import Dice, Faults, TokenClock
from firesat.sandbox.servers.messages import RefusalError, Request, Response, Route, Service
from firesat.sandbox.servers.mischief import Mischief, before_the_head, send_body

_LOG = logging.getLogger(__name__)
_RANGE = re.compile(r"bytes=(\d+)-(\d*)$")


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
        self.clock = TokenClock(self.faults, self.dice)
        self._counting = threading.Lock()
        self.versions = itertools.count(1)
        self.script: deque[Mischief] = deque()
        """What happens to the next downloads, before the dice are asked."""
        self.answered: Counter[str] = Counter()
        """Requests that were answered well: method, path and a digest of query and body."""
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

    def mischief(self, *, download: bool) -> Mischief | None:
        """Choose what goes wrong with an answer.

        Parameters
        ----------
        download : bool
            Whether it is a file.

        Returns
        -------
        Mischief or None
            None where it goes well.
        """
        if download and self.script:
            return self.script.popleft()
        kinds = (kind for kind, rate in self.faults.wire.items() if self.dice.hit(rate))
        return next((Mischief(kind=kind) for kind in kinds), None)

    def count(self, request: str) -> None:
        """Count a request that is answered well.

        Parameters
        ----------
        request : str
            Method, path and a digest of query and body.
        """
        with self._counting:
            self.answered[request] += 1

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
        if response.status < 400:
            digest = hashlib.sha256(f"{parts.query} {request.body!r}".encode()).hexdigest()[:12]
            self.server.count(f"{self.command} {request.path} {digest}")
        self._send(response, spared=route.spared)

    def _base(self) -> str:
        """The server as the client knows it."""
        host = self.headers.get("Host")
        return f"http://{host}" if host else self.server.url

    def _fault(self, service: Service, route: Route, request: Request) -> Response | None:
        """A failure on purpose, if the dice say so."""
        faults, dice = self.server.faults, self.server.dice
        if route.spared:
            return None
        for rate, status, reason in (
            (faults.rate_429, 429, "Too many requests"),
            (faults.rate_500, 500, "Internal server error"),
        ):
            if dice.hit(rate):
                return service.refuse(status, reason)
        token = request.headers.get("Authorization", "")
        if route.bearer and token and self.server.clock.refuses(token):
            return service.refuse(401, "The token has expired")
        return None

    def _send(self, response: Response, *, spared: bool = False) -> None:
        """Send one response, a part of a file where a range is asked for."""
        wrong = None if spared else self.server.mischief(download=response.download)
        if wrong and before_the_head(wrong, self):
            return
        status, body, headers = self._whole_or_part(response, wrong)
        self.send_response(status)
        self.send_header("Content-Type", response.kind)
        length = wrong.announced(len(body)) if wrong else len(body)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if response.download and self.server.dice.hit(self.server.faults.truncate):
            wrong = Mischief(kind="truncate")
        if wrong:
            send_body(wrong, self, body)
            return
        if response.download and self.server.dice.hit(self.server.faults.corrupt):
            body = _damaged(body)
        self.wfile.write(body)

    def _whole_or_part(
        self, response: Response, wrong: Mischief | None
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and further headers."""
        status, body, headers = response.status, response.body, dict(response.headers)
        if status == 429 and self.server.faults.retry_after:
            headers.setdefault("Retry-After", self.server.faults.retry_after)
        if response.download and status == 200:
            kind = wrong.kind if wrong else ""
            version = next(self.server.versions) if kind in ("other", "blind") else ""
            mark = f'"{hashlib.sha256(body).hexdigest()[:16]}{version}"'
            headers |= {"Accept-Ranges": "bytes", "ETag": mark}
            same = kind == "blind" or self.headers.get("If-Range", mark) == mark
            if same and kind != "whole":
                status, body = self._part(body, headers)
        return status, body, headers

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
