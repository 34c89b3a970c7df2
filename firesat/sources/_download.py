"""Files from the network, whole or not at all: what breaks off is taken up again where it broke."""

import logging
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import requests
from urllib3.exceptions import HTTPError

from firesat.errors import ProviderError
from firesat.sources import _door
from firesat.sources._door import Bearer, open_session, plain
from firesat.sources._http import checked, silent
from firesat.sources._pace import connection
from firesat.sources.commons import commons

log = logging.getLogger(__name__)

_CHUNK = 1 << 20


class BrokenOffError(Exception):
    """A body ended early, came too slowly, or is not the one that was begun."""


@dataclass(kw_only=True)
class _Begun:
    """How far a download is.

    Parameters
    ----------
    have : int
        Bytes on disk.
    total : int, optional
        Bytes in all, where that is known.
    mark : str
        The server's mark of this version of the file (a strong ETag); "" = none, then a broken
        download starts over.
    """

    have: int = 0
    total: int | None = None
    mark: str = ""

    def headers(self) -> dict[str, str]:
        """What to ask for next."""
        whole = {"Accept-Encoding": "identity"}
        if not (self.have and self.mark):
            return whole
        return {**whole, "Range": f"bytes={self.have}-", "If-Range": self.mark}


def download(
    url: str,
    path: Path,
    *,
    base_url: str = "",
    also: Sequence[str] = (),
    token: str | None = None,
    denied: str = "",
    size: int | None = None,
) -> None:
    """Download a file whole.

    Parameters
    ----------
    url : str
        Its address.
    path : Path
        Where to write it; what stands there is replaced.
    base_url : str
        Root of the provider's addresses; default `url`.
    also : sequence of str
        Endings of further hosts that it may send to.
    token : str, optional
        Bearer token; not passed on when the provider redirects to another host.
    denied : str
        What to do when the provider refuses the key.
    size : int, optional
        Bytes that the file must have, where the provider has said so elsewhere.

    Raises
    ------
    CredentialsError
        If the provider refuses the key.
    ProviderError
        If it fails, sends other sizes than announced, or is too slow, several times over.
    """
    begun, patience = _Begun(), _door.PATIENCE
    auth = Bearer(token) if token else None
    with path.open("wb") as file, open_session(base_url or url, also) as session:
        for attempt in range(1, patience.attempts + 1):
            try:
                with connection(commons()):
                    _go_on(session, url, auth, denied, begun, file)
                _check_size(begun, size)
                return
            except requests.TooManyRedirects as error:
                raise silent(url, error) from error
            except (BrokenOffError, requests.RequestException, HTTPError) as error:
                reason = str(error) if isinstance(error, BrokenOffError) else type(error).__name__
            commons().meter.retries += 1
            log.info("%s: %s after %d bytes", plain(url), reason, begun.have)
            if attempt < patience.attempts:
                time.sleep(backoff(attempt))
    raise ProviderError(
        f"{plain(url)} did not come whole in {patience.attempts} attempts ({reason}): run the "
        "command again later"
    )


def backoff(attempt: int) -> float:
    """Choose how long to wait before another attempt.

    Parameters
    ----------
    attempt : int
        How many have failed, from 1.

    Returns
    -------
    float
        Seconds: doubling, drawn, so that workers do not come back all at once.
    """
    patience = _door.PATIENCE
    planned = patience.pause * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
    return float(min(planned, patience.longest))


def _go_on(
    session: requests.Session,
    url: str,
    auth: Bearer | None,
    denied: str,
    begun: _Begun,
    file: BinaryIO,
) -> None:
    """Ask for what is still missing, and write it."""
    with session.get(url, headers=begun.headers(), auth=auth, stream=True) as response:
        if response.status_code == 416:  # the file is another one now
            _start_over(begun, file)
            raise BrokenOffError("the server has no such range any more")
        checked(response, denied)
        _agree(response, begun, file)
        for piece in pieces(response):
            file.write(piece)
            begun.have += len(piece)
    file.flush()


def _agree(response: requests.Response, begun: _Begun, file: BinaryIO) -> None:
    """Find out which part of which version an answer is, and put the file where it fits."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise BrokenOffError("it came compressed, which nobody asked for")
    length = response.headers.get("Content-Length", "")
    announced = int(length) if length.isdecimal() else None
    if response.status_code == 206:
        part = f"bytes {begun.have}-{(begun.total or 0) - 1}/{begun.total}"
        if response.headers.get("Content-Range") == part and _mark(response) == begun.mark:
            return
        _start_over(begun, file)
        raise BrokenOffError("the server sent another part than was asked for")
    _start_over(begun, file)  # it knows no ranges, or the file has changed: this is all of it
    begun.total, begun.mark = announced, _mark(response)


def _start_over(begun: _Begun, file: BinaryIO) -> None:
    """Forget what has come so far."""
    file.seek(0)
    file.truncate()
    begun.have, begun.total, begun.mark = 0, None, ""


def _mark(response: requests.Response) -> str:
    """The server's mark of a version, if it vouches for every byte."""
    mark = response.headers.get("ETag", "")
    return "" if mark.startswith("W/") else mark


def pieces(response: requests.Response) -> Iterator[bytes]:
    """Read a body as it comes, as long as it comes fast enough.

    Parameters
    ----------
    response : requests.Response
        Opened with ``stream=True``, not compressed.

    Yields
    ------
    bytes
        Parts of the body.

    Raises
    ------
    BrokenOffError
        If it comes too slowly.
    """
    patience, meter = _door.PATIENCE, commons().meter
    start, received = time.monotonic(), 0
    while piece := response.raw.read1(_CHUNK):
        received += len(piece)
        meter.bytes += len(piece)
        yield piece
        lasted = time.monotonic() - start
        if lasted > patience.grace and received < patience.slowest * lasted:
            raise BrokenOffError(f"{received / lasted:.0f} bytes a second are too few")


def _check_size(begun: _Begun, size: int | None) -> None:
    """Compare what came with what was announced."""
    if begun.total is not None and begun.have < begun.total:
        raise BrokenOffError(f"{begun.have} of {begun.total} bytes came")
    if size is not None and begun.have != size:
        begun.mark = ""  # whole, but another file than the provider speaks of: all of it anew
        raise BrokenOffError(f"{begun.have} bytes came, {size} were announced")
