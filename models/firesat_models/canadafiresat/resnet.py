"""ResNet-50, a ConvLSTM a scale and a U-Net: the published CNN for Sentinel-2."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from firesat.batch import Channels
from firesat_models.canadafiresat.conv_lstm import ConvLSTM, Tabular
from firesat_models.canadafiresat.series import (
    RED_GREEN_BLUE,
    fire_logits,
    frames,
    scalars,
    to_cells,
)
from firesat_models.encoders import build_encoder

SCALES = (2, 3, 4)
"""Stages of the encoder that are read: 1/8, 1/16 and 1/32 of the resolution."""
STATES = (64, 128, 256)
"""Channels of their ConvLSTMs."""
FIRST = 8
"""Pixels along the side of the finest feature."""


class UNet(nn.Module):
    """Decode features from the coarsest to the finest (Ronneberger et al. 2015, arXiv:1505.04597).

    Parameters
    ----------
    depths : sequence of int
        Channels of the features, finest first; each level gives as many as its own feature has.
    """

    def __init__(self, depths: Sequence[int]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(*_layers(below + across, across), *_layers(across, across))
            for below, across in pairwise(reversed(depths))
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Decode.

        Parameters
        ----------
        features : sequence of Tensor
            ``(N, C, y, x)`` each, finest first.

        Returns
        -------
        Tensor
            ``(N, C, y, x)`` of the finest.
        """
        out = features[-1]
        for level, across in zip(self.levels, features[-2::-1], strict=True):
            grown = functional.interpolate(out, across.shape[-2:], mode="nearest")
            out = level(torch.cat([grown, across], dim=1))
        return out


def _layers(inputs: int, outputs: int) -> list[nn.Module]:
    """Convolution, norm and ReLU."""
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


class ResNetConvLSTM(nn.Module):
    """The published CNN for the image series, alone or with tabular weather and MODIS.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    tabular : bool
        The multi-modal setting: weather and MODIS as numbers, joined with the map at the end.
    weights : Path, optional
        Local file of timm's ResNet-50; default random weights.
    """

    halo: int = 8
    stride: int = 16  # cells: 160 pixels, of which 32 are a whole part
    encoder = "resnet50"

    def __init__(
        self, channels: Channels, *, tabular: bool = False, weights: Path | None = None
    ) -> None:
        super().__init__()
        self.channels, self.tabular, self.weights = channels, tabular, weights
        self.random_start = () if weights else ("weights",)
        self.inputs = image_inputs(tabular=tabular)
        self.frames = build_encoder(
            self.encoder,
            inputs=channels.sentinel2 + 1,
            weights=weights,
            colours=RED_GREEN_BLUE,
            features_only=True,
            out_indices=SCALES,
        )
        depths: list[int] = self.frames.feature_info.channels()
        self.over_time = nn.ModuleList(
            ConvLSTM(depth, state) for depth, state in zip(depths, STATES, strict=True)
        )
        self.decoder = UNet(STATES)
        self.table = tabular_branch(channels, STATES[0]) if tabular else None
        self.head = nn.Conv2d(STATES[0] * (1 + tabular), 2 * channels.heads, 1)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Forecast one batch.

        Parameters
        ----------
        batch : dict of Tensor
            Fields of `firesat.batch`, scaled.

        Returns
        -------
        Tensor
            Logits ``(N, L, Y, X)``.
        """
        looks, seen = frames(batch, self.channels.pixels)
        features = self.frames(looks.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        states = [lstm(maps, seen) for lstm, maps in zip(self.over_time, features, strict=True)]
        y, x = batch["age"].shape[-2:]
        cells = to_cells(self.decoder(states), FIRST, self.channels.pixels, (y, x))
        return fire_logits(self.head(late_fusion(cells, self.table, batch)))


def image_inputs(*, tabular: bool) -> tuple[str, ...]:
    """Fields that a model of the image series reads."""
    return ("sentinel2", "modis", "weather", "season") if tabular else ("sentinel2", "season")


def tabular_branch(channels: Channels, width: int) -> Tabular:
    """Build the branch that reads weather and MODIS as numbers.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    width : int
        Channels to give.

    Returns
    -------
    Tabular
        For every variable and the day of the year.

    Raises
    ------
    ValueError
        If the two do not come in the same steps.
    """
    if channels.modis_steps != channels.weather_steps:
        raise ValueError(
            f"the multi-modal models of CanadaFireSat read MODIS and weather in the same steps, "
            f"got {channels.modis_steps} and {channels.weather_steps}: train them on its data set"
        )
    return Tabular(channels.weather + channels.modis + 1, width)


def late_fusion(cells: Tensor, table: nn.Module | None, batch: dict[str, Tensor]) -> Tensor:
    """Lay the vector of the tabular branch beside every cell.

    Parameters
    ----------
    cells : Tensor
        ``(N, C, Y, X)``.
    table : nn.Module or None
        The branch; without one nothing is added.
    batch : dict of Tensor
        Fields of `firesat.batch`.

    Returns
    -------
    Tensor
        ``(N, C or 2 C, Y, X)``.
    """
    if table is None:
        return cells
    vector: Any = table(scalars(batch))
    return torch.cat([cells, vector[..., None, None].expand(-1, -1, *cells.shape[-2:])], dim=1)
