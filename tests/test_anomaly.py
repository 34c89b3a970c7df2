"""Temperatures against their place and time of the year: nothing later ever counts."""

import numpy as np
import pytest
import xarray as xr

from firesat.samples.anomaly import anomaly
from firesat.samples.pieces import Piece

DAYS = np.array(
    ["2021-06-01", "2021-06-09", "2021-07-19", "2022-06-02", "2022-06-30", "2023-06-05",
     "2023-12-30", "2024-01-03", "2024-06-05"], dtype="datetime64[D]",
)  # fmt: skip
VALUES = np.array([290.0, 294.0, 310.0, 299.0, 330.0, 300.0, 250.0, 255.0, 400.0])


def piece_of(values: np.ndarray) -> Piece:
    field = np.broadcast_to(values[:, None, None], (len(values), 2, 3)).astype("float32").copy()
    field[0, 0, 0] = np.nan
    data = xr.Dataset({"lst_day": (("time", "y", "x"), field)}, coords={"time": DAYS})
    zeros = np.zeros(3, dtype=np.intp)
    return Piece(data=data, top=0, left=0, level=1000, tile_y=zeros[:2], tile_x=zeros)


EVERYTHING = np.ones((len(DAYS), 1, 1), dtype=bool)


def test_it_is_the_difference_to_earlier_years_mean_of_the_same_time() -> None:
    found = anomaly(piece_of(VALUES), "lst_day", np.array([5]), EVERYTHING)
    assert found.shape == (1, 2, 3)
    # 1 and 9 June 2021 and 2 June 2022 are within 8 days of 5 June; July and 30 June are not
    assert found[0, 1, 1] == pytest.approx(300 - (290 + 294 + 299) / 3, abs=1e-4)
    assert found[0, 0, 0] == pytest.approx(300 - (294 + 299) / 2, abs=1e-4)


def test_the_first_year_has_none_and_new_year_is_no_gap() -> None:
    found = anomaly(piece_of(VALUES), "lst_day", np.array([0, 7, -1]), EVERYTHING)
    assert np.isnan(found[0]).all()
    assert found[1, 1, 1] == pytest.approx(255 - 250)  # 30 December of the year before
    assert np.isnan(found[2]).all()


def test_what_comes_later_or_was_not_known_changes_nothing() -> None:
    before = anomaly(piece_of(VALUES), "lst_day", np.array([5]), EVERYTHING)
    changed = VALUES.copy()
    changed[6:] = 200.0
    np.testing.assert_array_equal(
        anomaly(piece_of(changed), "lst_day", np.array([5]), EVERYTHING), before
    )
    known = EVERYTHING.copy()
    known[3] = False  # not available by T
    found = anomaly(piece_of(VALUES), "lst_day", np.array([5]), known)
    assert found[0, 1, 1] == pytest.approx(300 - 292)
