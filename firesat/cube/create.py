"""Making a cube: the root that every group lies in."""

from pathlib import Path
from typing import Any

import zarr

from firesat.cube.arrays import differences
from firesat.cube.hierarchy import NODE, Draft, root_of
from firesat.cube.write import Cube
from firesat.errors import CubeError
from firesat.grid import Grid
from firesat.manifest import FileSum
from firesat.store import address, exists


def create_cube(path: Path, grid: Grid) -> Cube:
    """Make a cube, or open the one that is there.

    Parameters
    ----------
    path : Path
        Folder ending in ``.zarr``; ``s3://bucket/folder/name.zarr`` for one in a bucket.
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
    cube = Cube(path, grid)
    if exists(path, NODE):
        check_place(path, grid)
    else:
        write_root(cube, _place(grid))
    return cube


def check_place(path: Path, grid: Grid) -> None:
    """Refuse a cube of another region or CRS; one that is not there yet has none.

    Parameters
    ----------
    path : Path
        Of a cube.
    grid : Grid
        Grid and region.

    Raises
    ------
    CubeError
        If it lies elsewhere.
    """
    if not exists(path, NODE):
        return
    wanted, found = _place(grid), dict(root_of(path).attrs).get("firesat_grid")
    if found != wanted:
        changed = differences(found if isinstance(found, dict) else {}, wanted)
        raise CubeError(
            f"{address(path)} lies elsewhere than the config says ({changed}): take another "
            "cube.path, or put the grid section back"
        )


def _place(grid: Grid) -> dict[str, Any]:
    """What a cube's root says of its grid."""
    return {"crs": grid.crs, "extent": list(grid.extent), "bounds": list(grid.bounds)}


def write_root(cube: Cube, grid: dict[str, Any]) -> None:
    """Write a cube's own metadata, and keep its checksum.

    Parameters
    ----------
    cube : Cube
        Where.
    grid : dict
        CRS, extent and bounds.
    """
    draft = Draft()
    attrs = {"Conventions": "CF-1.11", "firesat_grid": grid}
    zarr.create_group(draft.store, zarr_format=3, attributes=attrs)
    content = draft.files()[NODE]
    cube.manifest().groups.keep_sums("", [FileSum.of(NODE, [content])])
    cube.store.put([(NODE, [content])])
