r"""Compute groups of the cube from others: fire weather, labels, the latest clear looks.

`firesat ingest` does this by itself for the groups that the config names under `ingest.derive`.
Only what is missing or out of date is made; of sentinel2_recent, only scenes that no state has seen
yet are read. A killed run loses nothing.

Example:
  firesat derive --config configs/sandbox.yaml
  firesat derive --config configs/region.yaml --dry-run --json
  firesat derive -c configs/region.yaml --set ingest.derive=[sentinel2_recent] \
      --set ingest.recent.days=[2023-07-05]
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from firesat.cli.console import (
    add_config,
    add_dry_run,
    add_json,
    print_json,
    print_table,
    progress_bar,
    project_of,
    screen,
)

if TYPE_CHECKING:
    from firesat.jobs.derive import DeriveReport
    from firesat.project import Project


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    add_config(parser)
    add_dry_run(parser)
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Derive.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0.
    """
    project = project_of(arguments)
    if not project.ingest.derive:
        screen.print("the config names nothing under ingest.derive: nothing to do")
    elif arguments.dry_run:
        _plan(project, arguments.json)
    else:
        _derive(project, arguments.json)
    return 0


def _plan(project: "Project", as_json: bool) -> None:
    """Say what would be made."""
    from firesat.jobs.derive import plan_derive

    settings = project.ingest
    planned = plan_derive(project.cube.path, settings.derive, recent=settings.recent)
    if as_json:
        print_json({"cube": project.cube.path, "groups": planned})
        return
    rows: list[dict[str, str | float]] = [
        {"group": group, "to_read": "", **counts} for group, counts in planned.items()
    ]
    print_table(f"would derive in {project.cube.path}", rows)


def _derive(project: "Project", as_json: bool) -> None:
    """Make it, and say what was made."""
    from firesat.jobs.derive import derive

    with progress_bar("derive") as advance:
        report = derive(
            project.cube.path, project.ingest.derive, advance, recent=project.ingest.recent
        )
    if as_json:
        print_json({"cube": project.cube.path, "groups": _content(report)})
        return
    rows: list[dict[str, str | float]] = [
        {"group": group, **{name: counts.get(name, "") for name in _COLUMNS}}
        for group, counts in _content(report).items()
    ]
    print_table(f"derived in {project.cube.path}", rows)


_COLUMNS = ("done", "empty", "unchanged", "read")


def _content(report: "DeriveReport") -> dict[str, dict[str, int]]:
    """Counts by group: blocks by what became of them, scenes read."""
    found = {}
    for group, counts in report.counts.items():
        found[group] = {name: counts[name] for name in ("done", "empty", "unchanged")}
        if group in report.read:
            found[group]["read"] = report.read[group]
    return found
