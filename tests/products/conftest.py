"""A small forecast to be written as every product."""

import numpy as np
import pytest
from odc.geo.geobox import GeoBox

from firesat.grid import geobox
from firesat.products.base import Issue
from firesat.products.strips import Spool, State
from firesat.window import Window

SHAPE = (600, 600)


@pytest.fixture(scope="session")
def cells() -> GeoBox:
    return geobox((10_000.0, 620_000.0, 70_000.0, 680_000.0), "EPSG:3979", 100)


@pytest.fixture(scope="session")
def issue() -> Issue:
    return Issue(
        day="2023-07-05",
        window=Window(),
        model="firesat_models.tiny.Tiny",
        checkpoint="ab" * 32,
        regime="protocol",
        utc_offset=-6,
        version="0.1.0",
    )


@pytest.fixture(scope="session")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Spool:
    """Log-normal chances around 1e-4, a lake, a scar, a snow patch, a corner without anything."""
    made = Spool(tmp_path_factory.mktemp("spool"), SHAPE, leads=8)
    rng = np.random.default_rng(7)
    made.growth[:] = np.minimum(10 ** rng.normal(-6, 1, SHAPE), 1)
    made.new[:] = np.minimum(10 ** rng.normal(-4, 0.5, SHAPE), 1)
    made.leads[:] = (made.growth + made.new - made.growth * made.new) * np.linspace(0.2, 1, 8)[
        :, None, None
    ]
    made.state[:] = State.FORECAST
    made.state[:100, :50] = State.CANNOT_BURN
    made.state[200:210, 300:310] = State.ALREADY_BURNT
    made.state[300:340, :40] = State.SNOW_COVERED
    made.state[500:, 500:] = State.ABSTAINED
    made.growth[:20, 580:] = np.nan
    made.looks[:] = 3
    made.looks[500:, 500:] = 0
    made.age[:] = 4.3
    made.age[500:, 500:] = np.nan
    return made
