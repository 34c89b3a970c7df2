"""What is missing, and what fetching it takes: known before anybody is asked."""

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from firesat.blocks import Block, Layout, count, cut, key_of, keys
from firesat.cube import Cube, check_place, differences
from firesat.errors import CubeError
from firesat.grid import Grid
from firesat.jobs.ingest.identity import config_hash, settings_of
from firesat.manifest import Manifest, Receipt
from firesat.project import Project
from firesat.sources.base import Source, finished_since
from firesat.sources.commons import commons, sharing
from firesat.sources.quotas import Cost, Quota, quota_of
from firesat.store import in_bucket
from firesat.window import all_days

SETTLED = np.timedelta64(5, "D")  # after its time, until which what is late is looked for again
_FIRE_DAY_LATER = np.timedelta64(12, "h")  # a fire day ends at 12 UTC of the next day


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

    def __contains__(self, block: object) -> bool:
        return isinstance(block, Block) and block.key not in self.finished

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
        Blocks that are due and neither done nor empty, or that may have grown since.
    total : int
        All blocks of the group.
    later : int
        Blocks of which nothing can have been published yet.
    quota : Quota
        What the provider allows.
    """

    source: Source
    missing: MissingBlocks
    total: int
    later: int = 0
    quota: Quota

    @cached_property
    def left(self) -> int:
        """How many blocks are missing.

        Returns
        -------
        int
            Counted once: a country has millions.
        """
        return len(self.missing)

    @cached_property
    def cost(self) -> Cost:
        """What fetching it takes.

        Returns
        -------
        Cost
            Expected values, by the source's own estimate, of requests within the quota.
        """
        with sharing(replace(commons(), quota=self.quota)):
            return self.source.cost(self.missing)

    @property
    def summary(self) -> dict[str, str | int | float]:
        """One row of the plan.

        Returns
        -------
        dict
            Group, provider, level in metres; blocks in all, missing and not due yet; requests,
            gigabytes, processing units, jobs of a store and fields they hold; months at the
            provider's quota, and hours that provider and network take.
        """
        layout, cost = self.source.layout, self.cost
        return {
            "group": layout.group,
            "provider": self.source.provider or "local files",
            "level_m": layout.level,
            "blocks": self.total,
            "missing": self.left,
            "later": self.later,
            "requests": math.ceil(cost.requests),
            "gigabytes": round(cost.bytes / 1e9, 3),
            "units": round(cost.units, 1),
            "jobs": math.ceil(cost.jobs),
            "fields": math.ceil(cost.fields),
            "largest_job": math.ceil(cost.largest),
            "months_at_quota": round(self.quota.months(cost), 2),
            "hours": round(self.quota.seconds(cost) / 3600, 2),
        }


def plan(project: Project, now: datetime | None = None) -> list[GroupPlan]:
    """List what is missing, without fetching anything.

    Parameters
    ----------
    project : Project
        Its grid, cube and sources.
    now : datetime, optional
        With a time zone; nothing that was published later is missing. Default: the project's
        ``ingest.as_of``, or the present.

    Returns
    -------
    list of GroupPlan
        One for each source.

    Raises
    ------
    CubeError
        If the cube on disk was made with other settings, or for another region.
    """
    check_place(project.cube.path, project.grid)
    days = all_days(project.cube.periods)
    moment = np.datetime64((now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None), "s")
    if now is None and project.ingest.moment is not None:
        moment = project.ingest.moment
    return [_plan_source(source, project, days, moment) for source in project.ingest.sources]


def _plan_source(
    source: Source, project: Project, days: NDArray[np.datetime64], now: np.datetime64
) -> GroupPlan:
    """What one source still has to bring."""
    layout, grid, times = source.layout, project.grid, source.times(days)
    ledger = Cube(project.cube.path, grid).ledger
    finished: set[str] = set()
    steps = _steps_due(source, times, now)
    if in_bucket(ledger) or ledger.exists():
        manifest = Manifest(ledger)
        _check_config(manifest, source)
        finished = manifest.finished(layout.group) | manifest.unfolded(layout.group)
        finished -= _growing(source, times[:steps], manifest, now)
    missing = MissingBlocks(
        layout=layout, grid=grid, times=times[:steps], finished=frozenset(finished)
    )
    total = count(layout, grid, times)
    return GroupPlan(
        source=source,
        missing=missing,
        total=total,
        later=total - count(layout, grid, times[:steps]),
        quota=quota_of(source.provider, project.ingest.quotas),
    )


def _steps_due(source: Source, times: NDArray[np.datetime64], now: np.datetime64) -> int:
    """How many time steps lie in blocks whose first step should have been published."""
    size = source.layout.steps
    firsts = range(0, len(times), size)
    due = bisect_right(firsts, now, key=lambda first: _due(source, _step(times, first)))
    return min(due * size, len(times))


def _step(times: NDArray[np.datetime64], number: int) -> np.datetime64:
    """One time step."""
    step: np.datetime64 = times[number]
    return step


def _due(source: Source, step: np.datetime64) -> np.datetime64:
    """When a time step should have been published; files on disk always are."""
    if not source.provider:
        return np.datetime64("0000-01-01", "s")
    layout = source.layout
    latency = np.timedelta64(round(3600 * float(layout.attrs["latency_hours"])), "s")
    if "cycle" in layout.attrs:  # a forecast is there before its days have passed
        start = np.timedelta64(int(layout.attrs["cycle"]), "h")
        run: np.datetime64 = step.astype("datetime64[s]") + start + latency
        return run
    end = step.astype("datetime64[D]") + np.timedelta64(layout.span, "D")  # a fire day lasts longer
    due: np.datetime64 = end.astype("datetime64[s]") + _FIRE_DAY_LATER + latency
    return due


def _growing(
    source: Source, times: NDArray[np.datetime64], manifest: Manifest, now: np.datetime64
) -> set[str]:
    """Keys of finished blocks that may have more by now than when they were written."""
    size = source.layout.steps
    lasts = [min(first + size, len(times)) - 1 for first in range(0, len(times), size)]
    old = bisect_right(lasts, now, key=lambda last: _due(source, _step(times, last)) + SETTLED)
    if old == len(lasts):
        return set()
    rows = manifest.rows(source.layout.group, since=key_of(source.layout.group, (old, 0, 0)))
    return {row.key for row in rows if row.status != "failed" and _grows(source, times, row, now)}


def _grows(
    source: Source, times: NDArray[np.datetime64], receipt: Receipt, now: np.datetime64
) -> bool:
    """Whether one of a finished block's steps, or the rest of a file, is there only by now."""
    if receipt.status == "empty" or any(finished_since(item, now) for item in receipt.items):
        return True
    size = source.layout.steps
    steps = times[receipt.index[0] * size :][:size]
    return any(
        not known and _due(source, step) <= now
        for known, step in zip(receipt.available, steps, strict=False)
    )


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
