"""A provider with one file, served by the sandbox's web server, with all that can go wrong."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.http import SandboxServer
from firesat.sandbox.servers.messages import Request, Response, Route
from firesat.sources import _door
from firesat.sources._door import PATIENCE

BODY = bytes(range(256)) * 8  # 2048 bytes, each place told from its neighbours


class Shelf:
    """One file, one page."""

    prefix = "/shelf"

    def routes(self) -> Sequence[Route]:
        return (
            Route(method="GET", pattern="/file", handle=self._file),
            Route(method="GET", pattern="/", handle=self._page),
        )

    def refuse(self, status: int, reason: str) -> Response:
        return Response(body=reason.encode(), status=status, kind="text/plain")

    def _file(self, request: Request, groups: tuple[str, ...]) -> Response:
        return Response(body=BODY, kind="application/octet-stream", download=True)

    def _page(self, request: Request, groups: tuple[str, ...]) -> Response:
        return Response(body=b'<a href="file">file</a>', kind="text/html")


@contextmanager
def shelf(faults: Faults | None = None) -> Iterator[SandboxServer]:
    """The provider for as long as the context."""
    with SandboxServer([Shelf()], 0, faults or Faults()) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def hurried(monkeypatch: pytest.MonkeyPatch, **changes: float) -> None:
    """Waits of milliseconds instead of minutes."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    quick = {"pause": 0.001, "longest": 0.5, "read": 0.15, "head": 0.3, "grace": 0.2, **changes}
    monkeypatch.setattr(_door, "PATIENCE", replace(PATIENCE, **quick))
