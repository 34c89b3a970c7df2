"""The Climate Data Store and its sister for emergencies: jobs, results, files."""

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from firesat.errors import ProviderError
from firesat.sandbox.servers.datasets import DataSet, Json
from firesat.sandbox.servers.faults import Dice, Faults
from firesat.sandbox.servers.jobs import Asset, Job, JobBoard
from firesat.sandbox.servers.messages import (
    RefusalError,
    Request,
    Response,
    Route,
    json_response,
)
from firesat.sandbox.servers.reanalysis import make
from firesat.sandbox.world import World

PATIENCE = 0.9  # seconds: a question about a job is answered at once, or when the job ends
_TITLES = {
    400: "invalid request",
    401: "authentication failed",
    403: "required licences not accepted",
    404: "not found",
    429: "too many requests",
}
_PROCESS = r"/api/retrieve/v1/processes/([\w-]+)"
_JOB = r"/api/retrieve/v1/jobs/([\w-]+)"


class DataStore:
    """One store.

    Parameters
    ----------
    world : World
        What is observed.
    prefix : str
        Start of its addresses.
    data_sets : sequence of DataSet
        What it offers.
    key : str
        The only personal access token.
    faults : Faults
        Unaccepted licences, failing jobs, waiting time.
    """

    def __init__(
        self,
        world: World,
        prefix: str,
        data_sets: Sequence[DataSet],
        *,
        key: str = "sandbox",
        faults: Faults,
    ) -> None:
        self.prefix = prefix
        self._world = world
        self._data_sets = {each.name: each for each in data_sets}
        self._key = key
        self._faults = faults
        self._dice = Dice(faults.seed + 1)
        self._board = JobBoard(faults.queue_seconds)

    def routes(self) -> Sequence[Route]:
        """List its addresses.

        Returns
        -------
        sequence of Route
            Messages, processes, jobs, results and files.
        """
        return tuple(
            Route(method=method, pattern=pattern, handle=handle)
            for method, pattern, handle in (
                ("GET", "/api/catalogue/v1/messages", self._messages),
                ("POST", "/api/profiles/v1/account/verification/pat", self._verify),
                ("GET", _PROCESS, self._process),
                ("POST", _PROCESS + "/execution", self._execute),
                ("POST", _PROCESS + "/costing", self._cost),
                ("POST", _PROCESS + "/constraints", self._constraints),
                ("GET", _JOB, self._job),
                ("DELETE", _JOB, self._delete),
                ("GET", _JOB + "/results", self._results),
                ("GET", r"/cache-store/([\w.]+)", self._file),
            )
        )

    def refuse(self, status: int, reason: str) -> Response:
        """Word an error.

        Parameters
        ----------
        status : int
            HTTP status.
        reason : str
            What is wrong.

        Returns
        -------
        Response
            JSON with ``title`` and ``detail``.
        """
        title = _TITLES.get(status, "internal error")
        kind = "permission denied" if status in (401, 403) else title
        trace = hashlib.sha256(reason.encode()).hexdigest()[:32]
        content = {"type": kind, "title": title, "status": status, "detail": reason}
        return json_response({**content, "instance": self.prefix, "trace_id": trace}, status)

    def _messages(self, request: Request, groups: tuple[str, ...]) -> Response:
        """News for users: none."""
        return json_response({"messages": []})

    def _verify(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Whether a token is good."""
        self._authorise(request)
        return json_response({"sub": "sandbox", "role": "authenticated"})

    def _process(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Describe a data set."""
        self._authorise(request)
        data_set = self._data_set(groups[0])
        inputs = {key: {"enum": values} for key, values in data_set.values.items()}
        return json_response(
            {"id": data_set.name, "version": "1.0.0", "inputs": inputs, "links": [], "metadata": {}}
        )

    def _execute(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Accept a job."""
        self._authorise(request)
        data_set = self._data_set(groups[0])
        inputs = data_set.normalised(request.json().get("inputs", {}))
        if data_set.name in self._faults.unlicensed:
            where = f"{request.base}{self.prefix}/datasets/{data_set.name}?tab=download"
            raise RefusalError(
                403,
                "Not all the required licences have been accepted; please visit "
                f"{where}#manage-licences to accept the required licence(s).",
            )
        cost = len(data_set.chosen(inputs)) * len(data_set.times(inputs))
        if cost > data_set.limit:
            raise RefusalError(
                400, f"cost limits exceeded: {cost} fields of at most {data_set.limit}"
            )
        work = _fail if self._dice.hit(self._faults.failed_jobs) else make
        job = self._board.submit(
            data_set.name, inputs, partial(work, self._world, data_set, inputs)
        )
        return json_response(self._description(request, job, "monitor"), 201)

    def _cost(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Count the fields of a request."""
        data_set = self._data_set(groups[0])
        inputs = data_set.normalised(request.json().get("inputs", {}))
        cost = len(data_set.chosen(inputs)) * len(data_set.times(inputs))
        valid = cost <= data_set.limit
        return json_response(
            {"id": "size", "cost": cost, "limit": data_set.limit, "request_is_valid": valid}
        )

    def _constraints(self, request: Request, groups: tuple[str, ...]) -> Response:
        """List what may be asked: here no choice excludes another."""
        return json_response(self._data_set(groups[0]).values)

    def _job(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Tell how a job goes."""
        self._authorise(request)
        job = self._find(groups[0])
        job.ended.wait(PATIENCE)
        content = self._description(request, job, "self")
        since = request.query.get("logStartTime", [""])[0]
        metadata: Json = {"log": [entry for entry in list(job.log) if entry[0] > since]}
        if "request" in request.query:
            metadata["request"] = {"ids": job.request}
        return json_response({**content, "metadata": metadata})

    def _delete(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Dismiss a job."""
        self._authorise(request)
        job = self._find(groups[0])
        self._board.drop(job.id)
        return json_response({**self._description(request, job, "self"), "status": "dismissed"})

    def _results(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Tell where the file is."""
        self._authorise(request)
        job = self._find(groups[0])
        if job.status == "failed":
            content: Json = {"type": "job results failed", "title": "The job has failed"}
            content |= {"status": 400, "detail": job.error, "traceback": job.error}
            return json_response(content, 400)
        if job.asset is None:
            raise RefusalError(404, f"results of job {job.id} not ready, job is {job.status}")
        return json_response({"asset": {"value": self._description_of(job.asset, request.base)}})

    def _file(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Send a file; whoever knows its name may have it."""
        asset = self._board.asset(groups[0])
        if asset is None:
            raise RefusalError(404, f"{groups[0]} has been removed from the cache")
        return Response(body=asset.body, kind=asset.kind, download=True)

    def _description(self, request: Request, job: Job, relation: str) -> Json:
        """A job as JSON, with the link that the client follows next."""
        href = f"{request.base}{self.prefix}/api/retrieve/v1/jobs/{job.id}"
        links = [{"href": href, "rel": relation, "type": "application/json"}]
        if job.status == "successful":
            links.append({"href": f"{href}/results", "rel": "results"})
        return {
            "processID": job.process,
            "type": "process",
            "jobID": job.id,
            "status": job.status,
            "created": job.created,
            "updated": job.updated,
            "links": links,
            "metadata": {},
        }

    def _description_of(self, asset: Asset, base: str) -> Json:
        """A file as JSON."""
        return {
            "type": asset.kind,
            "href": f"{base}{self.prefix}/cache-store/{asset.name}",
            "file:size": len(asset.body),
            "file:checksum": hashlib.md5(asset.body, usedforsecurity=False).hexdigest(),
            "file:local_path": f"s3://cache-store/{asset.name}",
        }

    def _authorise(self, request: Request) -> None:
        """Refuse a request without the right token."""
        if request.headers.get("PRIVATE-TOKEN") != self._key:
            raise RefusalError(401, "Authentication required: the token is missing or wrong")

    def _data_set(self, name: str) -> DataSet:
        """The data set of a name."""
        if name not in self._data_sets:
            raise RefusalError(404, f"dataset {name} not found")
        return self._data_sets[name]

    def _find(self, name: str) -> Job:
        """The job of a name."""
        job = self._board.find(name)
        if job is None:
            raise RefusalError(404, f"job {name} not found")
        return job


def _fail(world: World, data_set: DataSet, request: dict[str, Any]) -> Asset:
    """Work that fails."""
    raise ProviderError("The job has failed: the server ran out of luck")
