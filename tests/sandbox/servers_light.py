"""A child process that serves nothing, to see how the parent treats one."""

import sys

from firesat.sandbox.servers.child import announce
from firesat.sandbox.servers.http import SandboxServer

if __name__ == "__main__":
    sys.stdin.readline()
    with SandboxServer([]) as server:
        announce(server)
        server.serve_forever(poll_interval=0.01)
