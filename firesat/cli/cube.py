"""Look at a cube.

  info   groups, CRS, extent, and how complete each source is
  hash   one number for the decoded content, whatever the order, workers and codec

Example:
  firesat cube info out/demo/cube.zarr --json
  firesat cube hash out/demo/cube.zarr
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from firesat.cli.console import add_json, print_json, print_table


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    parser.add_argument("action", choices=["info", "hash"], help="what to do")
    parser.add_argument("cube", type=Path, help="a folder ending in .zarr")
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Look.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0.
    """
    from firesat.cube import cube_hash, cube_info

    if arguments.action == "hash":
        digest = cube_hash(arguments.cube)
        if arguments.json:
            print_json({"cube": arguments.cube, "hash": digest})
        else:
            sys.stdout.write(f"{digest}\n")
        return 0
    info = cube_info(arguments.cube)
    if arguments.json:
        print_json(info)
    else:
        rows = [
            {"group": name, **{k: _short(v) for k, v in group.items() if k != "blocks"}}
            | {state: group["blocks"].get(state, 0) for state in ("done", "empty", "failed")}
            for name, group in info["groups"].items()
        ]
        print_table(f"{arguments.cube}  {info['crs']}  extent {info['extent']} m", rows)
    return 0


def _short(value: object) -> str:
    """Text that fits a table."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
