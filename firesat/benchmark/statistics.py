"""Moments of the training samples, measured once and kept.

CanadaFireSat's own means and deviations are not public, so they are measured here, on the training
split alone: on the first rows of every row group, which touches every province and every file.
"""

import hashlib
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from firesat.benchmark.fields import fields_of
from firesat.benchmark.pieces import Piece
from firesat.benchmark.sample import Sample, Taker
from firesat.benchmark.stream import samples_in
from firesat.errors import SampleError
from firesat.manifest import write_json
from firesat.scaling import Moments, Scaler

log = logging.getLogger(__name__)

_VERSION = 1  # of what is measured and how

_Kept = dict[str, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """What was measured on the training split.

    Parameters
    ----------
    scaler : Scaler
        Mean and standard deviation of each channel.
    base_rate : float
        Share of the known cells that burn: of the samples as they were drawn, not of the land.
    samples : int
        How many samples were measured.
    late_looks, late_steps : float
        Looks and steps of a sample that are left out since they reach into what is forecast.
    """

    scaler: Scaler
    base_rate: float
    samples: int
    late_looks: float
    late_steps: float


def statistics(path: Path, pieces: Sequence[Piece], taker: Taker, samples: int) -> Statistics:
    """Read statistics, or measure and keep them.

    Parameters
    ----------
    path : Path
        JSON file; those of other files and inputs stay in it.
    pieces : sequence of Piece
        Row groups of the training split; none where it was not downloaded.
    taker : Taker
        Takes samples from rows.
    samples : int
        How many to measure, about; as many from each row group.

    Returns
    -------
    Statistics
        Of the training split; without one, some that were kept for the same inputs.

    Raises
    ------
    SampleError
        If the file cannot be written, or there is nothing to measure.
    """
    kept = _read(path)
    of = digest(taker.inputs.record)
    if not pieces:
        return _any_of(kept, of, path)
    name = f"{of}-{digest([_files(pieces), samples])}"
    if name not in kept:
        log.info("measuring about %d training samples for %s", samples, path)
        kept[name] = _record(measure(pieces, taker, samples))
        _write(path, kept)
    return _statistics(kept[name])


def digest(content: object) -> str:
    """Give a short name to settings.

    Parameters
    ----------
    content : object
        Anything JSON can hold.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    text = json.dumps([_VERSION, content], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def measure(pieces: Sequence[Piece], taker: Taker, samples: int) -> Statistics:
    """Measure the first rows of every row group.

    Parameters
    ----------
    pieces : sequence of Piece
        Row groups.
    taker : Taker
        Takes samples from rows.
    samples : int
        How many, about: rounded up to as many from each row group.

    Returns
    -------
    Statistics
        Their moments.
    """
    moments = Moments(taker.inputs.names)
    burning = known = looks = steps = number = 0
    for sample in _shown(pieces, taker, -(-samples // len(pieces))):
        fields = fields_of(sample, taker.inputs)
        moments.add(fields)
        burning += int((fields["label"] * fields["valid"]).sum())
        known += int(fields["valid"].sum())
        looks, steps = looks + sample.late_looks, steps + sample.late_steps
        number += 1
    found = Statistics(
        scaler=moments.scaler(),
        base_rate=burning / max(known, 1),
        samples=number,
        late_looks=looks / number,
        late_steps=steps / number,
    )
    if looks or steps:
        log.warning(
            "%.2g looks and %.2g steps of a sample reach into the days that are forecast: they are "
            "left out",
            found.late_looks,
            found.late_steps,
        )
    return found


def _shown(pieces: Sequence[Piece], taker: Taker, each: int) -> Iterator[Sample]:
    """The samples to measure, with a bar where someone watches."""
    shown = track(
        pieces,
        description="training statistics",
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    for piece in shown:
        yield from samples_in(piece, taker, each)


def _files(pieces: Sequence[Piece]) -> list[tuple[str, str, int]]:
    """Region, name and size of the files of some row groups."""
    return sorted({(one.region, one.file.name, one.file.stat().st_size) for one in pieces})


def _any_of(kept: _Kept, of: str, path: Path) -> Statistics:
    """Statistics that were measured elsewhere with the same inputs."""
    for name in sorted(kept):
        if name.startswith(f"{of}-"):
            return _statistics(kept[name])
    raise SampleError(
        f"{path} holds no statistics for these inputs, and there is no training split to measure: "
        "download train-*.parquet, or give the file of the training with data.statistics"
    )


def _record(found: Statistics) -> dict[str, Any]:
    """Statistics as JSON can hold them."""
    return {**vars(found), "scaler": found.scaler.record}


def _statistics(record: dict[str, Any]) -> Statistics:
    """What `_record` gave."""
    return Statistics(**{**record, "scaler": Scaler.from_record(record["scaler"])})


def _read(path: Path) -> _Kept:
    """What was kept, by inputs and files."""
    if not path.is_file():
        return {}
    try:
        kept: _Kept = json.loads(path.read_text())
        for record in kept.values():
            _statistics(record)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SampleError(
            f"{path} holds no statistics of firesat: remove it, or give another file with "
            "data.statistics"
        ) from None
    return kept


def _write(path: Path, kept: _Kept) -> None:
    """Keep statistics."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, kept)
    except OSError as error:
        raise SampleError(
            f"{path} cannot be written ({error.strerror}): give another file with data.statistics"
        ) from None
