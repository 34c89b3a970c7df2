"""GRIB files: every message of a file, as arrays with times, units and a CRS."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from firesat.errors import CorruptFileError, SourceError
from firesat.grid import crs_of
from firesat.sources._grib_grid import GribGrid, Keys, grid_of
from firesat.sources._layers import georeferenced

_Moment = tuple[int, int, int]  # seconds since 1970, ensemble member, level
# What tells one quantity from another: names cost a table search, these are read from the header.
_KIND_KEYS = {
    1: ("table2Version", "indicatorOfParameter", "indicatorOfTypeOfLevel"),
    2: (
        "discipline",
        "parameterCategory",
        "parameterNumber",
        "productDefinitionTemplateNumber",
        "typeOfFirstFixedSurface",
        "typeOfSecondFixedSurface",
    ),
}
_MISSING = 1e34  # the usual 9999 can be a real value


@dataclass
class _Quantity:
    """All fields of one quantity in a file."""

    name: str
    level_type: str
    attrs: dict[str, str]
    has_member: bool
    fields: dict[_Moment, NDArray[np.float64]] = field(default_factory=dict)


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
        of each cell.

    Raises
    ------
    CorruptFileError
        If the file is truncated, damaged, or holds anything but GRIB messages.
    SourceError
        If it holds several grids, or one without rows and columns.
    """
    quantities: dict[tuple[int, ...], _Quantity] = {}
    grids: dict[str, GribGrid] = {}
    for handle in _messages(path):
        keys = _getter(handle)
        section = keys("md5GridSection")
        if section not in grids:
            grids[section] = grid_of(keys, path.name)
        _file_away(handle, keys, quantities)
    if len(grids) != 1:
        raise SourceError(f"{path} holds {len(grids)} grids: split it by grid, one file each")
    grid = next(iter(grids.values()))
    variables = dict(_variables(quantities, grid))
    return _with_places(georeferenced(variables, grid.cells), grid.cells)


def _messages(path: Path) -> Iterator[int]:
    """Open messages one by one; whatever lies between them must be padding."""
    # Here and not above: loaded before pyproj, ecCodes' own PROJ crashes the interpreter's exit
    # (github.com/bcgov/wps/pull/5138), and import sorting would put it first.
    import eccodes

    end = 0
    with path.open("rb") as file, path.open("rb") as again:
        try:
            while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
                try:
                    start = eccodes.codes_get_message_offset(handle)
                    _check_padding(again, end, start, path)
                    end = start + eccodes.codes_get_long(handle, "totalLength")
                    yield handle
                finally:
                    eccodes.codes_release(handle)
        except eccodes.CodesInternalError as error:
            raise CorruptFileError(
                f"{path} is a damaged GRIB file ({error}): delete it and run the command again"
            ) from error
    with path.open("rb") as file:
        _check_padding(file, end, path.stat().st_size, path)
    if end == 0:
        raise CorruptFileError(f"{path} holds no GRIB message: delete it and run the command again")


def _check_padding(file: BinaryIO, start: int, end: int, path: Path) -> None:
    """Refuse bytes that ecCodes would skip in silence, such as a message whose start is damaged."""
    file.seek(start)
    if start != end and file.read(end - start).strip(b"\0"):
        raise CorruptFileError(
            f"{path} is damaged: bytes {start} to {end} are no GRIB message; delete it and run the "
            "command again"
        )


def _getter(handle: int) -> Keys:
    """A message's keys as a function."""
    from eccodes import codes_get

    return lambda key: codes_get(handle, key)


def _file_away(handle: int, keys: Keys, quantities: dict[tuple[int, ...], _Quantity]) -> None:
    """Decode a message and put it with its kind."""
    import eccodes

    kind = tuple(eccodes.codes_get_long(handle, key) for key in _KIND_KEYS[keys("edition")])
    if kind not in quantities:
        quantities[kind] = _describe(handle, keys, kind)
    quantity = quantities[kind]
    if eccodes.codes_get_long(handle, "bitmapPresent"):
        eccodes.codes_set_double(handle, "missingValue", _MISSING)
    values = eccodes.codes_get_values(handle)
    values[values == _MISSING] = np.nan
    member = eccodes.codes_get_long(handle, "number") if quantity.has_member else 0
    when = _seconds(
        eccodes.codes_get_long(handle, "validityDate"),
        eccodes.codes_get_long(handle, "validityTime"),
    )
    quantity.fields[when, member, eccodes.codes_get_long(handle, "level")] = values


def _describe(handle: int, keys: Keys, kind: tuple[int, ...]) -> _Quantity:
    """Name a quantity."""
    import eccodes

    name = str(keys("cfVarName"))
    if name == "unknown":
        name = "p" + "_".join(map(str, kind[:3]))
    attrs = {"units": _udunits(str(keys("units"))), "long_name": str(keys("name"))}
    has_member = bool(eccodes.codes_is_defined(handle, "number"))
    return _Quantity(name, str(keys("typeOfLevel")), attrs, has_member)


def _udunits(units: str) -> str:
    """ECMWF's ``m s**-1`` in the spelling of CF."""
    return units.replace("**", "")


def _seconds(date: int, time: int) -> int:
    """Seconds since 1970 of a date like 20230705 and a time like 1800."""
    text = f"{date:08d}"
    day = np.datetime64(f"{text[:4]}-{text[4:6]}-{text[6:]}", "s")
    return int(day.astype(np.int64)) + time // 100 * 3600 + time % 100 * 60


def _variables(
    quantities: dict[tuple[int, ...], _Quantity], grid: GribGrid
) -> Iterator[tuple[str, xr.DataArray]]:
    """Stack each quantity's fields by time, member and level."""
    names = [quantity.name for quantity in quantities.values()]
    for quantity in quantities.values():
        name = quantity.name
        if names.count(name) > 1:
            name = f"{name}_{quantity.level_type}"
        yield name, _stack(quantity, grid)


def _stack(quantity: _Quantity, grid: GribGrid) -> xr.DataArray:
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
