"""A project file read from YAML, with what the command line changes in it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser

from firesat.errors import ConfigError, FiresatError
from firesat.project.keys import check_keys
from firesat.project.settings import Project


def load(path: Path, overrides: Sequence[str] = ()) -> Project:
    """Read and check a whole project file.

    Parameters
    ----------
    path : Path
        YAML.
    overrides : sequence of str
        Such as ``["ingest.workers=4"]``; values are YAML.

    Returns
    -------
    Project
        Everything instantiated except the `train` section.

    Raises
    ------
    ConfigError
        On the first thing that is wrong, in one line, with the nearest right key for a misspelt
        one.
    """
    content = read_yaml(path)
    for override in overrides:
        _set(content, override)
    check_keys(Project, content, path.name)
    train = content.pop("train", None) or {}  # jsonargparse would instantiate what it names
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Project)
    try:
        settings = parser.instantiate(parser.parse_object(content))
    except (ArgumentError, FiresatError, ValueError) as error:
        raise _in_one_line(error, path.name) from error
    return Project(**{**vars(settings), "train": train})


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping, safely.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    dict
        Its content.

    Raises
    ------
    ConfigError
        If it is missing, no YAML, or no mapping.
    """
    if not path.is_file():
        raise ConfigError(f"there is no config at {path}: give --config FILE")
    try:
        content = _plain(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no settings: it should start with grid:, cube: ...")
    return content


def _set(content: dict[str, Any], override: str) -> None:
    """Apply one ``section.key=value``."""
    name, separator, text = override.partition("=")
    if not separator:
        raise ConfigError(f"{override!r} is no setting: write it as ingest.workers=4")
    *parents, last = name.split(".")
    for parent in parents:
        content = content.setdefault(parent, {})
    content[last] = _plain(text)


# The parser's words for types, and a person's.
_PLAIN = (
    (r"Problem with given class_path '[^']*': ", ""),
    (r"Expected an? <class 'int'>\. Got value: ", "expected a whole number, found "),
    (r"Expected an? <class 'float'>\. Got value: ", "expected a number, found "),
    (r"Expected an? <class 'bool'>\. Got value: ", "expected true or false, found "),
    (r"Expected an? <class '(?:list|tuple)'>\. Got value: ", "expected a list, found "),
    (r"functools\.partial\(.*\) argument after \*\* must be a mapping", "expected keys and values"),
    (
        r"Expected an? typing\.Literal\[([^]]*)\]\. Got value: (.*)",
        r"there is no \2: give one of \1",
    ),
)


class _DatesAsText(yaml.SafeLoader):
    """YAML's safe loader, which leaves 2023-07-05 as it is written."""

    yaml_implicit_resolvers = {  # noqa: RUF012  PyYAML's own attribute
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _plain(text: str) -> Any:  # noqa: ANN401  whatever YAML holds
    """Read YAML."""
    return yaml.load(text, _DatesAsText)  # noqa: S506  a safe loader


def _in_one_line(error: BaseException, where: str) -> ConfigError:
    """Find what we said ourselves in a chain of errors, or squeeze the parser's words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, FiresatError):
            return ConfigError(f"{where}: {cause}")
        cause = cause.__cause__ or cause.__context__
    words = _without_alternatives(" ".join(str(error).split()).replace("Parser key ", ""))
    for pattern, plain in _PLAIN:
        words = re.sub(pattern, plain, words)
    return ConfigError(f"{where}: {words[:400]}")


_OR_NOTHING = re.compile(
    r"Does not validate against any of the Union subtypes Subtypes: \[.*?<class 'NoneType'>\] "
    r"Errors: - (?P<reason>.*) - Expected an? <class 'NoneType'> Given value type: <class '[^']*'> "
    r"Given value: (?P<given>.*)"
)
_KEY = re.compile(r"""(?:Problem with given class_path '[^']*': )?"([\w.]+)": """)


def _without_alternatives(words: str) -> str:
    """Keep of "this, or nothing" why it is not this, below one key: sample.inputs.regime: ..."""
    keys: list[str] = []
    while True:
        if key := _KEY.match(words):
            keys.append(key[1])
            words = words[key.end() :]
        elif found := _OR_NOTHING.fullmatch(words):
            words = found["reason"]
            if re.fullmatch(r"Expected an? <class '\w+'>", words):
                words += f". Got value: {found['given']}"
        else:
            return f"{'.'.join(keys)}: {words}" if keys else words
