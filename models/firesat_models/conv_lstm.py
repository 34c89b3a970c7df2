"""TemporalConvLSTM: a ConvLSTM over the looks, an LSTM over the days of weather; a rung to beat."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from firesat.batch import INPUTS, Channels
from firesat_models.canadafiresat.conv_lstm import ConvLSTM
from firesat_models.fine import fine_looks
from firesat_models.fusion import Context, blend, conv_block, enlarge, extend, refuse_empty
from firesat_models.temporal import look_frames, present

_POOL = 2
_CONTEXT = 16  # cells that MODIS reaches


class WeatherLSTM(nn.Module):
    """Read the days of weather of each 1 km cell by itself, oldest first.

    Convolutions would carry a cell farther with each of 16 days or more, past any halo, over
    weather that is interpolated from 10 km.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    width : int
        Channels to give.
    """

    def __init__(self, channels: Channels, width: int) -> None:
        super().__init__()
        self.over_days = ConvLSTM(2 * channels.weather, width, kernel=1)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Encode one batch.

        Parameters
        ----------
        batch : dict of Tensor
            Fields ``weather`` (N, S, V, y, x) and ``weather_mask`` (N, S, V).

        Returns
        -------
        Tensor
            ``(N, width, y, x)``; 0 where no day is known.
        """
        mask = batch["weather_mask"][..., None, None].expand_as(batch["weather"])
        days = torch.cat([present(batch["weather"], mask), mask.to(batch["weather"].dtype)], dim=2)
        seen = batch["weather_mask"].amax(dim=2) > 0
        out: Tensor = self.over_days(days.flatten(0, 1), seen)
        return out


class TemporalConvLSTM(nn.Module):
    """Forecast with a ConvLSTM (Shi et al. 2015, arXiv:1506.04214), as wildfire studies do.

    Looks at 200 m are read in their order, days of weather cell by cell; fire, ground, MODIS and
    season join them at 100 m. It has no regression inside: what a plain recurrent network makes of
    the same inputs.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    width : int
        Channels of the looks' state, and at 100 m.
    weather_width : int
        Channels of the weather's state.
    """

    inputs: ClassVar[tuple[str, ...]] = INPUTS
    stride: ClassVar[int] = _POOL

    def __init__(self, channels: Channels, *, width: int = 16, weather_width: int = 12) -> None:
        super().__init__()
        refuse_empty(width=width, weather_width=weather_width)
        self.channels, self.width, self.weather_width = channels, width, weather_width
        # kernels of 3 x 3: the encoder's and the decoder's, and the state's once for each look
        self.halo = self.reach = max(_CONTEXT, _POOL * (2 + channels.looks))
        self.fine = fine_looks(channels)
        self.encode = conv_block(channels.sentinel2 + 2, width)
        self.over_looks = ConvLSTM(width, width)
        self.context = Context(
            channels, width, weather_width, weather=WeatherLSTM(channels, weather_width)
        )
        self.decode = blend(width)
        self.head = nn.Conv2d(width, channels.outputs, 1)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

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
        frames = extend(look_frames(batch, self.fine), _POOL).flip(1)  # oldest first
        seen = functional.max_pool2d(frames[:, :, -1], _POOL) > 0
        # packed once, else for the encoder's gradient again
        packed = frames.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        maps = functional.max_pool2d(self.encode(packed), _POOL)
        looks = enlarge(self.over_looks(maps, seen), frames.shape[-2:])
        y, x = batch["age"].shape[-2:]
        out: Tensor = self.head(self.decode(looks[..., :y, :x] + self.context(batch)))
        return out
