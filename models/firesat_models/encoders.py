"""timm encoders by name, with local weights or none: no model hub is ever asked.

Transformers take their size from the chip, so that a map may be made with other chips than the
network learned from; feature maps come as (N, C, y, x) from every family.
"""

import logging
import pickle
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

log = logging.getLogger(__name__)

_FEATURE_ARGUMENTS = frozenset({"features_only", "out_indices", "num_classes"})

_FETCHING = frozenset(
    {"pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir"}
)
"""Arguments with which timm would open a file of any kind, or ask a hub."""

_FIXED_SIZE = ("vit_", "swin")  # families that otherwise refuse any image but their own size
_CHANNELS_LAST = ("swin",)  # families whose feature maps are (N, y, x, C)

RED_GREEN_BLUE = (3, 2, 1)
"""Which Sentinel-2 bands are the colours of published weights: B04, B03, B02 of B01, B02, ..."""

OTHERS = (0, 4, 5, 6, 7, 8, 9, 10, 11, 12)
"""The bands that published weights have no filters of."""


class ChannelsFirst(nn.Module):
    """An encoder whose feature maps are (N, y, x, C), turned.

    Parameters
    ----------
    body : nn.Module
        With ``feature_info``.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.feature_info: Any = body.feature_info

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Encode frames.

        Parameters
        ----------
        frames : Tensor
            ``(N, C, Y, X)``.

        Returns
        -------
        list of Tensor
            ``(N, C, y, x)``, finest first.
        """
        return [features.permute(0, 3, 1, 2) for features in self.body(frames)]


def build_encoder(
    name: str,
    *,
    inputs: int,
    weights: Path | None = None,
    colours: Sequence[int] | None = None,
    grey: Sequence[int] = (),
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
        Local state dict of this encoder, ``.safetensors`` or ``.pth``, or of a model that it is a
        part of; default random weights.
    colours : sequence of int, optional
        Which inputs are red, green and blue: of a file of three they take the filters, the others
        keep their random ones. Default, and of a file of other inputs: its filters go to the first
        inputs, and inputs beyond those it was trained with start at zero weight.
    grey : sequence of int
        Inputs that, beside `colours`, take the mean of the three filters; then inputs that are in
        neither start at zero, and all are scaled so that a grey scene looks as bright as it did.
    **arguments : dict
        Of the timm model.

    Returns
    -------
    nn.Module
        The encoder.

    Raises
    ------
    ValueError
        If timm has no such encoder, or the weights are not of it.
    """
    if unsafe := sorted(_FETCHING & arguments.keys()):
        raise ValueError(f"encoder_args may not hold {unsafe[0]}: give a local file as weights")
    if name.startswith(_FIXED_SIZE) and arguments.get("features_only"):
        arguments = {"dynamic_img_size": True, **arguments}
    made = _create(name, inputs, weights, (colours, grey), arguments)
    turned = name.startswith(_CHANNELS_LAST) and arguments.get("features_only")
    return ChannelsFirst(made) if turned else made


def _create(
    name: str,
    inputs: int,
    weights: Path | None,
    bands: tuple[Sequence[int] | None, Sequence[int]],
    arguments: dict[str, Any],
) -> nn.Module:
    """The encoder as timm builds it."""
    if weights is None:
        made = _timm(name, in_chans=inputs, **arguments)
        log.info("%s is built with random weights: no file was given", name)
        return made
    found = _read(weights)
    plain = {key: value for key, value in arguments.items() if key not in _FEATURE_ARGUMENTS}
    fresh = _timm(name, num_classes=0, in_chans=inputs, **plain)
    found = _own_names(fresh.state_dict(), found)
    _compare(name, fresh, found, weights)
    # of the model, not of the file: that is sorted by name
    first = _first(fresh.state_dict())
    known = found[first].shape[1]
    found[first] = _stem(fresh.state_dict()[first], found[first], *bands)
    _report(name, fresh, found, weights)
    log.info("%s: %d of its %d inputs start from the file's filters", name, known, inputs)
    found = {key: value for key, value in found.items() if key in fresh.state_dict()}
    usual: Any = fresh.pretrained_cfg
    size = usual["input_size"][1:]  # else a table of places would be interpolated
    return _timm(
        name,
        pretrained=True,
        # timm would otherwise adapt the first layer from the 3 colours it assumes
        pretrained_cfg_overlay={"state_dict": found, "input_size": (inputs, *size)},
        in_chans=inputs,
        **arguments,
    )


def _timm(name: str, **arguments: Any) -> nn.Module:  # noqa: ANN401  each family has its own
    """A model of timm, or one line on why there is none."""
    if not timm.is_model(name):
        near = get_close_matches(name, timm.list_models(), n=1)
        hint = f"did you mean {near[0]}?" if near else "timm.list_models() has all names"
        raise ValueError(f"timm has no encoder {name}: {hint}")
    try:
        made: nn.Module = timm.create_model(name, **arguments)
    except IndexError:
        asked = len(arguments.get("out_indices", ()))
        raise ValueError(f"{name} has fewer than {asked} scales: lower scales") from None
    return made


def _stem(
    fresh: Tensor, trained: Tensor, colours: Sequence[int] | None, grey: Sequence[int]
) -> Tensor:
    """The first convolution, from that of the file."""
    if colours is None or trained.shape[1] != len(colours):
        return _pad(trained, fresh.shape[1])
    return _spread(fresh, trained, colours, grey) if grey else _coloured(fresh, trained, colours)


def _spread(fresh: Tensor, trained: Tensor, colours: Sequence[int], grey: Sequence[int]) -> Tensor:
    """Filters of colours where they are, their mean where other bands are, as bright in all."""
    out = torch.zeros_like(fresh)
    out[:, list(colours)] = trained.to(out.dtype)
    out[:, list(grey)] = trained.mean(dim=1, keepdim=True).to(out.dtype)
    return out * (len(colours) / (len(colours) + len(grey)))


def _read(path: Path) -> dict[str, Tensor]:
    """Read a state dict without running what a pickle may carry."""
    if not path.is_file():
        raise ValueError(
            f"there are no weights at {path}: nothing is ever downloaded, put the file there"
        )
    try:
        state: Any = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except pickle.UnpicklingError:
        raise ValueError(f"{path} holds more than numbers: it is not opened") from None
    except (SafetensorError, RuntimeError, EOFError):
        raise ValueError(f"{path} is damaged, or holds no weights: copy it again") from None
    state = state.get("state_dict", state) if isinstance(state, dict) else {}
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def _own_names(wanted: dict[str, Tensor], state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name weights as the encoder does, where a file has them as a part of something larger.

    What was trained with torchgeo calls them ``model.conv1.weight`` or ``backbone.conv1.weight``.
    """
    stem = _first(wanted)
    parts = [name.removesuffix(stem) for name in state if name.endswith(f".{stem}")]
    for part in parts:
        own = {k.removeprefix(part): v for k, v in state.items() if k.startswith(part)}
        if wanted.keys() <= own.keys():
            log.info("of the file only %s* is used", part)
            return own
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
