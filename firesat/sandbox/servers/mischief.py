"""How answers go wrong on the wire: connections that break, stall or drip, and lies about sizes."""

import select
import socket
import struct
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

KINDS = (
    "reset", "reset_body", "truncate", "stall", "stall_body", "drip_head", "drip_body", "longer",
    "shorter", "whole", "other", "blind",
)  # fmt: skip
"""A reset before or within the body, a body cut short; nothing or half of it and then silence; head
or body byte by byte; more or less announced than there is; a range that is ignored; a file that has
become another one meanwhile, which the server says, or blindly sends a part of."""

DRIP = 0.05  # seconds between two bytes
SILENCE = 30.0  # seconds after which a stalled connection is closed


@dataclass(frozen=True, kw_only=True)
class Mischief:
    """One answer that goes wrong.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    at : int, optional
        Bytes of the body after which it breaks; None = half of it.
    """

    kind: str
    at: int | None = None

    def announced(self, size: int) -> int:
        """Say what Content-Length claims.

        Parameters
        ----------
        size : int
            True size of the body.

        Returns
        -------
        int
            Bytes.
        """
        return {"longer": size + 100, "shorter": max(size - 100, size // 2)}.get(self.kind, size)


def before_the_head(mischief: Mischief, handler: BaseHTTPRequestHandler) -> bool:
    """Misbehave before anything is sent.

    Parameters
    ----------
    mischief : Mischief
        What goes wrong.
    handler : BaseHTTPRequestHandler
        Of the connection.

    Returns
    -------
    bool
        Whether the answer ends with that.
    """
    if mischief.kind == "reset":
        _reset(handler)
        return True
    if mischief.kind == "stall":
        _fall_silent(handler)
        return True
    if mischief.kind == "drip_head":
        handler.wfile = _Drip(handler.wfile)  # type: ignore[assignment]
    return False


def send_body(mischief: Mischief, handler: BaseHTTPRequestHandler, body: bytes) -> None:
    """Send a body badly.

    Parameters
    ----------
    mischief : Mischief
        What goes wrong.
    handler : BaseHTTPRequestHandler
        Of the connection, the head sent.
    body : bytes
        What would be right.
    """
    half = len(body) // 2 if mischief.at is None else mischief.at
    if mischief.kind in ("reset_body", "truncate", "stall_body"):
        handler.wfile.write(body[:half])
        handler.wfile.flush()
        ending = {"reset_body": _reset, "stall_body": _fall_silent}.get(mischief.kind, _hang_up)
        ending(handler)
        return
    if mischief.kind == "drip_body":
        handler.wfile = _Drip(handler.wfile)  # type: ignore[assignment]
    handler.wfile.write(body)
    if mischief.kind in ("longer", "shorter", "drip_head", "drip_body"):
        handler.wfile.flush()
        _hang_up(handler)


class _Drip:
    """A stream that lets bytes through one by one, until the client has had enough."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401  a socket's file
        self._stream = stream
        self._end = time.monotonic() + SILENCE

    def write(self, data: bytes) -> int:
        """Write slowly."""
        for byte in data:
            self._stream.write(bytes([byte]))
            self._stream.flush()
            if time.monotonic() < self._end:
                time.sleep(DRIP)
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever else a stream has
        return getattr(self._stream, name)


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close in good order, as after a complete answer."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """Close so that the client's next read fails with a reset."""
    handler.close_connection = True
    linger = struct.pack("ii", 1, 0)  # on, for 0 seconds: RST instead of FIN
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    # The server's own shutdown() would send a FIN first: the descriptor is closed by itself.
    handler.connection.close()


def _fall_silent(handler: BaseHTTPRequestHandler) -> None:
    """Say nothing until the client hangs up."""
    handler.close_connection = True
    end = time.monotonic() + SILENCE
    while time.monotonic() < end:
        readable, _, _ = select.select([handler.connection], [], [], 0.1)
        if readable and not handler.connection.recv(1, socket.MSG_PEEK):
            return
