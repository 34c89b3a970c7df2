"""A forecaster that needs no training, and what reads its maps."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from torch import Tensor, nn
from torch.nn import functional

from firesat.batch import Channels
from firesat.checkpoint import RECORD
from firesat.cube import grid_of
from firesat.forecast import Forecaster
from firesat.samples import Inputs, Reader, Region
from firesat.scaling import Scaler
from tests.tiny_cube import (
    CELLS,
    DAY,
    TinyFire,
)

DAYS = 20
AXIS = np.datetime64("2023-05-01", "D") + np.arange(DAYS) * DAY
INPUTS = Inputs(looks=2, weather_days=8, modis_steps=2)
BLAZE = (TinyFire(fire_id=1, row=140, column=120, start=8, days=12, rate=2.0, slack=1),)
HALO = 10
GROUPS = ("sentinel2", "modis_vi", "modis_lst", "fire_weather", "hotspots", "static")


def quiet(*_: object) -> None:
    """A progress that nobody watches."""


class Remembering(Reader):
    """Opens each part of the cube once for all tests."""

    opened: ClassVar[dict[str, Region]] = {}

    def region(self, cells: GeoBox) -> Region:
        key = f"{self.cube_path} {self.inputs} {cells}"
        if key not in self.opened:
            self.opened[key] = super().region(cells)
        return self.opened[key]


class Smooth(nn.Module):
    """Elevation, fire and the newest look, averaged over 7 x 7 cells: nothing else, and no seam."""

    halo = 3
    stride = 1

    def __init__(self, channels: Channels, slope: float = 1.0) -> None:
        super().__init__()
        self.channels, self.slope = channels, slope
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        fields = [batch["static"][:, :1], batch["fire"][:, :1], batch["sentinel2"][:, 0, 3:4]]
        mixed = functional.avg_pool2d(torch.cat(fields, dim=1), 7, 1, 3).sum(dim=1, keepdim=True)
        return torch.cat([mixed + 6.0, 0.3 * self.slope * mixed], dim=1)


def save(network: nn.Module, scaler: Scaler, path: Path) -> Path:
    forecaster = Forecaster(network, inputs=INPUTS.record, scaler=scaler.record)
    forecaster.provenance = {
        "data_sha256": "ab" * 32, "config_hash": "cd" * 8, "git_revision": "", "seed": 0
    }  # fmt: skip
    content: dict[str, Any] = {"state_dict": forecaster.state_dict()}
    forecaster.on_save_checkpoint(content)
    assert RECORD in content
    torch.save(content, path)
    return path


def read(path: Path) -> NDArray:
    with rasterio.open(path) as file:
        return file.read()


def mask_of(path: Path) -> NDArray:
    return read(path.parent / "masks" / f"{path.stem}_mask.tif")[0]


def whole_map(cube: Path, scaler: Scaler, forecaster: Forecaster, day: str) -> NDArray:
    """The forecast without chips."""
    reader = Remembering(cube, INPUTS)
    chip = reader.chip(reader.day(day, grid_of(cube).region_geobox(100)), 0, 0, CELLS)
    batch = {name: torch.from_numpy(v)[None] for name, v in scaler.apply(chip).items()}
    with torch.inference_mode():
        return forecaster.forecast(batch)[0].numpy()
