"""A tiny cube, a forecaster for it, and settings that map it."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from firesat.cube import Cube, grid_of
from firesat.forecast import Forecaster
from firesat.jobs.predict import conditions as conditions_module
from firesat.jobs.predict import machine
from firesat.jobs.predict.conditions import SNOW
from firesat.products.settings import PredictSettings
from firesat.scaling import Moments, Scaler
from tests.jobs.predict_tools import AXIS, BLAZE, DAYS, GROUPS, INPUTS, Remembering, Smooth
from tests.tiny_cube import (
    CELLS,
    DAY,
    HOUR,
    LATENCY,
    World,
    layouts,
    write_group,
    write_tiny_cube,
)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny cube; its north-western 10 km lie under snow, the rest is free of it."""
    path = write_tiny_cube(
        tmp_path_factory.mktemp("cube") / "tiny.zarr",
        days=DAYS,
        scene_every=5,
        fires=BLAZE,
        groups=GROUPS,
    )
    world = World(axis=AXIS, fires=BLAZE, seed=0, scene_every=5)

    def weather(variable: str, step: int) -> NDArray[np.float64]:
        if variable == "sd":
            return np.array([[2 * SNOW, 0.0], [0.5 * SNOW, 0.0]])
        return world.weather(variable, step)

    end = AXIS.astype("datetime64[s]") + DAY + 12 * HOUR
    write_group(
        Cube(path, grid_of(path)), layouts()["era5_land"], AXIS, weather,
        end + LATENCY["era5_land"] * HOUR,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def scaler(cube: Path) -> Scaler:
    reader = Remembering(cube, INPUTS)
    moments = Moments(INPUTS.names)
    fields = reader.day("2023-05-17", grid_of(cube).region_geobox(100))
    moments.add(reader.chip(fields, 0, 0, CELLS))
    return moments.scaler()


@pytest.fixture
def smooth(scaler: Scaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forecaster:
    """A forecaster whose chips can be checked against the whole map."""
    (tmp_path / "smooth.ckpt").write_bytes(b"first weights")
    forecaster = Forecaster(Smooth(INPUTS.channels(80)))
    loaded = (forecaster.eval(), INPUTS.record, scaler.record)
    monkeypatch.setattr(machine, "load_forecaster", lambda _: loaded)
    monkeypatch.setattr(machine, "Reader", Remembering)
    monkeypatch.setattr(conditions_module, "Reader", Remembering)
    return forecaster


@pytest.fixture
def settings(tmp_path: Path) -> PredictSettings:
    return PredictSettings(
        output=tmp_path / "forecast", days=("2023-05-17",), checkpoint=tmp_path / "smooth.ckpt"
    )
