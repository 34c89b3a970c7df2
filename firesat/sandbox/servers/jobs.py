"""Jobs of a data store: accepted, running, successful or failed."""

import hashlib
import itertools
import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from firesat.errors import FiresatError

_LOG = logging.getLogger(__name__)
_KEPT = 64  # finished jobs, results included


@dataclass(frozen=True, kw_only=True)
class Asset:
    """The file that a job made.

    Parameters
    ----------
    name : str
        File name, unique.
    kind : str
        Content type.
    body : bytes
        Content.
    """

    name: str
    kind: str
    body: bytes


@dataclass(kw_only=True)
class Job:
    """One job.

    Parameters
    ----------
    id : str
        Its name.
    process : str
        Data set.
    request : dict
        What was asked.
    created : str
        ISO time, UTC.
    """

    id: str
    process: str
    request: dict[str, Any]
    created: str
    status: str = "accepted"
    updated: str = ""
    error: str = ""
    asset: Asset | None = None
    log: list[tuple[str, str]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def enter(self, status: str) -> None:
        """Change the status and say so in the log.

        Parameters
        ----------
        status : str
            running, successful or failed.
        """
        self.status, self.updated = status, now()
        self.log.append((self.updated, f"INFO Request {status}"))


def now() -> str:
    """Tell the time.

    Returns
    -------
    str
        ISO 8601 with microseconds, UTC.
    """
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def _report(future: Future[None]) -> None:
    """Log what a job did not expect."""
    error = future.exception()
    if error is not None:
        _LOG.error("a job broke", exc_info=error)


class JobBoard:
    """Runs jobs in the background, one after the other, and remembers the latest.

    Parameters
    ----------
    queue_seconds : float
        Time that each job waits before it runs.
    """

    def __init__(self, queue_seconds: float) -> None:
        self._queue_seconds = queue_seconds
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._count = itertools.count(1)
        self._workers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="jobs")

    def submit(self, process: str, request: dict[str, Any], work: Callable[[], Asset]) -> Job:
        """Accept a job.

        Parameters
        ----------
        process : str
            Data set.
        request : dict
            What was asked.
        work : callable
            Makes the file; a `FiresatError` fails the job.

        Returns
        -------
        Job
            Just accepted.
        """
        text = json.dumps([next(self._count), process, request], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        name = "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
        created = now()
        job = Job(id=name, process=process, request=request, created=created, updated=created)
        self._jobs[name] = job
        while len(self._jobs) > _KEPT:
            self._jobs.popitem(last=False)
        self._workers.submit(self._run, job, work).add_done_callback(_report)
        return job

    def find(self, name: str) -> Job | None:
        """Look a job up.

        Parameters
        ----------
        name : str
            Its id.

        Returns
        -------
        Job or None
            None where there is none of this name, or it was forgotten.
        """
        return self._jobs.get(name)

    def asset(self, name: str) -> Asset | None:
        """Look a result up.

        Parameters
        ----------
        name : str
            File name.

        Returns
        -------
        Asset or None
            None where there is none.
        """
        assets = (job.asset for job in list(self._jobs.values()))
        return next((asset for asset in assets if asset and asset.name == name), None)

    def drop(self, name: str) -> None:
        """Forget a job and its result.

        Parameters
        ----------
        name : str
            Its id.
        """
        self._jobs.pop(name, None)

    def _run(self, job: Job, work: Callable[[], Asset]) -> None:
        """Carry a job out."""
        time.sleep(self._queue_seconds)
        job.enter("running")
        try:
            job.asset = work()
            job.enter("successful")
        except FiresatError as error:
            job.error = str(error)
        finally:
            if job.asset is None:
                job.enter("failed")
            job.ended.set()
