"""Fetch what is missing into the cube, then derive what the config asks for.

A second run fetches only what is still missing; a killed run loses nothing. The exit code is 0 only
when every block is there, 1 when some failed or their provider is down, 2 when keys are missing or
the plan exceeds ingest.max_units: nothing has been fetched then.

Example:
  firesat ingest --config configs/sandbox.yaml
  firesat ingest --config configs/region.yaml --dry-run
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from rich.markup import escape

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
    from firesat.jobs.ingest import IngestReport
    from firesat.project import Project

NAMED = 5  # failed blocks listed by name for each reason; the rest stand in the log


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
        0 when complete, 1 when some blocks failed or were not attempted and were named.
    """
    from firesat.cli import plan

    project = project_of(arguments)
    if arguments.dry_run:
        return plan.run(arguments)
    report = _ingest(project)
    if arguments.json:
        print_json(_content(project, report))
    else:
        _show(project, report)
    return 0 if report.complete else 1


def _ingest(project: "Project") -> "IngestReport":
    """Run both jobs."""
    from firesat.cli.watch import watching
    from firesat.cube import cube_info
    from firesat.jobs.derive import derive
    from firesat.jobs.ingest import ingest

    with watching() as watch:
        report = ingest(project, watch)
    if project.ingest.derive:
        with progress_bar("derive") as advance:
            derive(project.cube.path, project.ingest.derive, advance, recent=project.ingest.recent)
        report.content_hash = cube_info(project.cube.path)["content_hash"]
    return report


def _content(project: "Project", report: "IngestReport") -> dict[str, object]:
    """The report as JSON."""
    return {
        "cube": project.cube.path,
        "content_hash": report.content_hash,
        "complete": report.complete,
        "groups": {group: dict(counted) for group, counted in report.counts.items()},
        "failed": [f"{receipt.key}: {receipt.reason}" for receipt in report.failed],
        "not_attempted": [
            {"reason": reason, "blocks": blocks} for reason, blocks in report.not_attempted.items()
        ],
        "remarks": {group: dict(said) for group, said in report.remarks.items()},
        "units": round(report.meter.units, 2),
        "requests": report.meter.requests,
        "retries": report.meter.retries,
        "bytes": report.meter.bytes,
        "log": report.log,
    }


def _show(project: "Project", report: "IngestReport") -> None:
    """The report for people."""
    if not report.counts and report.complete:
        screen.print(f"{project.cube.path} is complete: nothing to fetch")
        return
    rows: list[dict[str, str | float]] = [
        {"group": group, **{s: counted.get(s, 0) for s in ("done", "empty", "failed")}}
        for group, counted in report.counts.items()
    ]
    print_table(f"written to {project.cube.path}", rows)
    used = report.meter
    screen.print(
        f"{used.requests} requests, {used.retries} of them repeated; {used.bytes / 1e9:.2f} GB; "
        f"{used.units:.1f} processing units of at most {project.ingest.max_units:g}",
        soft_wrap=True,
    )
    for group, said in report.remarks.items():
        for remark, blocks in said.items():
            screen.print(f"{group}, {blocks} blocks: {escape(remark)}", soft_wrap=True)
    _show_failures(report)


def _show_failures(report: "IngestReport") -> None:
    """What is still missing, by reason, and how to go on."""
    for reason, receipts in report.reasons().items():
        names = ", ".join(receipt.key for receipt in receipts[:NAMED])
        more = f" and {len(receipts) - NAMED} more" if len(receipts) > NAMED else ""
        screen.print(f"[red]{len(receipts)} failed[/red] {escape(reason)}", soft_wrap=True)
        screen.print(f"    {names}{more}", soft_wrap=True)
    for reason, blocks in report.not_attempted.items():
        screen.print(f"[red]{blocks} not attempted[/red] {escape(reason)}", soft_wrap=True)
    if not report.complete:
        screen.print(
            f"every failure stands in {report.log}; run the command again to fetch what is missing",
            soft_wrap=True,
        )
