"""Fetch what is missing into the cube, then derive what the config asks for.

A second run fetches only what is still missing; a killed run loses nothing. The exit code is 0 only
when every block is there.

Example:
  firesat ingest --config configs/sandbox.yaml
"""

from argparse import ArgumentParser, Namespace

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
from firesat.project import Project

NAMED = 10  # failed blocks listed by name; the rest stand in the ledger


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
    """Fetch, derive, report.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0 when complete, 1 when some blocks failed and were named.
    """
    from firesat.cli import plan

    project = project_of(arguments)
    if arguments.dry_run:
        return plan.run(arguments)
    counts, failed = _ingest(project)
    if arguments.json:
        print_json({"cube": project.cube.path, "groups": counts, "failed": failed})
    elif counts:
        rows: list[dict[str, str | int]] = [
            {"group": group, **{s: counted.get(s, 0) for s in ("done", "empty", "failed")}}
            for group, counted in counts.items()
        ]
        print_table(f"written to {project.cube.path}", rows)
    else:
        screen.print(f"{project.cube.path} is complete: nothing to fetch")
    for line in failed[:NAMED]:
        screen.print(f"[red]failed[/red] {line}", soft_wrap=True)
    if failed:
        screen.print(f"{len(failed)} blocks failed: run the command again to retry them")
    return 1 if failed else 0


def _ingest(project: Project) -> tuple[dict[str, dict[str, int]], list[str]]:
    """Run both jobs; counts by group, and failures as lines."""
    from firesat.jobs.derive import derive
    from firesat.jobs.ingest import ingest

    with progress_bar("ingest") as advance:
        report = ingest(project, advance)
    counts = {group: dict(counted) for group, counted in report.counts.items()}
    failed = [f"{receipt.key}: {receipt.reason}" for receipt in report.failed]
    if project.ingest.derive:
        with progress_bar("derive") as advance:
            derive(project.cube.path, project.ingest.derive, advance)
    return counts, failed
