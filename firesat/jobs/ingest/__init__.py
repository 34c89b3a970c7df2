"""Fetch what is missing: plan, fetch, read, mask, align, write whole blocks, keep the ledger.

Dask schedules and never remembers: what is finished stands in the ledger, so a killed run loses
nothing and a rerun does only what is missing.
"""

import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from firesat.cube import Cube, create_cube
from firesat.jobs.ingest.block import ingest_block
from firesat.jobs.ingest.cluster import client_of, dashboard_of
from firesat.jobs.ingest.dispatch import Dispatch
from firesat.jobs.ingest.flight import Limits
from firesat.jobs.ingest.identity import config_hash, settings_of
from firesat.jobs.ingest.journal import journal, kept_in
from firesat.jobs.ingest.layers import observe
from firesat.jobs.ingest.lines import Lines
from firesat.jobs.ingest.plan import GroupPlan, plan
from firesat.jobs.ingest.preflight import preflight, totals
from firesat.jobs.ingest.providers import at_provider, providers, quotas_of, world_path
from firesat.jobs.ingest.report import IngestReport, Unwatched, Watch
from firesat.jobs.ingest.workplace import Outcome, Workplace
from firesat.manifest import Manifest
from firesat.project import Project
from firesat.window import all_days

__all__ = [
    "GroupPlan",
    "IngestReport",
    "Outcome",
    "Unwatched",
    "Watch",
    "Workplace",
    "config_hash",
    "ingest",
    "ingest_block",
    "observe",
    "plan",
    "preflight",
    "providers",
    "settings_of",
    "totals",
    "world_path",
]

FOLD_EVERY = 200  # receipts: as many files as lie loose, and as many as share a pack
BEAT_EVERY = 60.0  # seconds between two signs of life


def ingest(project: Project, watch: Watch) -> IngestReport:
    """Fetch every missing block.

    Parameters
    ----------
    project : Project
        Its grid, cube and sources.
    watch : Watch
        Hears what is to be done, and of each block that ends.

    Returns
    -------
    IngestReport
        Counts, the failed blocks by name, and those not attempted. Failures do not stop others.

    Raises
    ------
    CredentialsError
        If keys are missing; nothing has been written then.
    ConfigError
        If the plan exceeds what may be spent; nothing has been written then.
    CubeError
        If another ingest is at work, or the cube was made with other settings.
    ClusterError
        If the scheduler or its workers are gone; what is finished is kept.
    """
    preflight(project, plan(project))
    cube = create_cube(project.cube.path, project.grid)
    manifest = cube.manifest()
    logs = project.cube.folder / f"{project.cube.path.stem}.ledger" / "logs"
    with manifest.lease(), kept_in(logs) as log:
        _add_groups(cube, project, manifest)
        manifest.fold()
        keeper = _Keeper(project=project, cube=cube, manifest=manifest)
        report = IngestReport(log=log)
        try:
            for outcome in _fetch(keeper, plan(project), watch, report):
                report.add(outcome)
                _write_down(outcome)
                watch.ended(outcome)
                keeper.tick()
        finally:
            manifest.fold()
            _note_times(cube, project)
        report.content_hash = manifest.content_hash()
        for reason, blocks in report.not_attempted.items():
            journal.error("%d blocks were not attempted: %s", blocks, reason)
    return report


def _add_groups(cube: Cube, project: Project, manifest: Manifest) -> None:
    """Make room for each source, and keep its settings."""
    days = all_days(project.cube.periods)
    for source in project.ingest.sources:
        cube.add_group(source.layout, source.times(days))
        manifest.groups.keep_settings(source.layout.group, config_hash(source), settings_of(source))


@dataclass(kw_only=True)
class _Keeper:
    """Keeps ledger and lease up to date while blocks come in."""

    project: Project
    cube: Cube
    manifest: Manifest
    _since: int = 0
    _beat: float = field(default_factory=time.monotonic)

    def tick(self) -> None:
        """Fold now and then; called for each block that ends."""
        self._since += 1
        if self._since >= FOLD_EVERY:
            self.manifest.fold()
            self._since = 0

    def beat(self) -> None:
        """Give a sign of life now and then; called all the time."""
        if time.monotonic() - self._beat > BEAT_EVERY:
            self.manifest.beat()
            self._beat = time.monotonic()


def _fetch(
    keeper: _Keeper, plans: Sequence[GroupPlan], watch: Watch, report: IngestReport
) -> Iterator[Outcome]:
    """Start what is needed for the work, if there is any, and yield outcomes."""
    project = keeper.project
    if not any(each.left for each in plans):
        watch.begin(plans, "")
        return
    with providers(project) as base_urls, client_of(project.ingest) as client:
        watch.begin(plans, dashboard_of(client))
        place = Workplace(
            cube=keeper.cube,
            cache=project.cube.downloads.resolve(),
            run=uuid.uuid4().hex[:12],
            quotas=quotas_of(project),
            now=project.ingest.moment or (None if project.sandbox else np.datetime64("now", "s")),
        )
        work = [(at_provider(each.source, base_urls), each.missing) for each in plans if each.left]
        lines = Lines(work, place.quotas, project.ingest.max_units)
        dispatch = Dispatch(
            client=client,
            lines=lines,
            place=place,
            limits=Limits(seconds=project.ingest.block_timeout),
            tick=keeper.beat,
        )
        try:
            yield from dispatch.outcomes()
        finally:
            shutil.rmtree(place.finished, ignore_errors=True)
        report.not_attempted = lines.not_attempted()


def _write_down(outcome: Outcome) -> None:
    """Put a block into the log: failures as such, the rest in a line."""
    receipt, used = outcome.receipt, outcome.meter
    if receipt.status == "failed":
        journal.error("%s failed: %s", receipt.key, receipt.reason)
        return
    journal.info(
        "%s %s in %.1f s: %d requests, %d repeated, %d bytes, %.2f units",
        receipt.key, receipt.status, outcome.seconds, used.requests, used.retries, used.bytes,
        used.units,
    )  # fmt: skip


def _note_times(cube: Cube, project: Project) -> None:
    """Put the times at which blocks became available from the ledger into the cube."""
    for source in project.ingest.sources:
        cube.note_times(source.layout.group)
