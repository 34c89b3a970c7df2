"""LoRA (Hu et al. 2022, arXiv:2106.09685): a small trainable product beside frozen weights."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class LowRank(nn.Module):
    """A frozen linear layer and what is learned beside it: W + (alpha / rank) B A.

    Parameters
    ----------
    base : nn.Linear
        The layer; it is frozen.
    rank : int
        Rows of A.
    alpha : float
        Weight of the product, times `rank`.
    dropout : float
        Of its input, 0..1.
    """

    def __init__(self, base: nn.Linear, rank: int, alpha: float, dropout: float) -> None:
        super().__init__()
        self.base = base.requires_grad_(requires_grad=False)
        self.down = nn.Linear(base.in_features, rank, bias=False)
        self.up = nn.Linear(rank, base.out_features, bias=False)
        # at the start the product is zero and the layer says what it always said
        nn.init.zeros_(self.up.weight)
        self.scale, self.dropout = alpha / rank, nn.Dropout(dropout)

    def forward(self, values: Tensor) -> Tensor:
        """Apply the layer.

        Parameters
        ----------
        values : Tensor
            ``(..., inputs)``.

        Returns
        -------
        Tensor
            ``(..., outputs)``.
        """
        if self.training:
            extra: Tensor = self.up(self.down(self.dropout(values)))
            return torch.add(self.base(values), extra, alpha=self.scale)
        # a forecast needs one product of the tokens, not three
        whole = torch.addmm(self.base.weight, self.up.weight, self.down.weight, alpha=self.scale)
        return functional.linear(values, whole, self.base.bias)


class Relearned(nn.Module):
    """A layer that is trained whole, beside the frozen one that it started from.

    The published size counts both: the library that made it keeps the original.

    Parameters
    ----------
    base : nn.Module
        The layer.
    """

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.trained = copy.deepcopy(base)
        self.original = base.requires_grad_(requires_grad=False)

    def forward(self, values: Tensor) -> Tensor:
        """Apply the trained layer.

        Parameters
        ----------
        values : Tensor
            What the layer takes.

        Returns
        -------
        Tensor
            What the layer gives.
        """
        out: Tensor = self.trained(values)
        return out


def adapt(network: nn.Module, names: Sequence[str], rank: int, alpha: float, drop: float) -> None:
    """Freeze a network, but for low-rank products beside some linear layers.

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    names : sequence of str
        Ends of the names of these layers, such as "attn.qkv".
    rank : int
        Of the products.
    alpha : float
        Their weight, times `rank`.
    drop : float
        Dropout of their input, 0..1.
    """
    network.requires_grad_(requires_grad=False)
    layers = {name: layer for name, layer in network.named_modules() if name.endswith(tuple(names))}
    for name, layer in layers.items():
        parent, _, last = name.rpartition(".")
        if isinstance(layer, nn.Linear):
            setattr(network.get_submodule(parent), last, LowRank(layer, rank, alpha, drop))
