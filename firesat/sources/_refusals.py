"""What Sentinel Hub's client raises, in our words."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from requests import RequestException
from sentinelhub.exceptions import (
    DownloadFailedException,
    OutOfRequestsException,
    SHRateLimitWarning,
)

from firesat.errors import CredentialsError, ProviderError

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
    CredentialsError
        If the key is refused.
    ProviderError
        If the service fails, refuses or limits.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SHRateLimitWarning)  # it waits and counts: no news
            yield
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


def token_is_refused(error: DownloadFailedException) -> bool:
    """Tell whether a download failed for its token, which may have ended.

    Parameters
    ----------
    error : DownloadFailedException
        As the client raised it.

    Returns
    -------
    bool
        True for 401.
    """
    return _status(error) == 401


def _status(error: DownloadFailedException) -> int:
    """HTTP status of a failed download; 0 where none was received."""
    response = getattr(error.request_exception, "response", None)
    return 0 if response is None else int(response.status_code)


def _failed(base_url: str, error: DownloadFailedException) -> ProviderError | CredentialsError:
    """The right error for a failed download."""
    text = " ".join(str(error).split())[:400]
    if _status(error) in (401, 403):
        # 403 is also what the service says when the month's units are spent.
        return CredentialsError(
            f"{base_url} refuses the key or its allowance is spent ({text}): see the account's "
            "dashboard, or put a valid pair in SH_CLIENT_ID and SH_CLIENT_SECRET; keys of one "
            "deployment do not open another"
        )
    return ProviderError(f"{base_url}: {text}; run the command again later")
