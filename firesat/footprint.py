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

_LOOSE = {"contract", "reassoc", "nsz", "arcp"}  # sums in any order; NaN stays NaN
_LANES = 8  # pixels that a processor adds up at a time


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
    mean = np.empty((len(stack), rows, columns), dtype="float32")
    shares = np.empty((2, rows, columns), dtype="float32")
    whole = np.ascontiguousarray(stack)
    lacking = max(0, _widest(lattice) - grade.shape[1])  # columns, of a very small raster
    if lacking:
        whole = np.pad(whole, ((0, 0), (0, 0), (0, lacking)))
        grade = np.pad(grade, ((0, 0), (0, lacking)))

    def strip(start: int, end: int) -> None:
        _average(whole, grade, grid_of(lattice), start, mean[:, start:end], shares[:, start:end])

    in_strips(rows, strip)
    return Averages(mean=mean, observed=shares[0], clear=shares[1])


def _widest(lattice: Lattice) -> int:
    """Columns of pixels, in whole lanes, that a cell may share area with."""
    side = np.hypot(np.diff(lattice.columns, axis=1), np.diff(lattice.rows, axis=1)) / lattice.step
    most = 1.5 * float(side[np.isfinite(side)].max(initial=1.0))  # a diagonal
    return (int(most + 2) // _LANES + 1) * _LANES


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
    every, unseen, cloudy, bright, clears, watched = none, none, none, none, none, none
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
                watched += one if known[j] > 0 and area > none else none
    # differences, and counts: sums in other orders would differ in their last bits
    seen = every - unseen if watched > none else none
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
