"""What fetching takes, and what providers allow."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from firesat.errors import ConfigError

NONE = math.inf  # no limit is known


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What to expect of fetching some blocks; expected values, not whole numbers.

    Parameters
    ----------
    requests : float
        HTTP requests; questions whether a store's job has ended are not counted.
    bytes : float
        To download.
    units : float
        Processing units of Sentinel Hub.
    jobs : float
        Requests that wait in a data store's queue.
    fields : float
        What the store counts: variables times time steps, of all jobs.
    largest : float
        Fields of the largest job.
    basis : str
        Where the figures come from.
    """

    requests: float = 0.0
    bytes: float = 0.0
    units: float = 0.0
    jobs: float = 0.0
    fields: float = 0.0
    largest: float = 0.0
    basis: str = ""


@dataclass(frozen=True, kw_only=True)
class Quota:
    """What a provider allows one account, all workers together.

    Parameters
    ----------
    connections : int
        Downloads, or jobs of a data store, at a time.
    requests_per_minute, units_per_minute : float
        Rates; requests above them wait.
    requests_per_month, units_per_month, bytes_per_month : float
        What the plan is compared with.
    bytes_per_second : float
        Speed to expect of all connections together.
    seconds_per_job : float
        Time to expect of a job in a data store's queue.
    fields_per_job : float
        Largest job that the store accepts.
    basis : str
        Where the figures come from.
    """

    connections: int = 4
    requests_per_minute: float = NONE
    units_per_minute: float = NONE
    requests_per_month: float = NONE
    units_per_month: float = NONE
    bytes_per_month: float = NONE
    bytes_per_second: float = 10e6
    seconds_per_job: float = 0.0
    fields_per_job: float = NONE
    basis: str = "assumed: 4 connections, 10 MB/s; the provider states no limit"

    def months(self, cost: Cost) -> float:
        """Compare a cost with the monthly allowance.

        Parameters
        ----------
        cost : Cost
            Of everything that is missing.

        Returns
        -------
        float
            Months that it takes at the quota; 0 without one.
        """
        return max(
            cost.requests / self.requests_per_month,
            cost.units / self.units_per_month,
            cost.bytes / self.bytes_per_month,
        )

    def seconds(self, cost: Cost) -> float:
        """Estimate the time that the provider and the network take.

        Parameters
        ----------
        cost : Cost
            Of everything that is missing.

        Returns
        -------
        float
            Seconds: the slowest of bytes, request rate, unit rate and queue; monthly quotas and
            the work on this machine are left out.
        """
        return max(
            cost.bytes / self.bytes_per_second,
            60 * cost.requests / self.requests_per_minute,
            60 * cost.units / self.units_per_minute,
            cost.jobs * self.seconds_per_job / self.connections,
        )


_CDSE = "documentation.dataspace.copernicus.eu/Quotas.html, general users"
_STORE = Quota(
    connections=2,
    bytes_per_second=10e6,
    seconds_per_job=1200,
    basis="assumed: 2 jobs at a time, 20 minutes each, 10 MB/s; queues cannot be foreseen",
)

QUOTAS: Mapping[str, Quota] = {
    "sentinelhub": Quota(
        connections=4,
        requests_per_minute=300,
        units_per_minute=300,
        requests_per_month=10_000,
        units_per_month=10_000,
        basis=f"{_CDSE}; speed of 10 MB/s assumed",
    ),
    "cdse": Quota(
        connections=4,
        requests_per_minute=2000,
        bytes_per_month=12e12,
        bytes_per_second=80e6,
        basis=f"{_CDSE}: 4 connections of 20 MB/s",
    ),
    # The store's own limit on a request for ERA5-Land by hours.
    "cds": replace(_STORE, fields_per_job=12_000),
    # Measured in September 2026: variables times days, whatever the area.
    "ewds": replace(_STORE, fields_per_job=3720),
    "eccc": Quota(
        basis="assumed: 4 connections, 10 MB/s; eccc-msc.github.io/open-data asks for few"
    ),
    "ecmwf": Quota(basis="assumed: 4 connections, 10 MB/s; ECMWF allows all users 500 in all"),
    "firms": Quota(
        connections=2,
        requests_per_minute=400,
        basis="firms.modaps.eosdis.nasa.gov/api: 5000 transactions in 10 minutes; speed assumed",
    ),
    "nrcan": Quota(connections=2, basis="assumed: 2 connections, 10 MB/s; no limit is stated"),
}
"""Allowances by provider; who is not named has those of `Quota` itself."""


def quota_of(provider: str, changes: Mapping[str, Mapping[str, float]]) -> Quota:
    """Give what a provider allows, with a project's own figures.

    Parameters
    ----------
    provider : str
        Such as "sentinelhub".
    changes : mapping
        Provider to names and values of `Quota` that an account has instead.

    Returns
    -------
    Quota
        Its allowance.

    Raises
    ------
    ConfigError
        If a name is unknown, or a value is not positive.
    """
    known, own = QUOTAS.get(provider, Quota()), changes.get(provider, {})
    names = [field.name for field in fields(Quota) if field.name != "basis"]
    for name, value in own.items():
        if name not in names:
            near = get_close_matches(name, names, n=1) or names
            raise ConfigError(f"ingest.quotas.{provider}: no {name!r}: is it {', '.join(near)}?")
        if not value > 0:
            raise ConfigError(f"ingest.quotas.{provider}.{name} is {value}: give more than 0")
    if not own:
        return known
    chosen: dict[str, Any] = {**own, "basis": f"{known.basis}; {', '.join(own)} from the config"}
    chosen["connections"] = round(own.get("connections", known.connections))
    return replace(known, **chosen)
