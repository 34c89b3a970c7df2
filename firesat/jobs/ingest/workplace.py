"""What every block of a run has in common, and how one ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from firesat.cube import Cube
from firesat.jobs.ingest.shared import tokens_of, waiting
from firesat.manifest import Receipt
from firesat.sources.commons import Commons, Meter
from firesat.sources.quotas import Quota

Trouble = Literal["", "block", "provider", "unreachable", "refused", "licence"]


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """What every block of a run has in common.

    Parameters
    ----------
    cube : Cube
        Where to.
    cache : Path
        Folder of downloads shared by the workers.
    run : str
        Name of the run; its folder in the cache keeps what has been finished, for as long as it
        lasts. "" = no run: nothing is remembered.
    quotas : mapping of str to Quota
        What each provider allows all workers together.
    now : np.datetime64, optional
        UTC; nothing published later is asked for.
    """

    cube: Cube
    cache: Path
    run: str = ""
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    now: np.datetime64 | None = None

    @property
    def finished(self) -> Path:
        """Folder of what this run has finished.

        Returns
        -------
        Path
            In the cache.
        """
        return self.cache / ".runs" / self.run

    def commons(self, provider: str) -> Commons:
        """Say what a block shares with others.

        Parameters
        ----------
        provider : str
            Who serves it.

        Returns
        -------
        Commons
            With a new meter.
        """
        return Commons(
            provider=provider or "files",
            quota=self.quotas.get(provider, Quota()),
            folder=self.cache / ".locks",
            tokens=tokens_of(self.run),
            away=waiting,
            now=self.now,
        )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a block ended.

    Parameters
    ----------
    receipt : Receipt
        As left in the ledger.
    trouble : str
        Whose fault a failure was: the "block" itself, or its "provider", which answers badly, is
        "unreachable", has "refused" the key or wants a "licence"; "" = none.
    meter : Meter
        What it used.
    seconds : float
        How long it took.
    """

    receipt: Receipt
    trouble: Trouble = ""
    meter: Meter = field(default_factory=Meter)
    seconds: float = 0.0
