"""Sentinel Hub's own client behind our door: checked addresses, shared rates, one login for all."""

import time
from contextlib import closing

import requests
from sentinelhub.config import SHConfig
from sentinelhub.download.models import DownloadRequest
from sentinelhub.download.sentinelhub_client import SentinelHubDownloadClient
from sentinelhub.download.session import SentinelHubSession

from firesat.errors import ConfigError, CredentialsError
from firesat.sources._door import Bearer, open_session, plain
from firesat.sources._download import BrokenOffError, pieces
from firesat.sources._http import checked, silent
from firesat.sources._pace import connection, wait_turn
from firesat.sources._reach import Reach
from firesat.sources.commons import Commons, Token, commons, sharing

_SPENT = "X-ProcessingUnits-Spent"
_REFUSED = (
    "put a valid pair in SH_CLIENT_ID and SH_CLIENT_SECRET; keys of one deployment do not open "
    "another"
)


class HubClient(SentinelHubDownloadClient):
    """The client, sending its requests where and when they may go.

    Parameters
    ----------
    config : SHConfig
        With the user's key.
    token : Token
        Of `log_in`; the client asks for no other.
    units : float
        Processing units that each request is expected to take.
    """

    def __init__(self, config: SHConfig, token: Token, units: float = 0.0) -> None:
        content = {"access_token": token.text, "expires_at": token.expires}
        # from_token() would read, or even write, the user's file of settings.
        session = SentinelHubSession(config, refresh_before_expiry=None, _token=content)
        super().__init__(session=session, config=config, default_retry_time=10)
        self._shared: Commons = commons()  # the client works in threads of its own
        self._token, self._units = token.text, units

    def _do_download(self, request: DownloadRequest) -> requests.Response:
        """Send one request, wait for the whole answer, note what it cost."""
        base = self.config.sh_base_url
        with (
            sharing(self._shared),
            connection(self._shared),
            closing(open_session(base, repeat=False, kept=True)) as web,
        ):
            wait_turn(self._shared, units=self._units)
            response = web.request(
                request.request_type.value,
                str(request.url),
                json=request.post_values,
                headers={**self._prepare_headers(request), "Accept-Encoding": "identity"},
                auth=Bearer(self._token) if request.use_session else None,
                stream=True,
            )
            response._content = _whole(response)
        self._shared.meter.units += float(response.headers.get(_SPENT, 0))
        if not response.headers.get("Retry-After", "0").isdecimal():
            del response.headers["Retry-After"]  # a date; the client knows milliseconds only
        return response


def _whole(response: requests.Response) -> bytes:
    """The body; one that breaks off counts as a lost connection, which the client repeats."""
    try:
        return b"".join(pieces(response))
    except (BrokenOffError, requests.RequestException, OSError) as error:
        response.close()  # or the rest of the body would be read as the next answer's
        raise requests.ConnectionError(str(error)) from error


def log_in(config: SHConfig) -> Token:
    """Ask for a token (OAuth 2, client credentials).

    Parameters
    ----------
    config : SHConfig
        With the user's key.

    Returns
    -------
    Token
        New.

    Raises
    ------
    ConfigError
        If the address is neither https nor on this machine.
    CredentialsError
        If the key is refused.
    ProviderError
        If the service fails or answers nonsense.
    """
    form = {
        "grant_type": "client_credentials",
        "client_id": config.sh_client_id,
        "client_secret": config.sh_client_secret,
    }
    url = config.sh_token_url
    if not (url.startswith("https://") or Reach(base_url=url).local):
        raise ConfigError(f"{plain(url)} is not https, so no key is sent there: correct base_url")
    try:
        with connection(commons()), open_session(url) as web:
            answer = web.post(url, data=form)
        if answer.status_code in (400, 401, 403):  # RFC 6749, section 5.2
            raise CredentialsError(f"{plain(url)} refuses the key (invalid_client): {_REFUSED}")
        content = checked(answer).json()
        return Token(
            text=str(content["access_token"]), expires=time.time() + float(content["expires_in"])
        )
    except (requests.RequestException, KeyError, TypeError, ValueError) as error:
        raise silent(url, error) from error
