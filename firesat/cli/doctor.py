"""Say what is installed, which credentials are found, which providers answer, and what to do.

Values of credentials are never printed.

Example:
  firesat doctor
  firesat doctor --offline --json
"""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from rich.markup import escape

from firesat.cli.console import add_json, print_json, screen

_MARKS = {"ok": "[green]ok  [/green]", "note": "[yellow]note[/yellow]", "bad": "[red]bad [/red]"}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    parser.add_argument("--offline", action="store_true", help="do not ask the providers")
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Examine.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0 when no line is bad, else 1.
    """
    from firesat.jobs.doctor import examine

    findings = examine(ask_providers=not arguments.offline)
    if arguments.json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            advice = f"  -> {finding.advice}" if finding.advice else ""
            words = escape(f"{finding.subject:22} {finding.detail}{advice}")
            screen.print(f"{_MARKS[finding.state]} {words}", soft_wrap=True)
    return int(any(finding.state == "bad" for finding in findings))
