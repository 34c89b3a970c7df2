"""Fetch what is missing: plan, fetch, read, mask, align, write whole blocks, keep the ledger.

Dask schedules and never remembers: what is finished stands in the ledger, so a killed run loses
nothing and a rerun does only what is missing.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from firesat.blocks import Block
from firesat.cube import Cube, create_cube
from firesat.jobs.ingest.block import config_hash, ingest_block, observe, settings_of
from firesat.jobs.ingest.cluster import client_of, run
from firesat.jobs.ingest.plan import GroupPlan, plan
from firesat.jobs.ingest.providers import at_provider, providers, world_path
from firesat.manifest import Manifest, Receipt
from firesat.project import Project
from firesat.sources.base import Source
from firesat.window import all_days

__all__ = [
    "GroupPlan",
    "IngestReport",
    "config_hash",
    "ingest",
    "ingest_block",
    "observe",
    "plan",
    "providers",
    "world_path",
]

Progress = Callable[[int, int, str], None]

FOLD_EVERY = 200  # receipts: as many files as lie loose, and as many as share a pack


@dataclass(kw_only=True)
class IngestReport:
    """What an ingest has done.

    Parameters
    ----------
    counts : dict of Counter
        Group to blocks "done", "empty", "failed" of this run.
    failed : list of Receipt
        The blocks that failed, with their reasons.
    """

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    failed: list[Receipt] = field(default_factory=list)

    def add(self, receipt: Receipt) -> None:
        """Count one block.

        Parameters
        ----------
        receipt : Receipt
            Of a block that has ended.
        """
        self.counts.setdefault(receipt.group, Counter())[receipt.status] += 1
        if receipt.status == "failed":
            self.failed.append(receipt)


def ingest(project: Project, progress: Progress) -> IngestReport:
    """Fetch every missing block.

    Parameters
    ----------
    project : Project
        Its grid, cube and sources.
    progress : callable
        Called with (blocks ended, blocks in all, what has just ended).

    Returns
    -------
    IngestReport
        Counts, and the failed blocks by name. Failures do not stop the others.

    Raises
    ------
    CubeError
        If another ingest is at work, or the cube was made with other settings.
    """
    cube = create_cube(project.cube.path, project.grid)
    manifest = cube.manifest()
    report = IngestReport()
    with manifest.lease():
        _add_groups(cube, project, manifest)
        manifest.fold()
        plans = plan(project)
        total = sum(len(each.missing) for each in plans)
        work = ((each.source, block) for each in plans for block in each.missing)
        try:
            for number, receipt in enumerate(_fetch(project, cube, work, total), start=1):
                report.add(receipt)
                progress(number, total, f"{receipt.key} {receipt.status}")
                if number % FOLD_EVERY == 0:
                    manifest.beat()
                    manifest.fold()
        finally:
            manifest.fold()
            _note_times(cube, project, manifest)
    return report


def _fetch(
    project: Project, cube: Cube, work: Iterator[tuple[Source, Block]], total: int
) -> Iterator[Receipt]:
    """Start what is needed for the work, if there is any, and yield receipts."""
    if not total:
        return
    with providers(project) as base_urls, client_of(project.ingest) as client:
        tasks = ((at_provider(source, base_urls), block) for source, block in work)
        yield from run(client, tasks, cube, project.cube.downloads)


def _add_groups(cube: Cube, project: Project, manifest: Manifest) -> None:
    """Make room for each source, and keep its settings."""
    days = all_days(project.cube.periods)
    for source in project.ingest.sources:
        cube.add_group(source.layout, source.times(days))
        manifest.groups.keep_settings(source.layout.group, config_hash(source), settings_of(source))


def _note_times(cube: Cube, project: Project, manifest: Manifest) -> None:
    """Put the times at which blocks became available from the ledger into the cube."""
    for source in project.ingest.sources:
        rows = manifest.unnoted(source.layout.group)
        cube.record_times(rows, source.layout)
        manifest.note(rows)
