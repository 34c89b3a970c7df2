"""The sandbox's providers as a process of their own, for as long as they are needed."""

import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from firesat.errors import ConfigError, ProviderError
from firesat.sandbox.config import WorldConfig
from firesat.sandbox.servers.addresses import base_urls, environment
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.http import SandboxServer

if TYPE_CHECKING:  # a parent of the serving process need not load what only that one uses
    from firesat.sandbox.world import World

__all__ = ["Faults", "Servers", "base_urls", "environment", "open_world", "serve_forever"]

_LOG = logging.getLogger(__name__)
_CHILD = "firesat.sandbox.servers.child"
_STOP_SECONDS = 10


def open_world(path: Path, config: WorldConfig | None = None) -> "World":
    """Load a saved world, or make and save it.

    Parameters
    ----------
    path : Path
        Where it is saved.
    config : WorldConfig, optional
        What to make if nothing is there.

    Returns
    -------
    World
        Loaded or new.

    Raises
    ------
    ConfigError
        If nothing is there and no settings are given.
    """
    from firesat.sandbox.world import World

    if path.exists():
        return World.load(path)
    if config is None:
        raise ConfigError(f"no sandbox world at {path}: give the settings of the one to make")
    world = World.create(config)
    path.parent.mkdir(parents=True, exist_ok=True)
    world.save(path)
    return world


def serve_forever(
    world: "World",
    port: int = 0,
    *,
    faults: Faults | None = None,
    ready: Callable[[SandboxServer], None] | None = None,
) -> None:
    """Serve until interrupted or shut down.

    Parameters
    ----------
    world : World
        What the providers see.
    port : int
        Port on 127.0.0.1, 0 for any that is free.
    faults : Faults, optional
        What goes wrong on purpose.
    ready : callable, optional
        Gets the server once it listens; its ``url`` goes into `base_urls`.

    Raises
    ------
    ConfigError
        If the port is taken.
    """
    from firesat.sandbox.servers.everything import services

    chosen = faults or Faults()
    with SandboxServer(services(world, chosen), port, chosen) as server:
        for provider, address in base_urls(server.url).items():
            _LOG.info("%s at %s", provider, address)
        if ready is not None:
            ready(server)
        server.serve_forever(poll_interval=0.1)


class Servers:
    """The providers in a process of their own, as a context manager.

    The process ends with the context, and also when this process dies in whatever way.

    Parameters
    ----------
    world : Path or World
        What they see; a path is where a world is saved.
    port : int
        Port on 127.0.0.1, 0 for any that is free.
    config : WorldConfig, optional
        What to make if nothing is at the path.
    faults : Faults, optional
        What goes wrong on purpose.
    """

    def __init__(
        self,
        world: "Path | World",
        port: int = 0,
        *,
        config: WorldConfig | None = None,
        faults: Faults | None = None,
    ) -> None:
        self._world = world
        self._config = config
        self._port = port
        self._faults = faults or Faults()
        self._stack = ExitStack()
        self._url = ""

    @property
    def url(self) -> str:
        """Scheme, host and port.

        Returns
        -------
        str
            Empty outside the context.
        """
        return self._url

    def base_urls(self) -> dict[str, str]:
        """List the providers' addresses.

        Returns
        -------
        dict
            What each source's ``base_url`` has to be, by provider.
        """
        return base_urls(self._url)

    def environment(self) -> dict[str, str]:
        """List the variables that let the real clients talk to the sandbox.

        Returns
        -------
        dict
            See :func:`environment`.
        """
        return environment()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            path = self._saved(stack)
            process = subprocess.Popen(
                [sys.executable, "-m", _CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(_stop, process)
            settings = {"world": str(path), "port": self._port, "faults": asdict(self._faults)}
            port = _handshake(process, settings)
            self._url = f"http://127.0.0.1:{port}"
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._url = ""
        self._stack.close()

    def _saved(self, stack: ExitStack) -> Path:
        """Where the world is saved; a world in memory is saved for the time of the context."""
        if isinstance(self._world, Path):
            if not self._world.exists():
                open_world(self._world, self._config)
            return self._world.resolve()
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="firesat-world-"))
        path = Path(folder) / "world.npz"
        self._world.save(path)
        return path


def _handshake(process: "subprocess.Popen[str]", settings: dict[str, object]) -> int:
    """Tell the child what to serve and wait for its port."""
    to_child, from_child = _pipes(process)
    with suppress(BrokenPipeError):  # if it died before it read, the answer below is empty
        to_child.write(json.dumps(settings) + "\n")
        to_child.flush()
    answer = from_child.readline()
    if not answer:
        raise ProviderError(
            f"the sandbox's servers did not start (exit {process.wait()}): see the lines above"
        )
    return int(json.loads(answer)["port"])


def _pipes(process: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    """The child's standard input and output."""
    if process.stdin is None or process.stdout is None:
        raise ProviderError("the sandbox's servers have no pipes: start them with stdin=PIPE")
    return process.stdin, process.stdout


def _stop(process: "subprocess.Popen[str]") -> None:
    """End the child: it leaves when its standard input closes."""
    to_child, from_child = _pipes(process)
    with suppress(BrokenPipeError):  # it may be gone already
        to_child.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    from_child.close()
