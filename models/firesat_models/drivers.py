"""A logistic regression inside a network: what the drivers of fire say of a cell by themselves.

Layers of fires act together (hot cells near by matter the more, the younger they are), so their
products are drivers, too. Few fires against many channels: a network alone learns by which weather
it may know each of them again. A penalised linear model, as fire occurrence is modelled everywhere
(Preisler et al. 2004, Int. J. Wildland Fire 13, 133), cannot; the network then learns what departs
from it (combined actuarial neural nets: Wuthrich and Merz 2019, ASTIN Bulletin 49, 1).
"""

from itertools import pairwise, product

import torch
from torch import Tensor, nn
from torch.nn import functional

from firesat.batch import Channels
from firesat_models.fusion import enlarge
from firesat_models.temporal import known_fires, present


class Drivers(nn.Module):
    """Log odds that are linear in weather, fires and their products, ground and season.

    Zero until they are fitted.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, channels: Channels) -> None:
        super().__init__()
        self.weather, self.fire = channels.weather, channels.fire
        self.products = self.fire * (self.fire + 1) // 2
        count = self.weather + self.fire + self.products + channels.static + 2
        # fitted once, with a penalty that the steps of a training would not keep
        self.register_buffer("weight", torch.zeros(channels.maps, count))
        self.register_buffer("bias", torch.zeros(channels.maps))

    @property
    def columns(self) -> dict[str, list[int]]:
        """Which features are of what.

        Returns
        -------
        dict of str to list of int
            Columns of `features` of "weather", "fires", "products" of these, "ground" and "season".
        """
        fires, ground = self.weather + self.fire, self.weight.shape[1] - 2
        ends = [0, self.weather, fires, fires + self.products, ground, ground + 2]
        names = ("weather", "fires", "products", "ground", "season")
        return {name: list(range(*part)) for name, part in zip(names, pairwise(ends), strict=True)}

    @property
    def choices(self) -> list[list[int]]:
        """Which features may get a weight, together.

        Returns
        -------
        list of list of int
            Columns of `features`, from a few to all: fires and ground, with the season, with the
            weather, with both; then each of these with products of fires. Seasons are few, and the
            weather of one is much alike everywhere: what it did to fires need not come back.
        """
        weather, fires, products, ground, season = self.columns.values()
        some = [
            (*w, *fires, *p, *ground, *s)
            for p, w, s in product(([], products), ([], weather), ([], season))
        ]
        return [list(columns) for columns in dict.fromkeys(some) if columns]

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
            the days before (Van Wagner 1987), then fires, the products of each two and each with
            itself, ground and season.
        """
        size = batch["age"].shape[-2:]
        season = batch["season"][..., None, None].expand(-1, -1, *size)
        coarse, fires = enlarge(_newest(batch), size), known_fires(batch)
        first, second = self._pairs(fires.device)
        products = fires[:, first] * fires[:, second]
        return torch.cat([coarse, fires, products, batch["static"], season], dim=1)

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
        # their log odds are large: bfloat16 would round them to steps of some per cents
        with torch.autocast(self.weight.device.type, enabled=False):
            return self._log_odds(batch)

    def _log_odds(self, batch: dict[str, Tensor]) -> Tensor:
        """Log odds in float32, (N, maps, Y, X)."""
        fires = known_fires(batch).flatten(2)
        weather, layers, products, ground, season = torch.split(
            self.weight,
            [self.weather, self.fire, self.products, batch["static"].shape[1], 2],
            dim=1,
        )
        # the coarse part is weighed before it is enlarged: the same sum, of fewer cells
        coarse = functional.conv2d(_newest(batch), weather[..., None, None], self.bias)
        total = enlarge(coarse, batch["age"].shape[-2:])
        # matrix products: convolutions take five times as long
        if ground.shape[1]:
            total = total + (ground @ batch["static"].flatten(2)).reshape_as(total)
        if self.fire:
            total = total + self._of_fires(fires, layers, products).reshape_as(total)
        return total + functional.linear(batch["season"], season)[..., None, None]

    def _pairs(self, device: torch.device) -> Tensor:
        """Which two layers each product is of: no buffer, which averaged weights would move."""
        return torch.triu_indices(self.fire, self.fire, device=device)

    def _of_fires(self, fires: Tensor, layers: Tensor, products: Tensor) -> Tensor:
        """Log odds of layers and their products, (N, maps, cells), as a quadratic form: quicker."""
        first, second = self._pairs(products.device)
        square = products.new_zeros(len(products), self.fire, self.fire)
        square[:, first, second] = products
        slopes = (square.flatten(0, 1) @ fires).reshape(len(fires), *square.shape[:2], -1)
        return ((slopes + layers[..., None]) * fires[:, None]).sum(dim=2)


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
