"""A link of the Copernicus Data Space's general account, on loopback: slow, far and narrow.

It stands before a server, keeps each answer that it has once fetched, and sends it at the link's
pace: so what is measured is the client, not the server behind.
"""

import hashlib
import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

ROUND_TRIP = 0.08  # seconds
RATE = 20e6  # bytes a second, of one connection
CONNECTIONS = 4
LIMIT = RATE * CONNECTIONS
_CHUNK = 1 << 18
_OWN = {"transfer-encoding", "connection", "server", "date", "content-length"}

Answer = tuple[int, list[tuple[str, str]], bytes]


class Link(ThreadingHTTPServer):
    """The near end of the link."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.lanes = threading.Semaphore(CONNECTIONS)
        self.kept: dict[tuple[str, str, bytes], Answer] = {}


class _Handler(BaseHTTPRequestHandler):
    server: Link
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        time.sleep(ROUND_TRIP)  # the handshake
        super().setup()

    def handle(self) -> None:
        with suppress(ConnectionError):  # clients may hang up as they like
            super().handle()

    def log_message(self, *_: object) -> None:
        """Stay quiet."""

    def _relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        key = (self.command, self.path, hashlib.sha256(body).digest())
        if key not in self.server.kept:
            self.server.kept[key] = self._upstream(body)
        status, headers, content = self.server.kept[key]
        with self.server.lanes:
            time.sleep(ROUND_TRIP)
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self._send_paced(content)

    def do_GET(self) -> None:
        self._relay()

    def do_POST(self) -> None:
        self._relay()

    def _send_paced(self, content: bytes) -> None:
        start, view = time.perf_counter(), memoryview(content)
        for first in range(0, len(content), _CHUNK):
            self.wfile.write(view[first : first + _CHUNK])
            ahead = min(first + _CHUNK, len(content)) / RATE - (time.perf_counter() - start)
            if ahead > 0:
                time.sleep(ahead)

    def _upstream(self, body: bytes) -> Answer:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=300)
        connection.request(self.command, self.path, body, dict(self.headers))
        response = connection.getresponse()
        content = response.read()
        connection.close()
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in _OWN]
        return response.status, kept, content


def _serve(upstream: str, pipe: Connection) -> None:
    with Link(upstream) as link:
        pipe.send(link.server_port)
        link.serve_forever(poll_interval=0.5)


@contextmanager
def far_away(upstream: str) -> Iterator[str]:
    """Root of the addresses of a server, at the near end of the link, in a process of its own."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(upstream, there), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()
