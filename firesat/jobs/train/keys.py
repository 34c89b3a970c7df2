"""The `train:` section before Lightning sees it: overrides, spelling, and what it may name."""

import hashlib
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from firesat.errors import ConfigError
from firesat.forecast import Forecaster
from firesat.project import import_class, read_yaml

ALLOWED = (
    "firesat.",
    "firesat_models.",
    "pytorch_lightning.callbacks.",
    "pytorch_lightning.loggers.",
    "torch.nn.",
    "torch.optim.",
)
"""Packages whose classes a training config may name."""

SECTIONS: dict[str, type | None] = {
    "model": Forecaster,
    "trainer": Trainer,
    "checkpoint": ModelCheckpoint,
    "data": None,
    "seed_everything": None,
    "ckpt_path": None,
}
"""Keys of the section, with the class each configures."""

CHIPS = "firesat.datamodule.ChipData"
NETWORK = "firesat_models.TemporalCNN"
"""Where none is named."""

_Tree = dict[str, Any]


def assemble(settings: Mapping[str, Any], overrides: Sequence[str]) -> _Tree:
    """Apply overrides to a copy of the settings.

    Parameters
    ----------
    settings : mapping
        The `train` section.
    overrides : sequence of str
        As on the command line: ``--trainer.max_epochs 3``, ``--trainer.max_epochs=3``, or
        ``--config FILE``, whose content is laid over what stands before it. Values are YAML; a key
        that ends in "+", such as ``trainer.callbacks+``, adds to a list.

    Returns
    -------
    dict
        With `data`, and a network of which something is said, in the form ``class_path`` and
        ``init_args``.

    Raises
    ------
    ConfigError
        If an override is no setting.
    """
    content = _laid_over({}, deepcopy(dict(settings)))
    for name, text in _pairs(overrides):
        if name in ("config", "c"):
            content = _laid_over(content, read_yaml(Path(text)))
        else:
            _put(content, name, _value(name, text))
    data = content.get("data")
    if isinstance(data, Mapping) and "class_path" not in data:
        content["data"] = {"class_path": CHIPS, "init_args": dict(data)}
    model = content.get("model")
    network = model.get("network") if isinstance(model, Mapping) else None
    if isinstance(network, Mapping) and "class_path" not in network:
        content["model"]["network"] = {"class_path": NETWORK, "init_args": dict(network)}
    return content


def _pairs(overrides: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(name, value) of each override."""
    words = iter(overrides)
    for word in words:
        name, separator, text = word.partition("=")
        if not separator:
            text = next(words, "")
        if not word.startswith("-") or not text or text.startswith("--"):
            raise ConfigError(f"{word!r} is no setting: write it as --trainer.max_epochs=3")
        yield name.lstrip("-"), text


def _value(name: str, text: str) -> Any:  # noqa: ANN401  whatever YAML holds
    """Read the value of an override."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"the value of --{name}, {text!r}, is no YAML") from None


def _put(content: _Tree, name: str, value: object) -> None:
    """Set one dotted key; inside a class, its arguments are meant."""
    *parents, last = name.split(".")
    for parent in parents:
        if parent == "init_args":  # as Lightning spells it; they are meant anyway
            continue
        content = _inside(content).setdefault(parent, {})
        if not isinstance(content, dict):
            raise ConfigError(f"--{name}: {parent} is a value, it has no key of its own")
    place = content if last in ("class_path", "init_args") else _inside(content)
    place.update(_laid_over(place, {last: value}) if last.endswith("+") else {last: value})


def _inside(content: _Tree) -> _Tree:
    """The arguments of a class, or the mapping itself."""
    if "class_path" not in content:
        return content
    inside: _Tree = content.setdefault("init_args", {})
    return inside


def _laid_over(below: _Tree, above: Mapping[str, Any]) -> _Tree:
    """Merge mappings; another class brings its own arguments, and "key+" adds to a list."""
    if "class_path" in above and above["class_path"] != below.get("class_path"):
        return dict(above)
    out = dict(below)
    for key, value in above.items():
        name = str(key).removesuffix("+")
        old = out.get(name)
        if name != key:
            out[name] = [*_as_list(old), *_as_list(value)]
        elif isinstance(value, Mapping):
            out[key] = _laid_over(old if isinstance(old, dict) else {}, value)
        else:
            out[key] = value
    return out


def _as_list(value: object) -> list[Any]:
    """A list, or one of a single thing; of nothing an empty one."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def check(content: Mapping[str, Any], allowed: Sequence[str] = ALLOWED) -> None:
    """Refuse misspelt keys and classes from elsewhere, before anything is built or read.

    Parameters
    ----------
    content : mapping
        From `assemble`.
    allowed : sequence of str
        Prefixes of class paths that may be named.

    Raises
    ------
    ConfigError
        For the first one, with the nearest right key.
    """
    _check_names(content, SECTIONS, "train")
    if "spawn" in str((content.get("trainer") or {}).get("strategy")):
        raise ConfigError("trainer.strategy: settings cannot be sent to spawned processes: use ddp")
    for section, kind in SECTIONS.items():
        part = content.get(section)
        if kind is not None and isinstance(part, Mapping):
            _check_names(part, _arguments(kind), f"train.{section}")
            _check_groups(part, kind, f"train.{section}")
        _check_classes(part, allowed, f"train.{section}")


def _check_classes(value: object, allowed: Sequence[str], where: str) -> None:
    """Check every class that a value names, however deep."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            _check_classes(item, allowed, f"{where}[{number}]")
    if not isinstance(value, Mapping):
        return
    if "class_path" in value:
        _check_names(value, ("class_path", "init_args", "dict_kwargs"), where)
        kind = import_class(str(value["class_path"]), allowed)
        given = value.get("init_args") or {}
        _check_names(given, _arguments(kind), f"{where}.{kind.__name__}")
        _check_groups(given, kind, where)
    for key, item in value.items():
        _check_classes(item, allowed, f"{where}.{key}")


def _check_groups(given: Mapping[str, Any], kind: type, where: str) -> None:
    """Check the keys of arguments that are groups of settings."""
    for name, parameter in inspect.signature(kind).parameters.items():
        group = parameter.annotation
        if is_dataclass(group) and isinstance(given.get(name), Mapping):
            _check_names(given[name], [one.name for one in fields(group)], f"{where}.{name}")


def _arguments(kind: type) -> tuple[str, ...]:
    """Arguments of a class; "*" if it takes any."""
    parameters = inspect.signature(kind).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return ("*",)
    return tuple(parameter.name for parameter in parameters)


def _check_names(content: object, known: Sequence[str] | Mapping[str, Any], where: str) -> None:
    """Refuse the first key that is not known."""
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where} holds {content!r}, not keys and values")
    for key in content:
        if key not in known and "*" not in known:
            near = get_close_matches(str(key), list(known), n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key {key!r}: {hint}")


def digest(content: Mapping[str, Any]) -> str:
    """Give a short name to settings.

    Parameters
    ----------
    content : mapping
        From `assemble`.

    Returns
    -------
    str
        First 16 hexadecimal digits of the SHA-256 of its JSON.
    """
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
