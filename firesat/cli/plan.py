"""Say what is missing in the cube, and what fetching it takes, without asking anybody.

Requests, gigabytes, processing units of Sentinel Hub, jobs of the data stores and the fields they
hold are estimates, each with its source; months are those at the provider's quota, hours those that
provider and network take.

Example:
  firesat plan --config configs/sandbox.yaml
  firesat plan --config configs/region.yaml --json
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from firesat.cli.console import (
    add_config,
    add_json,
    print_json,
    print_table,
    project_of,
    screen,
)

if TYPE_CHECKING:
    from firesat.jobs.ingest import GroupPlan
    from firesat.project import Project

_COLUMNS = (
    "group", "provider", "blocks", "missing", "later", "requests", "gigabytes", "units", "jobs",
    "fields", "months_at_quota", "hours",
)  # fmt: skip


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    add_config(parser)
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Print the plan.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0.
    """
    from firesat.jobs.ingest import plan

    project = project_of(arguments)
    plans = plan(project)
    if arguments.json:
        print_json(content(project, plans))
    else:
        show(project, plans)
    return 0


def content(project: "Project", plans: "list[GroupPlan]") -> dict[str, object]:
    """Give a plan as JSON.

    Parameters
    ----------
    project : Project
        Its cube and workers.
    plans : list of GroupPlan
        What is missing.

    Returns
    -------
    dict
        Groups with the basis of their figures, totals, workers and their memory.
    """
    from firesat.jobs.ingest import totals

    return {
        "cube": project.cube.path,
        "groups": [
            {**each.summary, "basis": each.cost.basis, "quota": each.quota.basis} for each in plans
        ],
        "total": totals(plans),
        "max_units": project.ingest.max_units,
        "workers": project.ingest.workers,
        "memory_limit": project.ingest.memory_limit,
    }


def show(project: "Project", plans: "list[GroupPlan]") -> None:
    """Print a plan for people.

    Parameters
    ----------
    project : Project
        Its cube and workers.
    plans : list of GroupPlan
        What is missing.
    """
    from firesat.jobs.ingest import totals

    rows = [{key: _brief(each.summary[key]) for key in _COLUMNS} for each in plans]
    print_table(f"missing in {project.cube.path}", rows)
    summed, settings = totals(plans), project.ingest
    screen.print(
        f"together: {summed['missing']:.0f} blocks, {summed['gigabytes']:g} GB, "
        f"{summed['units']:g} processing units of at most {settings.max_units:g} "
        f"(ingest.max_units); {summed['months_at_quota']:g} months at quota, "
        f"{summed['hours']:g} hours of provider and network",
        soft_wrap=True,
    )
    if not settings.address:
        screen.print(
            f"workers: {settings.workers} of at most {settings.memory_limit} each; Dask restarts "
            "one that exceeds it",
            soft_wrap=True,
        )
    for each in plans:
        if each.left:
            screen.print(
                f"[dim]{each.source.layout.group}: {each.cost.basis}. Limits: {each.quota.basis}."
                "[/dim]",
                soft_wrap=True,
            )


def _brief(value: str | float) -> str | float:
    """A figure short enough for its column."""
    return round(value) if isinstance(value, float) and value >= 100 else value
