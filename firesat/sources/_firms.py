"""NASA's Fire Information for Resource Management System: its key, and its answers as text."""

import os

import requests

from firesat.errors import CredentialsError, ProviderError
from firesat.sources._door import open_session, plain
from firesat.sources._http import checked, silent
from firesat.sources._pace import connection
from firesat.sources.commons import commons

KEY_VARIABLE = "FIRMS_MAP_KEY"
FIRMS = "https://firms.modaps.eosdis.nasa.gov"
MOST_DAYS = 5  # that one request may ask for
_HINT = f"get a free one at {FIRMS}/api/map_key and put it in {KEY_VARIABLE}"
_SHOWN = 80  # characters of an answer that is none, for messages


def find_key() -> str:
    """Find the map key.

    Returns
    -------
    str
        It.

    Raises
    ------
    CredentialsError
        If there is none, or one that no address could hold.
    """
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        raise CredentialsError(f"no FIRMS map key: {_HINT}")
    if not key.isalnum():
        raise CredentialsError(f"{KEY_VARIABLE} holds other than letters and digits: {_HINT}")
    return key


def ask(base_url: str, what: str, rest: str) -> str:
    """Ask for a table.

    Parameters
    ----------
    base_url : str
        Root of the service.
    what : str
        Path before the key, such as "area".
    rest : str
        Path after it.

    Returns
    -------
    str
        CSV. The service words its refusals as text, whatever the status.

    Raises
    ------
    CredentialsError
        If the key is refused.
    ProviderError
        If the service fails, limits, or answers with no table.
    """
    address = f"{base_url}/api/{what}/csv/{find_key()}/{rest}"
    told = f"{base_url}/api/{what}/csv/***/{rest}"
    try:
        with connection(commons()), open_session(base_url) as session:
            response = session.get(address)
            text = response.text
    except requests.RequestException as error:
        raise silent(told, error) from None  # its own words hold the key
    first = " ".join(text[:400].partition("\n")[0].split())[:_SHOWN]
    if response.status_code in (401, 403) or "invalid map_key" in first.lower():
        raise CredentialsError(f"FIRMS refuses the map key in {KEY_VARIABLE}: {_HINT}")
    if "transaction limit" in first.lower():
        raise ProviderError(
            "FIRMS: the key's transactions of these 10 minutes are spent: run later"
        )
    response.url = told
    checked(response)
    if "," not in first:
        raise ProviderError(f"{plain(told)} answered {first!r} instead of a table: run later")
    return text
