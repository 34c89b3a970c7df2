"""Pages and lists from the web, and what to say when they do not come."""

import re
from urllib.parse import unquote, urljoin, urlsplit

import requests

from firesat.errors import CredentialsError, ProviderError
from firesat.sources._door import open_session, plain
from firesat.sources._pace import connection
from firesat.sources.commons import commons

_HREF = re.compile(r'href\s*=\s*"([^"?#]+)"', re.IGNORECASE)


def checked(response: requests.Response, denied: str = "") -> requests.Response:
    """Pass a good response on.

    Parameters
    ----------
    response : requests.Response
        As it came.
    denied : str
        What to do where the provider wants a key; "" if none is needed.

    Returns
    -------
    requests.Response
        The same.

    Raises
    ------
    CredentialsError
        For 401 and 403, with `denied`.
    ProviderError
        For any other refusal.
    """
    if denied and response.status_code in (401, 403):
        raise CredentialsError(
            f"{plain(response.url)} answered {response.status_code} {response.reason or ''}: "
            f"{denied}"
        )
    if not response.ok:
        raise ProviderError(
            f"{plain(response.url)} answered {response.status_code} {response.reason or ''}: "
            "check the address, or run the command again later"
        )
    return response


def get_text(url: str, base_url: str = "", *, absent: bool = False) -> str:
    """Read a page.

    Parameters
    ----------
    url : str
        Its address.
    base_url : str
        Root of the provider's addresses; default `url`.
    absent : bool
        Whether there may be no such page.

    Returns
    -------
    str
        Its text; "" where there may be no such page, and there is none.

    Raises
    ------
    ProviderError
        If the provider refuses or stays silent.
    """
    try:
        with connection(commons()), open_session(base_url or url) as session:
            response = session.get(url)
            if absent and response.status_code in (404, 410):
                return ""
            return checked(response).text
    except requests.RequestException as error:
        raise silent(url, error) from error


def list_links(url: str, *, absent: bool = False) -> list[str]:
    """List what an index page of a web server links to.

    Parameters
    ----------
    url : str
        Address of a folder.
    absent : bool
        Whether there may be no such folder.

    Returns
    -------
    list of str
        Absolute addresses on the same server, sorted; none where there may be no such folder, and
        there is none.

    Raises
    ------
    ProviderError
        If the provider refuses or stays silent.
    """
    base = url.rstrip("/") + "/"
    links = {urljoin(base, link) for link in _HREF.findall(get_text(base, absent=absent))}
    return sorted(link for link in links if urlsplit(link)[:2] == urlsplit(base)[:2])


def name_of(url: str) -> str:
    """Give the file name at the end of an address.

    Parameters
    ----------
    url : str
        An address.

    Returns
    -------
    str
        Decoded last part of its path.
    """
    return unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])


def silent(url: str, error: Exception) -> ProviderError:
    """Say that a provider did not answer, or broke off.

    Parameters
    ----------
    url : str
        What was asked.
    error : Exception
        What happened.

    Returns
    -------
    ProviderError
        To raise; without the address's query, which may hold a key.
    """
    return ProviderError(
        f"{plain(url)} did not answer ({type(error).__name__}): check the network, or run the "
        "command again later"
    )
