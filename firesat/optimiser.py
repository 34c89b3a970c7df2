"""How the weights move: AdamW, a warm-up and a half cosine."""

import math
from typing import Any

import torch
from torch import nn

from firesat.errors import ConfigError


def adamw(network: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """Set up AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101).

    Parameters
    ----------
    network : nn.Module
        Whose parameters move.
    learning_rate : float
        Step size.
    weight_decay : float
        Of matrices and kernels; biases and norms are free.

    Returns
    -------
    torch.optim.AdamW
        With one kernel for all parameters.
    """
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [weight for weight in weights if weight.ndim >= 2]},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, weight_decay=weight_decay, fused=True)


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


def adamw_to_the_end(
    network: nn.Module,
    steps: float,
    *,
    learning_rate: float,
    weight_decay: float,
    warmup: float,
    lowest_rate: float,
) -> dict[str, Any]:
    """Set up AdamW and its schedule over a whole training.

    Parameters
    ----------
    network : nn.Module
        Whose parameters move.
    steps : float
        Of the whole training.
    learning_rate, weight_decay
        As :func:`adamw`.
    warmup : float
        Share of the steps with a rising rate.
    lowest_rate : float
        Where the warm-up begins and the cosine ends.

    Returns
    -------
    dict
        What Lightning asks for: optimizer and schedule.

    Raises
    ------
    ConfigError
        If the training has no end.
    """
    if math.isinf(steps):
        raise ConfigError("the training has no end: give trainer.max_epochs or max_steps")
    optimizer = adamw(network, learning_rate, weight_decay)
    floor = lowest_rate / learning_rate
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warm_cosine(step, int(steps), warmup, floor)
    )
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
