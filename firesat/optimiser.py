"""How the weights move: AdamW, slower in an encoder's first layers; a warm-up and a half cosine."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from firesat.errors import ConfigError

ENCODER = "frames."
"""Under this name a network holds the encoder that may start from learned weights."""

_FREE = ("bias", "pos_embed", "cls_token", "reg_token", ".day")
"""Ends of names of what is no matrix, whatever its shape."""

_BLOCK = re.compile(r".*?\b(blocks|layer\d+)\.\d+\.")  # as timm names them, in every family


ENDLESS = "the training has no end: give trainer.max_epochs or max_steps"
"""Said where no schedule leads to an end."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How fast weights move, and how fast they shrink.

    Parameters
    ----------
    learning_rate : float
        Highest rate, above 0.
    weight_decay : float
        Of matrices and kernels, from 0; biases, norms and tables of places and tokens are free.
    warmup : float
        Share of the steps with a rising rate, 0..1.
    lowest_rate : float
        Where the warm-up begins and the cosine ends, 0 to `learning_rate`.
    layer_decay : float
        Rate of each of the encoder's layers beside the next one's, above 0 to 1: what is learned
        already moves the less, the nearer it lies to the input (Bao et al. 2022, BEiT,
        arXiv:2106.08254).

    Raises
    ------
    ConfigError
        If a number is impossible.
    """

    learning_rate: float
    weight_decay: float = 0.0
    warmup: float = 0.1
    lowest_rate: float = 0.0
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        """Refuse numbers with which nothing would be learned."""
        allowed = {
            "learning_rate": ("above 0", 0 < self.learning_rate < math.inf),
            "weight_decay": ("from 0 on", 0 <= self.weight_decay < math.inf),
            "warmup": ("0 to 1", 0 <= self.warmup <= 1),
            "lowest_rate": ("0 to learning_rate", 0 <= self.lowest_rate <= self.learning_rate),
            "layer_decay": ("above 0, to 1", 0 < self.layer_decay <= 1),
        }
        for name, (limits, fine) in allowed.items():
            if not fine:
                raise ConfigError(f"model.{name}={getattr(self, name)} is impossible: {limits}")


def adamw(network: nn.Module, rates: Rates) -> torch.optim.AdamW:
    """Set up AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101).

    Parameters
    ----------
    network : nn.Module
        Whose parameters move.
    rates : Rates
        How fast.

    Returns
    -------
    torch.optim.AdamW
        With one kernel for all parameters.

    Raises
    ------
    ConfigError
        If layers shall differ and the network has no encoder.
    """
    moving = [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
    layers = encoder_layers(name for name, _ in moving)
    if rates.layer_decay < 1 and not layers:
        raise ConfigError(
            f"model.layer_decay={rates.layer_decay}: {type(network).__name__} has no encoder whose "
            "layers could learn at rates of their own; leave it at 1"
        )
    depth = 1 + max(layers.values(), default=-1)
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, weight in moving:
        below = depth - layers.get(name, depth)
        decays = weight.ndim >= 2 and not name.endswith(_FREE)
        made = {
            "params": [],
            "lr": rates.learning_rate * rates.layer_decay**below,
            "weight_decay": rates.weight_decay if decays else 0.0,
        }
        key = (below if rates.layer_decay < 1 else 0, not decays)
        groups.setdefault(key, made)["params"].append(weight)
    ordered = [groups[key] for key in sorted(groups)]
    optimizer: Any = torch.optim.AdamW(ordered, lr=rates.learning_rate, fused=True)
    # in mixed precision Lightning clips no gradients that an optimiser would unscale by itself
    optimizer._step_supports_amp_scaling = False
    fused: torch.optim.AdamW = optimizer
    return fused


def encoder_layers(names: Iterable[str]) -> dict[str, int]:
    """Number the layers of an encoder from its input on.

    Parameters
    ----------
    names : iterable of str
        Of a network's parameters, in their order, such as ``frames.blocks.3.attn.qkv.weight``.

    Returns
    -------
    dict of str to int
        Layer of each parameter of the encoder: the stem is 0, then each block one more; what
        follows a block and is none, such as the last norm, belongs to it.

    Examples
    --------
    >>> encoder_layers(["frames.conv1.weight", "frames.layer1.0.bn1.bias", "head.weight"])
    {'frames.conv1.weight': 0, 'frames.layer1.0.bn1.bias': 1}
    """
    found: dict[str, int] = {}
    seen: dict[str, int] = {}
    layer = 0
    for name in names:
        if not name.startswith(ENCODER):
            continue
        if block := _BLOCK.match(name):
            layer = seen.setdefault(block[0], len(seen) + 1)
        found[name] = layer
    return found


def warm_cosine(step: int, steps: int, warmup: float, floor: float = 0.0) -> float:
    """Give the share of the highest learning rate at a step.

    Parameters
    ----------
    step : int
        From 0.
    steps : int
        Of the whole training.
    warmup : float
        Share of the steps with a rising rate.
    floor : float
        Share from which it rises and to which it falls, 0..1.

    Returns
    -------
    float
        0..1; SGDR's half cosine (Loshchilov and Hutter 2017, arXiv:1608.03983).

    Examples
    --------
    >>> [round(warm_cosine(step, 10, 0.2), 2) for step in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    warm = max(1, round(warmup * steps))
    if step < warm:
        return floor + (1.0 - floor) * (step + 1) / warm
    progress = min(1.0, (step - warm) / max(1, steps - warm))
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))


def adamw_to_the_end(network: nn.Module, steps: float, rates: Rates) -> dict[str, Any]:
    """Set up AdamW and its schedule over a whole training.

    Parameters
    ----------
    network : nn.Module
        Whose parameters move.
    steps : float
        Of the whole training.
    rates : Rates
        How fast.

    Returns
    -------
    dict
        What Lightning asks for: optimizer and schedule.

    Raises
    ------
    ConfigError
        If the training has no end, or the network has no layers for rates of their own.
    """
    if math.isinf(steps):
        raise ConfigError(ENDLESS)
    optimizer = adamw(network, rates)
    floor = rates.lowest_rate / rates.learning_rate
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warm_cosine(step, int(steps), rates.warmup, floor)
    )
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
