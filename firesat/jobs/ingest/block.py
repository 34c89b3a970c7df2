"""One block from its source into the cube: what a worker does."""

import gc
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import xarray as xr

from firesat import composite
from firesat.bands import BANDS, check
from firesat.blocks import Block
from firesat.errors import (
    CorruptFileError,
    CredentialsError,
    FiresatError,
    LicenceError,
    NoDataError,
    ProviderError,
    StoreError,
    UnreachableError,
)
from firesat.jobs.ingest.identity import config_hash
from firesat.jobs.ingest.shared import announce
from firesat.jobs.ingest.workplace import Outcome, Trouble, Workplace
from firesat.manifest import Receipt, leave_receipt
from firesat.raster import align
from firesat.sources.base import InParts, Scene, Source
from firesat.sources.commons import Meter, sharing
from firesat.sources.redaction import redact
from firesat.store import write_json

_LARGE = 16_000_000  # bytes


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
    blank = replace(blank, reason=layers.absent)
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


class Layers:
    """A block's scenes, fetched and brought onto its cells one after the other.

    Parameters
    ----------
    source : Source
        Where from.
    block : Block
        Onto which cells.
    cache : Path
        Folder of downloads.

    Attributes
    ----------
    scenes, used : list of Scene
        What the block is made of, and what of it the provider had.
    absent : str
        What the provider says it does not have; "" = nothing.
    """

    def __init__(self, source: Source, block: Block, cache: Path) -> None:
        self._source, self._block, self._cache = source, block, cache
        self.scenes = source.search(block)
        self.used: list[Scene] = []
        self.absent = ""

    def __iter__(self) -> Iterator[tuple[Scene, xr.Dataset]]:
        """Go through them; of a source that reads in parts, each part by itself."""
        for scene in self.scenes:
            try:
                for layer in self._of(scene):
                    yield scene, layer
                self.used.append(scene)
            except NoDataError as error:  # the days stay missing, and are not asked for for ever
                self.absent = redact(str(error))

    def _of(self, scene: Scene) -> Iterator[xr.Dataset]:
        """A scene on the block's cells, whole or part by part.

        What the network has damaged is discarded and fetched once more; a part that had been taken
        in before the damage was found comes again, and counts once.
        """
        source = self._source
        if not isinstance(source, InParts):
            yield observe(source, scene, self._block, self._cache)
            return
        path = source.fetch(scene, self._cache)
        try:
            yield from self._onto(source.parts(path))
        except CorruptFileError:
            if not path.is_relative_to(self._cache):  # the user's own file stays
                raise
            path.unlink(missing_ok=True)
            yield from self._onto(source.parts(source.fetch(scene, self._cache)))

    def _onto(self, parts: Iterator[xr.Dataset]) -> Iterator[xr.Dataset]:
        """Parts on the block's cells; a large one is gone before the next is read."""
        for part in parts:
            size = part.nbytes
            yield onto(part, self._block)
            del part
            if size > _LARGE:
                gc.collect()  # datasets refer to themselves through their accessors


def _names(scene: Scene) -> list[str]:
    """What went in, and which older productions of it did not."""
    return [scene.id, *(f"{name} (superseded)" for name in scene.superseded)]


def observe(source: Source, scene: Scene, block: Block, cache: Path) -> xr.Dataset:
    """Bring one scene onto a block's cells, doubtful pixels masked.

    Parameters
    ----------
    source : Source
        Where from.
    scene : Scene
        What.
    block : Block
        Onto which cells.
    cache : Path
        Folder of downloads.

    Returns
    -------
    xr.Dataset
        On ``block.geobox``; NaN where missing or doubtful.
    """
    return onto(_read(source, scene, cache), block)


def onto(dataset: xr.Dataset, block: Block) -> xr.Dataset:
    """Bring what was read onto a block's cells, doubtful pixels masked.

    Parameters
    ----------
    dataset : xr.Dataset
        In the sensor's geometry, or a table.
    block : Block
        Onto which cells.

    Returns
    -------
    xr.Dataset
        On ``block.geobox``; NaN where missing or doubtful. A table stays as it is.
    """
    if dataset.attrs.get("mask") == "sentinel2":
        pixel = abs(float(dataset.odc.geobox.resolution.x))
        clear = composite.clear_mask(dataset["reflectance"].values, resolution=pixel)
        dataset["clear"] = dataset["reflectance"].isel(band=0, drop=True).copy(data=clear)
        dataset["clear"].attrs = {"units": "1"}
    for name in dataset.data_vars:
        if name in BANDS:
            check(dataset[name], str(name))
    if not {"y", "x"} <= set(dataset.dims):  # a table, which compose() itself puts on cells
        return dataset
    return align(dataset, block.geobox)


def _read(source: Source, scene: Scene, cache: Path) -> xr.Dataset:
    """Fetch and read; what the network has damaged is discarded and fetched once more."""
    path = source.fetch(scene, cache)
    try:
        return source.read(path)
    except CorruptFileError:
        if not path.is_relative_to(cache):  # the user's own file stays
            raise
        path.unlink(missing_ok=True)
        return source.read(source.fetch(scene, cache))
