"""Reading a cube: what it holds, a group of it, its hash."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import odc.geo.xr  # noqa: F401  registers the .odc accessor
import xarray as xr
import zarr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Proj

from firesat.cube.hierarchy import NODE, root_of, zarr_store
from firesat.errors import CubeError
from firesat.grid import TILE_SIZE, Grid, crs_of
from firesat.manifest import Manifest
from firesat.manifest.remarks import remarks
from firesat.places import places_of
from firesat.store import address, exists, in_bucket, store_of


def grid_of(path: Path) -> Grid:
    """Read the grid of a cube.

    Parameters
    ----------
    path : Path
        A cube.

    Returns
    -------
    Grid
        With its region.

    Raises
    ------
    CubeError
        If there is no cube.
    """
    attrs = dict(root_of(path).attrs)
    record = attrs.get("firesat_grid")
    if not isinstance(record, dict):
        raise CubeError(f"{address(path)} is a Zarr store, but no firesat cube")
    return Grid(crs=record["crs"], bounds=tuple(record["bounds"]), region=tuple(record["extent"]))


def groups(path: Path) -> list[str]:
    """List the groups of a cube.

    Parameters
    ----------
    path : Path
        A cube.

    Returns
    -------
    list of str
        Sorted names.
    """
    if not exists(path, NODE):
        root_of(path)  # says so
    return store_of(path).folders(NODE)


def open_cube(path: Path, group: str, *, packed: bool = False) -> xr.Dataset:
    """Open one group lazily.

    Parameters
    ----------
    path : Path
        A cube.
    group : str
        Name of the group.
    packed : bool
        Leave scaled integers as they are stored, ten times faster to read; `scale_factor` and
        `_FillValue` are then attributes of each variable.

    Returns
    -------
    xr.Dataset
        Variables in physical units with dims ``(time, [band,] y, x)``, NaN where missing;
        coordinate ``available_time (time, tile_y, tile_x)``, NaT where nothing is. No dask: slice,
        then load.

    Raises
    ------
    CubeError
        If there is no such cube or group.
    """
    names = groups(path)
    if group not in names:
        there = ", ".join(names) or "none"
        raise CubeError(f"{address(path)} has no group {group!r}, only {there}: ingest")
    dataset: xr.Dataset = xr.open_zarr(
        zarr_store(path), group=group, consolidated=False, chunks=None, mask_and_scale=not packed
    )
    moments = ["reference_time"] if "reference_time" in dataset else []  # of forecasts
    return dataset.set_coords(["available_time", "spatial_ref", *moments])


def cells_of(dataset: xr.Dataset) -> GeoBox:
    """Give the cells of an opened group.

    Parameters
    ----------
    dataset : xr.Dataset
        A result of :func:`open_cube`.

    Returns
    -------
    GeoBox
        Of its y and x.
    """
    cells: GeoBox = dataset.odc.geobox
    return cells


def latitude_of(cells: GeoBox) -> NDArray[np.float64]:
    """Give the latitudes of cells.

    Parameters
    ----------
    cells : GeoBox
        Of any CRS.

    Returns
    -------
    ndarray of float64, shape (Y, X)
        Degrees north, of their centres.
    """
    x, y = np.meshgrid(cells.coordinates["x"].values, cells.coordinates["y"].values)
    _, latitude = Proj(crs_of(cells).to_wkt())(x, y, inverse=True)
    return np.asarray(latitude, dtype="float64")


def cube_hash(path: Path) -> str:
    """Hash the decoded content of a cube.

    Independent of the order of writing, the number of workers, chunks and codec.

    Parameters
    ----------
    path : Path
        A cube.

    Returns
    -------
    str
        SHA-256 over every array's stored values and attributes, in the order of their names.
    """
    digest = hashlib.sha256()
    root = root_of(path)
    digest.update(json.dumps(dict(root.attrs), sort_keys=True).encode())
    for name, member in _members(root, groups(path)):
        digest.update(name.encode())
        digest.update(json.dumps(dict(member.attrs), sort_keys=True).encode())
        if isinstance(member, zarr.Array):
            digest.update(f"{member.dtype}{member.shape}".encode())
            for part in _steps(member):
                digest.update(np.ascontiguousarray(part))
    return digest.hexdigest()


def _members(root: zarr.Group, names: list[str]) -> Iterator[tuple[str, Any]]:
    """Groups and arrays in the order of their names."""
    for name in names:
        group: Any = root[name]
        yield name, group
        yield from ((f"{name}/{part}", array) for part, array in sorted(group.members()))


def _steps(array: zarr.Array) -> Iterator[NDArray[np.generic]]:  # type: ignore[type-arg]
    """The array in bounded pieces along its first axis."""
    if array.ndim == 0:
        yield np.asarray(array[()])
        return
    step = max(1, (array.shards or array.chunks)[0])
    for start in range(0, array.shape[0], step):
        yield np.asarray(array[start : start + step])


def cube_info(path: Path) -> dict[str, Any]:
    """Describe a cube.

    Parameters
    ----------
    path : Path
        A cube.

    Returns
    -------
    dict
        ``crs``, ``extent`` (x0, y0, x1, y1 in metres), ``content_hash`` of all blocks
        ("" where there is no ledger; no pixel is read for it) and ``groups``: for each its level
        in metres, variables, first and last day, time steps, blocks by status, completeness
        (finished blocks as a share of all) and ``remarks``: what finished blocks lack, such as rows
        of a table that were left out, and in how many blocks.
    """
    grid = grid_of(path)
    ledger = path.with_suffix(".ledger")
    known = in_bucket(ledger) or ledger.is_dir()
    manifest = Manifest(ledger) if known else None
    counts = manifest.counts() if manifest else {}
    described = {name: _describe(path, name, counts.get(name, Counter())) for name in groups(path)}
    for name, entry in described.items():
        entry["remarks"] = dict(remarks(manifest.table, name)) if manifest else {}
    return {
        "path": address(path),
        "crs": grid.crs,
        "extent": list(grid.extent),
        "tiles": [tile.name for tile in grid.tiles()],
        "content_hash": manifest.content_hash() if manifest else "",
        "groups": described,
    }


def blocks_at_once(record: Mapping[str, Any], grid: Grid) -> int:
    """Count the blocks of one time step of a group.

    Parameters
    ----------
    record : mapping
        The group's attribute ``firesat_layout``.
    grid : Grid
        The cube's.

    Returns
    -------
    int
        Of a country, those of tiles with land alone.
    """
    side = 0 if record["whole_box"] else int(record.get("side", TILE_SIZE))
    return len(places_of(int(record["level"]), grid, side=side))


def _describe(path: Path, name: str, blocks: Counter[str]) -> dict[str, Any]:
    """One group's entry."""
    dataset = open_cube(path, name)
    layout = dataset.attrs["firesat_layout"]
    days = dataset["time"].values.astype("datetime64[D]")
    total = -(-len(days) // layout["steps"]) * blocks_at_once(layout, grid_of(path))
    return {
        "level_m": layout["level"],
        "variables": sorted(str(variable) for variable in dataset.data_vars),
        "first_day": str(days[0]),
        "last_day": str(days[-1]),
        "steps": len(days),
        "blocks": {"total": total, **blocks},
        "completeness": round((blocks["done"] + blocks["empty"]) / total, 4),
    }
