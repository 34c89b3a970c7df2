"""A project: everything one YAML says, checked before any data is read.

::

    grid:     where                     sample:   what a forecaster learns from
    cube:     what rests on disk, when  audit:    how that is checked for leaks
    ingest:   from which sources        train:    the Lightning CLI's section
    sandbox:  the made world, if any    predict:  which days, which products
                                        evaluate: how forecasts are judged
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from difflib import get_close_matches
from importlib.resources import as_file, files
from inspect import signature
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import yaml
from jsonargparse import ArgumentError, ArgumentParser

from firesat.audit.settings import AuditSettings
from firesat.errors import ConfigError, FiresatError
from firesat.grid import Grid
from firesat.metrics import EvaluateSettings
from firesat.products.settings import PredictSettings
from firesat.samples import SampleSettings
from firesat.sandbox.config import WorldConfig
from firesat.sources.settings import IngestSettings
from firesat.store import address, in_bucket
from firesat.window import Period, all_days

ALLOWED = ("firesat.", "firesat_models.")
"""Packages whose classes a config may name; `train:` has its own, longer list."""


@dataclass(frozen=True, kw_only=True)
class CubeSettings:
    """Where the cube stands and which days it covers.

    Parameters
    ----------
    path : Path
        Folder ending in ``.zarr``; or ``s3://bucket/folder/name.zarr``, whose address and keys are
        those of the AWS_* variables.
    periods : list of Period
        Fire days, season by season.
    cache : Path, optional
        Folder of downloads; default ``cache`` beside the cube. A cube in a bucket needs one.

    Raises
    ------
    ConfigError
        If periods overlap, or a cube in a bucket comes without a cache.
    """

    path: Path
    periods: list[Period]
    cache: Path | None = None

    def __post_init__(self) -> None:
        """Refuse periods that overlap, and downloads that would have no place."""
        all_days(self.periods)
        if in_bucket(self.path) and self.cache is None:
            raise ConfigError(
                f"{address(self.path)} is in a bucket: say with cube.cache where downloads rest"
            )

    @property
    def folder(self) -> Path:
        """Local folder of what stands beside the cube.

        Returns
        -------
        Path
            Its parent; that of the downloads where the cube is in a bucket.
        """
        return self.downloads.parent if in_bucket(self.path) else self.path.parent

    @property
    def downloads(self) -> Path:
        """Folder of downloads.

        Returns
        -------
        Path
            `cache`, or its default.
        """
        return self.cache or self.path.parent / "cache"


@dataclass(frozen=True, kw_only=True)
class Project:
    """One project file.

    Parameters
    ----------
    cube : CubeSettings
        The cube.
    grid : Grid
        CRS and region.
    ingest : IngestSettings
        Sources and workers.
    sandbox : WorldConfig, optional
        When present, every provider is the sandbox's server of this made world.
    sample : SampleSettings, optional
        Chips.
    audit : AuditSettings
        How chips are checked for leaks, and whether that is done before training.
    train : dict
        Section of the Lightning CLI: ``model``, ``data``, ``trainer``, ``seed_everything``.
    predict : PredictSettings, optional
        Maps.
    evaluate : EvaluateSettings, optional
        Scores.
    """

    cube: CubeSettings
    grid: Grid = field(default_factory=Grid)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    sandbox: WorldConfig | None = None
    sample: SampleSettings | None = None
    audit: AuditSettings = field(default_factory=AuditSettings)
    train: dict[str, Any] = field(default_factory=dict)
    predict: PredictSettings | None = None
    evaluate: EvaluateSettings | None = None

    def section(self, name: str) -> Any:  # noqa: ANN401  the section's own type
        """Give a section that a command cannot do without.

        Parameters
        ----------
        name : str
            Such as "predict".

        Returns
        -------
        object
            The section's settings.

        Raises
        ------
        ConfigError
            If the file lacks it.
        """
        found = getattr(self, name)
        if not found:
            raise ConfigError(f"the config has no section {name}: (see configs/sandbox.yaml)")
        return found


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
    except yaml.YAMLError as error:
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


class _DatesAsText(yaml.SafeLoader):
    """YAML's safe loader, which leaves 2023-07-05 as it is written."""

    yaml_implicit_resolvers = {  # noqa: RUF012  PyYAML's own attribute
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _plain(text: str) -> Any:  # noqa: ANN401  whatever YAML holds
    """Read YAML."""
    return yaml.load(text, _DatesAsText)  # noqa: S506  a safe loader


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
        raise ConfigError(f"there is no class {class_path}: check its spelling") from None
    if not isinstance(found, type):
        raise ConfigError(f"{class_path} is no class")
    return found


def _in_one_line(error: BaseException, where: str) -> ConfigError:
    """Find what we said ourselves in a chain of errors, or squeeze the parser's words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, FiresatError):
            return ConfigError(f"{where}: {cause}")
        cause = cause.__cause__ or cause.__context__
    words = " ".join(str(error).split()).replace("Parser key ", "")
    return ConfigError(f"{where}: {words[:300]}")


def shipped(name: str) -> Path:
    """Find a file or folder that comes with firesat.

    Parameters
    ----------
    name : str
        Such as "configs/sandbox.yaml" or "pipelines/Snakefile".

    Returns
    -------
    Path
        In the installed package, or in the source tree.

    Raises
    ------
    ConfigError
        If there is no such file.
    """
    with as_file(files("firesat")) as package:
        for root in (package / "_shipped", package.parent):
            if (root / name).exists():
                return root / name
    raise ConfigError(f"firesat ships no {name}: reinstall it")
