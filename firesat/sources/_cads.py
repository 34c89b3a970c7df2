"""The Copernicus data stores (CDS, EWDS): a key, a request, a file."""

import logging
import math
import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cdsapi
import requests
from ecmwf.datastores.processing import LinkError, ProcessingFailedError

from firesat.errors import CredentialsError, LicenceError, NoDataError, ProviderError
from firesat.sources._constraints import unmet
from firesat.sources._door import open_session
from firesat.sources._download import download
from firesat.sources._pace import connection
from firesat.sources._tickets import Ticket, take_up
from firesat.sources.base import Scene
from firesat.sources.commons import commons
from firesat.sources.quotas import Cost

log = logging.getLogger(__name__)
# Files lie in the stores' own clouds.
_HOSTS = (".copernicus.eu", ".ecmwf.int", ".copernicus-climate.eu")
_NOTHING = re.compile(r"NoDataError|no data is available", re.IGNORECASE)
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

        The job is remembered beside the file: whoever is stopped while it waits in the store's
        queue, or while the file comes, takes it up again and queues no other.

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
        NoDataError
            If the store has nothing for these dates.
        ProviderError
            If the store fails or refuses.
        """
        ticket = Ticket.beside(path, self.url, dataset, request)
        shared = commons()
        log.info("asking %s for %s", self.url, dataset)
        # One of the store's places is held while the job waits; the worker may do something else.
        with shared.away(), connection(shared), open_session(self.url, _HOSTS, repeat=False) as web:
            address, size = self._result(web, ticket)
            download(address, path, base_url=self.url, also=_HOSTS, size=size)
        ticket.drop()

    def _result(self, web: requests.Session, ticket: Ticket) -> tuple[str, int]:
        """Have the store make a file, unless it is at it already; its address and size."""
        client = None
        try:
            client = self._client(web).client
            found = take_up(client, ticket).get_results()
            return str(found.location), int(found.content_length)
        except requests.HTTPError as error:
            raise self._not_done(client, ticket, error) from error
        except ProcessingFailedError as error:
            ticket.drop()  # it will never be done: the next attempt queues another
            raise self._failed(ticket.dataset, error) from error
        except (requests.RequestException, RuntimeError, LinkError, OSError) as error:
            raise self._failed(ticket.dataset, error) from error
        except (KeyError, TypeError, ValueError, AssertionError) as error:  # an odd answer
            raise self._failed(ticket.dataset, error) from error

    def _not_done(self, client: Any, ticket: Ticket, error: requests.HTTPError) -> Exception:  # noqa: ANN401
        """The right error for a refusal, of a request or of a job's result."""
        status = error.response.status_code if error.response is not None else 0
        if 400 <= status < 500 and status != 429:
            ticket.drop()
        if _NOTHING.search(str(error)):
            return self._failed(ticket.dataset, error)
        wrong = unmet(client, ticket.dataset, ticket.request) if status == 400 else ""
        return ProviderError(wrong) if wrong else _refused(self.url, ticket.dataset, error)

    def _client(self, web: requests.Session) -> cdsapi.Client:
        """The store's own client."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # no news: the next call tells more
            return cdsapi.Client(
                url=self.url,
                key=find_key(),
                quiet=True,
                progress=False,
                retry_max=self.retries,
                sleep_max=self.pause,
                session=web,
            )

    def _failed(self, dataset: str, error: Exception) -> ProviderError | NoDataError:
        """The store did not deliver."""
        if _NOTHING.search(str(error)):
            return NoDataError(f"{self.url} has nothing of {dataset} for these dates and this area")
        return ProviderError(
            f"{self.url} failed to deliver {dataset} ({type(error).__name__}: {error}): run the "
            "command again later"
        )


def cost_of(scenes: Iterable[Scene], degrees: float, basis: str) -> Cost:
    """Estimate what jobs of a store take.

    Parameters
    ----------
    scenes : iterable of Scene
        With the stores' requests; those of one id count once.
    degrees : float
        Size of the data set's cells.
    basis : str
        Where the figures come from.

    Returns
    -------
    Cost
        Four HTTP requests a job; 16 bits a value, as GRIB is packed by the store.
    """
    fields, points = [], 0.0
    for asked in {scene.id: scene.request for scene in scenes}.values():
        kinds = [asked[key] for key in ("variable", "day", "time") if key in asked]
        fields.append(math.prod(len(kind) for kind in kinds if isinstance(kind, list)))
        points += fields[-1] * _points(asked["area"], degrees)
    return Cost(
        requests=4 * len(fields),
        bytes=2 * points,
        jobs=len(fields),
        fields=sum(fields),
        largest=max(fields, default=0),
        basis=basis,
    )


def _points(area: object, degrees: float) -> float:
    """Grid points of an area, north, west, south, east."""
    if not isinstance(area, list):
        return 0.0
    north, west, south, east = area
    return float((north - south) / degrees + 1) * float((east - west) / degrees + 1)


def find_key() -> str:
    """Find the user's key: the variable, else the file.

    Returns
    -------
    str
        Never printed.

    Raises
    ------
    CredentialsError
        If there is none, or one of the old form.
    """
    file = Path(os.environ.get("CDSAPI_RC", Path.home() / ".cdsapirc"))
    key = os.environ.get("CDSAPI_KEY") or _key_in(file)
    if not key:
        raise CredentialsError(
            f"no Copernicus key in CDSAPI_KEY nor {file}: put url and key of "
            "https://cds.climate.copernicus.eu/profile into ~/.cdsapirc, or work with the sandbox"
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
