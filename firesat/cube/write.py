"""Writing a cube: whole blocks, made durable before anybody vouches for them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.blocks import Block, Layout, Variable, cut
from firesat.cube.arrays import check_same, group_files, pattern_of, record
from firesat.cube.hierarchy import NODE, root_of
from firesat.cube.shards import encode
from firesat.cube.times import Times
from firesat.errors import CubeError
from firesat.grid import Grid
from firesat.manifest import FileSum, Manifest, Receipt
from firesat.store import Store, exists, store_of


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a block has become; true if there was anything to write.

    Parameters
    ----------
    checksum : str
        SHA-256 of the stored values, "" if everything is missing.
    files : list of str
        The block's files, each as `FileSum` writes it.
    """

    checksum: str = ""
    files: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.checksum)


@dataclass(frozen=True)
class Cube:
    """A cube on a disk or in a bucket, open for writing blocks.

    Parameters
    ----------
    path : Path
        Folder ending in ``.zarr``.
    grid : Grid
        Its grid and region.
    """

    path: Path
    grid: Grid

    @property
    def ledger(self) -> Path:
        """Folder of the ledger beside it.

        Returns
        -------
        Path
            Of the same name, ending in ``.ledger``.
        """
        return self.path.with_suffix(".ledger")

    @property
    def store(self) -> Store:
        """Where its files are written.

        Returns
        -------
        Store
            Of the disk or the bucket.
        """
        return store_of(self.path)

    def manifest(self) -> Manifest:
        """Open the ledger's table; one process writes it.

        Returns
        -------
        Manifest
            Made if absent.
        """
        return Manifest(self.ledger)

    def add_group(self, layout: Layout, times: NDArray[np.datetime64]) -> list[Block]:
        """Make room for a source, or check that the room it has is the same.

        Parameters
        ----------
        layout : Layout
            How the group is stored.
        times : ndarray of datetime64
            Its time axis.

        Returns
        -------
        list of Block
            All its blocks, written or not.

        Raises
        ------
        CubeError
            If the group exists with another layout or time axis.
        """
        wanted = record(layout, times)
        if exists(self.path, f"{layout.group}/{NODE}"):
            check_same(layout.group, dict(root_of(self.path)[layout.group].attrs), wanted)
        else:
            write_group(self, layout, times)
        return list(cut(layout, self.grid, times))

    def write_block(self, layout: Layout, block: Block, layer: xr.Dataset) -> Written:
        """Write a whole block and make it durable.

        Its variables appear one after another in the layout's order, each whole, and none before
        all are on the disk. A reader that keeps to ``available_time`` sees a new block only later,
        when the coordinator notes its times; one that reads a block while it is written *again* can
        find its variables of two versions.

        Parameters
        ----------
        layout : Layout
            How its group is stored.
        block : Block
            Which piece.
        layer : xr.Dataset
            Every variable of the layout, dims ``(time, [band,] y, x)``, of the block's exact
            shape; NaN = missing.

        Returns
        -------
        Written
            Its checksums; false if everything is missing and nothing was written.

        Raises
        ------
        CubeError
            If a variable is missing or has another shape: part of a block is never written.
        StoreError
            If the disk or the bucket refuses.
        """
        values = {v.name: _whole(v, block, layer) for v in layout.variables}
        cells = self.grid.box(layout.level)
        shards = {
            shard_key(block, v): encode(pattern_of(layout, v, cells), values[v.name])
            for v in layout.variables
        }
        if all(shard.empty for shard in shards.values()):
            return Written()
        self.store.put((key, shard.pieces) for key, shard in shards.items())
        digest = hashlib.sha256(b"".join(shard.digest for shard in shards.values()))
        sums = tuple(str(FileSum.of(key, shard.pieces)) for key, shard in shards.items())
        return Written(checksum=digest.hexdigest(), files=sums)

    def record_times(self, receipts: Iterable[Receipt], layout: Layout) -> None:
        """Note in the cube when each time step of some blocks became available.

        Only the coordinator calls this: the array is shared by all blocks of a group.

        Parameters
        ----------
        receipts : iterable of Receipt
            Blocks of one group, done.
        layout : Layout
            How the group is stored.
        """
        self._record(receipts, layout.group)

    def note_times(self, group: str) -> None:
        """Note in the cube what the ledger knows of a group's times and it may not know yet.

        Parameters
        ----------
        group : str
            Name of the group. Whoever wrote it may have been killed before it noted them itself.
        """
        manifest = self.manifest()
        rows = manifest.unnoted(group)
        self._record(rows, group)
        manifest.note(rows)

    def _record(self, receipts: Iterable[Receipt], group: str) -> None:
        """Put times into the array; nothing new leaves the file alone."""
        times = Times(self.path, group)
        before = times.read()
        table = times.table(receipts, before)
        if (table != before).any():
            times.write(table)


def shard_key(block: Block, variable: Variable) -> str:
    """Name the file of a block's variable.

    Parameters
    ----------
    block : Block
        Which piece.
    variable : Variable
        Which array.

    Returns
    -------
    str
        Such as "sentinel2/clear/c/12/0/1".
    """
    step, row, column = block.index
    band = "0/" if variable.inner else ""
    return f"{block.group}/{variable.name}/c/{step}/{band}{row}/{column}"


def write_group(cube: Cube, layout: Layout, times: NDArray[np.datetime64]) -> None:
    """Write a group's metadata and coordinates, and keep their checksums.

    Parameters
    ----------
    cube : Cube
        Where.
    layout : Layout
        How the group is stored.
    times : ndarray of datetime64
        Its time axis.
    """
    files = group_files(layout, cube.grid, times, record(layout, times))
    # Sums first: a group that is there without them could not be told from a damaged one.
    sums = [FileSum.of(key, [content]) for key, content in files.items()]
    cube.manifest().groups.keep_sums(layout.group, sums)
    # What makes the group be there comes when all else is durable: names of one put may reach the
    # disk in another order if the power fails.
    node = f"{layout.group}/{NODE}"
    cube.store.put((key, [content]) for key, content in files.items() if key != node)
    cube.store.put([(node, [files[node]])])


def _whole(variable: Variable, block: Block, layer: xr.Dataset) -> NDArray[Any]:
    """The variable's values, of the block's exact shape."""
    if variable.name not in layer:
        raise CubeError(f"{block.key} comes without {variable.name}: compose() must give it")
    wanted = (len(block.times), *variable.inner.values(), *block.geobox.shape)
    values: NDArray[Any] = layer[variable.name].values
    if values.shape != wanted:
        raise CubeError(
            f"{block.key}: {variable.name} has shape {values.shape}, a whole block has {wanted}"
        )
    return values
