"""The networks that come with firesat."""

from pathlib import Path
from typing import Any

from torch import nn

from firesat.batch import Channels
from firesat.errors import ConfigError
from firesat.project import import_class, read_yaml, shipped
from firesat.samples import Inputs


def list_models(folder: Path | None = None) -> list[dict[str, Any]]:
    """Describe every network that has a config.

    Parameters
    ----------
    folder : Path, optional
        Of the configs; default those that come with firesat.

    Returns
    -------
    list of dict
        ``name``, ``class``, ``inputs``, ``halo`` and ``stride`` (cells), ``parameters`` and
        ``trainable_parameters`` for the default inputs; by name.

    Raises
    ------
    ConfigError
        If a config names no network.
    """
    found = sorted((folder or shipped("configs/model")).glob("*.yaml"))
    return [_describe(path, Inputs().channels(80)) for path in found]


def build_network(path: Path, channels: Channels) -> nn.Module:
    """Build the network of a config.

    Parameters
    ----------
    path : Path
        YAML with ``model.network``.
    channels : Channels
        Sizes of the batch.

    Returns
    -------
    nn.Module
        With fresh weights.

    Raises
    ------
    ConfigError
        If the config names no network.
    """
    spec = read_yaml(path).get("model", {}).get("network", {})
    if "class_path" not in spec:
        raise ConfigError(f"{path} names no network: it needs model.network.class_path")
    kind = import_class(spec["class_path"], ("firesat_models.",))
    network: nn.Module = kind(channels, **(spec.get("init_args") or {}))
    return network


def _describe(path: Path, channels: Channels) -> dict[str, Any]:
    """One row of the list."""
    network: Any = build_network(path, channels)
    sizes = [(weight.numel(), weight.requires_grad) for weight in network.parameters()]
    return {
        "name": path.stem,
        "class": f"{type(network).__module__}.{type(network).__qualname__}",
        "inputs": list(network.inputs),
        "halo": network.halo,
        "stride": network.stride,
        "parameters": sum(size for size, _ in sizes),
        "trainable_parameters": sum(size for size, moves in sizes if moves),
    }
