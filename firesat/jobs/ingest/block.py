"""One block from its source into the cube: what a worker does."""

import hashlib
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import xarray as xr

from firesat import composite
from firesat.bands import BANDS, check
from firesat.blocks import Block
from firesat.cube import Cube
from firesat.errors import FiresatError, StoreError
from firesat.manifest import Receipt, leave_receipt
from firesat.raster import align
from firesat.sources.base import Scene, Source


def ingest_block(source: Source, block: Block, cube: Cube, cache: Path) -> Receipt:
    """Fetch, read, mask, align and write one block; runs on a worker.

    Parameters
    ----------
    source : Source
        Where from.
    block : Block
        Which piece.
    cube : Cube
        Where to.
    cache : Path
        Folder of downloads shared by the workers.

    Returns
    -------
    Receipt
        Left in the ledger as well. A provider's or a file's failure is a receipt with its
        reason, not an exception: the other blocks go on.

    Raises
    ------
    StoreError
        If the disk or the bucket refuses: no other block would fare better.
    """
    blank = Receipt(
        key=block.key,
        group=block.group,
        status="failed",
        stream=source.layout.stream,
        config=config_hash(source),
    )
    try:
        receipt = _write(source, block, cube, cache, blank)
    except StoreError:
        raise
    except FiresatError as error:
        receipt = replace(blank, reason=f"{type(error).__name__}: {error}")
    leave_receipt(cube.ledger, receipt)
    return receipt


def _write(source: Source, block: Block, cube: Cube, cache: Path, blank: Receipt) -> Receipt:
    """Build a block and write it."""
    scenes = source.search(block)
    layers = [(scene, observe(source, scene, block, cache)) for scene in scenes]
    if not layers:
        return replace(blank, status="empty")
    layer = source.compose(layers, block)
    written = cube.write_block(source.layout, block, layer)
    available = layer["available_time"].values.astype("datetime64[s]").astype(str)
    return replace(
        blank,
        status="done" if written else "empty",
        checksum=written.checksum,
        files=list(written.files),
        items=[name for scene in scenes for name in _names(scene)],
        available=["" if text == "NaT" else text for text in available],
    )


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
    dataset = source.read(source.fetch(scene, cache))
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


def settings_of(source: Source) -> dict[str, str]:
    """Give the settings that shape a source's blocks.

    Parameters
    ----------
    source : Source
        A dataclass.

    Returns
    -------
    dict
        Name to value as text; the provider's address and the number of connections are left out.
    """
    chosen: Any = source
    settings = {f.name: str(getattr(source, f.name)) for f in fields(chosen)}
    for name in ("base_url", "connections"):  # how it is fetched shapes nothing
        settings.pop(name, None)
    return settings


def config_hash(source: Source) -> str:
    """Hash the settings that shape a source's blocks.

    Parameters
    ----------
    source : Source
        A dataclass.

    Returns
    -------
    str
        12 hexadecimal digits.
    """
    text = json.dumps([type(source).__name__, settings_of(source)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
