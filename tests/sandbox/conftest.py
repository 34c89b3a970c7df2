"""One small world for all tests of the sandbox: it takes a few seconds to happen."""

import pytest

from firesat.sandbox.config import WorldConfig
from firesat.sandbox.world import World

SMALL = WorldConfig(
    seed=4,
    region=(20_000.0, 630_000.0, 40_000.0, 650_000.0),
    seasons=(2023,),
    fire_activity=4.0,
)


@pytest.fixture(scope="session")
def small_world() -> World:
    """20 x 20 km, the season of 2023, four times the usual number of fires."""
    return World.create(SMALL)
