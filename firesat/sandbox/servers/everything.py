"""All providers together: where they are, and serving them."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from firesat.errors import ConfigError
from firesat.sandbox.config import WorldConfig
from firesat.sandbox.servers.cads import DataStore
from firesat.sandbox.servers.datasets import FIRE, LAND
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.granules import Archive
from firesat.sandbox.servers.http import SandboxServer
from firesat.sandbox.servers.messages import Service
from firesat.sandbox.servers.nasa import Cmr, LandArchive
from firesat.sandbox.servers.nrcan import Downloads
from firesat.sandbox.servers.sentinel_hub import SentinelHub
from firesat.sandbox.servers.static import Layers
from firesat.sandbox.world import World

_LOG = logging.getLogger(__name__)
CREDENTIAL = "sandbox"
ROOTS = {
    "sentinelhub": "/sentinelhub",
    "cds": "/cds/api",
    "ewds": "/ewds/api",
    "nasa": "/nasa",
    "nrcan": "/nrcan/downloads",
    "static": "/static",
}


def base_urls(url: str) -> dict[str, str]:
    """List the providers' addresses.

    Parameters
    ----------
    url : str
        Scheme, host and port of the server.

    Returns
    -------
    dict
        What each source's ``base_url`` has to be, by provider.
    """
    return {provider: url + root for provider, root in ROOTS.items()}


def environment() -> dict[str, str]:
    """List the variables that let the real clients talk to the sandbox.

    Returns
    -------
    dict
        Credentials, no proxy for loopback, and leave for OAuth to go without TLS.
    """
    loopback = "127.0.0.1,localhost"
    return {
        "SH_CLIENT_ID": CREDENTIAL,
        "SH_CLIENT_SECRET": CREDENTIAL,
        "CDSAPI_KEY": CREDENTIAL,
        "EARTHDATA_TOKEN": CREDENTIAL,
        "NO_PROXY": loopback,
        "no_proxy": loopback,
        "OAUTHLIB_INSECURE_TRANSPORT": "1",
    }


def open_world(path: Path, config: WorldConfig | None = None) -> World:
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
    if path.exists():
        return World.load(path)
    if config is None:
        raise ConfigError(f"no sandbox world at {path}: make one with firesat sandbox create")
    world = World.create(config)
    path.parent.mkdir(parents=True, exist_ok=True)
    world.save(path)
    return world


def services(world: World, faults: Faults) -> Sequence[Service]:
    """Set up all providers.

    Parameters
    ----------
    world : World
        What they see.
    faults : Faults
        What goes wrong on purpose.

    Returns
    -------
    sequence of Service
        For a `SandboxServer`.
    """
    archive = Archive(world)
    return (
        SentinelHub(world, CREDENTIAL),
        DataStore(world, "/cds", [LAND], key=CREDENTIAL, faults=faults),
        DataStore(world, "/ewds", [FIRE], key=CREDENTIAL, faults=faults),
        Cmr(archive),
        LandArchive(archive, CREDENTIAL),
        Downloads(world),
        Layers(world),
    )


def serve_forever(
    world: World,
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
    """
    chosen = faults or Faults()
    with SandboxServer(services(world, chosen), port, chosen) as server:
        for provider, address in base_urls(server.url).items():
            _LOG.info("%s at %s", provider, address)
        if ready is not None:
            ready(server)
        server.serve_forever(poll_interval=0.1)
