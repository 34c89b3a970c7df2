"""A flat Zarr of a region: every variable on the same cells, for whoever wants to do without tiles.

Coarser cells are repeated, so no value is invented. What is 200 MB in the cube can be 20 GB flat.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.cube.arrays import coordinates, geo_attrs
from firesat.cube.hierarchy import array_of, root_of
from firesat.cube.read import grid_of, groups, open_cube
from firesat.errors import CubeError
from firesat.grid import Grid, geobox

PIECE = 1000  # cells along the side of what is held in memory at once
CHUNK = 250

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, kw_only=True)
class Flat:
    """What is to be exported.

    Parameters
    ----------
    cube : Path
        From where, on a disk or in a bucket.
    cells : GeoBox
        The cells of the export.
    start, end : str
        First and last fire day.
    groups : tuple of str
        Which layers.
    """

    cube: Path
    cells: GeoBox
    start: str
    end: str
    groups: tuple[str, ...]

    @property
    def resolution(self) -> int:
        """Cell size.

        Returns
        -------
        int
            Metres.
        """
        return round(self.cells.resolution.x)


@dataclass(frozen=True, kw_only=True)
class _Array:
    """One array of the export, and where it comes from."""

    name: str
    source: Any
    first: int
    steps: int
    block: int
    top: int
    left: int
    repeat: int


def plan_export(
    cube: Path,
    grid: Grid,
    days: tuple[str, str],
    resolution: int = 100,
    chosen: Sequence[str] = (),
) -> Flat:
    """Decide what an export holds.

    Parameters
    ----------
    cube : Path
        A cube.
    grid : Grid
        With the region that is wanted.
    days : tuple of str
        First and last fire day.
    resolution : int
        Cell size in metres.
    chosen : sequence of str
        Groups; none = all.

    Returns
    -------
    Flat
        Nothing has been read but metadata.

    Raises
    ------
    CubeError
        If a group is not there, or finer than the export, or the region leaves the cube.
    """
    there = groups(cube)
    for name in chosen:
        if name not in there:
            raise CubeError(f"{cube} has no group {name!r}: choose of {', '.join(there)}")
    names = tuple(chosen) or tuple(there)
    for name in names:
        level = int(open_cube(cube, name).attrs["firesat_layout"]["level"])
        if level < resolution:
            raise CubeError(
                f"{name} has cells of {level} m: take --resolution {level}, or leave it out with "
                "--groups"
            )
    whole, wanted = grid_of(cube).extent, grid.extent
    inside = whole[0] <= wanted[0] and whole[1] <= wanted[1]
    if not (inside and wanted[2] <= whole[2] and wanted[3] <= whole[3]):
        raise CubeError(f"the region {list(wanted)} leaves the cube's {list(whole)}: ask for less")
    cells = geobox(wanted, grid.crs, resolution)
    return Flat(cube=cube, cells=cells, start=days[0], end=days[1], groups=names)


def export(flat: Flat, out: Path, progress: Progress) -> dict[str, Any]:
    """Write a flat Zarr, piece by piece.

    Parameters
    ----------
    flat : Flat
        What.
    out : Path
        A new folder ending in ``.zarr``; it has this name only when it is complete.
    progress : callable
        Called with (pieces written, pieces in all, array).

    Returns
    -------
    dict
        ``path``, ``arrays`` and their ``bytes`` before compression.

    Raises
    ------
    CubeError
        If `out` is there already.
    """
    if out.exists():
        raise CubeError(f"{out} is there already: remove it or choose another name")
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    target = zarr.create_group(part, zarr_format=3, attributes=geo_attrs(flat.cells))
    coordinates(target, flat.cells)
    arrays = [array for name in flat.groups for array in _make(target, flat, name)]
    work = [(array, piece) for array in arrays for piece in _pieces(array, flat.cells)]
    for number, (array, piece) in enumerate(work, start=1):
        _copy(target, array, piece)
        progress(number, len(work), array.name)
    part.rename(out)
    size = sum(int(a.nbytes) for _, a in zarr.open_group(out, mode="r").arrays())
    return {"path": str(out), "arrays": [array.name for array in arrays], "bytes": size}


def _make(target: zarr.Group, flat: Flat, name: str) -> Iterator[_Array]:
    """Make the empty arrays of a group, and its time axis."""
    dataset = open_cube(flat.cube, name, packed=True)
    days = dataset["time"].values.astype("datetime64[D]")
    first, last = np.searchsorted(days, np.array([flat.start, flat.end], "datetime64[D]"))
    last += bool(last < len(days) and str(days[last]) == flat.end)
    if last <= first:
        return
    _axis(target, dataset.isel(time=slice(first, last)), name, flat.cells)
    layout = dataset.attrs["firesat_layout"]
    root, level = root_of(flat.cube), int(layout["level"])
    box, own = flat.cells.boundingbox, dataset.attrs["spatial:bbox"]
    for variable in map(str, dataset.data_vars):
        source = array_of(root, f"{name}/{variable}")
        lead = source.shape[1:-2]
        attrs = {k: v for k, v in source.attrs.items() if k != "grid_mapping"}
        target.create_array(
            f"{name}_{variable}",
            shape=(last - first, *lead, *flat.cells.shape),
            dtype=source.dtype,
            chunks=(1, *lead, *(min(CHUNK, n) for n in flat.cells.shape)),
            dimension_names=[f"{name}_time", *_inner(dataset[variable], name), "y", "x"],
            fill_value=source.fill_value,
            compressors=zarr.codecs.BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
            attributes={**attrs, "grid_mapping": "spatial_ref"},
        )
        yield _Array(
            name=f"{name}_{variable}",
            source=source,
            first=int(first),
            steps=int(last - first),
            block=int(layout["steps"]),
            top=round((own[3] - box.top) / flat.resolution),
            left=round((box.left - own[0]) / flat.resolution),
            repeat=level // flat.resolution,
        )


def _inner(variable: xr.DataArray, group: str) -> list[str]:
    """Names of what lies between time and rows; lead times differ from one forecast to another."""
    dims = map(str, variable.dims[1:-2])
    return [f"{group}_{dim}" if dim == "lead_time" else dim for dim in dims]


def _axis(target: zarr.Group, dataset: xr.Dataset, name: str, cells: GeoBox) -> None:
    """Write a group's days, and when all of the region had each."""
    seconds = dataset["time"].values.astype("datetime64[s]").astype(np.int64)
    known = _over_region(dataset, cells).astype("datetime64[s]").astype(np.int64)
    units: dict[str, Any] = {
        "units": "seconds since 1970-01-01T00:00:00",
        "calendar": "proleptic_gregorian",
    }
    for suffix, values in (("time", seconds), ("available_time", known)):
        array = target.create_array(
            f"{name}_{suffix}",
            shape=values.shape,
            dtype=values.dtype,
            chunks=values.shape,
            dimension_names=[f"{name}_time"],
            attributes=units,
        )
        array[:] = values
    if "lead_time" in dataset.coords:
        hours = dataset["lead_time"].values
        axis = target.create_array(
            f"{name}_lead_time",
            shape=hours.shape,
            dtype="int64",
            chunks=hours.shape,
            dimension_names=[f"{name}_lead_time"],
            attributes={"units": "hours", "standard_name": "forecast_period"},
        )
        axis[:] = hours


def _over_region(dataset: xr.Dataset, cells: GeoBox) -> NDArray[np.datetime64]:
    """The latest time of any tile that the region touches; NaT where none has the step."""
    times: NDArray[np.datetime64] = dataset["available_time"].values
    if times.shape[1:] != (1, 1):
        own, box = dataset.attrs["spatial:bbox"], cells.boundingbox
        rows = slice(int((own[3] - box.top) // 1e5), int(-((box.bottom - own[3]) // 1e5)))
        columns = slice(int((box.left - own[0]) // 1e5), int(-((own[0] - box.right) // 1e5)))
        times = times[:, rows, columns]
    flat = times.reshape(len(times), -1)
    latest: NDArray[np.datetime64] = np.fmax.reduce(flat, axis=1)
    return latest


def _pieces(array: _Array, cells: GeoBox) -> Iterator[tuple[slice, slice, slice]]:
    """Steps, rows and columns that are copied at once: whole chunks, bounded in memory."""
    for step in range(
        array.first - array.first % array.block, array.first + array.steps, array.block
    ):
        steps = slice(max(step, array.first), min(step + array.block, array.first + array.steps))
        for row in range(0, cells.shape[0], PIECE):
            for column in range(0, cells.shape[1], PIECE):
                yield (
                    steps,
                    slice(row, min(row + PIECE, cells.shape[0])),
                    slice(column, min(column + PIECE, cells.shape[1])),
                )


def _copy(target: zarr.Group, array: _Array, piece: tuple[slice, slice, slice]) -> None:
    """Copy a piece, coarse cells repeated."""
    steps, rows, columns = piece
    inside = []
    for part, offset in ((rows, array.top), (columns, array.left)):
        first, last = part.start + offset, part.stop + offset
        coarse = slice(first // array.repeat, -(-last // array.repeat))
        inside.append((coarse, first - coarse.start * array.repeat, last - first))
    (rough_rows, top, height), (rough_columns, left, width) = inside
    values = np.asarray(array.source[(steps, Ellipsis, rough_rows, rough_columns)])
    fine = values.repeat(array.repeat, axis=-2).repeat(array.repeat, axis=-1)
    cut = fine[..., top : top + height, left : left + width]
    own = slice(steps.start - array.first, steps.stop - array.first)
    array_of(target, array.name)[(own, Ellipsis, rows, columns)] = cut
