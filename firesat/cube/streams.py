"""Versions of a layer side by side: what was served in operation, and the final one.

``era5_land`` holds the stream its source serves in operation; another version of it lies beside it,
under the same name and its stream: ``era5_land_final``. They are different files, so the final can
never overwrite what a forecast was made from.

At a reference time T, a step of a tile is taken from the final version if that was available by T,
else from the near-real-time one if that was, else it is missing.
"""

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.cube.read import groups, open_cube
from firesat.errors import CubeError

STREAMS = ("final", "nrt")  # the better one first


def versions(path: Path, group: str) -> dict[str, str]:
    """List the versions of a layer that a cube holds.

    Parameters
    ----------
    path : Path
        A cube.
    group : str
        Name of the layer, such as "era5_land".

    Returns
    -------
    dict
        Stream to name of the group, the better one first.

    Raises
    ------
    CubeError
        If there is none.
    """
    there = groups(path)
    names = [name for name in (group, *(f"{group}_{s}" for s in STREAMS)) if name in there]
    found = {str(open_cube(path, name).attrs.get("stream", "final")): name for name in names}
    if not found:
        raise CubeError(f"{path} has no {group} of any stream: run firesat ingest")
    return {stream: found[stream] for stream in STREAMS if stream in found}


def read_as_of(
    path: Path,
    group: str,
    reference_time: np.datetime64,
    part: dict[str, slice] | None = None,
) -> xr.Dataset:
    """Read a layer as it could be known at a reference time.

    Parameters
    ----------
    path : Path
        A cube.
    group : str
        Name of the layer.
    reference_time : np.datetime64
        T, UTC.
    part : dict of slice, optional
        Dimension to labels: ``{"time": slice("2021-05-01", "2021-05-09"), "x": ...}``.

    Returns
    -------
    xr.Dataset
        The layer's variables over that part, loaded; NaN where nothing was available by T.
        ``stream (time, y, x)`` says what was read: 1 final, 2 near-real-time, 0 nothing.

    Raises
    ------
    CubeError
        If the cube has no such layer.
    """
    names = versions(path, group)
    parts = {s: _known(open_cube(path, name), reference_time, part) for s, name in names.items()}
    times = np.unique(np.concatenate([p["time"].values for p in parts.values()]))
    out: xr.Dataset | None = None
    for stream, found in parts.items():
        found = found.reindex(time=times)
        found["stream"] = found["stream"].fillna(0) * (STREAMS.index(stream) + 1)
        out = found if out is None else _where_missing(out, found)
    assert out is not None  # versions() has found one
    return out


def _where_missing(better: xr.Dataset, other: xr.Dataset) -> xr.Dataset:
    """The better version, and the other where that has nothing."""
    return better.where(better["stream"] > 0, other)


def _known(
    dataset: xr.Dataset, reference_time: np.datetime64, part: dict[str, slice] | None
) -> xr.Dataset:
    """What of a version was available by T; `stream` is 1 there."""
    chosen = dataset.sel(part or {})
    steps = dataset.indexes["time"].get_indexer(chosen.indexes["time"])
    known = dataset["available_time"].values[steps] <= reference_time
    rows, columns = (_tiles(dataset, chosen, dim) for dim in ("y", "x"))
    there = xr.DataArray(known[:, rows[:, None], columns[None, :]], dims=("time", "y", "x"))
    values = chosen.drop_vars("available_time").load().where(there)
    return values.assign(stream=there.astype("float32"))


def _tiles(dataset: xr.Dataset, chosen: xr.Dataset, dim: str) -> NDArray[np.int64]:
    """Tile of each cell of a part along y or x."""
    if dataset.sizes[f"tile_{dim}"] == 1:
        return np.zeros(chosen.sizes[dim], dtype=np.int64)
    cells = dataset.indexes[dim].get_indexer(chosen.indexes[dim])
    return np.asarray(cells // (dataset.sizes[dim] // dataset.sizes[f"tile_{dim}"]))
