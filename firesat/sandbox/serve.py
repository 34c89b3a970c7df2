"""The sandbox's providers as a process of their own, for as long as they are needed."""

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from firesat.errors import ProviderError
from firesat.sandbox.config import WorldConfig
from firesat.sandbox.servers.everything import base_urls, environment, open_world, serve_forever
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.world import World

__all__ = ["Faults", "Servers", "base_urls", "environment", "open_world", "serve_forever"]

_CHILD = "firesat.sandbox.servers.child"
_STOP_SECONDS = 10


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
        world: Path | World,
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
        path = Path(folder) / "world"
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
