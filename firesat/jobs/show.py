"""A pixel of the map has a name: file, band, row, column; this says what stands behind it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rasterio
from pyproj import Transformer
from pyproj.enums import TransformDirection

from firesat.errors import ConfigError
from firesat.grid import TILE_SIZE, Grid, Tile
from firesat.products.strips import State
from firesat.products.wording import STATES, chance
from firesat.raster import open_raster

_TAGS = (
    "reference_time",
    "valid_time_start",
    "valid_time_end",
    "model",
    "checkpoint_sha256",
    "regime",
)

_CHANCES = ("p_", "band ")
"""How the names of bands begin that hold probabilities."""


def locate(path: Path, longitude: float, latitude: float) -> tuple[int, int]:
    """Find the pixel that holds a place.

    Parameters
    ----------
    path : Path
        A map.
    longitude, latitude : float
        Degrees, -180 to 180 and -90 to 90.

    Returns
    -------
    tuple of int
        Row and column.

    Raises
    ------
    ConfigError
        If there is no such place, it lies outside the map, or the file is no map.
    CorruptFileError
        If the file is no raster.
    """
    if not (abs(longitude) <= 180 and abs(latitude) <= 90):  # nor NaN
        raise ConfigError(
            f"{longitude:g} {latitude:g} is no place: give the longitude (-180 to 180) first, then "
            "the latitude (-90 to 90), such as --lonlat -94.4 54.9"
        )
    with _opened(path) as source:
        to_map = Transformer.from_crs("EPSG:4326", source.crs, always_xy=True)
        x, y = to_map.transform(longitude, latitude)
        left, bottom, right, top = source.bounds
        if not (left <= x < right and bottom < y <= top):
            west, south, east, north = to_map.transform_bounds(
                left, bottom, right, top, direction=TransformDirection.INVERSE
            )
            raise ConfigError(
                f"{longitude:g} {latitude:g} lies outside {path.name}, which reaches from "
                f"longitude {west:.2f} to {east:.2f} and from latitude {south:.2f} to {north:.2f}"
            )
        row, column = source.index(x, y)
    return int(row), int(column)


def pixel(path: Path, row: int, column: int) -> dict[str, Any]:
    """Tell a pixel's values, its place, and what the map was made from.

    Parameters
    ----------
    path : Path
        A map written by ``firesat predict``.
    row, column : int
        The pixel, from the upper left.

    Returns
    -------
    dict
        ``file``, ``row``, ``column``; values by band, None where there is no forecast; ``state``,
        a name of `State` in small letters, from the mask beside the map, None without one; ``x``,
        ``y`` (m), ``longitude``, ``latitude``, ``tile``, ``cell`` (row and column in the tile), and
        the map's tags.

    Raises
    ------
    ConfigError
        If the pixel lies outside the map, or the file is none.
    CorruptFileError
        If the file is no raster.
    """
    with _opened(path) as source:
        if not (0 <= row < source.height and 0 <= column < source.width):
            raise ConfigError(
                f"{path.name} has {source.height} rows and {source.width} columns, pixel "
                f"({row}, {column}) lies outside"
            )
        x, y = source.xy(row, column)
        to_degrees = Transformer.from_crs(source.crs, "EPSG:4326", always_xy=True)
        longitude, latitude = to_degrees.transform(x, y)
        tags = source.tags()
        return {
            "file": str(path),
            "row": row,
            "column": column,
            **_values(source, row, column),
            "state": _state(path, source.shape, row, column),
            "x": x,
            "y": y,
            "longitude": round(longitude, 5),
            "latitude": round(latitude, 5),
            **_cell(x, y),
            **{name: tags[name] for name in _TAGS if name in tags},
        }


def trail(path: Path, row: int, column: int) -> dict[str, Any]:
    """Say a pixel in words: its chances, or why it has none, its place, and what made the map.

    Parameters
    ----------
    path : Path
        A map written by ``firesat predict``.
    row, column : int
        The pixel, from the upper left.

    Returns
    -------
    dict
        As of :func:`pixel`, the values as chances and row and column together as ``pixel``.
    """
    found = pixel(path, row, column)
    state = found.pop("state")
    why = f": {STATES[State[state.upper()]]['en']}" if state not in (None, "forecast") else ""
    said: dict[str, Any] = {"file": found.pop("file")}
    said["pixel"] = f"row {found.pop('row')}, column {found.pop('column')}"
    for name, value in found.items():
        if value is None:
            said[name] = f"no forecast{why}"
        else:
            said[name] = chance(value) if name.startswith(_CHANCES) else value
    return said


@contextmanager
def _opened(path: Path) -> Iterator[rasterio.DatasetReader]:
    """A raster that says where on Earth it lies."""
    with open_raster(path) as source:
        if source.crs is None:
            raise ConfigError(f"{path} has no CRS, it is no map: give a GeoTIFF of firesat predict")
        yield source


def _values(source: rasterio.DatasetReader, row: int, column: int) -> dict[str, float | None]:
    """Each band's value; None where there is none."""
    window = rasterio.windows.Window(column, row, 1, 1)
    values = source.read(window=window)[:, 0, 0]
    return {
        name or f"band {number}": None if value == source.nodata else float(value)
        for number, (name, value) in enumerate(zip(source.descriptions, values, strict=True), 1)
    }


def _state(path: Path, shape: tuple[int, int], row: int, column: int) -> str | None:
    """What the mask says, if one of the same size lies beside the map."""
    mask = path.parent / "masks" / f"{path.stem}_mask.tif"
    if not mask.is_file():
        return None
    with open_raster(mask) as source:
        if source.shape != shape:
            return None
        value = int(source.read(1, window=rasterio.windows.Window(column, row, 1, 1))[0, 0])
    return State(value).name.lower() if value in set(State) else None


def _cell(x: float, y: float) -> dict[str, str]:
    """Tile of the national grid, and the cell of 100 m in it."""
    left, _, _, top = Grid().bounds
    tile = Tile(int((x - left) // TILE_SIZE), int((top - y) // TILE_SIZE))
    row = int((top - y) % TILE_SIZE // 100)
    column = int((x - left) % TILE_SIZE // 100)
    return {"tile": tile.name, "cell": f"row {row}, column {column} of the tile"}
