"""Chips become one seamless map, and memory does not grow with it."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from firesat.errors import GridError
from firesat.grid import chip_origins
from firesat.stitch import Canvas

Rows = list[tuple[int, NDArray[np.float32]]]


def chips(
    height: int, width: int, size: int, stride: int, value: Callable[[int, int], NDArray]
) -> Iterator[tuple[NDArray, int, int]]:
    for row, col in chip_origins(height, width, size, stride):
        yield value(row, col), row, col


def assemble(canvas: Canvas, made: Iterator[tuple[NDArray, int, int]]) -> NDArray[np.float32]:
    rows: Rows = []
    for chip, row, col in made:
        canvas.add(chip, row, col)
        rows += canvas.finished_rows()
    rows += canvas.finished_rows(everything=True)
    starts = [start for start, _ in rows]
    assert starts == sorted(starts)
    assert starts[0] == 0
    return np.concatenate([part for _, part in rows], axis=1)


def network(field: NDArray) -> NDArray:
    """Translation-equivariant, receptive field 3 cells to each side, zero padding."""
    return np.tanh(uniform_filter(field, 7, mode="constant"))


@settings(deadline=None, max_examples=25)
@given(
    height=st.integers(20, 70),
    width=st.integers(20, 70),
    size=st.integers(10, 20),
    halo=st.integers(0, 4),
    data=st.data(),
)
def test_a_constant_stays_exactly_that_constant(
    height: int, width: int, size: int, halo: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, size - 2 * halo))
    constant = np.float32(3.1e-5)
    chip = np.full((2, size, size), constant)
    canvas = Canvas(height, width, 2, halo=halo)
    whole = assemble(canvas, chips(height, width, size, stride, lambda row, col: chip))
    assert whole.shape == (2, height, width)
    assert (whole == constant).all()


@pytest.mark.parametrize("stride", [4, 9, 14])
def test_tiles_with_enough_halo_equal_the_untiled_map(stride: int) -> None:
    field = np.random.default_rng(1).random((57, 43))

    def look(row: int, col: int) -> NDArray:
        return network(field[row : row + 20, col : col + 20])[None]

    tiled = assemble(Canvas(57, 43, 1, halo=3), chips(57, 43, 20, stride, look))
    np.testing.assert_allclose(tiled[0], network(field), atol=1e-6)


def test_tiles_with_too_little_halo_show_in_the_map() -> None:
    field = np.random.default_rng(1).random((57, 43))

    def look(row: int, col: int) -> NDArray:
        return network(field[row : row + 20, col : col + 20])[None]

    tiled = assemble(Canvas(57, 43, 1, halo=1), chips(57, 43, 20, 14, look))
    assert np.abs(tiled[0] - network(field)).max() > 1e-3


def test_chips_that_disagree_leave_no_seam() -> None:
    def checkered(row: int, col: int) -> NDArray:
        return np.full((1, 40, 40), float((row // 20 + col // 20) % 2))

    whole = assemble(Canvas(120, 120, 1, halo=4), chips(120, 120, 40, 16, checkered))[0]
    assert whole.max() - whole.min() > 0.5
    # The overlap is 16 cells wide: nowhere may a quarter of the whole step fall between neighbours.
    assert np.abs(np.diff(whole, axis=0)).max() < 0.25
    assert np.abs(np.diff(whole, axis=1)).max() < 0.25


@pytest.mark.parametrize("height", [200, 2000])
def test_memory_holds_one_line_of_chips_whatever_the_height(height: int) -> None:
    canvas = Canvas(height, 60, 1, halo=5)
    most = 0
    for row, col in chip_origins(height, 60, 40, 20):
        for _ in canvas.finished_rows():
            pass
        canvas.add(np.ones((1, 40, 40)), row, col)
        most = max(most, canvas.held_rows)
    assert most <= 40 + 20


def test_rows_are_handed_over_once_and_in_order() -> None:
    canvas = Canvas(100, 40, 1)
    rows: Rows = []
    for row, col in chip_origins(100, 40, 40, 20):
        canvas.add(np.full((1, 40, 40), float(row)), row, col)
        rows += canvas.finished_rows()
    rows += canvas.finished_rows(everything=True)
    covered = [start + i for start, part in rows for i in range(part.shape[1])]
    assert covered == list(range(100))
    assert list(canvas.finished_rows(everything=True)) == []


def test_cells_never_seen_are_nan() -> None:
    canvas = Canvas(30, 30, 1)
    chip = np.ones((1, 10, 10))
    chip[0, 3, 4] = np.nan
    canvas.add(chip, 10, 10)
    ((start, whole),) = canvas.finished_rows(everything=True)
    seen = np.zeros((30, 30), dtype=bool)
    seen[10:20, 10:20] = True
    seen[13, 14] = False
    assert start == 0
    np.testing.assert_array_equal(np.isfinite(whole[0]), seen)


def test_a_hole_in_one_chip_is_filled_by_its_neighbour() -> None:
    canvas = Canvas(10, 15, 1)
    left, right = np.full((1, 10, 10), 2.0), np.full((1, 10, 10), 7.0)
    left[0, :, 8] = np.nan
    canvas.add(left, 0, 0)
    canvas.add(right, 0, 5)
    ((_, whole),) = canvas.finished_rows(everything=True)
    assert (whole[0, :, 8] == 7.0).all()
    assert (whole[0, :, :5] == 2.0).all()


@pytest.mark.parametrize(
    ("shape", "row", "col", "says"),
    [
        ((2, 10, 10), 0, 0, "bands"),
        ((1, 4, 10), 0, 0, "more than 4 cells"),
        ((1, 10, 10), 25, 0, "leaves the canvas of 30 x 30"),
        ((1, 10, 10), 0, -1, "leaves the canvas"),
    ],
)
def test_a_chip_that_does_not_belong_is_refused(
    shape: tuple[int, ...], row: int, col: int, says: str
) -> None:
    with pytest.raises(GridError, match=says):
        Canvas(30, 30, 1, halo=2).add(np.zeros(shape), row, col)


def test_the_order_of_chips_between_two_calls_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    made = [(rng.random((1, 20, 20)), row, col) for row, col in chip_origins(60, 60, 20, 8)]
    forwards = assemble(Canvas(60, 60, 1, halo=4), iter(made))
    backwards = Canvas(60, 60, 1, halo=4)
    for chip, row, col in reversed(made):
        backwards.add(chip, row, col)
    ((_, whole),) = backwards.finished_rows(everything=True)
    np.testing.assert_allclose(whole, forwards, rtol=1e-6)


def test_a_chip_that_touches_finished_rows_is_refused() -> None:
    canvas = Canvas(30, 30, 1)
    canvas.add(np.zeros((1, 10, 10)), 10, 0)
    assert len(list(canvas.finished_rows())) == 1
    with pytest.raises(GridError, match="top to bottom"):
        canvas.add(np.zeros((1, 10, 10)), 0, 0)
