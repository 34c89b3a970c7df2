"""timm encoders, with local weights or none: no model hub is ever asked."""

from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional


def build_encoder(name: str, *, inputs: int, weights: Path | None = None, **arguments: Any) -> Any:  # noqa: ANN401  each family of timm has a class of its own
    """Build a timm encoder.

    Parameters
    ----------
    name : str
        As `timm.create_model` knows it.
    inputs : int
        Input channels.
    weights : Path, optional
        Local state dict of this encoder, ``.safetensors`` or ``.pth``; default random weights.
        Inputs beyond those it was trained with start at zero weight.
    **arguments : dict
        Of the timm model.

    Returns
    -------
    nn.Module
        The encoder.

    Raises
    ------
    ValueError
        If the weights are not of this encoder.
    """
    overlay: dict[str, Any] = {}
    if weights is not None:
        state = _pad_first(_read(weights), inputs)
        _compare(name, state, arguments, weights)
        # timm would otherwise adapt the first layer from the 3 colours it assumes
        overlay = {"state_dict": state, "input_size": (inputs, 224, 224)}
    return timm.create_model(
        name,
        pretrained=weights is not None,
        pretrained_cfg_overlay=overlay,
        in_chans=inputs,
        **arguments,
    )


def _read(path: Path) -> dict[str, Tensor]:
    """Read a state dict without running what a pickle may carry."""
    if path.suffix == ".safetensors":
        return load_file(path)
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _pad_first(state: dict[str, Tensor], inputs: int) -> dict[str, Tensor]:
    """Give the first convolution weights of zero for the inputs it has never seen."""
    first = next((name for name, value in state.items() if value.ndim == 4), None)
    if first is None or state[first].shape[1] >= inputs:
        return state
    missing = inputs - state[first].shape[1]
    return {**state, first: functional.pad(state[first], (0, 0, 0, 0, 0, missing))}


def _compare(name: str, state: dict[str, Tensor], arguments: dict[str, Any], weights: Path) -> None:
    """Refuse a state dict with other names: timm would leave what it lacks random."""
    plain = {key: value for key, value in arguments.items() if key not in _FEATURE_ARGUMENTS}
    encoder = timm.create_model(name, pretrained=False, num_classes=0, **plain)
    missing = sorted(encoder.state_dict().keys() - state.keys())
    if missing:
        raise ValueError(
            f"{weights} holds no {missing[0]}: it is not a state dict of timm's {name} "
            "with these arguments"
        )


_FEATURE_ARGUMENTS = frozenset({"features_only", "out_indices", "num_classes"})
