"""Look for leaks: anything that the chips know and a forecaster could not have known.

Reads the chips and the cube again: one fire in two splits, splits that lie too near, layers that
came after T, scenes taken after a burning cell may have burned, truth among the inputs, a scaler
that knows other splits, weather of the horizon. Ends with 1 on any leak. `firesat train fit` does
the same before it trains.

Example:
  firesat audit --config configs/sandbox.yaml
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from firesat.cli.console import (
    add_config,
    add_json,
    print_json,
    print_table,
    progress_bar,
    project_of,
    screen,
)

if TYPE_CHECKING:
    from firesat.audit import AuditReport


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
    """Audit.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0 when there is no leak, 1 when there is any.
    """
    from firesat.jobs.prepare import audit

    project = project_of(arguments)
    with progress_bar("audit") as advance:
        report = audit(project.section("sample"), project.cube.path, project.audit, advance)
    if arguments.json:
        print_json(report.record)
    else:
        show(report)
    return 0 if report.passed else 1


def show(report: "AuditReport") -> None:
    """Print every check, and the leaks of those that failed.

    Parameters
    ----------
    report : AuditReport
        Of some chips.
    """
    verdict = "no leak" if report.passed else "LEAKS"
    print_table(
        f"audit of {report.chips} chips in {report.store}: {verdict}",
        [
            {
                "check": check.name,
                "result": "passed" if check.passed else f"{check.number} found",
                "looked_for": check.question,
                "found": check.found,
            }
            for check in report.checks
        ],
    )
    for check in report.failed:
        for leak in check.leaks:
            screen.print(f"{check.name}: {leak}", soft_wrap=True, markup=False)
        if check.number > len(check.leaks):
            screen.print(f"{check.name}: and {check.number - len(check.leaks)} more")
