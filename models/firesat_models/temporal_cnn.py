"""TemporalCNN: one small CNN for every look, averaged over time, decoded to 100 m."""

from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from firesat.batch import INPUTS, Channels
from firesat_models.drivers import Drivers, beside, quiet
from firesat_models.encoders import OTHERS, RED_GREEN_BLUE, build_encoder
from firesat_models.fine import fine_looks
from firesat_models.fusion import Context, Join, conv_block, extend, refuse_empty, shrink
from firesat_models.temporal import LookComposite, LookPooling, look_frames

_DEFAULTS: dict[str, dict[str, Any]] = {
    "resnet10t": {"channels": [32, 64, 64, 64], "stem_width": 16}
}

_REACH = {"resnet10t": 40}  # cells, with its defaults and three scales


class TemporalCNN(nn.Module):
    """Forecast from looks, weather and fire with convolutions.

    Each look passes the same timm encoder together with its age and mask; at every scale the looks
    of a cell are averaged with learned weights. A U-Net decoder joins them with the context (fire,
    terrain, MODIS, weather, season), which enters at every scale.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    width : int
        Channels at 100 m.
    weather_width : int
        Hidden channels of the weather encoder, a multiple of 4.
    encoder : str
        timm model that offers ``features_only``: resnet, convnext, swin, vit with dinov2 or dinov3.
    encoder_args : dict, optional
        Further arguments of the timm model; default the model's own, of resnet10t a ResNet of 32,
        64 and 64 channels.
    scales : int
        Features of the encoder to use, finest first.
    weights : Path, optional
        Local file of the encoder's weights; default random ones.
    """

    inputs: ClassVar[tuple[str, ...]] = INPUTS
    halo = 16  # of encoders whose reach is not known
    stride = 8

    def __init__(
        self,
        channels: Channels,
        *,
        width: int = 16,
        weather_width: int = 32,
        encoder: str = "resnet10t",
        encoder_args: dict[str, Any] | None = None,
        scales: int = 3,
        weights: Path | None = None,
    ) -> None:
        super().__init__()
        refuse_empty(width=width, weather_width=weather_width, scales=scales)
        self.channels, self.width, self.weather_width = channels, width, weather_width
        self.encoder, self.encoder_args, self.scales = encoder, encoder_args, scales
        self.weights = weights
        self.context = Context(channels, width, weather_width)
        self.fine = fine_looks(channels)
        bands = channels.sentinel2 + 2
        self.frames = build_encoder(
            encoder,
            inputs=bands,
            weights=weights,
            colours=RED_GREEN_BLUE,
            grey=OTHERS,
            features_only=True,
            out_indices=tuple(range(scales)),
            **(_DEFAULTS.get(encoder, {}) if encoder_args is None else encoder_args),
        )
        features: Any = self.frames.feature_info
        self.stride = features.reduction()[-1]
        plain = encoder in _REACH and encoder_args in (None, _DEFAULTS[encoder]) and scales == 3
        self.reach = _REACH[encoder] if plain else None
        self.halo = self.reach or self.halo  # a map is then the same from chips of any size
        depths = features.channels()
        self.pools = nn.ModuleList(LookPooling(depth) for depth in depths)
        self.composite = LookComposite()
        self.bottom = conv_block(depths[-1] + width, depths[-1])
        # coarsest first: each level joins the looks and the context of its own scale
        self.decoder = nn.ModuleList(
            Join(below, [across, width], across) for below, across in pairwise(reversed(depths))
        )
        self.last = Join(depths[0], [bands, width], width)
        self.drivers = Drivers(channels)
        self.head = quiet(nn.Conv2d(width, channels.outputs, 1))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Forecast one batch.

        Parameters
        ----------
        batch : dict of Tensor
            Fields of `firesat.batch`, scaled.

        Returns
        -------
        Tensor
            ``(N, channels.outputs, Y, X)``, see `firesat.hazard`.
        """
        frames = extend(look_frames(batch, self.fine), self.stride)
        looks = self._looks(frames)
        y, x = batch["age"].shape[-2:]
        context = extend(self.context(batch), self.stride)
        scales = [shrink(context, look.shape[-2:]) for look in looks]
        hidden = self.bottom(torch.cat([looks[-1], scales[-1]], dim=1))
        for join, look, scale in zip(self.decoder, looks[-2::-1], scales[-2::-1], strict=True):
            hidden = join(hidden, [look, scale])
        out: Tensor = self.head(self.last(hidden, [self.composite(frames), context]))
        return beside(out[..., :y, :x], self.drivers(batch))

    def _looks(self, frames: Tensor) -> list[Tensor]:
        """Encode the looks at every scale, finest first, averaged over time."""
        clear = frames[:, :, -1]
        # packed once, else for the encoder's gradient again
        packed = frames.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return [
            pool(features, shrink(clear, features.shape[-2:]))
            for pool, features in zip(self.pools, self.frames(packed), strict=True)
        ]
