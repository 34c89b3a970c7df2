"""The scenes of a block, fetched, read, masked and brought onto its cells."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from firesat import composite
from firesat.bands import BANDS, check
from firesat.blocks import Block
from firesat.errors import BandError, CorruptFileError, NoDataError
from firesat.raster import align
from firesat.sources.base import InParts, Scene, Source
from firesat.sources.redaction import redact
from firesat.sources.trial import read_through, read_tried, try_first

_LARGE = 16_000_000  # bytes


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
            yield from self._parts(source, scene, path)
        except CorruptFileError:
            if not path.is_relative_to(self._cache):  # the user's own file stays
                raise
            path.unlink(missing_ok=True)
            yield from self._parts(source, scene, source.fetch(scene, self._cache))

    def _parts(self, source: InParts, scene: Scene, path: Path) -> Iterator[xr.Dataset]:
        """Parts on the block's cells; a large one is gone before the next is read."""
        try_first(partial(read_through, source), path)
        for part in source.parts(path):
            size = part.nbytes
            with _blaming(path):
                yield onto(part, self._block, scene.observed)
            del part
            if size > _LARGE:
                gc.collect()  # datasets refer to themselves through their accessors


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
    path = source.fetch(scene, cache)
    try:
        return _seen(source, scene, block, path)
    except CorruptFileError:
        if not path.is_relative_to(cache):  # the user's own file stays
            raise
        path.unlink(missing_ok=True)
        return _seen(source, scene, block, source.fetch(scene, cache))


def _seen(source: Source, scene: Scene, block: Block, path: Path) -> xr.Dataset:
    """What a file holds, on the block's cells."""
    dataset = read_tried(source.read, path)
    with _blaming(path):
        return onto(dataset, block, scene.observed)


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    """Blame a file for values that cannot be."""
    try:
        yield
    except BandError as error:
        raise CorruptFileError(f"{path}: {error}") from error


def onto(dataset: xr.Dataset, block: Block, observed: np.datetime64) -> xr.Dataset:
    """Bring what was read onto a block's cells, doubtful pixels masked.

    Parameters
    ----------
    dataset : xr.Dataset
        In the sensor's geometry, or a table.
    block : Block
        Onto which cells.
    observed : np.datetime64
        When, UTC: how high the sun stood.

    Returns
    -------
    xr.Dataset
        On ``block.geobox``; NaN where missing or doubtful. A table stays as it is.

    Raises
    ------
    BandError
        If a variable holds values that cannot be.
    """
    masks = {}
    if dataset.attrs.get("mask") == "sentinel2":
        pixel = abs(float(dataset.odc.geobox.resolution.x))
        sun = composite.sun_over(observed, dataset.odc.geobox)
        clear = composite.clear_mask(dataset["reflectance"].values, resolution=pixel, sun=sun)
        dataset["clear"] = dataset["reflectance"].isel(band=0, drop=True).copy(data=clear)
        dataset["clear"].attrs = {"units": "1"}
        masks["reflectance"] = "clear"
    for name in dataset.data_vars:
        if name in BANDS:
            check(dataset[name], str(name))
    if not {"y", "x"} <= set(dataset.dims):  # a table, which compose() itself puts on cells
        return dataset
    return align(dataset, block.geobox, masks=masks)
