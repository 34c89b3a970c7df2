"""Pixels of a raster brought onto cells of another CRS, by a remembered lattice, on a few threads.

Cells are walked over row by row: where each lies is worked out once and used for all bands, and
every pixel is looked up where it stands. GDAL works its transformation out for each call anew and
looks at each band on its own.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from firesat.geometry import Lattice

THREADS = min(4, os.cpu_count() or 1)  # the loops let go of the interpreter
_STRIPS = 4  # for each thread, lest the slowest be waited for
_LOOSE = {"contract", "reassoc", "nsz", "arcp"}  # sums in any order; NaN stays NaN
_LANES = 8  # pixels that a processor adds up at a time
_LEAST = np.float32(1e-3)  # weight of measured pixels below which a cell has none

Places = NDArray[np.float64]
Floats = NDArray[np.float32]
Grid = tuple[Places, Places, int]


@dataclass(frozen=True, kw_only=True)
class Averages:
    """Means of fine pixels over cells.

    Parameters
    ----------
    mean : ndarray of float32, shape (B, Y, X)
        Of the clear pixels, each weighed by the area it shares with the cell; of all observed ones
        where none is clear; NaN where none was observed.
    observed : ndarray of float32, shape (Y, X)
        Share of the cell that was observed, 0 to 1.
    clear : ndarray of float32, shape (Y, X)
        Share of what was observed that is clear, 0 to 1; NaN where nothing was observed.
    """

    mean: Floats
    observed: Floats
    clear: Floats


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
    _in_strips(
        out.shape[1],
        lambda start, end: _nearest(flat, shape, _grid(lattice), start, fill, out[:, start:end]),
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
    _in_strips(
        out.shape[1],
        lambda start, end: _bilinear(whole, _grid(lattice), start, (fill, half), out[:, start:end]),
    )


def average(stack: NDArray[Any], grade: NDArray[np.uint8], lattice: Lattice) -> Averages:
    """Average pixels finer than the cells, clear ones only where there are any, in one pass.

    Cells of the national Lambert are turned by up to 35 degrees on UTM's pixels. GDAL's average
    takes the box between two transformed corners, which is then long and narrow; here a pixel
    weighs what it shares with the turned cell, to a few hundredths of its area.

    Parameters
    ----------
    stack : ndarray of uint16 or float32, shape (B, H, W)
        Pixels; those that were observed have a value in each band.
    grade : ndarray of uint8, shape (H, W)
        0 = not observed, 1 = observed, 2 = observed and clear.
    lattice : Lattice
        Where the cells lie.

    Returns
    -------
    Averages
        On the lattice's cells.
    """
    rows, columns = lattice.shape
    mean = np.empty((len(stack), rows, columns), dtype="float32")
    shares = np.empty((2, rows, columns), dtype="float32")
    whole = np.ascontiguousarray(stack)
    lacking = max(0, _widest(lattice) - grade.shape[1])  # columns, of a very small raster
    if lacking:
        whole = np.pad(whole, ((0, 0), (0, 0), (0, lacking)))
        grade = np.pad(grade, ((0, 0), (0, lacking)))

    def strip(start: int, end: int) -> None:
        _average(whole, grade, _grid(lattice), start, mean[:, start:end], shares[:, start:end])

    _in_strips(rows, strip)
    return Averages(mean=mean, observed=shares[0], clear=shares[1])


def _widest(lattice: Lattice) -> int:
    """Columns of pixels, in whole lanes, that a cell may share area with."""
    side = np.hypot(np.diff(lattice.columns, axis=1), np.diff(lattice.rows, axis=1)) / lattice.step
    most = 1.5 * float(side[np.isfinite(side)].max(initial=1.0))  # a diagonal
    return (int(most + 2) // _LANES + 1) * _LANES


def _flat(stack: NDArray[Any]) -> NDArray[Any]:
    """Each band in one row."""
    return np.ascontiguousarray(stack).reshape(len(stack), -1)


def _grid(lattice: Lattice) -> Grid:
    """A lattice as the loops take it."""
    return lattice.rows, lattice.columns, lattice.step


def _in_strips(rows: int, work: Callable[[int, int], None]) -> None:
    """Do rows of cells on all threads."""
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


@numba.njit(cache=True, nogil=True)
def _average(
    stack: NDArray[Any],
    grade: NDArray[np.uint8],
    grid: Grid,
    first: int,
    mean: Floats,
    shares: Floats,
) -> None:
    """Averages of some rows of cells, by columns of the lattice: neighbours share their pixels."""
    step, width = grid[2], mean.shape[2]
    ends, way, place = np.empty((2, 2)), np.empty(6), np.empty(2)
    weight, sums = np.zeros((0, _LANES), dtype=np.float32), np.zeros(_LANES, dtype=np.float32)
    for n in range(grid[0].shape[1] - 1):
        for y in range(mean.shape[1]):
            _segment(grid, first + y, n, ends, way)
            for k in range(min(step, width - n * step)):
                x = n * step + k
                place[:] = ends[0] + (ends[1] - ends[0]) * (k / step)
                box = _box(place, way, grade.shape)
                weight = _room(weight, box)
                # whole lanes of pixels are read: those beyond the cell weigh nothing
                part = box[0], box[1], min(box[2], grade.shape[1] - weight.shape[1])
                every, seen, clear, whole = _weigh(grade, place, way, part, weight)
                full = every if box[4] == 1 else max(every, 4 * way[0] * way[3])
                shares[0, y, x], shares[1, y, x] = seen / full, clear if seen > 0 else np.nan
                whole = whole if seen > 0 else np.float32(np.nan)
                for band in range(mean.shape[0]):
                    mean[band, y, x] = _total(stack[band], part, weight, sums) / whole


@numba.njit(cache=True, nogil=True)
def _segment(grid: Grid, y: int, n: int, ends: Places, way: Places) -> None:
    """Where a stretch of a row of cells begins and ends, and how its cells lie on the pixels.

    `way` is half a cell's side along x in pixels and its direction along rows and columns, then the
    same of the side along y.
    """
    rows, columns, step = grid
    m, below = y // step, (y % step) / step
    for end in range(2):
        ends[end, 0] = (1 - below) * rows[m, n + end] + below * rows[m + 1, n + end]
        ends[end, 1] = (1 - below) * columns[m, n + end] + below * columns[m + 1, n + end]
    for first, (i, j) in ((0, (m, n + 1)), (3, (m + 1, n))):
        down, right = rows[i, j] - rows[m, n], columns[i, j] - columns[m, n]
        side = np.hypot(down, right)
        way[first], way[first + 1], way[first + 2] = side / step / 2, down / side, right / side


@numba.njit(cache=True, nogil=True)
def _room(weight: Floats, box: tuple[int, int, int, int, int]) -> Floats:
    """Room for the weights of a box."""
    height, width = box[1] - box[0], box[3] - box[2]
    if height <= weight.shape[0] and width <= weight.shape[1]:
        return weight
    lanes = max(-(-width // _LANES) * _LANES, weight.shape[1])
    return np.zeros((max(height, weight.shape[0]), lanes), dtype=np.float32)


@numba.njit(cache=True, nogil=True)
def _box(place: Places, way: Places, shape: tuple[int, int]) -> tuple[int, int, int, int, int]:
    """Rows and columns of pixels around a cell, none if it lies outside; 1 if all are there."""
    row, column = place[0] + 0.5, place[1] + 0.5
    tall = way[0] * abs(way[1]) + way[3] * abs(way[4])
    wide = way[0] * abs(way[2]) + way[3] * abs(way[5])
    height, width = shape
    if not (-tall < row < height + tall and -wide < column < width + wide):
        return 0, 0, 0, 0, 0
    top, bottom = int(np.floor(row - tall)), int(np.ceil(row + tall))
    left, right = int(np.floor(column - wide)), int(np.ceil(column + wide))
    inside = top >= 0 and left >= 0 and bottom <= height and right <= width
    return max(top, 0), min(bottom, height), max(left, 0), min(right, width), int(inside)


@numba.njit(cache=True, nogil=True, fastmath=_LOOSE)
def _weigh(
    grade: NDArray[np.uint8],
    place: Places,
    way: Places,
    box: tuple[int, int, int],
    weight: Floats,
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Fill in the areas of the pixels that count.

    The areas of all and of the observed pixels, the clear ones' share of these, and the sum of what
    was filled in.
    """
    top, bottom, left = box
    none, one = np.float32(0), np.float32(1)
    every, unseen, cloudy, bright, clears, seens = none, none, none, none, none, none
    for i in range(top, bottom):
        areas, known = weight[i - top], grade[i, left : left + weight.shape[1]]
        _areas(i - place[0], left - place[1], way, areas)
        for lane in range(0, len(areas), _LANES):
            for j in range(lane, lane + _LANES):
                area = areas[j]
                every += area
                unseen += area if known[j] == 0 else none
                cloudy += area if known[j] == 1 else none
                bright += area if known[j] == 2 else none
                clears += one if known[j] == 2 and area > none else none
                seens += one if known[j] > 0 and area > none else none
    # differences, and counts: sums in other orders would differ in their last bits
    seen = every - unseen if seens > none else none
    share = one - cloudy / seen if clears > none else none
    least = 2 if clears > none else 1  # where nothing is clear, all that was observed counts
    if unseen + (cloudy if least == 2 else none) > none:
        for i in range(top, bottom):
            for j in range(weight.shape[1]):
                if grade[i, left + j] < least:
                    weight[i - top, j] = 0
    return every, seen, share, bright if clears > none else cloudy


@numba.njit(cache=True, nogil=True, fastmath=_LOOSE)
def _areas(down: float, right: float, way: Places, area: Floats) -> None:
    """Areas that a cell shares with the pixels of a row, the first of them so far from its centre.

    Along each of the cell's sides, a pixel's share falls off over the width that the pixel has in
    that direction: exact for cells that are not turned.
    """
    half_p, row_p, column_p, half_q, row_q, column_q = way
    wide_p = np.float32(abs(row_p) + abs(column_p))
    wide_q = np.float32(abs(row_q) + abs(column_q))
    reach_p, reach_q = np.float32(half_p) / wide_p, np.float32(half_q) / wide_q
    half, one, zero = np.float32(0.5), np.float32(1.0), np.float32(0.0)
    p, q = (np.float32(down * row_p + right * column_p) / wide_p,
            np.float32(down * row_q + right * column_q) / wide_q)  # fmt: skip
    by_p, by_q = np.float32(column_p) / wide_p, np.float32(column_q) / wide_q
    for j in range(len(area)):
        a = min(max(reach_p + half - abs(p + j * by_p), zero), one)
        b = min(max(reach_q + half - abs(q + j * by_q), zero), one)
        area[j] = a * b


@numba.njit(cache=True, nogil=True, fastmath=_LOOSE)
def _total(
    band: NDArray[Any], box: tuple[int, int, int], weight: Floats, sums: Floats
) -> np.float32:
    """Weighted sum of a box of pixels, in lanes, which `sums` has a place for each."""
    top, bottom, left = box
    for j in range(_LANES):
        sums[j] = 0
    for i in range(top, bottom):
        for lane in range(0, weight.shape[1], _LANES):
            area = weight[i - top, lane : lane + _LANES]
            value = band[i, left + lane : left + lane + _LANES]
            for j in range(_LANES):  # NaN weighs nothing
                sums[j] += area[j] * (np.float32(value[j]) if area[j] > 0 else np.float32(0))
    total = np.float32(0)
    for j in range(_LANES):
        total += sums[j]
    return total
