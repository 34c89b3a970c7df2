"""What a checkpoint says of itself, and how a network is built again from it.

A checkpoint is data: it is read with ``weights_only=True``, holds plain values and tensors, and may
name only networks of `firesat_models`.
"""

import importlib
import inspect
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from torch import Tensor, nn

from firesat import __version__
from firesat.batch import Channels
from firesat.errors import CheckpointError

GUESTS = "firesat_models."
"""Where the class of a network must stand for a checkpoint to name it."""

RECORD = "firesat"
"""Key of a checkpoint under which firesat's own record stands."""


def describe(network: nn.Module) -> dict[str, Any]:
    """Say how a network was built.

    Parameters
    ----------
    network : nn.Module
        It keeps every argument of its constructor under the argument's own name.

    Returns
    -------
    dict
        ``network_class``, ``network_args`` and ``channels``, plain values all.

    Raises
    ------
    CheckpointError
        If the network has not kept an argument, or one that no checkpoint can hold.
    """
    kind = type(network)
    name = f"{kind.__module__}.{kind.__qualname__}"
    arguments: dict[str, Any] = {}
    for argument in inspect.signature(kind).parameters:
        if not hasattr(network, argument):
            raise CheckpointError(
                f"{name} does not keep {argument!r}: write self.{argument} = {argument} in its "
                "constructor, so that a checkpoint can build it again"
            )
        arguments[argument] = getattr(network, argument)
    channels = arguments.pop("channels")
    # the trained weights stand in the checkpoint; the file they started from may be gone
    arguments = {k: None if k.endswith("weights") else v for k, v in arguments.items()}
    return {
        "network_class": name,
        "network_args": plain(arguments, name),
        "channels": asdict(channels),
    }


def record_of(network: nn.Module, more: Mapping[str, Any]) -> dict[str, Any]:
    """Write down what is needed to forecast with a network, and where it comes from.

    Parameters
    ----------
    network : nn.Module
        As for :func:`describe`.
    more : mapping
        Its inputs, scaler, precision and provenance.

    Returns
    -------
    dict
        Plain values.

    Raises
    ------
    CheckpointError
        If something can stand in no checkpoint.
    """
    own = {**describe(network), "firesat_version": __version__}
    return own | {name: plain(value, name) for name, value in more.items()}


def plain(value: Any, where: str) -> Any:  # noqa: ANN401  any value, as YAML would hold it
    """Turn a value into one that a checkpoint may hold.

    Parameters
    ----------
    value : object
        Numbers, text, arrays, paths, and mappings or sequences of them.
    where : str
        Name for messages.

    Returns
    -------
    object
        The same in dict, list, str, int, float, bool and None.

    Raises
    ------
    CheckpointError
        For anything else.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, where) for item in value]
    if isinstance(value, np.ndarray | np.generic | Tensor):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise CheckpointError(f"{where} is a {type(value).__name__}, which no checkpoint may hold")


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a checkpoint without running anything it may carry.

    Parameters
    ----------
    path : Path
        File written by `firesat train fit`.

    Returns
    -------
    record : dict
        What firesat wrote of the network, its inputs and its training.
    weights : dict of Tensor
        State of the forecaster, on the CPU.

    Raises
    ------
    CheckpointError
        If there is no such file, or it is no checkpoint of firesat.
    """
    if not path.is_file():
        raise CheckpointError(
            f"there is no checkpoint at {path}: run firesat train fit --config FILE, "
            "or give --checkpoint"
        )
    try:
        _check_sums(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        return dict(content[RECORD]), dict(content["state_dict"])
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"{path} holds more than numbers and text, or is damaged: firesat does not open it"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, BadZipFile):
        raise CheckpointError(
            f"{path} is no checkpoint of firesat, or damaged: train again, or give another one"
        ) from None


def read_groups(path: Path) -> list[int]:
    """Count the weights in each group that a checkpoint's optimiser moves.

    Parameters
    ----------
    path : Path
        That `read_checkpoint` has opened.

    Returns
    -------
    list of int
        In the order of the groups; empty where the checkpoint holds no optimiser.
    """
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    try:
        return [len(group["params"]) for group in content["optimizer_states"][0]["param_groups"]]
    except (IndexError, KeyError, TypeError):
        return []


def refuse_misfit(weights: Mapping[str, Tensor], module: nn.Module, path: Path) -> None:
    """Refuse weights of other shapes than those of the network that the record describes.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Of a checkpoint.
    module : nn.Module
        Built from its record by this firesat.
    path : Path
        Of the checkpoint, for the message.

    Raises
    ------
    CheckpointError
        With the first weight that differs.
    """
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    odd = [name for name in wanted | found if wanted.get(name) != found.get(name)]
    if odd:
        there, here = found.get(odd[0], "missing"), wanted.get(odd[0], "unknown here")
        raise CheckpointError(
            f"{path} does not fit its own network ({odd[0]} is {there}, here {here}): if another "
            "version of firesat made it, train it anew"
        )


def refuse_other(then: Mapping[str, Any], now: Mapping[str, Any], what: str) -> None:
    """Refuse to go on with other inputs than a checkpoint was trained on.

    Parameters
    ----------
    then, now : mapping
        Records of the checkpoint, and of what it meets.
    what : str
        What it meets, for the message.

    Raises
    ------
    CheckpointError
        Naming the first things that differ, at most three.
    """
    found = list(_differences(plain(then, "checkpoint"), plain(now, what), ""))
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise CheckpointError(
            f"the checkpoint does not fit {what}: {'; '.join(found[:3])}{more}. Give the one it "
            "was trained on, or train again"
        )


def _differences(then: Any, now: Any, where: str) -> Iterator[str]:  # noqa: ANN401  plain values
    """Where two records differ, and how."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted(then.keys() | now.keys()):
            yield from _differences(then.get(key), now.get(key), f"{where}.{key}".lstrip("."))
    elif then != now:
        yield f"{where} was {_short(then)}, is {_short(now)}"


def _short(value: object) -> str:
    """A value in a message."""
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _check_sums(path: Path) -> None:
    """Refuse a file with a changed bit: torch writes checksums but does not read them."""
    with ZipFile(path) as archive:
        broken = archive.testzip()
    if broken is not None:
        raise BadZipFile(broken)


def rebuild(record: Mapping[str, Any], path: Path) -> nn.Module:
    """Build the network that a checkpoint describes.

    Parameters
    ----------
    record : mapping
        From `read_checkpoint`.
    path : Path
        Of the checkpoint, for messages.

    Returns
    -------
    nn.Module
        With fresh weights.

    Raises
    ------
    CheckpointError
        If the class stands elsewhere than in `firesat_models`, is missing, or takes other
        arguments.
    """
    name = str(record.get("network_class"))
    if not name.startswith(GUESTS):
        raise CheckpointError(
            f"{path} names the network {name}: only those of {GUESTS}* are built from a checkpoint"
        )
    module, _, attribute = name.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), attribute)
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise CheckpointError(f"{path} names {name}, which is no network")
        network: nn.Module = kind(Channels(**record["channels"]), **record["network_args"])
    except (ImportError, AttributeError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} does not fit this firesat, which cannot build its {name} "
            f"({' '.join(str(error).split())[:120]}): train again"
        ) from None
    return network
