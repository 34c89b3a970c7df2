"""GRIB files: every message of a file, as arrays with times, units and a CRS."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from firesat.errors import CorruptFileError, SourceError
from firesat.grid import crs_of
from firesat.sources._declared import refuse_larger
from firesat.sources._grib_grid import GribGrid, Keys, grid_of
from firesat.sources._grib_message import dissect, unpack
from firesat.sources._grib_quantity import (
    KIND_KEYS,
    Quantity,
    describe,
    one_of_each,
    seconds,
    version_of,
)
from firesat.sources._grib_spans import messages
from firesat.sources._layers import georeferenced

_SLACK = 128 << 20  # bytes: some fields of the largest models
_MISSING = 1e34  # the usual 9999 can be a real value


def read_grib(path: Path) -> xr.Dataset:
    """Read a GRIB file of edition 1 or 2.

    Parameters
    ----------
    path : Path
        A file of one grid: regular or rotated latitude-longitude, polar stereographic, Lambert or
        Mercator.

    Returns
    -------
    xr.Dataset
        One float32 variable per quantity, named as CF names it (``t2m``), or
        ``p<discipline>_<category>_<number>`` where ecCodes has no name; dims ``(time, [number,]
        [level,] y, x)``, ``time`` being the valid time in UTC; the file's own units; NaN where
        missing. Grids that are not in plain degrees carry the true ``latitude`` and ``longitude``
        of each cell. Where messages name ECMWF's ``expver``, a coordinate tells it for each time.

    Raises
    ------
    CorruptFileError
        If the file is truncated, damaged, or holds anything but GRIB messages.
    SourceError
        If it holds several grids, or one without rows and columns.
    """
    return read_messages(messages(path), path)


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Name the file in which ecCodes finds something damaged, or says what cannot be.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    None
        While it is read.

    Raises
    ------
    CorruptFileError
        Instead of what ecCodes and NumPy say.
    """
    try:
        yield
    except (_eccodes_error(), ValueError, ArithmeticError) as error:
        raise CorruptFileError(
            f"{path} is a damaged GRIB file ({error}): delete it and run the command again"
        ) from error


def read_messages(content: Iterable[bytes], path: Path) -> xr.Dataset:
    """Turn messages into arrays.

    Parameters
    ----------
    content : iterable of bytes
        Messages of one grid.
    path : Path
        The file that they are from.

    Returns
    -------
    xr.Dataset
        As :func:`read_grib`.

    Raises
    ------
    CorruptFileError
        If one is damaged.
    SourceError
        If they have several grids.
    """
    file = _File(path)
    for message in content:
        if not file.add_known(message):
            with blaming(path):
                file.add(message)
    grid = _one_grid(file)
    with blaming(path):
        variables = _variables(one_of_each(file.quantities), grid, path)
        made = _with_places(georeferenced(variables, grid.cells), grid.cells)
        if not any(file.versions.values()):
            return made
        moments = made["time"].values.astype("datetime64[s]").astype("int64")
        versions = [file.versions.get(int(moment), 0) for moment in moments]
        return made.assign_coords(expver=("time", versions))


def _eccodes_error() -> type[Exception]:
    """Base of what ecCodes raises."""
    # ecCodes is imported in functions only: loaded before pyproj, its own PROJ crashes the
    # interpreter's exit (github.com/bcgov/wps/pull/5138), and sorted imports put it first.
    from eccodes import CodesInternalError

    error: type[Exception] = CodesInternalError
    return error


@dataclass(frozen=True)
class _Recipe:
    """What ecCodes said of the first message of a kind, true for all that look like it."""

    quantity: Quantity
    step: int
    member: int
    level: int
    points: int
    version: int


class _File:
    """What has been read of a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.declared = 0.0
        self.quantities: dict[tuple[int, ...], Quantity] = {}
        self.grids: dict[str, GribGrid] = {}
        self.recipes: dict[bytes, _Recipe] = {}
        self.versions: dict[int, int] = {}

    def add_known(self, message: bytes) -> bool:
        """Unpack a message that looks like an earlier one; tell whether it did."""
        packed = dissect(message)
        recipe = self.recipes.get(packed.skeleton) if packed else None
        if packed is None or recipe is None:
            return False
        self._count(recipe.points)
        values = unpack(packed, recipe.points)
        if values is None:
            return False
        key = packed.reference + recipe.step, recipe.member, recipe.level
        recipe.quantity.fields[key] = values.astype("float32")
        self._note(key[0], recipe.version)
        return True

    def _note(self, when: int, version: int) -> None:
        """Keep the version of a moment: a preliminary one of any quantity."""
        self.versions[when] = max(version, self.versions.get(when, 0))

    def _count(self, points: int) -> None:
        """Refuse more points than such a file can hold: a constant field has no numbers at all."""
        self.declared += 8.0 * points
        refuse_larger(self.path, self.declared, "fields", slack=_SLACK)

    def add(self, message: bytes) -> None:
        """Let ecCodes decode a message, and remember its kind if we come to the same values."""
        import eccodes

        handle = eccodes.codes_new_from_message(message)
        try:
            keys = partial(eccodes.codes_get, handle)
            section = keys("md5GridSection")
            if section not in self.grids:
                self.grids[section] = grid_of(keys, self.path.name)
            self._count(keys("numberOfDataPoints"))
            self._decode(message, handle, keys)
        finally:
            eccodes.codes_release(handle)

    def _decode(self, message: bytes, handle: int, keys: Keys) -> None:
        """File a message's values with its kind."""
        import eccodes

        kind = tuple(keys(key) for key in KIND_KEYS[keys("edition")])
        if kind not in self.quantities:
            self.quantities[kind] = describe(handle, keys)
        quantity = self.quantities[kind]
        if keys("bitmapPresent"):
            eccodes.codes_set_double(handle, "missingValue", _MISSING)
        values = eccodes.codes_get_values(handle)
        values[values == _MISSING] = np.nan
        member = keys("number") if quantity.has_member else 0
        when, level = seconds(keys("validityDate"), keys("validityTime")), keys("level")
        quantity.fields[when, member, level] = values.astype("float32")
        version = version_of(handle, keys)
        self._note(when, version)
        packed = dissect(message)
        if packed is not None and _agree(unpack(packed, len(values)), values):
            self.recipes[packed.skeleton] = _Recipe(
                quantity, when - packed.reference, member, level, len(values), version
            )


def _one_grid(file: _File) -> GribGrid:
    """The grid of all messages; each edition words it in its own way."""
    grids: list[GribGrid] = []
    for grid in file.grids.values():
        if not any(known.is_as(grid) for known in grids):
            grids.append(grid)
    if len(grids) != 1:
        raise SourceError(f"{file.path} holds {len(grids)} grids: split it by grid, one file each")
    return grids[0]


def _agree(ours: NDArray[np.float64] | None, theirs: NDArray[np.float64]) -> bool:
    """Whether direct unpacking gives what ecCodes gives."""
    return ours is not None and np.allclose(ours, theirs, rtol=1e-9, atol=0, equal_nan=True)


def _variables(quantities: list[Quantity], grid: GribGrid, path: Path) -> dict[str, xr.DataArray]:
    """Stack each quantity's fields by time, member and level."""
    names = [quantity.name for quantity in quantities]
    found: dict[str, xr.DataArray] = {}
    for quantity in quantities:
        name = quantity.name
        if names.count(name) > 1:
            name = f"{name}_{quantity.level_type}"
        if name in found:
            raise SourceError(
                f"{path} holds {quantity.name} ({quantity.attrs['long_name']}) in two kinds of one "
                "time: fetch one of them"
            )
        found[name] = _stack(quantity, grid)
    return found


def _stack(quantity: Quantity, grid: GribGrid) -> xr.DataArray:
    """One array of a quantity; NaN where the file lacks a combination."""
    times, members, levels = (sorted(set(axis)) for axis in zip(*quantity.fields, strict=True))
    points = len(next(iter(quantity.fields.values())))
    stack = np.full((len(times), len(members), len(levels), points), np.nan, dtype="float32")
    rank = {time: number for number, time in enumerate(times)}
    for (time, member, level), values in quantity.fields.items():
        stack[rank[time], members.index(member), levels.index(level)] = values
    array = xr.DataArray(
        grid.arrange(stack),
        dims=("time", "number", "level", "y", "x"),
        coords={
            "time": np.array(times, dtype="datetime64[s]"),
            "number": members,
            "level": levels,
        },
        attrs=quantity.attrs,
    )
    single = [dim for dim in ("number", "level") if array.sizes[dim] == 1]
    return array.squeeze(single, drop=True)


def _with_places(dataset: xr.Dataset, cells: GeoBox) -> xr.Dataset:
    """Add the true position of each cell where the grid itself is not in plain degrees."""
    crs = crs_of(cells)
    if crs.epsg == 4326:
        return dataset
    to_degrees = Transformer.from_crs(crs.to_wkt(), "EPSG:4326", always_xy=True)
    x, y = np.meshgrid(dataset["x"].values, dataset["y"].values)
    longitude, latitude = (axis.astype("float32") for axis in to_degrees.transform(x, y))
    return dataset.assign_coords(
        latitude=(("y", "x"), latitude, {"units": "degrees_north"}),
        longitude=(("y", "x"), longitude, {"units": "degrees_east"}),
    )
