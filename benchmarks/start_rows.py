"""How long a person waits before anything happens."""

import subprocess
import sys

from benchmarks.timing import Timing, interleaved

HELP = "from firesat.cli.main import main; main(['--help'])"
CHECK = (
    "from firesat.project import load, shipped; load(shipped('configs/sandbox.yaml'))"  # all keys
)


def start() -> list[Timing]:
    """`firesat --help` and a whole config check, beside a bare interpreter."""
    contenders = {
        "firesat --help": lambda: _python(HELP),
        "check configs/sandbox.yaml": lambda: _python(CHECK),
        "python -c pass": lambda: _python("pass"),
    }
    return interleaved(contenders)


def _python(code: str) -> None:
    """Run code in a fresh interpreter."""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
