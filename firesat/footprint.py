"""What fine pixels hold of a cell of another CRS: means over its turned square, clear pixels first.

Masking, weighing and averaging are one pass over the pixels, which are read once for all bands.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from firesat.gather import Floats, Grid, Places, grid_of, in_strips
from firesat.geometry import Lattice
from firesat.lanes import LANES, take_box

_LOOSE = {"contract", "reassoc", "nsz", "arcp"}  # sums in any order; NaN stays NaN


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
    mean = np.full((len(stack), rows, columns), np.nan, dtype="float32")
    shares = np.full((2, rows, columns), np.nan, dtype="float32")
    lacking = max(0, _widest(lattice) - grade.shape[1])  # columns, of a very small raster
    if lacking:
        stack = np.pad(stack, ((0, 0), (0, 0), (0, lacking)))
        grade = np.pad(grade, ((0, 0), (0, lacking)))
    pixels, known = np.ascontiguousarray(stack).reshape(-1), np.ascontiguousarray(grade).reshape(-1)

    def strip(start: int, end: int) -> None:
        _average(
            pixels, known, grade.shape, grid_of(lattice), start, mean[:, start:end],
            shares[:, start:end],
        )  # fmt: skip

    in_strips(rows, strip)
    return Averages(mean=mean, observed=shares[0], clear=shares[1])


def _widest(lattice: Lattice) -> int:
    """Columns of pixels, in whole lanes, that a cell may share area with."""
    side = np.hypot(np.diff(lattice.columns, axis=1), np.diff(lattice.rows, axis=1)) / lattice.step
    most = 1.5 * float(side[np.isfinite(side)].max(initial=1.0))  # a diagonal
    return (int(most + 2) // LANES + 1) * LANES


@numba.njit(cache=True, nogil=True)
def _average(
    pixels: NDArray[Any],
    grade: NDArray[np.uint8],
    shape: tuple[int, int],
    grid: Grid,
    first: int,
    mean: Floats,
    shares: Floats,
) -> None:
    """Averages of some rows of cells, by columns of the lattice: neighbours share their pixels."""
    step, width = grid[2], mean.shape[2]
    ends, way, place = np.empty((2, 2)), np.empty(6), np.empty(2)
    area, value, rows, columns = _room((0, 0))
    for n in range(grid[0].shape[1] - 1):
        for y in range(mean.shape[1]):
            _segment(grid, first + y, n, ends, way)
            most = _most(way)
            if area.size != most[0] * most[1]:
                area, value, rows, columns = _room(most)
            for k in range(min(step, width - n * step)):
                x = n * step + k
                place[0] = ends[0, 0] + (ends[1, 0] - ends[0, 0]) * (k / step)
                place[1] = ends[0, 1] + (ends[1, 1] - ends[0, 1]) * (k / step)
                top, bottom, left, inside = _box(place, way, shape)
                left = min(left, shape[1] - most[1])  # pixels beyond the cell weigh nothing
                size, at = (bottom - top, most[1]), top * shape[1] + left
                _areas(top - place[0], left - place[1], way, size, rows, columns, area)
                take_box(value, grade, at, shape[1], size)
                whole, full, seen, clear = _weigh(size[0] * size[1], area, value)
                if not inside:
                    full = max(full, np.float32(4 * way[0] * way[3]))
                shares[0, y, x] = seen / full if seen > 0 else np.float32(0)
                if seen > 0:
                    shares[1, y, x] = clear
                    for band in range(mean.shape[0]):
                        take_box(value, pixels, band * shape[0] * shape[1] + at, shape[1], size)
                        mean[band, y, x] = _total(size[0] * size[1], area, value) / whole


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
def _most(way: Places) -> tuple[int, int]:
    """Rows, and columns in whole lanes, of pixels that a cell may touch, if it lies anywhere."""
    tall = way[0] * abs(way[1]) + way[3] * abs(way[4])
    wide = way[0] * abs(way[2]) + way[3] * abs(way[5])
    if not (np.isfinite(tall) and np.isfinite(wide)):
        return 0, 0
    return int(2 * tall) + 2, -(-(int(2 * wide) + 2) // LANES) * LANES


@numba.njit(cache=True, nogil=True)
def _room(most: tuple[int, int]) -> tuple[Floats, Floats, Floats, Floats]:
    """Room for a box of pixels, row after row: areas, values, and each pixel's row and column."""
    rows, columns = most
    number = np.arange(rows * columns)
    return (
        np.empty(number.size, dtype=np.float32),
        np.empty(number.size, dtype=np.float32),
        (number // max(columns, 1)).astype(np.float32),
        (number % max(columns, 1)).astype(np.float32),
    )


@numba.njit(cache=True, nogil=True)
def _box(place: Places, way: Places, shape: tuple[int, int]) -> tuple[int, int, int, bool]:
    """Top, bottom and left of the pixels that a cell touches, none if it lies outside.

    The last says whether all of them are there.
    """
    row, column = place[0] + 0.5, place[1] + 0.5
    tall = way[0] * abs(way[1]) + way[3] * abs(way[4])
    wide = way[0] * abs(way[2]) + way[3] * abs(way[5])
    height, width = shape
    if not (-tall < row < height + tall and -wide < column < width + wide):
        return 0, 0, 0, False
    top, bottom = int(np.floor(row - tall)), int(np.ceil(row + tall))
    left, right = int(np.floor(column - wide)), int(np.ceil(column + wide))
    inside = top >= 0 and left >= 0 and bottom <= height and right <= width
    return max(top, 0), min(bottom, height), max(left, 0), inside


@numba.njit(cache=True, nogil=True, fastmath=_LOOSE)
def _areas(
    down: float,
    right: float,
    way: Places,
    size: tuple[int, int],
    rows: Floats,
    columns: Floats,
    area: Floats,
) -> None:
    """Areas that a cell shares with the pixels of a box, the first of them so far from its centre.

    Along each of the cell's sides, a pixel's share falls off over the width that the pixel has in
    that direction: exact for cells that are not turned.
    """
    half_p, row_p, column_p, half_q, row_q, column_q = way
    wide_p, wide_q = abs(row_p) + abs(column_p), abs(row_q) + abs(column_q)
    reach_p, reach_q = np.float32(half_p / wide_p + 0.5), np.float32(half_q / wide_q + 0.5)
    p = np.float32((down * row_p + right * column_p) / wide_p)
    q = np.float32((down * row_q + right * column_q) / wide_q)
    p_down, p_right = np.float32(row_p / wide_p), np.float32(column_p / wide_p)
    q_down, q_right = np.float32(row_q / wide_q), np.float32(column_q / wide_q)
    one, zero = np.float32(1), np.float32(0)
    for k in range(size[0] * size[1]):
        a = reach_p - abs(p + rows[k] * p_down + columns[k] * p_right)
        b = reach_q - abs(q + rows[k] * q_down + columns[k] * q_right)
        area[k] = min(max(a, zero), one) * min(max(b, zero), one)


@numba.njit(cache=True, nogil=True)
def _weigh(
    number: int, area: Floats, grade: Floats
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Leave areas only where pixels count.

    Returns the sum of what was left, the area of the cell and that of what was observed, and the
    share of this that is clear.
    """
    none, one = np.float32(0), np.float32(1)
    every, unseen, cloudy, bright, clears, watched = _tally(number, area, grade)
    # differences, and counts: sums in other orders would differ in their last bits
    seen = every - unseen if watched > none else none
    least, lost = one, unseen  # where nothing is clear, all that was observed counts
    if clears > none:
        least, lost = np.float32(2), unseen + cloudy
    if lost > none:
        for k in range(number):
            area[k] = area[k] if grade[k] >= least else none
    if clears > none:
        return bright, every, seen, one - cloudy / seen
    return cloudy, every, seen, none


@numba.njit(cache=True, nogil=True, fastmath=_LOOSE)
def _tally(
    number: int, area: Floats, grade: Floats
) -> tuple[np.float32, np.float32, np.float32, np.float32, np.float32, np.float32]:
    """Areas of all, unobserved, cloudy and clear pixels; numbers of clear and of observed ones."""
    none, one = np.float32(0), np.float32(1)
    every, unseen, cloudy, bright, clears, watched = none, none, none, none, none, none
    for k in range(number):
        part, known = area[k], grade[k]
        every += part
        unseen += part if known == none else none
        cloudy += part if known == one else none
        bright += part if known > one else none
        clears += one if known > one and part > none else none
        watched += one if known > none and part > none else none
    return every, unseen, cloudy, bright, clears, watched


@numba.njit(cache=True, nogil=True, fastmath=_LOOSE)
def _total(number: int, area: Floats, value: Floats) -> np.float32:
    """Weighted sum of values."""
    total = none = np.float32(0)
    for k in range(number):
        total += area[k] * (value[k] if area[k] > none else none)  # NaN weighs nothing
    return total
