"""What Sentinel Hub's client raises, in our words."""

from collections.abc import Iterator
from contextlib import contextmanager

from oauthlib.oauth2 import InsecureTransportError, OAuth2Error
from requests import RequestException
from sentinelhub.exceptions import DownloadFailedException, OutOfRequestsException

from firesat.errors import ConfigError, CredentialsError, ProviderError

RATE_LIMIT_TRIES = 20  # the client would otherwise repeat a refused request for ever


@contextmanager
def refusals(base_url: str) -> Iterator[None]:
    """Turn the client's exceptions into ours.

    Parameters
    ----------
    base_url : str
        Root of the deployment, for messages.

    Yields
    ------
    None
        Run the client's calls inside.

    Raises
    ------
    ConfigError
        If the address is not https and the library was not told that it may be.
    CredentialsError
        If the key is refused.
    ProviderError
        If the service fails, refuses or limits.
    """
    try:
        yield
    except InsecureTransportError as error:
        raise ConfigError(
            f"{base_url} is not https, so no token may be sent there: use https, or set "
            "OAUTHLIB_INSECURE_TRANSPORT=1 for a server of your own"
        ) from error
    except OAuth2Error as error:
        raise _key_refused(base_url, str(error)) from error
    except OutOfRequestsException as error:
        raise ProviderError(
            f"{base_url} still limits the rate after {RATE_LIMIT_TRIES} tries: your processing "
            "units may be spent; see the account's dashboard, or run the command again later"
        ) from error
    except DownloadFailedException as error:
        raise _failed(base_url, error) from error
    except (RequestException, KeyError, ValueError) as error:  # what an odd answer leads to
        raise ProviderError(
            f"{base_url} gave an answer that the client does not understand "
            f"({type(error).__name__}: {error}): run the command again later"
        ) from error


def key_is_refused(error: DownloadFailedException) -> bool:
    """Tell whether a download failed for its key or token.

    Parameters
    ----------
    error : DownloadFailedException
        As the client raised it.

    Returns
    -------
    bool
        True for 401 and 403.
    """
    response = getattr(error.request_exception, "response", None)
    return response is not None and response.status_code in (401, 403)


def _failed(base_url: str, error: DownloadFailedException) -> ProviderError | CredentialsError:
    """The right error for a failed download."""
    text = " ".join(str(error).split())[:400]
    if key_is_refused(error):
        return _key_refused(base_url, text)
    return ProviderError(f"{base_url}: {text}; run the command again later")


def _key_refused(base_url: str, reason: str) -> CredentialsError:
    """The key is wrong, expired, or of another deployment."""
    return CredentialsError(
        f"{base_url} refuses the key ({reason}): put a valid pair in SH_CLIENT_ID and "
        "SH_CLIENT_SECRET; keys of one deployment do not open another"
    )
