"""timm encoders, with local weights or none: no model hub is ever asked."""

import logging
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

log = logging.getLogger(__name__)

_FEATURE_ARGUMENTS = frozenset({"features_only", "out_indices", "num_classes"})


def build_encoder(
    name: str,
    *,
    inputs: int,
    weights: Path | None = None,
    colours: Sequence[int] | None = None,
    **arguments: Any,  # noqa: ANN401  each family has its own
) -> Any:  # noqa: ANN401
    """Build a timm encoder.

    Parameters
    ----------
    name : str
        As `timm.create_model` knows it.
    inputs : int
        Input channels.
    weights : Path, optional
        Local state dict of this encoder, ``.safetensors`` or ``.pth``; default random weights.
    colours : sequence of int, optional
        Which inputs are red, green and blue: they take the file's three filters, the others keep
        their random ones. Default: the file's filters go to the first inputs, and inputs beyond
        those it was trained with start at zero weight.
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
    if weights is None:
        return timm.create_model(name, pretrained=False, in_chans=inputs, **arguments)
    found = _read(weights)
    plain = {key: value for key, value in arguments.items() if key not in _FEATURE_ARGUMENTS}
    fresh = timm.create_model(name, pretrained=False, num_classes=0, in_chans=inputs, **plain)
    _compare(name, fresh, found, weights)
    first = _first(found)
    known = found[first].shape[1]
    found[first] = (
        _pad(found[first], inputs)
        if colours is None
        else _coloured(fresh.state_dict()[first], found[first], colours)
    )
    _report(name, fresh, found, weights)
    log.info("%s: %d of its %d inputs start from the file's filters", name, known, inputs)
    return timm.create_model(
        name,
        pretrained=True,
        # timm would otherwise adapt the first layer from the 3 colours it assumes
        pretrained_cfg_overlay={"state_dict": found, "input_size": (inputs, 224, 224)},
        in_chans=inputs,
        **arguments,
    )


def _read(path: Path) -> dict[str, Tensor]:
    """Read a state dict without running what a pickle may carry."""
    if not path.is_file():
        raise ValueError(f"there are no weights at {path}: nothing is ever downloaded, put them")
    if path.suffix == ".safetensors":
        return load_file(path)
    try:
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(f"{path} holds more than numbers: it is not opened") from None
    return state


def _first(state: dict[str, Tensor]) -> str:
    """Name of the first convolution's weight."""
    return next(name for name, value in state.items() if value.ndim == 4)


def _pad(weight: Tensor, inputs: int) -> Tensor:
    """Give the first convolution weights of zero for the inputs it has never seen."""
    return functional.pad(weight, (0, 0, 0, 0, 0, max(0, inputs - weight.shape[1])))


def _coloured(fresh: Tensor, trained: Tensor, colours: Sequence[int]) -> Tensor:
    """Put the filters of red, green and blue where these bands are."""
    out = fresh.clone()
    out[:, list(colours)] = trained[:, : len(colours)].to(out.dtype)
    return out


def _compare(name: str, fresh: nn.Module, state: dict[str, Tensor], weights: Path) -> None:
    """Refuse a state dict with other names: timm would leave what it lacks random."""
    missing = sorted(fresh.state_dict().keys() - state.keys())
    if missing:
        raise ValueError(
            f"{weights} holds no {missing[0]}: it is not a state dict of timm's {name} "
            "with these arguments"
        )


def _report(name: str, fresh: nn.Module, state: dict[str, Tensor], weights: Path) -> None:
    """Say what was taken from a file and what was not."""
    wanted = fresh.state_dict().keys()
    unused = sorted(state.keys() - wanted)
    log.info(
        "%s: all its %d tensors start from %s; not used of the file: %s",
        name,
        len(wanted),
        weights,
        ", ".join(unused) or "nothing",
    )
