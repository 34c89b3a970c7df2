"""A box of an image is copied row after row, and nothing beside it is touched."""

import numpy as np
import pytest

from firesat.lanes import LANES, take_box


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_box_comes_row_after_row(dtype: str) -> None:
    image = (np.arange(20 * 30) % 251).astype(dtype).reshape(20, 30)
    out = np.full(4 * 2 * LANES + 5, -1, "f4")
    take_box(out, image.reshape(-1), 3 * 30 + 7, 30, (4, 2 * LANES))
    assert np.array_equal(out[:-5].reshape(4, 2 * LANES), image[3:7, 7 : 7 + 2 * LANES])
    assert (out[-5:] == -1).all()


def test_large_counts_stay_positive() -> None:
    image = np.full(LANES, 65535, "u2")
    out = np.empty(LANES, "f4")
    take_box(out, image, 0, LANES, (1, LANES))
    assert (out == 65535).all()
