"""Pixels of a raster brought onto cells of another CRS, by a remembered lattice, on a few threads.

Cells are walked over row by row: where each lies is worked out once and used for all bands, and
every pixel is looked up where it stands. GDAL works its transformation out for each call anew and
looks at each band on its own.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from firesat.geometry import Lattice

THREADS = min(4, os.cpu_count() or 1)  # the loops let go of the interpreter
_STRIPS = 4  # for each thread, lest the slowest be waited for
_LEAST = np.float32(1e-3)  # weight of measured pixels below which a cell has none

Places = NDArray[np.float64]
Floats = NDArray[np.float32]
Grid = tuple[Places, Places, int]


def nearest(stack: NDArray[Any], lattice: Lattice, missing: float, out: NDArray[Any]) -> None:
    """Give each cell the pixel that its centre lies in.

    Parameters
    ----------
    stack : ndarray of uint16 or float32, shape (B, H, W)
        Pixels.
    lattice : Lattice
        Where the cells lie.
    missing : float
        Value of cells outside.
    out : ndarray of the same type, shape (B, Y, X)
        Filled.
    """
    flat, shape = _flat(stack), stack.shape[1:]
    fill = out.dtype.type(missing)
    in_strips(
        out.shape[1],
        lambda start, end: _nearest(flat, shape, grid_of(lattice), start, fill, out[:, start:end]),
    )


def bilinear(stack: NDArray[Any], lattice: Lattice, missing: float, out: NDArray[Any]) -> None:
    """Interpolate bilinearly between the pixels that were measured.

    Parameters
    ----------
    stack : ndarray of uint16 or float32, shape (B, H, W)
        Pixels; NaN and `missing` were not measured: their neighbours' weights then count for more.
    lattice : Lattice
        Where the cells lie.
    missing : float
        Value of pixels and cells without measurement.
    out : ndarray of the same type, shape (B, Y, X)
        Filled, integers rounded; `missing` where the cell's centre lies outside, or nothing near
        was measured.
    """
    fill = out.dtype.type(missing)
    half = np.float32(0.5 if out.dtype.kind in "iu" else 0.0)
    whole = np.ascontiguousarray(stack)
    in_strips(
        out.shape[1],
        lambda start, end: _bilinear(
            whole, grid_of(lattice), start, (fill, half), out[:, start:end]
        ),
    )


def _flat(stack: NDArray[Any]) -> NDArray[Any]:
    """Each band in one row."""
    return np.ascontiguousarray(stack).reshape(len(stack), -1)


def grid_of(lattice: Lattice) -> Grid:
    """Give a lattice as the loops take it.

    Parameters
    ----------
    lattice : Lattice
        Where cells lie.

    Returns
    -------
    tuple of (ndarray, ndarray, int)
        Rows, columns and step.
    """
    return lattice.rows, lattice.columns, lattice.step


def in_strips(rows: int, work: Callable[[int, int], None]) -> None:
    """Do rows of cells on all threads.

    Parameters
    ----------
    rows : int
        How many there are.
    work : callable
        Does those from one number to before another, without the interpreter's lock.
    """
    size = max(1, -(-rows // (THREADS * _STRIPS)))
    starts = range(0, rows, size)
    if THREADS == 1 or rows < _STRIPS * THREADS:
        work(0, rows)
        return
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda start: work(start, min(start + size, rows)), starts))


@numba.njit(cache=True, nogil=True)
def _places(grid: Grid, y: int, place: Places) -> None:
    """Row and column of each cell's centre along a row of cells, in pixels."""
    rows, columns, step = grid
    m, below = y // step, (y % step) / step
    width = place.shape[1]
    for n in range(rows.shape[1] - 1):
        r0 = (1 - below) * rows[m, n] + below * rows[m + 1, n]
        r1 = (1 - below) * rows[m, n + 1] + below * rows[m + 1, n + 1]
        c0 = (1 - below) * columns[m, n] + below * columns[m + 1, n]
        c1 = (1 - below) * columns[m, n + 1] + below * columns[m + 1, n + 1]
        first = n * step
        for k in range(min(step, width - first)):
            place[0, first + k] = r0 + (r1 - r0) * (k / step)
            place[1, first + k] = c0 + (c1 - c0) * (k / step)


@numba.njit(cache=True, nogil=True)
def _nearest(
    flat: NDArray[Any],
    shape: tuple[int, int],
    grid: Grid,
    first: int,
    fill: float,
    out: NDArray[Any],
) -> None:
    """Nearest pixels of some rows of cells."""
    height, width = shape
    place = np.empty((2, out.shape[2]))
    index = np.empty(out.shape[2], dtype=np.int64)
    for y in range(out.shape[1]):
        _places(grid, first + y, place)
        for x in range(out.shape[2]):
            row, column = place[0, x] + 0.5, place[1, x] + 0.5
            inside = 0 <= row < height and 0 <= column < width
            index[x] = int(row) * width + int(column) if inside else -1
        for band in range(out.shape[0]):
            for x in range(out.shape[2]):
                out[band, y, x] = flat[band, index[x]] if index[x] >= 0 else fill


@numba.njit(cache=True, nogil=True)
def _bilinear(
    stack: NDArray[Any],
    grid: Grid,
    first: int,
    special: tuple[float, np.float32],
    out: NDArray[Any],
) -> None:
    """Pixels of some rows of cells, interpolated."""
    fill, half = special
    height, width = stack.shape[1:]
    place = np.empty((2, out.shape[2]))
    for y in range(out.shape[1]):
        _places(grid, first + y, place)
        for band in range(out.shape[0]):
            for x in range(out.shape[2]):
                row, column = place[0, x], place[1, x]
                inside = 0 <= row < height - 1 and 0 <= column < width - 1
                value = _within(stack[band], row, column, fill) if inside else np.float32(np.nan)
                if np.isnan(value):
                    out[band, y, x] = _between(stack[band], row, column, fill, half)
                else:
                    out[band, y, x] = value + half


@numba.njit(cache=True, nogil=True, inline="always")
def _within(image: NDArray[Any], row: float, column: float, fill: float) -> np.float32:
    """Bilinear value of a place between four pixels; NaN if one of them was not measured."""
    i, j = int(row), int(column)
    a, b, c, d = image[i, j], image[i, j + 1], image[i + 1, j], image[i + 1, j + 1]
    if a == fill or b == fill or c == fill or d == fill:
        return np.float32(np.nan)
    down, right = np.float32(row - i), np.float32(column - j)
    p, q, r, s = np.float32(a), np.float32(b), np.float32(c), np.float32(d)
    upper, lower = p + (q - p) * right, r + (s - r) * right
    return upper + (lower - upper) * down


@numba.njit(cache=True, nogil=True, inline="always")
def _measured(value: Any, fill: Any) -> bool:  # noqa: ANN401  any number
    """Whether a pixel holds a measurement."""
    return bool(value != fill and value == value)  # NaN is not itself


@numba.njit(cache=True, nogil=True)
def _between(image: NDArray[Any], row: float, column: float, fill: Any, half: np.float32) -> Any:  # noqa: ANN401  of the image's type
    """Mean of the measured ones of the four pixels around a place, by their nearness."""
    height, width = image.shape
    if not (-0.5 <= row <= height - 0.5 and -0.5 <= column <= width - 0.5):
        return fill
    upper, left = int(np.floor(row)), int(np.floor(column))
    total, weight = np.float32(0.0), np.float32(0.0)
    for i in range(max(upper, 0), min(upper + 2, height)):
        for j in range(max(left, 0), min(left + 2, width)):
            if _measured(image[i, j], fill):
                near = np.float32((1 - abs(row - i)) * (1 - abs(column - j)))
                total += near * np.float32(image[i, j])
                weight += near
    return image.dtype.type(total / weight + half) if weight > _LEAST else fill
