"""What is missing: known from the ledger alone, before anything is fetched."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firesat.blocks import Block, Layout, count, cut, keys
from firesat.cube import Cube, differences
from firesat.errors import CubeError
from firesat.grid import Grid
from firesat.jobs.ingest.block import config_hash, settings_of
from firesat.manifest import Manifest
from firesat.project import Project
from firesat.sources.base import Source
from firesat.store import in_bucket
from firesat.window import all_days


@dataclass(frozen=True, kw_only=True)
class MissingBlocks:
    """Blocks that are neither done nor empty: counted at once, made as they are walked over.

    A country has millions of them; as a list they would take a gigabyte.

    Parameters
    ----------
    layout : Layout
        How the group is stored.
    grid : Grid
        The project's grid and region.
    times : ndarray of datetime64
        The group's time axis.
    finished : frozenset of str
        Keys of blocks that need no more work.
    """

    layout: Layout
    grid: Grid
    times: NDArray[np.datetime64]
    finished: frozenset[str]

    def __iter__(self) -> Iterator[Block]:
        return cut(self.layout, self.grid, self.times, without=self.finished)

    def __len__(self) -> int:
        if not self.finished:
            return count(self.layout, self.grid, self.times)
        everything = keys(self.layout, self.grid, self.times)
        return sum(key not in self.finished for key in everything)


@dataclass(frozen=True, kw_only=True)
class GroupPlan:
    """What one source still has to bring.

    Parameters
    ----------
    source : Source
        Where from.
    missing : MissingBlocks
        Blocks that are neither done nor empty.
    total : int
        All blocks of the group.
    """

    source: Source
    missing: MissingBlocks
    total: int

    @property
    def summary(self) -> dict[str, str | int]:
        """One row of the plan.

        Returns
        -------
        dict
            Group, provider, level in metres, blocks in all and missing.
        """
        layout = self.source.layout
        return {
            "group": layout.group,
            "provider": self.source.provider or "local files",
            "level_m": layout.level,
            "blocks": self.total,
            "missing": len(self.missing),
        }


def plan(project: Project) -> list[GroupPlan]:
    """List what is missing, without fetching anything.

    Parameters
    ----------
    project : Project
        Its grid, cube and sources.

    Returns
    -------
    list of GroupPlan
        One for each source.

    Raises
    ------
    CubeError
        If the cube on disk was made with other settings.
    """
    days = all_days(project.cube.periods)
    return [_plan_source(source, project, days) for source in project.ingest.sources]


def _plan_source(source: Source, project: Project, days: NDArray[np.datetime64]) -> GroupPlan:
    """What one source still has to bring."""
    layout, times = source.layout, source.times(days)
    ledger = Cube(project.cube.path, project.grid).ledger
    finished: set[str] = set()
    if in_bucket(ledger) or ledger.exists():
        manifest = Manifest(ledger)
        _check_config(manifest, source)
        finished = manifest.finished(layout.group) | manifest.unfolded(layout.group)
    missing = MissingBlocks(
        layout=layout, grid=project.grid, times=times, finished=frozenset(finished)
    )
    return GroupPlan(source=source, missing=missing, total=count(layout, project.grid, times))


def _check_config(manifest: Manifest, source: Source) -> None:
    """Refuse to mix blocks made with different settings in one group."""
    group, wanted = source.layout.group, config_hash(source)
    for other in sorted(manifest.configs(group) - {wanted, ""}):
        before = manifest.groups.settings(group, other)
        changed = differences(before, settings_of(source)) if before else ""
        raise CubeError(
            f"the cube's group {group} was made with other settings of its source "
            f"({changed or f'config {other}, now {wanted}'}): take another cube.path, or put them "
            "back"
        )
