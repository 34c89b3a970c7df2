"""The Lightning CLI, as firesat wants it: safe, quiet, and with one place for its files."""

import logging
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from jsonargparse import ArgumentError, set_parsing_settings
from pytorch_lightning import LightningDataModule
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities.exceptions import (  # type: ignore[attr-defined]
    MisconfigurationException,
)

from firesat.batch import Channels
from firesat.checkpoint_file import Durable
from firesat.errors import ConfigError
from firesat.forecast import Forecaster
from firesat.jobs.train.callbacks import EpochLog, Last
from firesat.jobs.train.pictures import Pictures

TRAINER_DEFAULTS: dict[str, Any] = {
    "max_epochs": 10,
    "log_every_n_steps": 1,
    "num_sanity_val_steps": 0,
    "gradient_clip_val": 1.0,
    "enable_model_summary": False,
}

CHECKPOINT_DEFAULTS: dict[str, Any] = {
    "filename": "best",
    "monitor": "val/loss",
    "mode": "min",
    "auto_insert_metric_name": False,
    "enable_version_counter": False,
}


MISTAKES = (MisconfigurationException, ModuleNotFoundError)
"""What Lightning raises for settings that do not go together, or not on this machine: a logger or
an accelerator may want a package that nothing else does."""


class Command(LightningCLI):
    """A Lightning CLI whose network and forecaster learn from the data what they are built for."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the checkpoint section and the links.

        Parameters
        ----------
        parser : LightningArgumentParser
            To add to.
        """
        parser.add_argument("--ckpt_path", type=str | None, default=None, help="go on from here")
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults({f"checkpoint.{key}": v for key, v in CHECKPOINT_DEFAULTS.items()})
        parser.link_arguments(
            "trainer.default_root_dir", "checkpoint.dirpath", compute_fn=_checkpoints
        )
        parser.link_arguments(
            "data.channels", "model.network.init_args.channels", apply_on="instantiate"
        )
        for name in ("inputs", "scaler"):
            parser.link_arguments(
                f"data.{name}", f"model.{name}", compute_fn=_record, apply_on="instantiate"
            )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:  # noqa: ANN401
        """Parse settings, or a flag such as ``--help``.

        Parameters
        ----------
        parser : LightningArgumentParser
            Of the CLI.
        args : mapping or list of str
            Settings, or words of a command line.
        """
        # not Lightning's own: it warns whenever the process has a command line of its own
        self.config = (
            parser.parse_args(args) if isinstance(args, list) else parser.parse_object(args)
        )


class Parsed(Command):
    """The same, of which nothing is built: settings are read, and that is all."""

    def instantiate_classes(self) -> None:
        """Build nothing."""


def build(args: Mapping[str, Any] | list[str], allowed: Sequence[str]) -> Command:
    """Parse settings and instantiate what they name.

    Parameters
    ----------
    args : mapping or list of str
        Settings, or words of a command line.
    allowed : sequence of str
        Prefixes of class paths that may be named.

    Returns
    -------
    Command
        With `trainer`, `model`, `datamodule` and `config`.

    Raises
    ------
    ConfigError
        If the settings are wrong.
    """
    command = _command(Command, args, allowed)
    command.trainer.strategy.checkpoint_io = Durable()
    return command


def parse(args: Mapping[str, Any], allowed: Sequence[str]) -> None:
    """Parse settings, and build nothing: neither chips nor weights need to be there.

    Parameters
    ----------
    args, allowed
        As for :func:`build`.

    Raises
    ------
    ConfigError
        If a value is of another type than its key, or a class from elsewhere.
    """
    _command(Parsed, args, allowed)


def _command(
    kind: type[Command], args: Mapping[str, Any] | list[str], allowed: Sequence[str]
) -> Command:
    """A command of firesat's defaults; what is wrong is said in one line."""
    # jsonargparse imports what a value names; beyond keys.check this also covers bare strings
    set_parsing_settings(
        import_path_denylist=["*"],
        import_path_allowlist=[name.rstrip(".") for name in allowed],
        # linked as an object: its fields are not settings
        subclasses_enabled=[Channels],
    )
    try:
        return kind(
            Forecaster,
            LightningDataModule,
            subclass_mode_data=True,
            run=False,
            args=args if isinstance(args, list) else dict(args),
            seed_everything_default=0,
            trainer_defaults={
                **TRAINER_DEFAULTS,
                "enable_progress_bar": sys.stderr.isatty(),  # rich's, where someone watches
                "callbacks": [EpochLog(), Pictures(), Last()],  # what is kept knows the curves
            },
            save_config_kwargs={"overwrite": True},
            parser_kwargs={"exit_on_error": False},
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )
    except (*MISTAKES, ArgumentError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(f"train: {_plainly(error, allowed)}") from error


def _plainly(error: Exception, allowed: Sequence[str]) -> str:
    """What jsonargparse found wrong, without the types that it tried in vain."""
    words = " ".join(str(error).split()).replace("Parser key ", "")
    words = words.partition(" - Not a valid subclass")[0]
    if refused := re.search(r"Importing '([^']*)' is not allowed", words):
        names = ", ".join(name.rstrip(".") for name in allowed)
        return f"class_path {refused[1]} is not allowed: a config may name classes of {names}"
    if "`tensorboardX` is available" in words:
        return "TensorBoard is not installed: pip install tensorboard, or leave the logger out"
    tried = re.match(r'("[^"]+": )?Does not validate .*? Errors: - (.*)', words)
    if tried:
        wrong, _, given = tried[2].partition(" Given value type: ")
        wrong = re.sub(r"^Problem with given class_path '[^']*': ", "", wrong)
        found = given.partition(" Given value: ")[2]
        words = (tried[1] or "") + (_expected(wrong, found) or wrong.partition(_EXPECTED)[0])
    return words[:300]


_EXPECTED = " - Expected a <class"


def _expected(wrong: str, found: str) -> str:
    """Say which values a plain setting takes, and which it was given; empty of any other."""
    kinds = [re.fullmatch(r"Expected a (.*)", each) for each in wrong.split(" - ")]
    names = [re.sub(r"<class '(.*)'>|typing\.Literal\[(.*)\]", r"\1\2", k[1]) for k in kinds if k]
    if len(names) < len(kinds) or len(found) > 60:
        return ""
    return f"expected {' or '.join(name for name in names if name != 'NoneType')}, got {found}"


def _checkpoints(root: str) -> str:
    """Folder of checkpoints under the root."""
    return f"{root}/checkpoints"


def _record(value: Any) -> Any:  # noqa: ANN401  settings or their record
    """The plain form of settings."""
    return getattr(value, "record", value)


@contextmanager
def loggers_at(level: int, *names: str) -> Iterator[None]:
    """Set loggers to a level for a while, and give them back the level they had.

    Parameters
    ----------
    level : int
        Such as `logging.WARNING`.
    *names : str
        The loggers.

    Yields
    ------
    None
        What these loggers have to say from that level on is heard.
    """
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, old in zip(loggers, before, strict=True):
            logger.setLevel(old)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's advertisements and other people's deprecations out of a training.

    Yields
    ------
    None
        Errors and Lightning's own warnings about the training pass.
    """
    names = ("pytorch_lightning", "lightning_fabric", "lightning.fabric")
    with loggers_at(logging.WARNING, *names), warnings.catch_warnings():
        for settings in _UPSTREAM:
            warnings.filterwarnings("ignore", **settings)
        yield


_UPSTREAM: tuple[dict[str, Any], ...] = (
    # calls of jsonargparse deprecated since 4.49: github.com/Lightning-AI/pytorch-lightning#21900
    {"module": r"pytorch_lightning\.cli", "category": DeprecationWarning},
    # torch 2.11 deprecates isinstance(spec, LeafSpec), which Lightning 2.6 still writes
    {"module": r"pytorch_lightning\.utilities\._pytree", "category": FutureWarning},
    # meant: a training goes on in the folder of the last one and replaces its best checkpoint
    {"message": r"Checkpoint directory .* exists and is not empty"},
    # said in our own words after the training: there is no best checkpoint without validation
    {"message": r"`ModelCheckpoint\(monitor=.*could not find the monitored key"},
    # other data modules may read in the trainer's own process; ours has threads
    {"message": r"The '\w+' does not have many workers"},
    # known: each worker of a stream has row groups of its own, and its length counts their batches
    {"message": r"Your `IterableDataset` has `__len__` defined"},
)
