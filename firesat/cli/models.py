"""List the networks: what each reads and how large it is.

Example:
  firesat models --json
"""

from argparse import ArgumentParser, Namespace

from firesat.cli.console import add_json, print_json, print_table


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    add_json(parser)


def run(arguments: Namespace) -> int:
    """List.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0.
    """
    from firesat.jobs.train import list_models
    from firesat.project import shipped

    found = list_models(shipped("configs/model"))
    if arguments.json:
        print_json(found)
    else:
        rows = [
            {k: ", ".join(v) if isinstance(v, list) else v for k, v in row.items() if k != "class"}
            for row in found
        ]
        print_table("networks", rows)
    return 0
