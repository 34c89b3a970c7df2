"""The providers of a small world, served by a thread of the test's own process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from firesat.sandbox.servers.addresses import environment
from firesat.sandbox.servers.everything import services
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.http import SandboxServer
from firesat.sandbox.world import World
from tests.sandbox.servers_tools import Serve


@contextmanager
def serving(world: World, faults: Faults) -> Iterator[SandboxServer]:
    """A server for as long as the context."""
    with SandboxServer(services(world, faults), 0, faults) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="session")
def clients_environment() -> Iterator[None]:
    """What the real clients need to talk to loopback."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment().items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def url(small_world: World, clients_environment: None) -> Iterator[str]:
    """Address of a server without faults."""
    with serving(small_world, Faults()) as server:
        yield server.url


@pytest.fixture
def serve(small_world: World, clients_environment: None) -> Serve:
    """A server with faults."""
    return lambda faults: serving(small_world, faults)
