"""HTTP with manners: finite retries that wait as told, timeouts, and whole bodies or none."""

import re
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry

from firesat.errors import CredentialsError, ProviderError

_TIMEOUT = (10.0, 120.0)  # seconds to connect, and between two bytes
_CHUNK = 1 << 20
_HREF = re.compile(r'href\s*=\s*"([^"?#]+)"', re.IGNORECASE)
_LONGEST_WAIT = 120  # seconds, whatever a server asks for


class _Patience(Retry):
    """Retries that wait as told, within reason."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Seconds that the server asks to wait."""
        asked = super().get_retry_after(response)
        return None if asked is None else min(asked, _LONGEST_WAIT)


_RETRY = _Patience(
    total=6,
    backoff_factor=0.5,
    backoff_max=30,
    backoff_jitter=0.2,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=("GET", "HEAD", "POST"),
    raise_on_status=False,  # the last answer says more than "too many retries"
)


class Bearer(AuthBase):
    """A token for one host; unlike a plain header, it is not displaced by ``~/.netrc``.

    Parameters
    ----------
    token : str
        The provider's token.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request.

        Parameters
        ----------
        request : requests.PreparedRequest
            About to be sent.

        Returns
        -------
        requests.PreparedRequest
            With its authorization header.
        """
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def open_session() -> requests.Session:
    """Open a session that retries 429 and 5xx and respects Retry-After.

    Returns
    -------
    requests.Session
        The caller closes it.
    """
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=_RETRY))
    return session


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
            f"{_plain(response.url)} answered {response.status_code} "
            f"{response.reason or ''}: {denied}"
        )
    if not response.ok:
        raise ProviderError(
            f"{_plain(response.url)} answered {response.status_code} {response.reason or ''}: "
            "check the address, or run the command again later"
        )
    return response


def get_text(url: str) -> str:
    """Read a page.

    Parameters
    ----------
    url : str
        Its address.

    Returns
    -------
    str
        Its text.

    Raises
    ------
    ProviderError
        If the provider refuses or stays silent.
    """
    try:
        with open_session() as session:
            return checked(session.get(url, timeout=_TIMEOUT)).text
    except requests.RequestException as error:
        raise silent(url, error) from error


def list_links(url: str) -> list[str]:
    """List what an index page of a web server links to.

    Parameters
    ----------
    url : str
        Address of a folder.

    Returns
    -------
    list of str
        Absolute addresses on the same server, sorted.

    Raises
    ------
    ProviderError
        If the provider refuses or stays silent.
    """
    base = url.rstrip("/") + "/"
    links = {urljoin(base, link) for link in _HREF.findall(get_text(base))}
    return sorted(link for link in links if urlsplit(link).netloc == urlsplit(base).netloc)


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


def download(url: str, path: Path, *, token: str | None = None, denied: str = "") -> None:
    """Download a file whole.

    Parameters
    ----------
    url : str
        Its address.
    path : Path
        Where to write it.
    token : str, optional
        Bearer token; not passed on when the provider redirects to another host.
    denied : str
        What to do when the provider refuses the key.

    Raises
    ------
    CredentialsError
        If the provider refuses the key.
    ProviderError
        If it fails, or the body is shorter or longer than announced.
    """
    auth = Bearer(token) if token else None
    headers = {"Accept-Encoding": "identity"}
    try:
        with (
            open_session() as session,
            session.get(url, headers=headers, auth=auth, stream=True, timeout=_TIMEOUT) as response,
        ):
            checked(response, denied)
            with path.open("wb") as file:
                file.writelines(response.iter_content(_CHUNK))
            announced = response.headers.get("Content-Length")
    except requests.RequestException as error:
        raise silent(url, error) from error
    size = path.stat().st_size
    if announced is not None and size != int(announced):
        raise ProviderError(
            f"{_plain(url)} sent {size} of {announced} bytes: run the command again"
        )


def silent(url: str, error: requests.RequestException) -> ProviderError:
    """Say that a provider did not answer.

    Parameters
    ----------
    url : str
        What was asked.
    error : requests.RequestException
        What happened.

    Returns
    -------
    ProviderError
        To raise; without the address's query, which may hold a key.
    """
    return ProviderError(
        f"{_plain(url)} did not answer ({type(error).__name__}): check the network, or run the "
        "command again later"
    )


def _plain(url: str) -> str:
    """An address without its query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{_port(parts.port)}{parts.path}"


def _port(port: int | None) -> str:
    """A port as addresses write it."""
    return f":{port}" if port else ""
