"""Every input but the Sentinel-2 looks, brought to the 100 m cells of the map.

Normalisation is by batch statistics, fixed once trained: a norm over the chip itself would make a
cell's forecast depend on where the chip was cut.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from firesat.batch import Channels
from firesat_models.temporal import known_fires, present
from firesat_models.wide import weather_encoder


def refuse_empty(**sizes: int) -> None:
    """Refuse sizes of which no network can be built.

    Parameters
    ----------
    **sizes : int
        Of a network, by the names of its arguments.

    Raises
    ------
    ValueError
        For the first below 1.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"model.network.{name}={size} is impossible: from 1 on")


def conv_block(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    """Build convolution, batch norm and ReLU that keep the size.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel : int
        Odd side of the convolution, cells.

    Returns
    -------
    nn.Sequential
        Maps ``(N, inputs, Y, X)`` to ``(N, outputs, Y, X)``.
    """
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def blend(width: int) -> nn.Sequential:
    """Build what follows a sum of projections: norm, ReLU and one convolution block.

    Parameters
    ----------
    width : int
        Channels, in and out.

    Returns
    -------
    nn.Sequential
        Maps ``(N, width, Y, X)`` to itself.
    """
    return nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(inplace=True), conv_block(width, width))


def enlarge(coarse: Tensor, size: torch.Size) -> Tensor:
    """Interpolate coarse cells bilinearly to finer ones.

    Parameters
    ----------
    coarse : Tensor
        ``(N, C, y, x)``.
    size : torch.Size
        Y and X to reach.

    Returns
    -------
    Tensor
        ``(N, C, Y, X)``; the outer half of the border cells is held constant.
    """
    return functional.interpolate(coarse, size=size, mode="bilinear", align_corners=False)


def shrink(fine: Tensor, size: torch.Size) -> Tensor:
    """Average fine cells to coarser ones.

    Parameters
    ----------
    fine : Tensor
        ``(N, C, Y, X)``.
    size : torch.Size
        y and x to reach.

    Returns
    -------
    Tensor
        ``(N, C, y, x)``.
    """
    if fine.shape[-2:] == size:
        return fine
    return functional.adaptive_avg_pool2d(fine, (size[0], size[1]))


def extend(values: Tensor, stride: int) -> Tensor:
    """Add empty rows below and columns to the right, so that a stride leaves no rest.

    Halving 26 cells three times would give 4 cells that stand for 32: features would slide over the
    ground. What is added is 0, which the masks of a frame call missing.

    Parameters
    ----------
    values : Tensor
        ``(..., Y, X)``.
    stride : int
        Of which Y and X shall be multiples.

    Returns
    -------
    Tensor
        ``(..., Y', X')``; `values` itself where they are already.
    """
    y, x = values.shape[-2:]
    if y % stride == 0 and x % stride == 0:
        return values
    return functional.pad(values, (0, -x % stride, 0, -y % stride))


class Join(nn.Module):
    """Join what comes up from coarser cells with what comes across.

    A sum of projections is the projection of the concatenation, without storing it, and the coarse
    part is projected before it is enlarged: at 100 m this halves the time of the whole network.

    Parameters
    ----------
    below : int
        Channels of the coarser cells.
    across : list of int
        Channels of each input on the cells to give.
    width : int
        Channels to give.
    """

    def __init__(self, below: int, across: list[int], width: int) -> None:
        super().__init__()
        self.up = nn.Conv2d(below, width, 1, bias=False)
        self.across = nn.ModuleList(nn.Conv2d(size, width, 1, bias=False) for size in across)
        self.blend = blend(width)

    def forward(self, coarse: Tensor, across: list[Tensor]) -> Tensor:
        """Join one level.

        Parameters
        ----------
        coarse : Tensor
            ``(N, below, y, x)``.
        across : list of Tensor
            ``(N, C, Y, X)`` each.

        Returns
        -------
        Tensor
            ``(N, width, Y, X)``.
        """
        total = enlarge(self.up(coarse), across[0].shape[-2:])
        for project, values in zip(self.across, across, strict=True):
            total = total + project(values)
        out: Tensor = self.blend(total)
        return out


class ModisEncoder(nn.Module):
    """Mix the steps and variables of MODIS on its own 500 m cells.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    width : int
        Channels to give.
    """

    def __init__(self, channels: Channels, width: int) -> None:
        super().__init__()
        layers = channels.modis_steps * channels.modis
        self.mix = nn.Sequential(conv_block(2 * layers, width), nn.Conv2d(width, width, 1))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Encode one batch.

        Parameters
        ----------
        batch : dict of Tensor
            Fields ``modis`` and ``modis_mask``.

        Returns
        -------
        Tensor
            ``(N, width, y, x)``.
        """
        mask = batch["modis_mask"].flatten(1, 2)
        values = present(batch["modis"].flatten(1, 2), mask)
        out: Tensor = self.mix(torch.cat([values, mask.to(values.dtype)], dim=1))
        return out


class Context(nn.Module):
    """Fuse fire, static layers, MODIS, weather and season on the cells of the map.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    width : int
        Channels to give.
    weather_width : int
        Hidden channels of the weather encoder, a multiple of 4.
    weather : nn.Module, optional
        What reads the days of weather, ``(N, weather_width, y, x)``; default as
        `weather_encoder`.
    """

    def __init__(
        self,
        channels: Channels,
        width: int,
        weather_width: int,
        weather: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.season = nn.Linear(2, width)
        surface, self.fire = channels.fire + channels.static, channels.fire
        # fire is 0 almost everywhere: brought to unit variance, a few steps are enough to see it
        self.level = nn.BatchNorm2d(surface) if surface else None
        masked = surface + channels.fire
        self.surface = nn.Conv2d(masked, width, 1, bias=False) if surface else None
        self.modis = ModisEncoder(channels, width)
        self.weather = nn.Sequential(
            weather_encoder(channels, weather_width) if weather is None else weather,
            nn.Conv2d(weather_width, width, 1, bias=False),
        )
        self.blend = blend(width)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Encode one batch.

        Parameters
        ----------
        batch : dict of Tensor
            Every field of `firesat.batch`; of the looks only the size is read.

        Returns
        -------
        Tensor
            ``(N, width, Y, X)``.
        """
        size = batch["age"].shape[-2:]
        everywhere, ground = self.season(batch["season"]), None
        if self.level is not None and self.surface is not None:
            layers = torch.cat([known_fires(batch), batch["static"]], dim=1)
            layers = self.level(layers.contiguous(memory_format=torch.channels_last))
            weight, there = self.surface.weight, layers.shape[1]
            ground = functional.conv2d(layers, weight[:, :there])
            if self.fire:
                known = batch["fire_mask"].to(layers.dtype)
                everywhere = everywhere + functional.linear(known, weight[:, there:].flatten(1))
        # what is the same all over a chip is added where its cells are fewest
        weather = self.weather(batch) + everywhere[:, :, None, None]
        total = enlarge(self.modis(batch), size) + enlarge(weather, size)
        out: Tensor = self.blend(total if ground is None else total + ground)
        return out
