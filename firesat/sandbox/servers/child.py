"""The process that serves: its parent tells it what, and it does not outlive its parent."""

import json
import signal
import sys
import threading
from pathlib import Path

from firesat.sandbox.serve import open_world, serve_forever
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.http import SandboxServer


def main() -> None:
    """Serve what standard input says until it closes; say the port on standard output.

    One line of JSON each way: ``{"world": path, "port": number, "faults": {...}}`` and
    ``{"port": number}``.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and that ends us
    settings = json.loads(sys.stdin.readline())
    faults = settings["faults"]
    faults["unlicensed"] = tuple(faults["unlicensed"])
    world = open_world(Path(settings["world"]))
    serve_forever(world, settings["port"], faults=Faults(**faults), ready=announce)


def announce(server: SandboxServer) -> None:
    """Tell the parent the port, and shut down when the parent is gone.

    Parameters
    ----------
    server : SandboxServer
        Listening.
    """
    sys.stdout.write(json.dumps({"port": server.server_address[1]}) + "\n")
    sys.stdout.flush()
    threading.Thread(target=_leave_with_parent, args=(server,), daemon=True).start()


def _leave_with_parent(server: SandboxServer) -> None:
    """Shut down when the parent closes the pipe, which its death does too."""
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
