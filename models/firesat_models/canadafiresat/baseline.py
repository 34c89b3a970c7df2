"""The small ConvLSTM that the published models are compared with (after Yang et al. 2021)."""

import torch
from torch import Tensor, nn

from firesat.batch import Channels
from firesat_models.canadafiresat.conv_lstm import ConvLSTM
from firesat_models.canadafiresat.series import fire_logits, frames, to_cells

_POOL = 2


class SmallConvLSTM(nn.Module):
    """One convolution, one ConvLSTM and a small head, on Sentinel-2 alone.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    width : int
        Channels throughout.
    """

    inputs = ("sentinel2", "season")
    halo: int = 8
    stride: int = 2

    def __init__(self, channels: Channels, *, width: int = 128) -> None:
        super().__init__()
        self.channels, self.width = channels, width
        self.encode = nn.Sequential(
            nn.Conv2d(channels.sentinel2 + 1, width, 3, padding=1),
            nn.GroupNorm(1, width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(_POOL),
        )
        self.over_time = ConvLSTM(width, width)
        self.head = nn.Sequential(
            nn.Linear(width, width),
            nn.LayerNorm(width),
            nn.ReLU(inplace=True),
            nn.Linear(width, 2 * channels.heads),
        )

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
        maps = self.encode(looks.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        classes = self.head(self.over_time(maps, seen).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        y, x = batch["age"].shape[-2:]
        return fire_logits(to_cells(classes, _POOL, self.channels.pixels, (y, x)))
