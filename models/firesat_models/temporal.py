"""What happens along time: looks of unequal age, days of weather, and gaps in both."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from firesat.batch import Channels

AGE_SCALE = 64.0  # days; the length of the default history brings ages to 0..1
_HEADS = 4
_NEVER = -1e4  # below any score, finite in every precision


def present(values: Tensor, mask: Tensor) -> Tensor:
    """Put 0 wherever an input is missing.

    Parameters
    ----------
    values : Tensor
        Any shape; what stands under the mask may be anything, NaN included.
    mask : Tensor
        Broadcasts against `values`; 0 = missing.

    Returns
    -------
    Tensor
        Like `values`, without a trace of what was masked.
    """
    # selection, since NaN * 0 is NaN
    return torch.where(mask > 0, values, torch.zeros((), dtype=values.dtype, device=values.device))


def known_fires(batch: dict[str, Tensor]) -> Tensor:
    """Give the layers of fires, 0 where they are not known.

    Parameters
    ----------
    batch : dict of Tensor
        Fields ``fire`` (N, F, Y, X) and ``fire_mask`` (N, F).

    Returns
    -------
    Tensor
        ``(N, F, Y, X)``.
    """
    if not batch["fire"].shape[1]:  # a benchmark knows of no fires, and has no mask of them
        return batch["fire"]
    return present(batch["fire"], batch["fire_mask"][..., None, None])


def look_frames(batch: dict[str, Tensor], fine: nn.Module | None = None) -> Tensor:
    """Stack each look's bands with its age and its mask.

    Parameters
    ----------
    batch : dict of Tensor
        Fields ``sentinel2`` (N, K, C, Y, X), ``age`` and ``clear`` (N, K, Y, X).
    fine : FineLooks, optional
        What brings pixels of 10 m to the cells; default where they are cells already.

    Returns
    -------
    Tensor
        ``(N, K, C + 2, Y, X)``; 0 where there is no look.
    """
    clear = batch["clear"][:, :, None]
    looks = batch["sentinel2"]
    bands = present(looks if fine is None else fine(looks, batch["clear"]), clear)
    age = present(batch["age"][:, :, None], clear) / AGE_SCALE
    return torch.cat([bands, age.to(bands.dtype), clear.to(bands.dtype)], dim=2)


def masked_mean(values: Tensor, score: Tensor, mask: Tensor, dim: int) -> Tensor:
    """Average along one dimension with learned weights, over what is present.

    Parameters
    ----------
    values : Tensor
        What to average.
    score : Tensor
        Logarithm of the weights, broadcasts against `values`.
    mask : Tensor
        0..1, the share that is present, broadcasts against `score`.
    dim : int
        Dimension to average over.

    Returns
    -------
    Tensor
        `values` without `dim`; 0 where nothing is present.
    """
    # what is missing must not set the scale of what is there
    highest = score.masked_fill(mask <= 0, _NEVER).amax(dim=dim, keepdim=True).detach()
    weight = torch.exp((score - highest).clamp(max=0.0)) * mask
    # brought to a sum of 1 themselves: they are far fewer than the values
    return (values * (weight / weight.sum(dim, keepdim=True).clamp(min=1e-6))).sum(dim)


class LookPooling(nn.Module):
    """Weigh the looks of each cell against each other and average them.

    Parameters
    ----------
    width : int
        Channels of the features.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, features: Tensor, clear: Tensor) -> Tensor:
        """Average over the looks.

        Parameters
        ----------
        features : Tensor
            ``(N * K, C, y, x)``.
        clear : Tensor
            ``(N, K, y, x)``, 0..1.

        Returns
        -------
        Tensor
            ``(N, C, y, x)``; 0 where no look is clear.
        """
        # a product with one row: the same convolution takes ten times as long to differentiate
        score = self.score.weight @ features.flatten(2)
        return masked_mean(
            features.reshape(*clear.shape[:2], *features.shape[1:]),
            score.reshape_as(clear)[:, :, None],
            clear[:, :, None],
            dim=1,
        )


class LookComposite(nn.Module):
    """Average the looks cell by cell, the newer the heavier.

    The rate is learned from 16 days on; no convolution runs over single looks at 100 m.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_rate = nn.Parameter(torch.tensor(AGE_SCALE / 16.0).log())

    def forward(self, frames: Tensor) -> Tensor:
        """Average over the looks.

        Parameters
        ----------
        frames : Tensor
            From `look_frames`: ``(N, K, C + 2, Y, X)``, the last two age and clear share.

        Returns
        -------
        Tensor
            ``(N, C + 2, Y, X)``; 0 where no look is clear.
        """
        age, clear = frames[:, :, -2:-1], frames[:, :, -1:]
        return masked_mean(frames, -self.log_rate.exp() * age, clear, dim=1)


class WeatherEncoder(nn.Module):
    """Read the days of weather in order, and pool them with several learned weightings.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    width : int
        Channels to give, a multiple of 4.
    """

    def __init__(self, channels: Channels, width: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(2 * channels.weather, width, 3, padding=1)
        self.second = nn.Conv1d(width, width, 3, padding=1)
        self.score = nn.Conv1d(width, _HEADS, 1, bias=False)
        # which day it is: yesterday's wind and last week's do not mean the same
        self.day = nn.Parameter(0.02 * torch.randn(width, channels.weather_steps))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Encode one batch.

        Parameters
        ----------
        batch : dict of Tensor
            Fields ``weather`` (N, S, V, y, x) and ``weather_mask`` (N, S, V).

        Returns
        -------
        Tensor
            ``(N, width, y, x)``; each cell by itself.
        """
        mask = batch["weather_mask"][..., None, None].expand_as(batch["weather"])
        return self.encode(batch["weather"], mask)

    def encode(self, weather: Tensor, mask: Tensor) -> Tensor:
        """Encode days of weather on cells of any size.

        Parameters
        ----------
        weather : Tensor
            ``(N, S, V, y, x)``.
        mask : Tensor
            Like `weather`; 0 = missing.

        Returns
        -------
        Tensor
            ``(N, width, y, x)``; each cell by itself.
        """
        values = present(weather, mask)
        number, *_, y, x = values.shape
        series = torch.cat([values, mask.to(values.dtype)], dim=2)
        series = series.flatten(3).transpose(1, 2)  # (N, 2 V, S, y x)
        hidden = torch.relu(_over_days(self.first, series) + self.day[..., None])
        hidden = torch.relu(_over_days(self.second, hidden))
        score = _over_days(self.score, hidden)[:, :, None]
        known = mask.amax(dim=2).flatten(2)[:, None, None]
        hidden = hidden.reshape(number, _HEADS, -1, *hidden.shape[2:])
        return masked_mean(hidden, score, known, dim=3).reshape(number, -1, y, x)


def _over_days(layer: nn.Conv1d, series: Tensor) -> Tensor:
    """A convolution along S of (N, C, S, cells): each cell by itself, but all in one image."""
    reach = layer.kernel_size[0] // 2
    packed = series.contiguous(memory_format=torch.channels_last)
    return functional.conv2d(packed, layer.weight[..., None], layer.bias, padding=(reach, 0))
