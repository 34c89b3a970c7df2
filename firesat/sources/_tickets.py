"""Jobs of a data store, remembered on disk: what was queued once is collected, not queued again."""

import hashlib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

log = logging.getLogger(__name__)

_OVER = ("failed", "rejected", "dismissed", "deleted")  # states of jobs that will give nothing
_GONE = (400, 403, 404, 410)  # answers to a question about a job that the store has forgotten


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """What is remembered of a job, in a small file beside the download.

    Parameters
    ----------
    path : Path
        The file.
    url, dataset : str
        Store and data set.
    request : dict
        What was asked; another request is another job.
    """

    path: Path
    url: str
    dataset: str
    request: dict[str, object]

    @classmethod
    def beside(cls, download: Path, url: str, dataset: str, request: dict[str, object]) -> "Ticket":
        """Give the ticket of a download.

        Parameters
        ----------
        download : Path
            Where the answer will be written.
        url, dataset : str
            Store and data set.
        request : dict
            What is asked.

        Returns
        -------
        Ticket
            Whether or not its file is there.
        """
        name = download.name.removesuffix(".part").lstrip(".")
        path = download.with_name(f".{name}.job")
        return cls(path=path, url=url, dataset=dataset, request=request)

    @property
    def _mark(self) -> str:
        """What tells this request from others."""
        text = json.dumps([self.url, self.dataset, self.request], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def job(self) -> str:
        """Look the job up.

        Returns
        -------
        str
            Its id; "" where none was queued for this very request.
        """
        try:
            content = json.loads(self.path.read_text())
            return str(content["job"]) if content["request"] == self._mark else ""
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return ""

    def keep(self, job: str) -> None:
        """Remember a job, before anything else is done with it.

        Parameters
        ----------
        job : str
            Its id.
        """
        part = self.path.with_name(f"{self.path.name}.part")
        with part.open("w") as file:
            json.dump({"job": job, "request": self._mark, "dataset": self.dataset}, file)
            file.flush()
            os.fsync(file.fileno())
        part.rename(self.path)

    def drop(self) -> None:
        """Forget the job: its file is here, or will never be."""
        self.path.unlink(missing_ok=True)


def take_up(client: Any, ticket: Ticket) -> Any:  # noqa: ANN401  the store's own classes
    """Find the job that a ticket names, or queue one and remember it.

    Parameters
    ----------
    client : ecmwf.datastores.Client
        Of the store.
    ticket : Ticket
        Of the download.

    Returns
    -------
    ecmwf.datastores.Remote
        A job that may still succeed.

    Raises
    ------
    requests.HTTPError
        If the store refuses.
    """
    known = ticket.job()
    if known:
        found = _still_there(client, known)
        if found is not None:
            log.info("job %s of %s is taken up again", known, ticket.dataset)
            return found
        ticket.drop()
    queued = client.submit(ticket.dataset, ticket.request)
    ticket.keep(queued.request_id)
    return queued


def _still_there(client: Any, job: str) -> Any:  # noqa: ANN401
    """A job that was queued before; None if it will give nothing any more."""
    try:
        found = client.get_remote(job)
        return None if found.json["status"] in _OVER else found
    except requests.HTTPError as error:
        if error.response is not None and error.response.status_code in _GONE:
            return None
        raise
