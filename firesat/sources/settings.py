"""What is fetched, by how many workers, and what it may cost."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
from dask.utils import parse_bytes

from firesat.errors import ConfigError
from firesat.sources.base import Source
from firesat.sources.quotas import quota_of
from firesat.window import parse_day

_WALLTIME = re.compile(r"(\d+-)?\d{1,3}:\d{2}(:\d{2})?")


@dataclass(frozen=True, kw_only=True)
class QueueSettings:
    """Workers as jobs of a batch system, one worker a job.

    Parameters
    ----------
    system : {"slurm", "pbs"}
        Which one.
    partition : str
        Queue or partition; "" = the system's default.
    account : str
        Account or project that pays; "" = the user's default.
    walltime : str
        Time of a job, such as "04:00:00"; jobs that end are begun anew by the system's own means.
    interface : str
        Network interface over which scheduler and workers meet, such as "ib0"; "" = the default.
    folder : Path
        Folder that all machines see, for certificates and the jobs' own logs.
    prologue : list of str
        Lines of shell before the worker starts, such as "module load python".
    directives : list of str
        Further directives of the job script, such as "--constraint=cascade".
    """

    system: Literal["slurm", "pbs"]
    partition: str = ""
    account: str = ""
    walltime: str = "04:00:00"
    interface: str = ""
    folder: Path = Path("jobs")
    prologue: list[str] = field(default_factory=list)
    directives: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse what would only fail in the queue, and what would end a line of the script."""
        if not _WALLTIME.fullmatch(self.walltime):
            raise ConfigError(
                f"ingest.queue.walltime is {self.walltime!r}: write it as hours:minutes:seconds"
            )
        single = (self.partition, self.account, self.interface, *self.directives)
        if any("\n" in text for text in single):
            raise ConfigError("ingest.queue: partition, account and directives are single lines")

    def job(self, memory: str) -> dict[str, Any]:
        """Give what dask-jobqueue needs to know of one job.

        Parameters
        ----------
        memory : str
            Of its worker.

        Returns
        -------
        dict
            Arguments of `dask_jobqueue.SLURMCluster` or `PBSCluster`.
        """
        asked = {
            "queue": self.partition,
            "account": self.account,
            "interface": self.interface,
            "walltime": self.walltime,
            "job_script_prologue": self.prologue,
            "job_extra_directives": self.directives,
            "log_directory": str(self.folder / "logs"),
        }
        said = {name: value for name, value in asked.items() if value}
        return {"cores": 1, "processes": 1, "memory": memory, "job_name": "firesat", **said}


@dataclass(frozen=True, kw_only=True)
class RecentSettings:
    """What the group ``sentinel2_recent`` keeps.

    Parameters
    ----------
    looks : int
        K, latest clear looks of each cell.
    history : int
        Days before the issue day from which a look may come.
    min_clear : float
        Smallest clear fraction of a cell that counts as a look, above 0, at most 1.
    days : list of str
        Issue days to keep states of, such as 2023-07-05; empty = the first day on which all scenes
        of the cube are in hand. States that were made before are kept and stay up to date.
    """

    looks: int = 3
    history: int = 64
    min_clear: float = 0.5
    days: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse what no look could meet."""
        if self.looks < 1 or self.history < 1 or not 0 < self.min_clear <= 1:
            raise ConfigError(
                "ingest.recent: looks and history start at 1, min_clear is above 0, at most 1"
            )
        for day in self.days:
            parse_day(day)

    @property
    def rules(self) -> str:
        """What decides which looks a state holds.

        Returns
        -------
        str
            One line.
        """
        return f"{self.looks} looks of {self.history} days, at least {self.min_clear:g} clear"


@dataclass(frozen=True, kw_only=True)
class IngestSettings:
    """What is fetched, by whom, and within which limits.

    Parameters
    ----------
    sources : list of Source
        One for each group of the cube.
    workers : int
        Processes on this machine, or jobs of a batch system.
    address : str, optional
        A running Dask scheduler to use instead, such as "tls://10.0.0.1:8786".
    queue : QueueSettings, optional
        A batch system to use instead.
    memory_limit : str
        Of each worker; Dask restarts one that exceeds it.
    block_timeout : float
        Seconds after which a block's worker counts as hung; it is restarted and the block begun
        anew, once. Blocks that wait in a data store's queue have 24 hours.
    max_units : float
        Processing units of Sentinel Hub that one run may spend; a plan that needs more is refused.
        The default is what a general account has in a month.
    quotas : dict
        Provider to figures of `Quota` that your account has instead of the general ones, such as
        ``{sentinelhub: {units_per_month: 30000}}``.
    derive : list of str
        Groups computed from others when the ingest has ended: "fire_weather", "labels",
        "sentinel2_recent".
    recent : RecentSettings
        What "sentinel2_recent" keeps.
    as_of : str, optional
        Work as if it were this moment, such as 2023-07-01T12:00 UTC: what was published later is
        neither missing nor asked for. None = the present.
    """

    sources: list[Source] = field(default_factory=list)
    workers: int = 2
    address: str | None = None
    queue: QueueSettings | None = None
    memory_limit: str = "2GiB"
    block_timeout: float = 3600.0
    max_units: float = 10_000.0
    quotas: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    derive: list[str] = field(default_factory=list)
    recent: RecentSettings = field(default_factory=RecentSettings)
    as_of: str | None = None

    def __post_init__(self) -> None:
        """Refuse settings that would only fail once workers start."""
        self._check_moment()
        if self.address and self.queue:
            raise ConfigError("ingest.address and ingest.queue exclude each other: give one")
        if self.workers < 1:
            raise ConfigError(f"ingest.workers is {self.workers}: give 1 or more")
        try:
            parse_bytes(self.memory_limit)
        except ValueError:
            raise ConfigError(
                f"ingest.memory_limit is {self.memory_limit!r}: write it as 2GiB"
            ) from None
        for provider in self.quotas:
            quota_of(provider, self.quotas)

    def _check_moment(self) -> None:
        """Refuse a moment that is none, or of another zone than UTC."""
        try:
            offset = datetime.fromisoformat(self.as_of or "2023-07-01").utcoffset()
        except (ValueError, TypeError):
            offset = timedelta(1)
        if offset:
            raise ConfigError(
                f"ingest.as_of is {self.as_of!r}: write it as 2023-07-01T12:00, UTC"
            ) from None

    @property
    def moment(self) -> np.datetime64 | None:
        """The moment as if which is worked.

        Returns
        -------
        np.datetime64
            UTC, in seconds; None = the present.
        """
        if self.as_of is None:
            return None
        return np.datetime64(datetime.fromisoformat(self.as_of).replace(tzinfo=None), "s")
