"""NASA Earthdata: finding granules and downloading them with a bearer token."""

import netrc
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import requests

from firesat.errors import CredentialsError, ProviderError
from firesat.sources._door import open_session
from firesat.sources._download import download
from firesat.sources._http import checked, silent
from firesat.sources._pace import connection
from firesat.sources.commons import Token, commons

LOGIN = "https://urs.earthdata.nasa.gov"
_PAGE = 200
_MOST_PAGES = 50  # a block has one
# The archive sends whoever is logged in to signed addresses of its cloud.
_HOSTS = (".nasa.gov", ".cloudfront.net", ".amazonaws.com")
_TOKEN_DAYS = 1  # a token that a login gives lasts for 60 days; nobody needs it longer than a run
_TOKEN_HINT = (
    "put a token from https://urs.earthdata.nasa.gov/profile in EARTHDATA_TOKEN, or a line for "
    "machine urs.earthdata.nasa.gov in ~/.netrc"
)

_AFTER = "CMR-Search-After"

Tiles = set[tuple[int, int]]
Query = list[tuple[str, str]]


def find_granules(
    base_url: str, product: str, version: str, day: np.datetime64, tiles: Tiles
) -> Iterator[tuple[str, str]]:
    """Ask the Common Metadata Repository for granules of a day.

    Parameters
    ----------
    base_url : str
        Its root.
    product, version : str
        Short name and collection.
    day : np.datetime64
        A day that the granule must cover.
    tiles : set of (int, int)
        Sinusoidal tiles, horizontal and vertical number.

    Yields
    ------
    tuple of str
        Name and address of a file. Pages are asked for until one is empty.

    Raises
    ------
    ProviderError
        If the repository fails, answers nonsense or never ends.
    """
    url = f"{base_url}/search/granules.umm_json"
    query = [
        ("short_name", product),
        ("version", version),
        ("temporal[]", f"{day}T00:00:00Z,{day}T23:59:59Z"),
        ("options[readable_granule_name][pattern]", "true"),
        ("page_size", str(_PAGE)),
        *(("readable_granule_name[]", f"*.h{h:02d}v{v:02d}.*") for h, v in sorted(tiles)),
    ]
    headers: dict[str, str] = {}
    with open_session(base_url) as session:
        for _ in range(_MOST_PAGES):
            page, after = _page(session, url, query, headers)
            yield from page
            if not page or after is None:
                return
            headers[_AFTER] = after
    raise ProviderError(f"{url} gives more than {_MOST_PAGES} pages for one day: try later")


def _page(
    session: requests.Session, url: str, query: Query, headers: dict[str, str]
) -> tuple[list[tuple[str, str]], str | None]:
    """Names and addresses of one page, and where the next one starts."""
    try:
        with connection(commons()):
            answer = checked(session.get(url, params=query, headers=headers))
        found = [_name_and_url(item, url) for item in answer.json()["items"]]
    except requests.RequestException as error:
        raise silent(url, error) from error
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderError(
            f"{url} gave an answer of another form ({type(error).__name__}: {error}): try later"
        ) from error
    return found, answer.headers.get(_AFTER)


def _name_and_url(item: dict[str, Any], url: str) -> tuple[str, str]:
    """Name and download address of an item."""
    name = str(item["umm"]["GranuleUR"])
    for related in item["umm"]["RelatedUrls"]:
        address = str(related["URL"])
        if related["Type"] == "GET DATA" and address.startswith("http"):
            return name, address
    raise ProviderError(f"{url} lists {name} without an address to download it from: try later")


def download_granule(url: str, path: Path, base_url: str) -> None:
    """Download a protected file.

    Parameters
    ----------
    url : str
        Its address.
    path : Path
        Where to write it.
    base_url : str
        Root of the repository that named the address.

    Raises
    ------
    CredentialsError
        If there is no token, or it is refused.
    ProviderError
        If the archive fails, or the address is not NASA's: the token goes nowhere else.
    """
    host = urlsplit(url).hostname or ""
    if not host.endswith(".nasa.gov") and host != urlsplit(base_url).hostname:
        raise ProviderError(
            f"the granule's address {host} is not NASA's: your token was not sent there; check "
            "base_url"
        )
    denied = f"the Earthdata token is missing or has expired; {_TOKEN_HINT}"
    download(url, path, base_url=base_url, also=_HOSTS, token=_token(), denied=denied)


def check_login() -> None:
    """Check, without asking anybody, that there is a token or a login.

    Raises
    ------
    CredentialsError
        If there is none.
    """
    if not os.environ.get("EARTHDATA_TOKEN") and _login() is None:
        raise CredentialsError(f"no Earthdata token: {_TOKEN_HINT}; or work with the sandbox")


def _token() -> str:
    """The user's token: the variable, else one made from the login in ``~/.netrc``."""
    check_login()
    login = _login()
    if token := os.environ.get("EARTHDATA_TOKEN"):
        return token
    return commons().tokens.get(f"nasa {login and login[0]}", lambda: _new_token(login)).text


def _new_token(login: tuple[str, str] | None) -> Token:
    """A token for a login."""
    url = f"{LOGIN}/api/users/find_or_create_token"
    try:
        with open_session(LOGIN) as session:
            answer = session.post(url, auth=login)
            content = checked(answer, f"the login in ~/.netrc is refused; {_TOKEN_HINT}").json()
            return Token(
                text=str(content["access_token"]), expires=time.time() + 86_400 * _TOKEN_DAYS
            )
    except (requests.RequestException, KeyError, TypeError) as error:
        raise silent(url, error) from error


def _login() -> tuple[str, str] | None:
    """User and password of Earthdata in ``~/.netrc``."""
    file = Path(os.environ.get("NETRC", Path.home() / ".netrc"))
    if not file.is_file():
        return None
    try:
        found = netrc.netrc(str(file)).authenticators(urlsplit(LOGIN).hostname or "")
    except netrc.NetrcParseError as error:
        raise CredentialsError(f"{file} cannot be read ({error}): repair it") from error
    return (found[0], found[2]) if found and found[2] else None
