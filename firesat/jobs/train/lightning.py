"""The Lightning CLI, as firesat wants it: safe, quiet, and with one place for its files."""

import logging
import re
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, set_parsing_settings
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI

from firesat.batch import Channels
from firesat.checkpoint_file import Durable
from firesat.errors import ConfigError
from firesat.forecast import Forecaster

log = logging.getLogger(__name__)

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
    # jsonargparse imports what a value names; beyond keys.check this also covers bare strings
    set_parsing_settings(
        import_path_denylist=["*"],
        import_path_allowlist=[name.rstrip(".") for name in allowed],
        # linked as an object: its fields are not settings
        subclasses_enabled=[Channels],
    )
    try:
        command = Command(
            Forecaster,
            LightningDataModule,
            subclass_mode_data=True,
            run=False,
            args=args if isinstance(args, list) else dict(args),
            seed_everything_default=0,
            trainer_defaults={
                **TRAINER_DEFAULTS,
                "enable_progress_bar": sys.stderr.isatty(),  # rich's, where someone watches
                "callbacks": [EpochLog(), Last()],
            },
            save_config_kwargs={"overwrite": True},
            parser_kwargs={"exit_on_error": False},
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )
    except (ArgumentError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(f"train: {_plainly(error)}") from error
    command.trainer.strategy.checkpoint_io = Durable()
    return command


def _plainly(error: Exception) -> str:
    """What jsonargparse found wrong, without the types that it tried in vain."""
    words = " ".join(str(error).split()).replace("Parser key ", "")
    tried = re.match(r'("[^"]+": )?Does not validate .*? Errors: - (.*)', words)
    if tried:
        key, wrong = tried.groups()
        wrong = re.sub(r"^Problem with given class_path '[^']*': ", "", wrong)
        words = (key or "") + wrong.partition(" - Expected a <class 'NoneType'>")[0]
    return words[:300]


def _checkpoints(root: str) -> str:
    """Folder of checkpoints under the root."""
    return f"{root}/checkpoints"


def _record(value: Any) -> Any:  # noqa: ANN401  settings or their record
    """The plain form of settings."""
    return getattr(value, "record", value)


class Last(Callback):
    """Keep ``last.ckpt`` of every epoch, to go on from: Lightning's own writes it beside a best."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write it; what stood there is replaced once it is whole.

        Parameters
        ----------
        trainer : Trainer
            Of the run.
        pl_module : LightningModule
            The forecaster.
        """
        best = trainer.checkpoint_callback
        if isinstance(best, ModelCheckpoint) and best.dirpath:
            trainer.save_checkpoint(Path(best.dirpath) / "last.ckpt")


class EpochLog(Callback):
    """Log one line an epoch: scores, and chips per second."""

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock.

        Parameters
        ----------
        trainer : Trainer
            Of the run.
        pl_module : LightningModule
            The forecaster.
        """
        self._start, self._chips = time.monotonic(), 0

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: dict[str, Any],
        batch_idx: int,
    ) -> None:
        """Count the chips.

        Parameters
        ----------
        trainer : Trainer
            Of the run.
        pl_module : LightningModule
            The forecaster.
        outputs : object
            Not used.
        batch : dict
            What has been learned from.
        batch_idx : int
            Its number.
        """
        self._chips += len(batch["label"])
        self._seconds = time.monotonic() - self._start

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the line.

        Parameters
        ----------
        trainer : Trainer
            Of the run.
        pl_module : LightningModule
            The forecaster.
        """
        metrics = trainer.callback_metrics
        names = ("train/loss", "val/loss", "val/ap", "val/ratio")
        scores = "  ".join(f"{n} {float(metrics[n]):.4g}" for n in names if n in metrics)
        log.info(
            "epoch %d/%s  %s  %.0f chips/s",
            trainer.current_epoch + 1,
            trainer.max_epochs,
            scores,
            self._chips / max(self._seconds, 1e-9),
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's advertisements and other people's deprecations out of a training.

    Yields
    ------
    None
        Errors and Lightning's own warnings about the training pass.
    """
    names = ("pytorch_lightning", "lightning_fabric", "lightning.fabric")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for settings in _UPSTREAM:
                warnings.filterwarnings("ignore", **settings)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


_UPSTREAM: tuple[dict[str, Any], ...] = (
    # calls of jsonargparse deprecated since 4.49: github.com/Lightning-AI/pytorch-lightning#21900
    {"module": r"pytorch_lightning\.cli", "category": DeprecationWarning},
    # torch 2.11 deprecates isinstance(spec, LeafSpec), which Lightning 2.6 still writes
    {"module": r"pytorch_lightning\.utilities\._pytree", "category": FutureWarning},
    # meant: a training goes on in the folder of the last one and replaces its best checkpoint
    {"message": r"Checkpoint directory .* exists and is not empty"},
    # other data modules may read in the trainer's own process; ours has threads
    {"message": r"The '\w+' does not have many workers"},
    # known: each worker of a stream has row groups of its own, and its length counts their batches
    {"message": r"Your `IterableDataset` has `__len__` defined"},
)
