"""One block from its source into the cube: what a worker does."""

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from firesat.blocks import Block
from firesat.errors import (
    CredentialsError,
    FiresatError,
    LicenceError,
    ProviderError,
    StoreError,
    UnreachableError,
)
from firesat.jobs.ingest.identity import config_hash
from firesat.jobs.ingest.layers import Layers
from firesat.jobs.ingest.shared import announce
from firesat.jobs.ingest.workplace import Outcome, Trouble, Workplace
from firesat.manifest import Receipt, leave_receipt
from firesat.sources.base import InParts, Scene, Source
from firesat.sources.commons import Meter, sharing
from firesat.sources.redaction import redact
from firesat.store import write_json


def ingest_block(source: Source, block: Block, place: Workplace) -> Outcome:
    """Fetch, read, mask, align and write one block; runs on a worker.

    A scheduler that loses a worker runs its blocks again; one that had been finished is not.

    Parameters
    ----------
    source : Source
        Where from.
    block : Block
        Which piece.
    place : Workplace
        Where to, and what is shared.

    Returns
    -------
    Outcome
        Its receipt is in the ledger as well. A provider's or a file's failure is a receipt with
        its reason, not an exception: the other blocks go on.

    Raises
    ------
    StoreError
        If the disk or the bucket refuses: no other block would fare better.
    """
    announce(place.run, block.key)
    note = place.finished / f"{block.key.replace('/', '-')}.json"
    before = _noted(note) if place.run else None
    if before is not None:
        leave_receipt(place.cube.ledger, before.receipt)
        return before
    start = time.monotonic()
    blank = Receipt(
        key=block.key,
        group=block.group,
        status="failed",
        stream=source.layout.stream,
        config=config_hash(source),
    )
    trouble: Trouble = ""
    with sharing(place.commons(source.provider)) as shared:
        try:
            receipt = _write(source, block, place, blank)
        except StoreError:
            raise
        except FiresatError as error:
            reason = redact(f"{type(error).__name__}: {error}")
            receipt, trouble = replace(blank, reason=reason), _trouble(error)
    outcome = Outcome(
        receipt=replace(receipt, units=round(shared.meter.units, 3)),
        trouble=trouble,
        meter=shared.meter,
        seconds=time.monotonic() - start,
    )
    if place.run and not trouble:
        # Noted first: a worker that dies between the two leaves the receipt next time.
        note.parent.mkdir(parents=True, exist_ok=True)
        write_json(note, asdict(outcome))
    leave_receipt(place.cube.ledger, outcome.receipt)
    return outcome


def _noted(note: Path) -> Outcome | None:
    """What an earlier attempt of this run has finished; None if nothing."""
    try:
        content = json.loads(note.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return Outcome(
        receipt=Receipt(**content["receipt"]),
        meter=Meter(**content["meter"]),
        seconds=content["seconds"],
    )


def _trouble(error: FiresatError) -> Trouble:
    """Whose fault an error is."""
    kinds: tuple[tuple[type[FiresatError], Trouble], ...] = (
        (LicenceError, "licence"),
        (CredentialsError, "refused"),
        (UnreachableError, "unreachable"),
        (ProviderError, "provider"),
    )
    return next((trouble for kind, trouble in kinds if isinstance(error, kind)), "block")


def _write(source: Source, block: Block, place: Workplace, blank: Receipt) -> Receipt:
    """Build a block and write it."""
    layers = Layers(source, block, place.cache)
    if not layers.scenes:
        return replace(blank, status="empty")
    # A source in parts gets them as they come, which is all that it needs of a sequence.
    given: Any = layers if isinstance(source, InParts) else list(layers)
    layer = source.compose(given, block)
    if source.provider and place.now is not None:
        layer = published_by(layer, place.now)
    remarks = (layers.absent, redact(str(layer.attrs.get("left_out", ""))))
    blank = replace(blank, reason="; ".join(filter(None, remarks)))
    written = place.cube.write_block(source.layout, block, layer)
    available = layer["available_time"].values.astype("datetime64[s]").astype(str)
    return replace(
        blank,
        status="done" if written else "empty",
        checksum=written.checksum,
        files=list(written.files),
        items=[name for scene in layers.used for name in _names(scene)],
        available=["" if text == "NaT" else text for text in available],
    )


def published_by(layer: xr.Dataset, now: np.datetime64) -> xr.Dataset:
    """Leave out the time steps of a block that were published later.

    A file of a whole season, or of several days, may hold what nobody had at the time.

    Parameters
    ----------
    layer : xr.Dataset
        Composed, with ``available_time (time)``.
    now : np.datetime64
        UTC.

    Returns
    -------
    xr.Dataset
        The same, or with NaN and NaT in those steps.
    """
    late = layer["available_time"] > now
    if not late.any():
        return layer
    available = layer["available_time"].where(~late)
    return layer.where(~late).assign_coords(available_time=available)


def _names(scene: Scene) -> list[str]:
    """What went in, and which older productions of it did not."""
    return [scene.id, *(f"{name} (superseded)" for name in scene.superseded)]
