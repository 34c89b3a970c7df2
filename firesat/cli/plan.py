"""Say what is missing in the cube, without fetching anything.

Example:
  firesat plan --config configs/sandbox.yaml
"""

from argparse import ArgumentParser, Namespace

from firesat.cli.console import add_config, add_json, print_json, print_table, project_of


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
    rows = [group.summary for group in plan(project)]
    if arguments.json:
        print_json({"cube": project.cube.path, "groups": rows})
    else:
        print_table(f"missing in {project.cube.path}", rows)
    return 0
