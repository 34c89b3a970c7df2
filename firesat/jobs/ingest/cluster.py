"""Dask: it schedules, and never remembers."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed import Client, Future, LocalCluster, as_completed

from firesat.blocks import Block
from firesat.cube import Cube
from firesat.errors import StoreError
from firesat.jobs.ingest.block import ingest_block
from firesat.manifest import Receipt, leave_receipt
from firesat.project import IngestSettings
from firesat.sources.base import Source

log = logging.getLogger(__name__)

IN_FLIGHT = 4  # futures per worker: enough to keep it busy, few enough to bound the memory


@contextmanager
def client_of(settings: IngestSettings) -> Iterator[Client]:
    """A Dask client of local processes, or of a running scheduler."""
    if settings.address:
        with Client(settings.address) as client:
            yield client
        return
    # What Dask says when workers come and go is noise: lost blocks are named by their receipts.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with (
        LocalCluster(
            n_workers=settings.workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            memory_limit=settings.memory_limit,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        log.info("dashboard: %s", client.dashboard_link)
        yield client


def run(
    client: Client,
    tasks: Iterator[tuple[Source, Block]],
    cube: Cube,
    cache: Path,
) -> Iterator[Receipt]:
    """Keep a few futures in flight and yield receipts as blocks end."""
    window = IN_FLIGHT * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    queue = as_completed()
    blocks: dict[Any, Block] = {}

    def submit() -> None:
        """Send the next block to the workers, if there is one."""
        task = next(tasks, None)
        if task is None:
            return
        future = client.submit(ingest_block, *task, cube, cache, pure=False)
        blocks[future.key] = task[1]
        queue.add(future)

    for _ in range(window):
        submit()
    for future in queue:
        yield _receipt(future, blocks.pop(future.key), cube)
        submit()


def _receipt(future: "Future[Receipt]", block: Block, cube: Cube) -> Receipt:
    """The worker's receipt, or one that says how the worker itself was lost."""
    error = future.exception()
    if error is None:
        receipt: Receipt = future.result()
        return receipt
    if isinstance(error, StoreError):  # no other block would fare better
        raise error
    log.error("%s was lost", block.key, exc_info=error)
    lost = Receipt(
        key=block.key,
        group=block.group,
        status="failed",
        reason=f"{type(error).__name__}: {error}",
    )
    leave_receipt(cube.ledger, lost)
    return lost
