"""`firesat`: static help, lazy commands, errors in one line, exit codes that tell the truth."""

import errno
import importlib
import logging
import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from firesat import __version__
from firesat.errors import FiresatError

COMMANDS = {
    "doctor": "what is installed, which credentials and providers answer, what to do",
    "plan": "what is missing in the cube, and what fetching it takes",
    "ingest": "fetch what is missing into the cube",
    "cube": "look at a cube, verify and repair it, export a part of it",
    "fires": "an agency's list of fires in one schema, each row that cannot be used named",
    "labels": "what burned in a season and when, from perimeters and hotspots to a GeoTIFF",
    "fwi": "the Fire Weather Index of stations, or of a cube",
    "derive": "fire weather, labels and recent looks from what is in the cube",
    "sample": "cut the chips a forecaster learns from",
    "audit": "look for anything that the chips could not have known",
    "train": "fit, validate or test a forecaster (the Lightning CLI)",
    "models": "list the networks",
    "calibrate": "fit a forecaster to what happened on held-out maps",
    "predict": "write probability maps",
    "evaluate": "judge maps against what burned, beside the baselines",
    "ladder": "train every model on the same chips and compare them, from climatology up",
    "show": "say what one pixel of a map means and where it comes from",
    "sandbox": "run the made world's provider servers; audit the masks beside its truth",
    "run": "run a target of the pipeline, such as demo",
}

_OF_THE_DISK = {
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO,
}  # fmt: skip
"""Errors that say what is wrong with a disk, or a right that is missing."""

_USAGE = """usage: firesat COMMAND [options]      firesat COMMAND --help

Wildfire probability for Canada at 100 m, 8 days ahead.

{commands}

  --version    print the version
  --help       print this

A whole project stands in one YAML; start with

  firesat run demo                                  the whole job on a made world, no account
  firesat plan --config configs/canada.yaml         what all of Canada would take
"""

_LOG_FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"

INTERRUPTED = 130  # what a shell reports for SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; default those of the process.

    Returns
    -------
    int
        0 when everything asked for was done, 1 when something failed and was named, 2 when the
        request itself was wrong.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(_help())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        sys.stdout.write(f"firesat {__version__}\n")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else "see firesat --help"
        sys.stderr.write(f"firesat: unknown command {name!r}: {hint}\n")
        return 2
    return _run(name, rest)


def _help() -> str:
    """The static help, printed without importing any command."""
    width = max(map(len, COMMANDS)) + 4
    lines = [f"  {name:<{width}}{text}" for name, text in COMMANDS.items()]
    return _USAGE.format(commands="\n".join(lines))


class _Parser(ArgumentParser):
    """A parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and what to type, and leave with 2."""
        unknown = message.partition("unrecognized arguments: ")[2].partition(" ")[0]
        near = get_close_matches(unknown.partition("=")[0], self._option_string_actions, n=1)
        hint = f"did you mean {near[0]}?" if near else f"see {self.prog} --help"
        self.exit(2, f"{self.prog}: {message}: {hint}\n")


def parser_of(name: str) -> ArgumentParser:
    """Build the parser of one command.

    Parameters
    ----------
    name : str
        A key of `COMMANDS`.

    Returns
    -------
    ArgumentParser
        With the command's own options, and ``--verbose``.
    """
    module = importlib.import_module(f"firesat.cli.{name}")
    parser = _Parser(
        prog=f"firesat {name}",
        description=module.__doc__,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    parser.add_argument("--verbose", "-v", action="store_true", help="log what is being done")
    return parser


def _run(name: str, arguments: list[str]) -> int:
    """Parse and run, turning errors of the family into one line and an exit code."""
    module = importlib.import_module(f"firesat.cli.{name}")
    parser = parser_of(name)
    if getattr(module, "PASSES_UNKNOWN", False):
        parsed, unknown = parser.parse_known_args(arguments)
        parsed.unknown = unknown
    else:
        parsed = parser.parse_args(arguments)
    redaction = importlib.import_module("firesat.sources.redaction")
    logs = logging.StreamHandler()
    logs.setFormatter(redaction.RedactedFormatter(_LOG_FORM))
    logging.basicConfig(level=logging.INFO if parsed.verbose else logging.WARNING, handlers=[logs])
    try:
        code: int = module.run(parsed)
    except FiresatError as error:
        sys.stderr.write(f"{type(error).__name__}: {redaction.redact(str(error))}\n")
        return error.exit_code
    except BrokenPipeError:  # such as `| head`: whoever read has read enough
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  flushed at the end
        return 1
    except OSError as error:
        if error.errno not in _OF_THE_DISK:
            raise
        logging.getLogger(__name__).info("where it happened", exc_info=True)
        sys.stderr.write(f"{type(error).__name__}: {redaction.redact(_words(error))}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped: what is finished is kept, run the command again to go on\n")
        return INTERRUPTED
    return code


def _words(error: OSError) -> str:
    """What the system says of a file, in one line."""
    place = f"{error.filename}: " if error.filename else ""
    said = " ".join(str(error.strerror or error).split())
    return f"{place}{said} (--verbose tells where it happened)"


if __name__ == "__main__":
    sys.exit(main())
