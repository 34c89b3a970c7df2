"""Writing a cube: whole blocks, made durable before anybody vouches for them."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from firesat.blocks import Block, Layout, Variable, cut
from firesat.cube.arrays import NEVER, check_same, create, record
from firesat.errors import CubeError
from firesat.grid import Grid
from firesat.manifest import Manifest, Receipt, sync_folder


@dataclass(frozen=True)
class Cube:
    """A cube on disk, open for writing blocks.

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
        root = zarr.open_group(self.path, mode="a", zarr_format=3)
        found = record(layout, times)
        if layout.group in root:
            check_same(layout.group, dict(root[layout.group].attrs), found)
        else:
            create(root, layout, self.grid, times, found)
        return list(cut(layout, self.grid, times))

    def write_block(self, layout: Layout, block: Block, layer: xr.Dataset) -> str:
        """Write a whole block and make it durable.

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
        str
            SHA-256 of the stored values, or "" if everything is missing and nothing was written.

        Raises
        ------
        CubeError
            If a variable is missing or has another shape: part of a block is never written.
        """
        packed = {v.name: _pack(v, _whole(v, block, layer)) for v in layout.variables}
        if all(_all_missing(v, packed[v.name]) for v in layout.variables):
            return ""
        digest = hashlib.sha256()
        root = zarr.open_group(self.path, mode="r+", zarr_format=3)
        for variable in layout.variables:
            array = _array(root, f"{block.group}/{variable.name}")
            values = packed[variable.name]
            array[_region(array, layout, block, bool(variable.bands))] = values
            _sync(self.path / array.path, array, block, bool(variable.bands))
            digest.update(values.tobytes())
        return digest.hexdigest()

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
        root = zarr.open_group(self.path, mode="r+", zarr_format=3)
        array = _array(root, f"{layout.group}/available_time")
        table = np.asarray(array[:])
        before = table.copy()
        for receipt in receipts:
            step, row, column = (int(part) for part in receipt.key.split("/")[1:])
            known = [_to_seconds(text) for text in receipt.available]
            first = step * layout.steps
            table[first : first + len(known), row, column] = known
        if (table != before).any():  # nothing new leaves the file alone
            array[:] = table


def create_cube(path: Path, grid: Grid) -> Cube:
    """Make a cube, or open the one that is there.

    Parameters
    ----------
    path : Path
        Folder ending in ``.zarr``.
    grid : Grid
        Grid and region.

    Returns
    -------
    Cube
        Ready for `add_group`.

    Raises
    ------
    CubeError
        If a cube of another region or CRS stands there.
    """
    if path.suffix != ".zarr":
        raise CubeError(f"{path} should end in .zarr: write {path.with_suffix('.zarr')}")
    path.parent.mkdir(parents=True, exist_ok=True)
    root = zarr.open_group(path, mode="a", zarr_format=3)
    wanted: dict[str, Any] = {
        "crs": grid.crs,
        "extent": list(grid.extent),
        "bounds": list(grid.bounds),
    }
    found = dict(root.attrs).get("firesat_grid")
    if found is not None and found != wanted:
        raise CubeError(
            f"{path} covers {found}, the config says {wanted}: take another cube.path, or put the "
            "grid section back"
        )
    root.attrs.update({"Conventions": "CF-1.11"})
    root.attrs["firesat_grid"] = wanted
    return Cube(path, grid)


def _array(root: zarr.Group, name: str) -> zarr.Array:  # type: ignore[type-arg]
    """An array of the hierarchy."""
    member = root[name]
    if not isinstance(member, zarr.Array):
        raise CubeError(f"{name} is a group where an array was expected")
    return member


def _whole(variable: Variable, block: Block, layer: xr.Dataset) -> NDArray[np.float64]:
    """The variable's values, of the block's exact shape."""
    if variable.name not in layer:
        raise CubeError(f"{block.key} comes without {variable.name}: compose() must give it")
    bands = (len(variable.bands),) if variable.bands else ()
    wanted = (len(block.times), *bands, *block.geobox.shape)
    values: NDArray[np.float64] = layer[variable.name].values
    if values.shape != wanted:
        raise CubeError(
            f"{block.key}: {variable.name} has shape {values.shape}, a whole block has {wanted}"
        )
    return values


def _pack(variable: Variable, values: NDArray[np.float64]) -> NDArray[np.generic]:
    """Physical values to stored ones; out-of-range values saturate, NaN becomes the fill."""
    if not variable.packed:
        return np.ascontiguousarray(values, dtype=variable.dtype)
    limits = np.iinfo(variable.dtype)
    largest = limits.max - (variable.fill == limits.max)  # a saturated value is not missing
    missing = np.isnan(values)
    steps = np.rint(np.where(missing, 0.0, values) / variable.scale)
    packed = np.clip(steps, limits.min, largest).astype(variable.dtype)
    packed[missing] = variable.fill
    return packed


def _all_missing(variable: Variable, packed: NDArray[np.generic]) -> bool:
    """Whether there is nothing to write."""
    missing = packed == variable.fill if variable.packed else np.isnan(packed.astype("float64"))
    return bool(missing.all())


def _region(
    array: zarr.Array,  # type: ignore[type-arg]
    layout: Layout,
    block: Block,
    banded: bool,
) -> tuple[slice, ...]:
    """Where a block lies in its array."""
    step, row, column = block.index
    height, width = block.geobox.shape
    start = step * layout.steps
    space = (
        slice(row * height, (row + 1) * height),
        slice(column * width, (column + 1) * width),
    )
    time = slice(start, min(start + layout.steps, array.shape[0]))
    return (time, slice(None), *space) if banded else (time, *space)


def _sync(
    folder: Path,
    array: zarr.Array,  # type: ignore[type-arg]
    block: Block,
    banded: bool,
) -> None:
    """Make a block's one file durable: its bytes, then its name."""
    step, row, column = block.index
    index = (step, 0, row, column) if banded else (step, row, column)
    path = folder / array.metadata.encode_chunk_key(index)
    if not path.exists():  # zarr leaves out shards that hold the fill value alone
        return
    with path.open("rb") as file:
        os.fsync(file.fileno())
    sync_folder(path.parent)


def _to_seconds(text: str) -> int:
    """ISO time to the stored integer; "" means never."""
    if not text:
        return NEVER
    seconds = np.datetime64(text, "s").astype(np.int64)
    return int(seconds)
