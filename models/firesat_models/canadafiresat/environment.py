"""The published models without Sentinel-2: MODIS as a map, weather as one vector."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from firesat.batch import Channels
from firesat_models.canadafiresat.conv_lstm import ConvLSTM
from firesat_models.canadafiresat.resnet import UNet
from firesat_models.canadafiresat.series import fire_logits, modis, tiles, weather
from firesat_models.canadafiresat.vit import WIDTH, token_maps
from firesat_models.encoders import build_encoder

SIDE = 32
"""Pixels along the side of the tiles that the encoders read."""
STATES = (64, 128, 256, 512)
_LOW = 64
_PATCH, _LOW_PATCH = 2, 8
_DROP: dict[str, Any] = {
    "pos_drop_rate": 0.2,
    "proj_drop_rate": 0.2,
    "attn_drop_rate": 0.2,
    "drop_path_rate": 0.1,
}


def _fuse(cells: Tensor, vector: Tensor, size: torch.Size) -> Tensor:
    """Bring a map to the cells and lay a vector beside each."""
    fine = functional.interpolate(cells, size, mode="bilinear")
    return torch.cat([fine, vector[..., None, None].expand(-1, -1, *size)], dim=1)


def _last(lstm: nn.Module, series: Tensor) -> Tensor:
    """Last hidden state of an LSTM."""
    out: Tensor = lstm(series)[1][0][-1]
    return out


class ResNetEnvironment(nn.Module):
    """The published CNN for MODIS and weather.

    A ResNet-50 and a ConvLSTM a scale read MODIS, a ResNet-18 and an LSTM the weather.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    weights : Path, optional
        Local file of timm's ResNet-50; default random weights.
    low_weights : Path, optional
        Local file of timm's ResNet-18; default random weights.
    """

    inputs = ("modis", "weather", "season")
    halo: int = 0
    stride: int = 1

    def __init__(
        self,
        channels: Channels,
        *,
        weights: Path | None = None,
        low_weights: Path | None = None,
    ) -> None:
        super().__init__()
        self.channels, self.weights, self.low_weights = channels, weights, low_weights
        files = {"weights": weights, "low_weights": low_weights}
        self.random_start = tuple(name for name, file in files.items() if file is None)
        self.mid = build_encoder(
            "resnet50", inputs=channels.modis + 1, weights=weights, colours=(), features_only=True
        )
        self.low = build_encoder(
            "resnet18",
            inputs=channels.weather + 1,
            weights=low_weights,
            colours=(),
            features_only=True,
            out_indices=(4,),
        )
        depths: list[int] = self.mid.feature_info.channels()
        self.over_time = nn.ModuleList(
            ConvLSTM(depth, state) for depth, state in zip(depths[:-1], STATES, strict=True)
        )
        # the coarsest feature is a single point
        self.deepest = nn.LSTM(depths[-1], 2 * STATES[-1], batch_first=True)
        self.decoder = UNet((*STATES, 2 * STATES[-1]))
        self.over_weather = nn.LSTM(self.low.feature_info.channels()[0], _LOW, batch_first=True)
        self.head = nn.Conv2d(STATES[0] + _LOW, 2 * channels.heads, 1)

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
        n = len(batch["season"])
        values, mask = modis(batch)
        *maps, deepest = self.mid(tiles(values, batch["season"], SIDE))
        seen = torch.ones(n, values.shape[1], dtype=torch.bool, device=mask.device)
        states = [lstm(each, seen) for lstm, each in zip(self.over_time, maps, strict=True)]
        deep = _last(self.deepest, deepest.flatten(1).unflatten(0, (n, -1)))
        cells = self.decoder([*states, deep[..., None, None]])
        low = self.low(tiles(weather(batch)[0], batch["season"], SIDE))[0]
        vector = _last(self.over_weather, low.flatten(1).unflatten(0, (n, -1)))
        return fire_logits(self.head(_fuse(cells, vector, batch["age"].shape[-2:])))


class ViTEnvironment(nn.Module):
    """The published ViT for MODIS and weather; both transformers start from random weights.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    """

    inputs = ("modis", "weather", "season")
    halo: int = 0
    stride: int = 1
    encoder = "vit_small_patch14_dinov2"

    def __init__(self, channels: Channels) -> None:
        super().__init__()
        self.channels = channels
        self.mid = self._transformer(channels.modis + 1, _PATCH)
        self.low = self._transformer(channels.weather + 1, _LOW_PATCH)
        self.over_time = ConvLSTM(WIDTH, WIDTH)
        self.over_weather = nn.LSTM(WIDTH, WIDTH, batch_first=True)
        self.head = nn.Conv2d(2 * WIDTH, 2 * channels.heads, 1)

    def _transformer(self, inputs: int, patch: int) -> nn.Module:
        """One of the two transformers."""
        made: nn.Module = build_encoder(
            self.encoder, inputs=inputs, img_size=SIDE, patch_size=patch, num_classes=0, **_DROP
        )
        return made

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
        n = len(batch["season"])
        values, mask = modis(batch)
        maps = token_maps(self.mid, tiles(values, batch["season"], SIDE), _PATCH)
        seen = torch.ones(n, values.shape[1], dtype=torch.bool, device=mask.device)
        low: Tensor = self.low.forward_features(  # type: ignore[operator]
            tiles(weather(batch)[0], batch["season"], SIDE)
        )
        vector = _last(self.over_weather, low.mean(dim=1).reshape(n, -1, WIDTH))
        cells = self.over_time(maps, seen)
        return fire_logits(self.head(_fuse(cells, vector, batch["age"].shape[-2:])))
