"""NASA Earthdata: finding granules and downloading them with a bearer token."""

import netrc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import requests

from firesat.errors import CredentialsError, ProviderError
from firesat.sources._http import checked, download, open_session, silent

LOGIN = "https://urs.earthdata.nasa.gov"
_PAGE = 200
_TIMEOUT = (10.0, 120.0)
_TOKEN_HINT = (
    "put a token from https://urs.earthdata.nasa.gov/profile in EARTHDATA_TOKEN, or a line for "
    "machine urs.earthdata.nasa.gov in ~/.netrc"
)

Tiles = set[tuple[int, int]]


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
        If the repository fails or answers nonsense.
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
    try:
        with open_session() as session:
            while True:
                answer = checked(session.get(url, params=query, headers=headers, timeout=_TIMEOUT))
                items = answer.json()["items"]
                if not items:
                    return
                yield from (_name_and_url(item, url) for item in items)
                if "CMR-Search-After" not in answer.headers:
                    return
                headers["CMR-Search-After"] = answer.headers["CMR-Search-After"]
    except requests.RequestException as error:
        raise silent(url, error) from error
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderError(
            f"{url} gave an answer of another form ({type(error).__name__}: {error}): try later"
        ) from error


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
    download(url, path, token=_token(), denied=denied)


def _token() -> str:
    """The user's token: the variable, else one made from the login in ``~/.netrc``."""
    if token := os.environ.get("EARTHDATA_TOKEN"):
        return token
    login = _login()
    if login is None:
        raise CredentialsError(f"no Earthdata token: {_TOKEN_HINT}; or work with the sandbox")
    url = f"{LOGIN}/api/users/find_or_create_token"
    try:
        with open_session() as session:
            answer = session.post(url, auth=login, timeout=_TIMEOUT)
            return str(
                checked(answer, f"the login in ~/.netrc is refused; {_TOKEN_HINT}").json()[
                    "access_token"
                ]
            )
    except requests.RequestException as error:
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
