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
from firesat.benchmark.layout import Piece
from firesat.benchmark.sample import Sample, Taker
from firesat.benchmark.stream import samples_in
from firesat.errors import SampleError
from firesat.manifest import write_json
from firesat.scaling import Moments, Scaler

log = logging.getLogger(__name__)

_VERSION = 1  # of what is measured and how


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
        JSON file; replaced if it was measured on other files or with other inputs.
    pieces : sequence of Piece
        Row groups of the training split.
    taker : Taker
        Takes samples from rows.
    samples : int
        How many to measure, about; as many from each row group.

    Returns
    -------
    Statistics
        Of the training split.

    Raises
    ------
    SampleError
        If the file cannot be written.
    """
    print_of = fingerprint(pieces, taker, samples)
    kept = _read(path, print_of)
    if kept is not None:
        return kept
    log.info("measuring %d training samples for %s", samples, path)
    found = measure(pieces, taker, samples)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"fingerprint": print_of, **_record(found)})
    except OSError as error:
        raise SampleError(
            f"{path} cannot be written ({error.strerror}): give another file with data.statistics"
        ) from None
    return found


def fingerprint(pieces: Sequence[Piece], taker: Taker, samples: int) -> str:
    """Give a name to what is measured.

    Parameters
    ----------
    pieces : sequence of Piece
        Row groups.
    taker : Taker
        With its inputs.
    samples : int
        How many are measured.

    Returns
    -------
    str
        Hexadecimal digits, others for other files, sizes or settings.
    """
    files = {(piece.region, piece.file.name, piece.file.stat().st_size) for piece in pieces}
    content = [_VERSION, taker.inputs.record, samples, sorted(files)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


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


def _record(found: Statistics) -> dict[str, Any]:
    """Statistics as JSON can hold them."""
    return {**vars(found), "scaler": found.scaler.record}


def _read(path: Path, print_of: str) -> Statistics | None:
    """What was kept, if it is of these samples."""
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
        if content.pop("fingerprint") != print_of:
            log.info("%s is of other files or inputs: measuring again", path)
            return None
        return Statistics(**{**content, "scaler": Scaler.from_record(content["scaler"])})
    except (ValueError, KeyError, TypeError):
        log.warning("%s is no statistics of firesat: measuring again", path)
        return None
