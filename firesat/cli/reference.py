"""Write the reference of all commands from what each ``--help`` says."""

import os
import sys
from pathlib import Path

from firesat.cli.main import COMMANDS, parser_of

_HEAD = """# Commands

Written by `make docs` from each command's own help. Exit codes: 0 done, 1 something failed and was
named, 2 the request itself was wrong.
"""


def reference() -> str:
    """Give the whole reference.

    Returns
    -------
    str
        Markdown, one section a command.
    """
    os.environ["COLUMNS"] = "100"  # argparse wraps by the terminal's width
    sections = [
        f"## firesat {name}\n\n{text[0].upper()}{text[1:]}.\n\n```text\n"
        f"{parser_of(name).format_help().rstrip()}\n```\n"
        for name, text in COMMANDS.items()
    ]
    return "\n".join([_HEAD, *sections])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference())
