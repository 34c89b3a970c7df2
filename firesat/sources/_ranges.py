"""Parts of a file that an index tells apart, fetched without the rest."""

import json
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

from firesat.errors import ProviderError
from firesat.sources import _door
from firesat.sources._door import open_session, plain
from firesat.sources._download import BrokenOffError, backoff, pieces
from firesat.sources._http import checked
from firesat.sources._pace import connection
from firesat.sources.commons import commons

Range = tuple[int, int]
"""First byte and number of bytes."""


def index_ranges(text: str, params: Collection[str], name: str) -> dict[str, Range]:
    """Read an index of GRIB messages: one JSON object a line.

    Parameters
    ----------
    text : str
        The index.
    params : collection of str
        ECMWF short names of surface quantities that are wanted.
    name : str
        Of the index, for messages.

    Returns
    -------
    dict of str to (int, int)
        First byte and length by short name, of those that are there.

    Raises
    ------
    ProviderError
        If a line is no such object.
    """
    found: dict[str, Range] = {}
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            param, surface = str(entry["param"]), entry.get("levtype") == "sfc"
            start, length = int(entry["_offset"]), int(entry["_length"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ProviderError(
                f"{name} is no index of GRIB messages: {line[:80]!r}; run the command again later"
            ) from None
        if surface and param in params and start >= 0 and length > 0:
            found[param] = start, length
    return found


def download_ranges(url: str, ranges: Sequence[Range], path: Path, *, base_url: str) -> None:
    """Download parts of a file, one after the other.

    Parameters
    ----------
    url : str
        Address of the file.
    ranges : sequence of (int, int)
        First byte and length of each part.
    path : Path
        Where to write them; what stands there is replaced.
    base_url : str
        Root of the provider's addresses.

    Raises
    ------
    ProviderError
        If the server fails, or a part is no whole GRIB message: the index is another version's.
    """
    with path.open("wb") as file, open_session(base_url) as session:
        for first, count in _joined(ranges):
            body = _part(session, url, (first, count))
            for start, length in ranges:
                if first <= start < first + count:
                    file.write(_message(body[start - first : start - first + length], url))


def _joined(ranges: Sequence[Range]) -> Iterator[Range]:
    """Parts that follow each other without a gap, asked for at once."""
    ordered = sorted(ranges)
    while ordered:
        first, count = ordered.pop(0)
        while ordered and ordered[0][0] == first + count:
            count += ordered.pop(0)[1]
        yield first, count


def _part(session: requests.Session, url: str, part: Range) -> bytes:
    """One part, asked for again where it breaks off."""
    reason, attempts = "", _door.PATIENCE.attempts
    for attempt in range(1, attempts + 1):
        try:
            with connection(commons()):
                return _asked(session, url, part)
        except (BrokenOffError, requests.RequestException, HTTPError) as error:
            reason = str(error) if isinstance(error, BrokenOffError) else type(error).__name__
        commons().meter.retries += 1
        if attempt < attempts:
            time.sleep(backoff(attempt))
    raise ProviderError(
        f"{plain(url)} did not come whole in {attempts} attempts ({reason}): run the command again "
        "later"
    )


def _asked(session: requests.Session, url: str, part: Range) -> bytes:
    """One part, once; a server that knows no ranges sends all."""
    first, count = part
    asked = {"Accept-Encoding": "identity", "Range": f"bytes={first}-{first + count - 1}"}
    with session.get(url, headers=asked, stream=True) as response:
        checked(response)
        body = b"".join(pieces(response))
    if response.status_code != 206:
        body = body[first : first + count]
    if len(body) != count:
        raise BrokenOffError(f"{len(body)} of {count} bytes came")
    return body


def _message(body: bytes, url: str) -> bytes:
    """Refuse what is no whole message."""
    if not (body.startswith(b"GRIB") and body.endswith(b"7777")):
        raise ProviderError(
            f"the index beside {plain(url)} does not fit it: run the command again later"
        )
    return body
