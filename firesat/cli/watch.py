"""Watching an ingest: a bar for each group on a terminal, a line now and then elsewhere."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from firesat.cli.console import screen
from firesat.jobs.ingest import GroupPlan, Outcome, Watch
from firesat.sources.commons import Meter

LINE_EVERY = 30.0  # seconds between two lines where there is no terminal to redraw


class _RateColumn(ProgressColumn):
    """Blocks a second."""

    def render(self, task: Task) -> Text:
        """Write the rate.

        Parameters
        ----------
        task : Task
            Of a group.

        Returns
        -------
        Text
            Or a dash before the first block.
        """
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.2f}/s" if speed else "-")


class _Tally:
    """What has been used and what failed, by group and in all."""

    def __init__(self) -> None:
        self.meters: dict[str, Meter] = {}
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.totals: dict[str, int] = {}
        self.start = time.monotonic()

    def add(self, outcome: Outcome) -> str:
        """Count a block; the name of its group."""
        group = outcome.receipt.group
        meter = self.meters.setdefault(group, Meter())
        meter.units += outcome.meter.units
        meter.retries += outcome.meter.retries
        self.done[group] += 1
        self.failed[group] += outcome.receipt.status == "failed"
        return group

    def words(self, group: str) -> str:
        """Units, retries and failures of a group."""
        meter = self.meters.get(group, Meter())
        parts = [f"{meter.units:.1f} units"] if meter.units else []
        parts += [f"{meter.retries} retries"] if meter.retries else []
        parts += [f"[red]{self.failed[group]} failed[/red]"] if self.failed[group] else []
        return ", ".join(parts)

    def line(self) -> str:
        """All groups in one line."""
        done, total = self.done.total(), sum(self.totals.values())
        rate = done / max(time.monotonic() - self.start, 1e-3)
        left = (total - done) / rate if rate else 0.0
        units = sum(meter.units for meter in self.meters.values())
        retries = sum(meter.retries for meter in self.meters.values())
        groups = ", ".join(f"{name} {self.done[name]}/{n}" for name, n in self.totals.items() if n)
        return (
            f"ingest: {done}/{total} blocks, {rate:.2f}/s, about {left:.0f} s left, {units:.1f} "
            f"units, {retries} retries, {self.failed.total()} failed ({groups})"
        )


class _Bars:
    """A bar for each group that has something missing."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tally = _Tally()
        self._tasks: dict[str, TaskID] = {}

    def begin(self, plans: Sequence[GroupPlan], dashboard: str) -> None:
        """Draw the bars."""
        if dashboard:
            self._progress.console.print(f"dashboard: {dashboard}", soft_wrap=True)
        for each in plans:
            name = each.source.layout.group
            if each.left:
                total = each.left
                self._tasks[name] = self._progress.add_task(name, total=total, words="")

    def ended(self, outcome: Outcome) -> None:
        """Move a bar."""
        group = self._tally.add(outcome)
        self._progress.update(self._tasks[group], advance=1, words=self._tally.words(group))


class _Lines:
    """Lines for a log file."""

    def __init__(self) -> None:
        self._tally = _Tally()
        self._last = time.monotonic()

    def begin(self, plans: Sequence[GroupPlan], dashboard: str) -> None:
        """Write where to look."""
        self._tally.totals = {each.source.layout.group: each.left for each in plans}
        if dashboard:
            screen.print(f"dashboard: {dashboard}", soft_wrap=True)

    def ended(self, outcome: Outcome) -> None:
        """Write a line now and then, and the last one always."""
        self._tally.add(outcome)
        finished = self._tally.done.total() == sum(self._tally.totals.values())
        if finished or time.monotonic() - self._last > LINE_EVERY:
            self._last = time.monotonic()
            screen.print(self._tally.line(), soft_wrap=True)


@contextmanager
def watching() -> Iterator[Watch]:
    """Show how far an ingest is.

    Yields
    ------
    Watch
        For `firesat.jobs.ingest.ingest`.
    """
    if not screen.is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}"),
    )
    with Progress(*columns, console=screen) as progress:
        yield _Bars(progress)
