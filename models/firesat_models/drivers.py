"""A logistic regression inside a network: what the drivers of fire say of a cell by themselves.

Few fires against many channels: a network alone learns by which weather it may know each of them
again. A penalised linear model, as fire occurrence is modelled everywhere (Preisler et al. 2004,
Int. J. Wildland Fire 13, 133), cannot; the network then learns what departs from it (combined
actuarial neural nets: Wuthrich and Merz 2019, ASTIN Bulletin 49, 1).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from firesat.batch import Channels
from firesat_models.fusion import enlarge
from firesat_models.temporal import known_fires, present


class Drivers(nn.Module):
    """Log odds that are linear in weather, fires, ground and season; zero until they are fitted.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, channels: Channels) -> None:
        super().__init__()
        self.weather = channels.weather
        count = channels.weather + channels.fire + channels.static + 2
        # fitted once, with a penalty that the steps of a training would not keep
        self.register_buffer("weight", torch.zeros(channels.maps, count))
        self.register_buffer("bias", torch.zeros(channels.maps))

    @property
    def choices(self) -> list[list[int]]:
        """Which features may get a weight, together.

        Returns
        -------
        list of list of int
            Columns of `features`, from a few to all: fires and ground, with the season, with the
            weather, with both. Seasons are few, and the weather of one is much alike everywhere:
            what it did to fires need not come back.
        """
        everything = list(range(self.weight.shape[1]))
        weather, season = everything[: self.weather], everything[-2:]
        here = everything[self.weather : -2]
        some = [here, here + season, weather + here, everything]
        return [columns for columns in some if columns]

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """Give the drivers of every cell.

        Parameters
        ----------
        batch : dict of Tensor
            Fields of `firesat.batch`, scaled.

        Returns
        -------
        Tensor
            ``(N, F, Y, X)``: weather of the newest day, whose fire weather codes hold the memory of
            the days before (Van Wagner 1987), then fires and ground, then the season.
        """
        size = batch["age"].shape[-2:]
        season = batch["season"][..., None, None].expand(-1, -1, *size)
        coarse = enlarge(_newest(batch), size)
        return torch.cat([coarse, known_fires(batch), batch["static"], season], dim=1)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Give the log odds of one batch, beside the base rate.

        Parameters
        ----------
        batch : dict of Tensor
            Fields of `firesat.batch`, scaled.

        Returns
        -------
        Tensor
            ``(N, channels.maps, Y, X)``.
        """
        here = torch.cat([known_fires(batch), batch["static"]], dim=1)
        weather, ground = self.weight[:, : self.weather], self.weight[:, self.weather : -2]
        # the coarse part is weighed before it is enlarged: the same sum, of fewer cells
        coarse = functional.conv2d(_newest(batch), weather[..., None, None], self.bias)
        total = enlarge(coarse, batch["age"].shape[-2:])
        if here.shape[1]:
            # a product: as a convolution it takes five times as long
            total = total + (ground @ here.flatten(2)).reshape_as(total)
        return total + functional.linear(batch["season"], self.weight[:, -2:])[..., None, None]


def beside(outputs: Tensor, linear: Tensor) -> Tensor:
    """Add the drivers to what a network says of the window.

    Parameters
    ----------
    outputs : Tensor
        ``(N, channels.outputs, Y, X)``.
    linear : Tensor
        ``(N, channels.maps, Y, X)``.

    Returns
    -------
    Tensor
        Like `outputs`; how the window is shared among its days is left to the network.
    """
    maps = linear.shape[1]
    if outputs.shape[1] == maps:
        return outputs + linear
    return torch.cat([outputs[:, :maps] + linear, outputs[:, maps:]], dim=1)


def quiet(head: nn.Conv2d) -> nn.Conv2d:
    """Let a network begin by saying next to nothing beside its drivers.

    Parameters
    ----------
    head : nn.Conv2d
        Last layer.

    Returns
    -------
    nn.Conv2d
        The same, with a hundredth of its random weights: they would cost the drivers half their
        average precision until they are unlearned.
    """
    with torch.no_grad():
        head.weight.mul_(0.01)
        if head.bias is not None:
            head.bias.zero_()
    return head


def _newest(batch: dict[str, Tensor]) -> Tensor:
    """Each variable on the newest day on which it is known, ``(N, V, y, x)``; 0 where on none."""
    known = batch["weather_mask"] > 0
    steps = torch.arange(1, known.shape[1] + 1, device=known.device)[None, :, None]
    last = (known * steps).amax(dim=1)
    place = (last - 1).clamp(min=0)[:, None, :, None, None]
    values = batch["weather"].take_along_dim(place, dim=1)[:, 0]
    return present(values, (last > 0)[..., None, None])
