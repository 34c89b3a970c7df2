"""The frame counts every chip once, and the draw's chances are what it says."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firesat.errors import SampleError
from firesat.sampling import (
    STRATA,
    DayMaps,
    draw,
    frame_of_day,
    issue_days,
    keep_fires_whole,
    panels,
    weights,
)
from firesat.window import Period, Window

WANTED = {"train": {"positive": 5, "near_fire": 3, "random": 4}}


def make_frame(counts: dict[str, int], split: str = "train") -> pd.DataFrame:
    """So many chips of each stratum."""
    strata = [stratum for stratum, number in counts.items() for _ in range(number)]
    return pd.DataFrame(
        {
            "split": split,
            "stratum": strata,
            "reference_day": "2023-06-01",
            "row": np.arange(len(strata)) * 10,
            "col": 0,
            "fires": [[] for _ in strata],
        }
    )


def test_no_window_reaches_beyond_its_period() -> None:
    # 20 fire days, an 8-day horizon: the last window is that of the 13th, days 13 to 20
    days = issue_days([Period(start="2023-06-01", end="2023-06-20")], 4, Window(horizon=8))
    assert days == ["2023-06-01", "2023-06-05", "2023-06-09", "2023-06-13"]


def test_a_period_shorter_than_the_horizon_has_no_issue_day() -> None:
    assert issue_days([Period(start="2023-06-01", end="2023-06-07")], 1, Window(horizon=8)) == []
    assert len(issue_days([Period(start="2023-06-01", end="2023-06-08")], 1, Window())) == 1


@given(
    height=st.integers(8, 60), width=st.integers(8, 60), stride=st.integers(1, 8),
    offset=st.tuples(st.integers(0, 24), st.integers(0, 24)),
)  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_panels_hold_each_chip_once_and_cover_every_cell(
    height: int, width: int, stride: int, offset: tuple[int, int]
) -> None:
    found = panels((height, width), offset, size=8, stride=stride, tile=25)
    chips = [(p.row + row, p.col + col) for p in found for row, col in p.origins]
    assert len(chips) == len(set(chips))
    seen = np.zeros((height, width), dtype=bool)
    for row, col in chips:
        seen[row : row + 8, col : col + 8] = True
    assert seen.all()
    for panel in found:
        tiles = {
            ((panel.row + row + offset[0]) // 25, (panel.col + col + offset[1]) // 25)
            for row, col in panel.origins
        }
        assert len(tiles) == 1
        assert max(row for row, _ in panel.origins) + 8 == panel.height


def test_strata_by_hand() -> None:
    burns, near, fire = (np.zeros((20, 30), dtype=int) for _ in range(3))
    burns[0, 0] = 1  # chip (0, 0) alone
    near[:, 10] = 1  # chips at columns 10, and 5 by overlap
    fire[0, :3], fire[1, 0] = 7, 4
    (panel,) = panels((20, 30), (0, 0), size=10, stride=10)
    maps = DayMaps(burns=burns > 0, near=near > 0, fire_id=fire)
    rows = list(frame_of_day(maps, panel, split="train", day="2023-06-01", size=10))
    assert [row["stratum"] for row in rows] == [
        "positive", "near_fire", "random", "random", "near_fire", "random",
    ]  # fmt: skip
    assert [row["fires"] for row in rows] == [[7, 4], [], [], [], [], []]
    assert [(row["row"], row["col"]) for row in rows[2:4]] == [(0, 20), (10, 0)]


def test_pi_is_taken_over_there() -> None:
    taken = draw(make_frame({"positive": 2, "near_fire": 30, "random": 400}), WANTED, seed=1)
    by_stratum = taken.groupby("stratum")["pi"].agg(["count", "first", "nunique"])
    assert by_stratum.loc["positive"].tolist() == [2, 1, 1]
    assert by_stratum.loc["near_fire"].tolist() == [3, 3 / 30, 1]
    assert by_stratum.loc["random"].tolist() == [4, 4 / 400, 1]


@given(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 40)), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_inverse_chances_add_up_to_the_frame(counts: tuple[int, int, int], seed: int) -> None:
    frame = make_frame(dict(zip(STRATA, counts, strict=True)))
    taken = draw(frame, WANTED, seed)
    assert (1 / taken["pi"]).sum() == pytest.approx(len(frame), rel=1e-12)
    assert not taken.duplicated(["row"]).any()


def test_each_chip_is_taken_as_often_as_its_pi_says() -> None:
    frame = make_frame({"random": 20})
    hits = np.zeros(20)
    draws = 200
    for seed in range(draws):
        hits[draw(frame, WANTED, seed)["row"].to_numpy() // 10] += 1
    # pi = 4 / 20; five standard errors of a binomial share
    np.testing.assert_allclose(hits / draws, 0.2, atol=5 * np.sqrt(0.2 * 0.8 / draws))


def test_the_same_seed_draws_the_same_chips() -> None:
    frame = make_frame({"near_fire": 50, "random": 50})
    pd.testing.assert_frame_equal(draw(frame, WANTED, 3), draw(frame, WANTED, 3))
    assert not draw(frame, WANTED, 3)["row"].equals(draw(frame, WANTED, 4)["row"])


def test_a_split_without_chips_or_a_stratum_never_taken_is_refused() -> None:
    frame = make_frame({"random": 5})
    with pytest.raises(SampleError, match="the split val has no chip"):
        draw(frame, {**WANTED, "val": WANTED["train"]}, 0)
    with pytest.raises(SampleError, match="give 1 or more"):
        draw(frame, {"train": {**WANTED["train"], "random": 0}}, 0)


def test_training_chips_with_a_fire_of_validation_are_dropped() -> None:
    frame = pd.DataFrame(
        {
            "split": ["train", "train", "train", "train", "val", "val"],
            "reference_day": ["2023-06-01"] * 3 + ["2022-06-01"] + ["2023-07-01"] * 2,
            "fires": [[1], [2, 3], [], [3], [3], []],
        }
    )
    kept = keep_fires_whole(frame)
    # fire 3 of 2023 is in val; fire 3 of 2022 is another fire
    assert kept["fires"].tolist() == [[1], [], [3], [3], []]


def test_weights_have_mean_one_and_keep_their_ratios() -> None:
    found = weights(np.array([1.0, 0.5, 0.25]))
    np.testing.assert_allclose(found, np.array([1, 2, 4]) * 3 / 7)
    assert all(b / a == pytest.approx(2) for a, b in pairwise(found))
