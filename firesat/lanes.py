"""Eight pixels at a time, which LLVM does not do by itself for rows this short.

Rows of a few pixels are copied into one array in a row, whose loops LLVM then does vectorise.
"""

from typing import Any

import numba
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

LANES = 8
"""Pixels that are taken at a time."""


@intrinsic
def take(_context: Any, out: Any, place: Any, values: Any, at: Any) -> Any:  # noqa: ANN401  LLVM's
    """Copy ``values[at:at + LANES]`` to ``out[place:place + LANES]``; nothing is checked.

    Parameters
    ----------
    out : ndarray of float32, one dimension
        Contiguous.
    place : int
        Of the first in `out`.
    values : ndarray of unsigned integers or float32, one dimension
        Contiguous.
    at : int
        Of the first in `values`.
    """

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ANN401
        kinds, floats = signature.args, ir.VectorType(ir.FloatType(), LANES)

        def lanes(array: int, index: int, item: Any) -> Any:  # noqa: ANN401
            data = context.make_array(kinds[array])(context, builder, values[array]).data
            first = builder.gep(data, [values[index]])
            return builder.bitcast(first, ir.VectorType(item, LANES).as_pointer())

        source = kinds[2].dtype
        found = builder.load(lanes(2, 3, context.get_data_type(source)), align=source.bitwidth // 8)
        if isinstance(source, types.Integer):
            found = builder.uitofp(found, floats)
        builder.store(found, lanes(0, 1, ir.FloatType()), align=4)
        return context.get_dummy_value()

    return types.void(out, types.intp, values, types.intp), build


@numba.njit(cache=True, nogil=True)
def take_box(
    out: Any,  # noqa: ANN401  arrays, as `take`'s
    values: Any,  # noqa: ANN401
    at: int,
    width: int,
    size: tuple[int, int],
) -> None:
    """Copy a box of an image into one row; nothing is checked.

    Parameters
    ----------
    out : ndarray of float32, one dimension
        Filled, row after row.
    values : ndarray of unsigned integers or float32, one dimension
        The image's rows one after the other.
    at : int
        Of the box's first pixel in `values`.
    width : int
        Of the image.
    size : tuple of int
        Rows of the box, and columns: a multiple of `LANES`.
    """
    rows, columns = size
    for row in range(rows):
        for lane in range(0, columns, LANES):
            take(out, row * columns + lane, values, at + row * width + lane)
