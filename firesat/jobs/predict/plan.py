"""What is to be written, and what is there already."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from firesat import __version__
from firesat.cube import grid_of
from firesat.errors import CheckpointError, ConfigError
from firesat.jobs.predict.census import Census
from firesat.manifest import write_json
from firesat.model_folder import fingerprint as checkpoint_hash
from firesat.products.settings import PredictSettings
from firesat.products.stac import sha256
from firesat.window import parse_day


@dataclass(frozen=True, kw_only=True)
class DayPlan:
    """One issue day.

    Parameters
    ----------
    day : str
        ISO 8601.
    receipt : Path
        Where the finished maps are vouched for.
    kept : list of Path
        Files that are there, whole, and made from the same checkpoint and settings; the map first.
        Empty = the day is to be forecast.
    """

    day: str
    receipt: Path
    kept: list[Path]


def plan(settings: PredictSettings, cube_path: Path) -> list[DayPlan]:
    """List the issue days, without forecasting anything.

    Parameters
    ----------
    settings : PredictSettings
        Days, checkpoint, products.
    cube_path : Path
        The cube.

    Returns
    -------
    list of DayPlan
        In the order of the settings, each day once.

    Raises
    ------
    ConfigError
        If no day is given.
    CheckpointError
        If no checkpoint is given, or it is not there.
    CubeError
        If there is no cube.
    """
    if not settings.days:
        raise ConfigError("no day to forecast: give --reference_time 2023-07-05 or predict.days")
    made_from = fingerprint(settings, cube_path)
    plans = []
    for day in _days(settings):
        receipt = settings.output / "receipts" / f"{day}.json"
        plans.append(DayPlan(day=day, receipt=receipt, kept=_kept(receipt, made_from)))
    return plans


def _days(settings: PredictSettings) -> list[str]:
    """Issue days in ISO form, each once."""
    return list(dict.fromkeys(str(parse_day(day)) for day in settings.days))


def checkpoint_of(settings: PredictSettings) -> Path:
    """Give the checkpoint, which must be there.

    Parameters
    ----------
    settings : PredictSettings
        May name none.

    Returns
    -------
    Path
        An existing file or folder.

    Raises
    ------
    CheckpointError
        If none is named or there is none.
    """
    path = settings.checkpoint
    if path is None:
        raise CheckpointError("no checkpoint to forecast with: give --checkpoint FILE")
    if not path.exists():
        raise CheckpointError(
            f"there is no checkpoint at {path}: run firesat train fit, or give --checkpoint"
        )
    return path


def fingerprint(settings: PredictSettings, cube_path: Path) -> str:
    """Hash everything that makes a map what it is, its day apart.

    Parameters
    ----------
    settings : PredictSettings
        The checkpoint, chips, products.
    cube_path : Path
        For the region.

    Returns
    -------
    str
        SHA-256. Other numbers of chips at once, or another folder, change nothing; nor does a cube
        that has grown: what was forecast stays forecast.

    Raises
    ------
    CheckpointError
        If there is no checkpoint.
    CubeError
        If there is no cube.
    """
    grid = grid_of(cube_path)
    facts = {
        "version": __version__,
        "checkpoint": checkpoint_hash(checkpoint_of(settings)),
        "region": [grid.crs, *grid.extent],
        "chips": [settings.chip, settings.stride, settings.halo, settings.min_looks],
        "products": [repr(product) for product in settings.products],
        "note": settings.note,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _kept(receipt: Path, made_from: str) -> list[Path]:
    """Files that a receipt vouches for, if each is still what it was."""
    if not receipt.is_file():
        return []
    content = json.loads(receipt.read_text())
    folder = receipt.parent.parent
    files = [(folder / name, digest) for name, digest in content["files"]]
    whole = content["made_from"] == made_from and all(
        path.is_file() and sha256(path) == digest for path, digest in files
    )
    return [path for path, _ in files] if whole else []


def leave_receipt(receipt: Path, files: list[Path], made_from: str, census: Census) -> None:
    """Vouch for a day's files, which are all written and synced.

    Parameters
    ----------
    receipt : Path
        Where.
    files : list of Path
        Below the receipt's grandparent folder; the map first.
    made_from : str
        From :func:`fingerprint`.
    census : Census
        How much of the map has a forecast.
    """
    folder = receipt.parent.parent
    receipt.parent.mkdir(parents=True, exist_ok=True)
    listed = [[path.relative_to(folder).as_posix(), sha256(path)] for path in files]
    write_json(receipt, {"made_from": made_from, "files": listed, "cells": asdict(census)})


def empty_shares(settings: PredictSettings) -> dict[str, float]:
    """Look up how much of each finished map has no forecast.

    Parameters
    ----------
    settings : PredictSettings
        Days and folder.

    Returns
    -------
    dict of str to float
        By issue day, share of the cells that can burn, 0 to 1; without the days whose maps are not
        there, or were made before it was counted.
    """
    found = {}
    for day in _days(settings):
        receipt = settings.output / "receipts" / f"{day}.json"
        content = json.loads(receipt.read_text()) if receipt.is_file() else {}
        if "cells" in content:
            found[day] = Census(**content["cells"]).empty
    return found
