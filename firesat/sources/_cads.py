"""The Copernicus data stores (CDS, EWDS): a key, a request, a file."""

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

import cdsapi
import requests
from ecmwf.datastores.processing import LinkError

from firesat.errors import CredentialsError, LicenceError, ProviderError

log = logging.getLogger(__name__)
_LINK = re.compile(r"https?://\S+[^\s.,;)]")


@dataclass(frozen=True, kw_only=True)
class DataStore:
    """A data store, asked patiently but not for ever.

    Parameters
    ----------
    url : str
        Root of its interface; given explicitly, because one ``~/.cdsapirc`` names one store only.
    retries : int
        Attempts after a failed call.
    pause : float
        Longest wait in seconds between two questions whether the data are ready, and between
        attempts.
    """

    url: str
    retries: int
    pause: float

    def retrieve(self, dataset: str, request: dict[str, object], path: Path) -> None:
        """Ask for data and wait for the file.

        Parameters
        ----------
        dataset : str
            The store's name of the data set.
        request : dict
            What to ask for.
        path : Path
            Where to write the answer.

        Raises
        ------
        CredentialsError
            If no key is found, or the store refuses it.
        LicenceError
            If a licence must be accepted first.
        ProviderError
            If the store fails or refuses.
        """
        client = cdsapi.Client(
            url=self.url,
            key=_key(),
            quiet=True,
            progress=False,
            retry_max=self.retries,
            sleep_max=self.pause,
        )
        log.info("asking %s for %s", self.url, dataset)
        try:
            client.retrieve(dataset, request, str(path))
        except requests.HTTPError as error:
            raise _refused(self.url, dataset, error) from error
        except (requests.RequestException, RuntimeError, LinkError, OSError) as error:
            raise ProviderError(
                f"{self.url} failed to deliver {dataset} ({type(error).__name__}: {error}): run "
                "the command again later"
            ) from error


def _key() -> str:
    """The user's key: the variable, else the file."""
    file = Path(os.environ.get("CDSAPI_RC", Path.home() / ".cdsapirc"))
    key = os.environ.get("CDSAPI_KEY") or _key_in(file)
    if not key:
        raise CredentialsError(
            f"no Copernicus key in CDSAPI_KEY nor {file}: get one at "
            "https://cds.climate.copernicus.eu/profile, or work with the sandbox"
        )
    if ":" in key:  # cdsapi would fall back to a protocol that was switched off in 2024
        raise CredentialsError(
            f"the Copernicus key in CDSAPI_KEY or {file} is of the old form UID:KEY: replace it by "
            "the one at https://cds.climate.copernicus.eu/profile"
        )
    return key


def _key_in(file: Path) -> str:
    """The key in a file of ``name: value`` lines; "" if there is none."""
    lines = file.read_text().splitlines() if file.is_file() else []
    pairs = [line.partition(":") for line in lines]
    return next((value.strip() for name, _, value in pairs if name.strip() == "key"), "")


def _refused(url: str, dataset: str, error: requests.HTTPError) -> Exception:
    """The right error for a refusal."""
    text = " ".join(str(error).split())
    status = error.response.status_code if error.response is not None else 0
    if "licence" in text.lower():
        # The refused request's own address comes first; the page to visit says so in its name.
        links = [link for link in _LINK.findall(text) if "licence" in link or "/datasets/" in link]
        where = links[-1] if links else f"{url.removesuffix('/api')}/datasets/{dataset}"
        return LicenceError(f"{dataset}: accept its licence once at {where}, then run again")
    if status == 401 or "authentication" in text.lower():
        return CredentialsError(
            f"{url} refuses the key: put the one of your profile page in CDSAPI_KEY or ~/.cdsapirc"
        )
    return ProviderError(f"{url} refuses {dataset}: {text[:300]}; check the request, or try later")
