"""What must hold before anybody is asked, and what a plan comes to."""

from collections.abc import Sequence

from firesat.errors import ConfigError, CredentialsError, FiresatError
from firesat.jobs.ingest.plan import GroupPlan
from firesat.project import Project
from firesat.sources.base import Source


def preflight(project: Project, plans: Sequence[GroupPlan]) -> None:
    """Check, without asking anybody, that everything missing can be fetched from this machine.

    Parameters
    ----------
    project : Project
        With its limits. One with a sandbox needs no keys.
    plans : sequence of GroupPlan
        What is missing.

    Raises
    ------
    CredentialsError
        If keys or files are missing: every source in a line of its own.
    ConfigError
        If processing units or a store's jobs would exceed their limits.
    """
    wanted = [each for each in plans if each.left]
    if project.sandbox is None:
        lines = [line for each in wanted if (line := _lacks(each.source))]
        if lines:
            raise CredentialsError(
                f"{len(lines)} of {len(plans)} sources cannot be fetched from this machine:\n"
                + "\n".join(f"  {line}" for line in lines)
            )
    units = sum(each.cost.units for each in wanted)
    if units > project.ingest.max_units:
        raise ConfigError(
            f"the plan needs about {units:.0f} processing units of Sentinel Hub, ingest.max_units "
            f"allows {project.ingest.max_units:g}: raise it, choose a smaller region or period, or "
            "take whole granules instead"
        )
    for each in wanted:
        if each.cost.largest > each.quota.fields_per_job:
            raise ConfigError(
                f"{each.source.layout.group}: a job of {each.cost.largest:.0f} fields exceeds what "
                f"{each.source.provider} accepts ({each.quota.fields_per_job:.0f}): ask for fewer "
                "variables"
            )


def _lacks(source: Source) -> str:
    """What a source lacks on this machine, in one line; "" if nothing."""
    try:
        source.check()
    except FiresatError as error:
        return f"{source.layout.group}: {error}"
    return ""


def totals(plans: Sequence[GroupPlan]) -> dict[str, float]:
    """Sum a plan up.

    Parameters
    ----------
    plans : sequence of GroupPlan
        Of all sources.

    Returns
    -------
    dict
        Missing blocks, gigabytes and units; months and hours of the provider that takes longest:
        providers are asked side by side, sources of one provider share its quota.
    """
    shares: dict[str, list[GroupPlan]] = {}
    for each in plans:
        shares.setdefault(each.source.provider, []).append(each)
    months = [sum(p.quota.months(p.cost) for p in group) for group in shares.values()]
    hours = [sum(p.quota.seconds(p.cost) for p in group) / 3600 for group in shares.values()]
    return {
        "missing": sum(each.left for each in plans),
        "gigabytes": round(sum(each.cost.bytes for each in plans) / 1e9, 3),
        "units": round(sum(each.cost.units for each in plans), 1),
        "months_at_quota": round(max(months, default=0.0), 2),
        "hours": round(max(hours, default=0.0), 2),
    }
