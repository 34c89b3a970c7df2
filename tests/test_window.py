from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firesat.errors import WindowError
from firesat.window import (
    Period,
    Window,
    all_days,
    fire_day,
    parse_day,
    reference_time,
    to_datetime,
)

DAYS = st.dates(date(2015, 1, 1), date(2035, 12, 31))


def test_the_fire_day_begins_at_noon_utc() -> None:
    moments = ["2023-07-05T11:59:59", "2023-07-05T12:00:00", "2023-07-06T11:59:59"]
    assert list(fire_day(moments).astype(str)) == ["2023-07-04", "2023-07-05", "2023-07-05"]


@given(DAYS, st.integers(1, 20), st.integers(1, 90))
def test_past_and_future_meet_at_the_reference_time(day: date, horizon: int, history: int) -> None:
    window = Window(history=history, horizon=horizon)
    past, future = window.past_days(day), window.fire_days(day)
    assert len(past) == history
    assert len(future) == horizon
    assert future[0] - past[-1] == np.timedelta64(1, "D")
    start, end = window.valid_time(day)
    assert np.datetime64(start.replace(tzinfo=None)) == reference_time(day)
    assert end - start == timedelta(days=horizon)
    assert (fire_day(reference_time(day)) == future[0]).all()


@given(DAYS, st.integers(-72, 72), st.integers(0, 48), st.integers(0, 70 * 24))
def test_nothing_enters_before_it_was_available(
    day: date, offset: int, latency: int, age: int
) -> None:
    window = Window(history=64)
    now = reference_time(day)
    observed = now - np.timedelta64(age, "h")
    available = observed + np.timedelta64(latency, "h") + np.timedelta64(offset, "m")
    admitted = bool(window.admits(observed, available, day))
    assert admitted == (available <= now and age < 64 * 24)


def test_one_second_late_is_too_late() -> None:
    now = reference_time("2023-07-05")
    window = Window()
    assert window.admits(now - np.timedelta64(1, "D"), now, "2023-07-05")
    late = now + np.timedelta64(1, "s")
    assert not window.admits(now - np.timedelta64(1, "D"), late, "2023-07-05")


def test_what_never_became_available_is_not_admitted() -> None:
    assert not Window().admits(np.datetime64("2023-07-01"), np.datetime64("NaT", "s"), "2023-07-05")


def test_a_moment_becomes_an_aware_datetime() -> None:
    assert to_datetime(np.datetime64("2023-07-05T12:00")) == datetime(2023, 7, 5, 12, tzinfo=UTC)


def test_a_day_is_read_or_refused() -> None:
    assert parse_day(date(2024, 2, 29)) == parse_day("2024-02-29")
    for text in ["2023-02-29", "5 July", "2023-7-5", ""]:
        with pytest.raises(WindowError, match="write it as 2023-07-05"):
            parse_day(text)


@pytest.mark.parametrize("hour", [-1, 24])
def test_a_day_starts_within_the_day(hour: int) -> None:
    with pytest.raises(WindowError, match=f"day_start is {hour}: give an hour UTC, 0 to 23"):
        Window(day_start=hour)


@pytest.mark.parametrize(("history", "horizon"), [(0, 8), (64, 0), (-1, 1)])
def test_windows_without_past_or_future_are_refused(history: int, horizon: int) -> None:
    with pytest.raises(WindowError, match=f"got history={history}, horizon={horizon}"):
        Window(history=history, horizon=horizon)


def test_a_leap_year_has_its_day() -> None:
    assert len(Period(start="2024-01-01", end="2024-12-31").days) == 366


def test_periods_join_into_one_axis() -> None:
    days = all_days(
        [Period(start="2021-05-01", end="2021-05-03"), Period(start="2022-05-01", end="2022-05-01")]
    )
    assert list(days.astype(str)) == ["2021-05-01", "2021-05-02", "2021-05-03", "2022-05-01"]


def test_impossible_periods_are_refused() -> None:
    with pytest.raises(WindowError, match="before it starts"):
        Period(start="2021-05-02", end="2021-05-01")
    with pytest.raises(WindowError, match="no period"):
        all_days([])
    first, second = (Period(start=f"2021-0{m}-01", end=f"2021-0{m + 1}-15") for m in (5, 6))
    with pytest.raises(WindowError, match="overlap or are out of order"):
        all_days([first, second])
