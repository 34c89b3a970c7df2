"""Where the workers come from: this machine, a running scheduler, or a batch system."""

import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import dask
from distributed import Client, LocalCluster, Worker
from distributed.diagnostics.plugin import WorkerPlugin
from distributed.security import Security

from firesat.errors import ClusterError, ConfigError
from firesat.sources.redaction import RedactedFormatter
from firesat.sources.settings import IngestSettings, QueueSettings

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"  # nobody else can reach what listens here
CONNECT = 30.0  # seconds for a running scheduler to answer
_CLASSES = {"slurm": "SLURMCluster", "pbs": "PBSCluster"}


@contextmanager
def client_of(settings: IngestSettings) -> Iterator[Client]:
    """Give a Dask client of the workers that a config asks for.

    Parameters
    ----------
    settings : IngestSettings
        Workers of this machine, a scheduler's address, or a batch system.

    Yields
    ------
    Client
        Connected; what was started for it ends with it.

    Raises
    ------
    ClusterError
        If there is no scheduler at the address.
    ConfigError
        If a batch system is asked for without dask-jobqueue.
    """
    # What Dask says when workers come and go is noise: lost blocks are named by their receipts.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        # A worker that dies takes three blocks with it that it had not begun: they are no suspects.
        stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": 10}))
        if settings.address:
            client = stack.enter_context(_at(settings.address))
        else:
            make = batch_cluster if settings.queue else _local
            cluster = stack.enter_context(make(settings))
            client = stack.enter_context(Client(cluster))
        client.register_plugin(WorkerLogs())
        yield client


class WorkerLogs(WorkerPlugin):
    """What the clients on a worker log: errors, without secrets. Failures are in receipts."""

    def setup(self, worker: Worker) -> None:
        """Set up the logs of a worker's process.

        Parameters
        ----------
        worker : Worker
            Just started.
        """
        handler = logging.StreamHandler()
        handler.setLevel(logging.ERROR)
        handler.setFormatter(RedactedFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(handler)
        for module in (r"ecmwf\.datastores\.", r"sentinelhub\."):  # what fails is in receipts
            warnings.filterwarnings("ignore", module=module)


def _at(address: str) -> Client:
    """A client of a running scheduler."""
    try:
        return Client(address, timeout=CONNECT)
    except OSError as error:
        raise ClusterError(
            f"no Dask scheduler answers at {address} ({type(error).__name__}): start it with "
            "dask scheduler, or correct ingest.address"
        ) from error


def _local(settings: IngestSettings) -> LocalCluster:
    """Processes of this machine; everything listens on loopback."""
    return LocalCluster(
        n_workers=settings.workers,
        threads_per_worker=1,
        processes=True,
        host=LOOPBACK,
        dashboard_address=f"{LOOPBACK}:0",
        worker_dashboard_address=f"{LOOPBACK}:0",
        memory_limit=settings.memory_limit,
        silence_logs=logging.CRITICAL,
    )


def batch_cluster(settings: IngestSettings, *, submit: bool = True) -> Any:  # noqa: ANN401  dask-jobqueue is optional
    """Set up workers in jobs of a batch system.

    Parameters
    ----------
    settings : IngestSettings
        With `queue`.
    submit : bool
        Whether to ask for the jobs; without, ``job_script()`` can still be read.

    Returns
    -------
    dask_jobqueue.JobQueueCluster
        As many workers as `settings.workers` are asked for; ``job_script()`` shows what is
        submitted. Scheduler and workers speak TLS with certificates made for this run.

    Raises
    ------
    ConfigError
        If dask-jobqueue is not installed.
    """
    queue = settings.queue or QueueSettings(system="slurm")
    try:
        jobqueue = importlib.import_module("dask_jobqueue")
    except ImportError as error:
        raise ConfigError("ingest.queue needs dask-jobqueue: pip install 'firesat[hpc]'") from error
    cluster = getattr(jobqueue, _CLASSES[queue.system])(
        **queue.job(settings.memory_limit),
        security=Security.temporary(),
        shared_temp_directory=str(queue.folder),
        scheduler_options={"dashboard_address": f"{LOOPBACK}:0"},
    )
    if submit:
        cluster.scale(jobs=settings.workers)
    return cluster


def dashboard_of(client: Client) -> str:
    """Say where Dask's dashboard is.

    Parameters
    ----------
    client : Client
        Connected.

    Returns
    -------
    str
        Its address, on this machine alone unless a cluster of your own says otherwise.
    """
    return str(client.dashboard_link)
