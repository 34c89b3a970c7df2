"""What an ingest has done, while it works and afterwards."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from firesat.jobs.ingest.plan import GroupPlan
from firesat.jobs.ingest.workplace import Outcome
from firesat.manifest import Receipt
from firesat.sources.commons import Meter

# Paths of files, digests and numbers; an address stays what it is.
_VARIABLE = re.compile(r"(?<![\w:/])/\S+|\b[0-9a-f]{6,}\b|\d+")


class Watch(Protocol):
    """Whoever looks on."""

    def begin(self, plans: Sequence[GroupPlan], dashboard: str) -> None:
        """Hear what is to be done.

        Parameters
        ----------
        plans : sequence of GroupPlan
            What is missing.
        dashboard : str
            Where Dask's dashboard is; "" where nothing is to be done.
        """
        ...

    def ended(self, outcome: Outcome) -> None:
        """Hear that a block has ended.

        Parameters
        ----------
        outcome : Outcome
            How.
        """
        ...


class Unwatched:
    """Nobody looks on."""

    def begin(self, plans: Sequence[GroupPlan], dashboard: str) -> None:
        """Hear nothing.

        Parameters
        ----------
        plans : sequence of GroupPlan
            Ignored.
        dashboard : str
            Ignored.
        """

    def ended(self, outcome: Outcome) -> None:
        """Hear nothing.

        Parameters
        ----------
        outcome : Outcome
            Ignored.
        """


@dataclass(kw_only=True)
class IngestReport:
    """What an ingest has done.

    Parameters
    ----------
    counts : dict of Counter
        Group to blocks "done", "empty", "failed" of this run.
    failed : list of Receipt
        The blocks that failed, with their reasons.
    not_attempted : dict of int
        How many blocks were left alone because their provider is down or refuses, by the reason.
    meter : Meter
        What the run has used in all.
    content_hash : str
        Of everything that is in the cube by now.
    log : Path, optional
        File with every failure.
    remarks : dict of Counter
        Group to what its finished blocks lack, such as rows of a table that were left out, and in
        how many blocks.
    """

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    failed: list[Receipt] = field(default_factory=list)
    not_attempted: dict[str, int] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)
    content_hash: str = ""
    log: Path | None = None
    remarks: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Count one block.

        Parameters
        ----------
        outcome : Outcome
            Of a block that has ended.
        """
        receipt, used = outcome.receipt, outcome.meter
        self.counts.setdefault(receipt.group, Counter())[receipt.status] += 1
        if receipt.status == "failed":
            self.failed.append(receipt)
        elif receipt.reason:
            self.remarks.setdefault(receipt.group, Counter())[receipt.reason] += 1
        self.meter.requests += used.requests
        self.meter.retries += used.retries
        self.meter.bytes += used.bytes
        self.meter.units += used.units

    @property
    def complete(self) -> bool:
        """Whether every block that was missing is there now.

        Returns
        -------
        bool
            False when some failed or were not attempted.
        """
        return not self.failed and not self.not_attempted

    def reasons(self) -> dict[str, list[Receipt]]:
        """Group failures by their reason, numbers and paths set aside.

        Returns
        -------
        dict of list of Receipt
            The first reason of its kind to all receipts of that kind, the most frequent first.
        """
        kinds: dict[str, list[Receipt]] = {}
        for receipt in self.failed:
            kinds.setdefault(_VARIABLE.sub("#", receipt.reason), []).append(receipt)
        ordered = sorted(kinds.values(), key=len, reverse=True)
        return {receipts[0].reason: receipts for receipts in ordered}
