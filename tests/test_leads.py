"""Labels day by day: what an interval of dates says of each lead, and where new fires start."""

import numpy as np
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from firesat.labels import window_label, window_leads, window_starts
from firesat.window import Window

DAY = "2023-07-05"
FIRST = int(np.datetime64(DAY, "D").astype(int))
HORIZON = 8
WINDOW = Window(horizon=HORIZON)
NAN = float("nan")


def season(**layers: object) -> xr.Dataset:
    """One row of cells; days count from the first day of the window."""
    days = ("burn_day", "earliest", "latest", "fire_start")
    out = {}
    for name in ("fraction", "fire_id", *days):
        values = np.atleast_1d(np.asarray(layers.get(name, NAN), dtype=np.float32))
        out[name] = values + FIRST if name in days else values
    size = max(len(values) for values in out.values())
    return xr.Dataset({k: (("y", "x"), np.broadcast_to(v, (1, size))) for k, v in out.items()})


def leads(earliest: float, latest: float, fraction: float = 1.0) -> list[int]:
    dates = {"earliest": earliest, "latest": latest, "fire_start": earliest}
    cell = season(fraction=fraction, fire_id=1, burn_day=earliest, **dates)
    return window_leads(cell, DAY, WINDOW).ravel().tolist()


def test_a_burn_day_known_to_an_interval_is_known_to_leads() -> None:
    assert leads(0, 0) == [1, 1]
    assert leads(1, 3) == [2, 4]
    assert leads(7, 7) == [8, 8]


def test_what_burns_after_the_window_or_never_is_beyond_its_leads() -> None:
    assert leads(8, 9) == [9, 9]
    assert leads(NAN, NAN, fraction=0.0) == [9, 9]


def test_an_interval_that_leaves_the_window_says_until_when_the_cell_had_not_burned() -> None:
    assert leads(3, 20) == [4, 9]
    assert leads(0, 20) == [0, 0]  # nothing: it may have burned on any day, or after


def test_what_may_have_burned_before_the_window_says_nothing() -> None:
    assert leads(-1, 3) == [0, 0]
    assert leads(-5, -1) == [0, 0]
    assert leads(NAN, NAN) == [0, 0]


day = st.integers(-12, 20)


@given(day, st.integers(0, 15), st.sampled_from([0.0, 0.4, 0.6, 1.0, NAN]), st.booleans())
def test_leads_and_the_label_of_the_window_never_disagree(
    earliest: int, length: int, fraction: float, begun: bool
) -> None:
    start = earliest - 1 if begun else NAN
    dates = {"earliest": earliest, "latest": earliest + length, "fire_start": start}
    cell = season(fraction=fraction, fire_id=1, burn_day=earliest, **dates)
    label, valid = window_label(cell, DAY, WINDOW)
    first, last = window_leads(cell, DAY, WINDOW).ravel().tolist()
    burns, known = bool(label.any()), bool(valid.all())
    assert burns == (1 <= first <= last <= HORIZON)
    if known and not burns:
        assert (first, last) == (HORIZON + 1, HORIZON + 1)
    if not known:
        assert first == last == 0 or (first > 1 and last == HORIZON + 1)


def test_a_fire_that_starts_counts_once_in_the_square_of_its_first_cells() -> None:
    square = {n: (("y", "x"), np.full((20, 30), NAN, "f4")) for n in ("fraction", "burn_day")}
    labels = xr.Dataset({**square, "fire_id": (("y", "x"), np.zeros((20, 30), "f4"))})
    labels["fire_start"] = labels["burn_day"].copy()
    for rows, columns, fire, start, burned in (
        (slice(0, 2), slice(9, 11), 1, 2, 2),  # on the edge of two squares
        (slice(2, 6), slice(9, 20), 1, 2, 4),  # the same fire two days later
        (slice(15, 16), slice(25, 26), 2, -3, 1),  # had started before
        (slice(12, 13), slice(5, 6), 3, 1, 7),  # came from elsewhere
        (slice(18, 19), slice(5, 6), 4, 7, 7),
        (slice(18, 19), slice(6, 7), 5, 8, 8),  # after the window
    ):
        labels["fire_id"].values[rows, columns] = fire
        labels["fire_start"].values[rows, columns] = FIRST + start
        labels["burn_day"].values[rows, columns] = FIRST + burned
    starts = window_starts(labels, DAY, WINDOW)
    assert starts.shape == (HORIZON, 2, 3)
    assert starts.sum() == 2.0
    assert starts[2, 0].tolist() == [0.5, 0.5, 0.0]
    assert starts[7, 1, 0] == 1.0
