"""Keys and classes that a config may name, checked against the types that they build."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from difflib import get_close_matches
from inspect import signature
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from firesat.errors import ConfigError

ALLOWED = ("firesat.", "firesat_models.")
"""Packages whose classes a config may name; `train:` has its own, longer list."""


def check_keys(kind: Any, content: object, where: str) -> None:  # noqa: ANN401  any annotation
    """Refuse keys that a type does not have, naming the nearest it has.

    Parameters
    ----------
    kind : type or annotation
        What `content` should build: a dataclass, a list of them, a plug-in, or anything else.
    content : object
        Parsed YAML.
    where : str
        Name for messages.

    Raises
    ------
    ConfigError
        For the first unknown key, or a class from a package that configs may not name.
    """
    for option in _options(kind):
        if get_origin(option) in (list, tuple) and isinstance(content, list):
            for number, item in enumerate(content):
                check_keys(get_args(option)[0], item, f"{where}[{number}]")
        elif isinstance(content, Mapping) and "class_path" in content:
            target = import_class(str(content["class_path"]), ALLOWED)
            _check_mapping(target, content.get("init_args") or {}, f"{where}.{target.__name__}")
        elif is_dataclass(option) and isinstance(content, Mapping):
            _check_mapping(option, content, where)


def _options(kind: Any) -> Iterator[Any]:  # noqa: ANN401  any annotation
    """The members of a union that may hold settings."""
    members = get_args(kind) if NoneType in get_args(kind) else (kind,)
    yield from (member for member in members if member is not NoneType)


def _check_mapping(kind: Any, content: Mapping[str, object], where: str) -> None:  # noqa: ANN401
    """Check a mapping against the parameters of a class."""
    known = signature(kind).parameters
    hints = get_type_hints(kind) if is_dataclass(kind) else {}
    for key in content.keys() - known.keys():
        near = get_close_matches(str(key), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
        raise ConfigError(f"{where}: unknown key {key!r}: {hint}")
    for key, value in content.items():
        check_keys(hints.get(key), value, f"{where}.{key}")


def import_class(class_path: str, allowed: Sequence[str]) -> type:
    """Import a class that a config names, if it may.

    Parameters
    ----------
    class_path : str
        Such as "firesat.sources.modis.Modis".
    allowed : sequence of str
        Prefixes of class paths that may be imported.

    Returns
    -------
    type
        The class.

    Raises
    ------
    ConfigError
        If it stands elsewhere or does not exist.
    """
    if not class_path.startswith(tuple(allowed)):
        raise ConfigError(
            f"class_path {class_path} is not allowed: a config may name classes of "
            f"{', '.join(name.rstrip('.') for name in allowed)}"
        )
    module, _, name = class_path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError) as error:
        if isinstance(error, ModuleNotFoundError) and not module.startswith(str(error.name)):
            raise  # the module is there; something that it needs is not
        raise ConfigError(f"there is no class {class_path}: {_nearest(module, name)}") from None
    if not isinstance(found, type):
        raise ConfigError(f"{class_path} is no class")
    if not f"{found.__module__}.".startswith(tuple(allowed)):
        raise ConfigError(
            f"class_path {class_path} is not allowed: it is {found.__module__}.{found.__name__}"
        )
    return found


def _nearest(module: str, name: str) -> str:
    """What a class that does not exist may have been meant to be."""
    try:
        near = get_close_matches(name, vars(importlib.import_module(module)), n=1)
    except ModuleNotFoundError:
        return (
            f"no module {module} is there; configs/sources, configs/model and configs/product name "
            "those there are"
        )
    return f"did you mean {module}.{near[0]}?" if near else "check its spelling"
