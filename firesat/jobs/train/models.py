"""The networks that come with firesat."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from firesat.batch import Channels
from firesat.benchmark.settings import BenchmarkInputs
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
        ``trainable_parameters`` for the inputs of the config, else the default ones; by name.
        Parameters are all numbers that a checkpoint keeps of the network, as the sizes in the
        literature count them: frozen ones and the moments of the norms too.

    Raises
    ------
    ConfigError
        If a config names no network.
    """
    root = folder or shipped("configs/model")
    found = sorted(root.rglob("*.yaml"), key=lambda path: (len(path.relative_to(root).parts), path))
    return [_describe(path, str(path.relative_to(root).with_suffix(""))) for path in found]


def channels_of(path: Path) -> Channels:
    """Give the sizes that the network of a config is built for.

    Parameters
    ----------
    path : Path
        YAML with ``model.network``; with ``data`` where it is made for CanadaFireSat.

    Returns
    -------
    Channels
        Of the config's own data, else of chips with the default inputs.
    """
    data = read_yaml(path).get("data")
    if data is None:
        return Inputs().channels(80)
    given = data["init_args"]["inputs"]
    lists: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in given.items()
    }
    return BenchmarkInputs(**lists).channels


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


def _describe(path: Path, name: str) -> dict[str, Any]:
    """One row of the list."""
    with torch.device("meta"):  # sizes alone: no weight is made
        network: Any = build_network(path, channels_of(path))
    stored = [value.numel() for value in network.state_dict().values() if value.is_floating_point()]
    return {
        "name": name,
        "class": f"{type(network).__module__}.{type(network).__qualname__}",
        "inputs": list(network.inputs),
        "halo": network.halo,
        "stride": network.stride,
        "parameters": sum(stored),
        "trainable_parameters": sum(w.numel() for w in network.parameters() if w.requires_grad),
    }
