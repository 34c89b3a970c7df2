"""The trained rungs: each network and seed in a folder of its own, trained once by its code."""

import hashlib
import importlib.util
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import firesat
from firesat.errors import ConfigError
from firesat.jobs.train import train
from firesat.ladder.settings import UNSEEING, LadderSettings
from firesat.manifest import write_json
from firesat.project import read_yaml, shipped

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One trained network.

    Parameters
    ----------
    network : str
        Name of its config.
    seed : int
        Of its training.
    checkpoint : Path
        The best by the validation loss.
    seconds : float
        That its training took.
    """

    network: str
    seed: int
    checkpoint: Path
    seconds: float

    @property
    def name(self) -> str:
        """What it is called in the table.

        Returns
        -------
        str
            Such as "cnn 0".
        """
        return f"{self.network} {self.seed}"


def rung_of(
    section: Mapping[str, Any], settings: LadderSettings, network: str, seed: int
) -> Rung | None:
    """Find a rung that has been trained with these settings, on these chips.

    Parameters
    ----------
    section : mapping
        The project's `train`.
    settings : LadderSettings
        Of the ladder.
    network : str
        Name of a config.
    seed : int
        Of the training.

    Returns
    -------
    Rung or None
        None where it is still to be trained.
    """
    made_from = _fingerprint(section, settings, network, seed)
    folder = _folder(settings, network, seed)
    receipt, best = folder / "rung.json", folder / "checkpoints" / "best.ckpt"
    if not (receipt.is_file() and best.is_file()):
        return None
    found = json.loads(receipt.read_text())
    if found["made_from"] != made_from:
        return None
    return Rung(network=network, seed=seed, checkpoint=best, seconds=found["seconds"])


def train_rung(
    section: Mapping[str, Any], settings: LadderSettings, network: str, seed: int
) -> Rung:
    """Train one network, unless that has been done.

    Parameters
    ----------
    section, settings, network, seed
        As :func:`rung_of`.

    Returns
    -------
    Rung
        Trained; the choice among its epochs is by the validation loss.

    Raises
    ------
    ConfigError
        If the network has no config, or the section is wrong.
    """
    kept = rung_of(section, settings, network, seed)
    if kept is not None:
        return kept
    folder, start = _folder(settings, network, seed), time.monotonic()
    made_from = _fingerprint(section, settings, network, seed)  # code may be edited meanwhile
    train("fit", section, _overrides(section, settings, network, seed))
    seconds = round(time.monotonic() - start, 1)
    write_json(folder / "rung.json", {"made_from": made_from, "seconds": seconds})
    best = folder / "checkpoints" / "best.ckpt"
    if not best.is_file():
        raise ConfigError(f"the training of {network} left no checkpoint in {folder}")
    found = Rung(network=network, seed=seed, checkpoint=best, seconds=seconds)
    log.info("%s trained in %.0f s", found.name, found.seconds)
    return found


def _folder(settings: LadderSettings, network: str, seed: int) -> Path:
    """Where a rung is trained."""
    return settings.output / f"{network}-{seed}{'-blind' if settings.blind else ''}"


def _overrides(
    section: Mapping[str, Any], settings: LadderSettings, network: str, seed: int
) -> list[str]:
    """What a rung's training changes of the project's."""
    name = network.removesuffix(UNSEEING)
    if not (config := shipped("configs/model") / f"{name}.yaml").is_file():
        raise ConfigError(f"there is no network {network}: firesat models lists those that are")
    words = {
        "seed_everything": seed,
        "data.seed": seed,
        "data.modality_dropout": settings.modality_dropout,
        "data.blind": settings.elsewhere,
        "data.without": "[sentinel2]" if network.endswith(UNSEEING) else "[]",
        "trainer.max_epochs": settings.epochs,
        "trainer.default_root_dir": _folder(settings, network, seed),
    }
    return ["--config", str(config), *(f"--{name}={value}" for name, value in words.items())]


def _fingerprint(
    section: Mapping[str, Any], settings: LadderSettings, network: str, seed: int
) -> str:
    """Hash of everything that makes a rung what it is."""
    overrides = _overrides(section, settings, network, seed)
    config, chips = Path(overrides[1]), Path(str(section["data"]["path"])) / "zarr.json"
    parts = [
        json.dumps(section, sort_keys=True, default=str),
        json.dumps(overrides[2:]),
        config.read_text(),
        chips.read_text() if chips.is_file() else "",
        *(source.read_text() for source in _sources(config)),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _sources(config: Path) -> list[Path]:
    """Files of the config's network and of what trains it: other code, another rung."""
    package = str(read_yaml(config)["model"]["network"]["class_path"]).partition(".")[0]
    found = importlib.util.find_spec(package)
    folders = (found and found.submodule_search_locations) or []
    networks = [file for folder in folders for file in Path(folder).rglob("*.py")]
    return sorted([*networks, *Path(firesat.__file__).parent.glob("*.py")])
