"""The frame counts every chip once, and the draw's chances are what it says."""

from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firesat.errors import ConfigError, SampleError
from firesat.sampling import (
    FIRE,
    STRATA,
    UNKNOWN,
    Draw,
    Facts,
    Matching,
    Reservoir,
    allocate,
    chips_with,
    issue_days,
    panels,
    union,
    weights,
)
from firesat.window import Period, Window

WANTED = {"positive": 6, "near_fire": 4, "hard": 6, "matched": 5, "random": 7}
DAYS = ("2023-05-20", "2023-07-10")  # seasons 4 and 5 of 32 days
CHIPS = 60  # of a day
MATCHING = Matching(season_days=32, fwi_edges=(10.0, 20.0))


def world() -> dict[str, Facts]:
    """Two days: fire in spruce at high FWI in July, half of it old; one new in grass in May."""
    chip = np.arange(CHIPS)
    fuel = np.where(chip < 40, 2, 5)
    burns = {DAYS[0]: chip == 41, DAYS[1]: (chip % 5 == 0) & (chip < 40)}
    grows = {DAYS[0]: chip < 0, DAYS[1]: burns[DAYS[1]] & (chip % 2 == 0)}
    near = chip % 7 == 1
    fwi = {DAYS[0]: np.where(chip % 2, 12.0, 3.0), DAYS[1]: np.where(chip % 3, 25.0, 15.0)}
    return {
        day: Facts(
            burns=burns[day], grows=grows[day], near=near, fuel=fuel, fwi=fwi[day].astype("f4")
        )
        for day in DAYS
    }


def drawn(seed: int, hard: dict[str, str] | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    draw = Draw({"train": WANTED}, MATCHING, seed, growth=0.6, hard=hard)
    for day, facts in world().items():
        draw.add("train", day, 0, facts, np.ones(CHIPS, dtype=bool))
    return draw.finish()


def positions(chips: pd.DataFrame) -> np.ndarray:
    """Number of each chip in the frame of both days."""
    first = int(np.datetime64(DAYS[0]).astype(int))
    return np.where(chips["day"] == first, 0, CHIPS) + chips["chip"].to_numpy()


# --- the frame ----------------------------------------------------------------------------------


def test_no_window_reaches_beyond_its_period() -> None:
    # 20 fire days, an 8-day horizon: the last window is that of the 13th, days 13 to 20
    days = issue_days([Period(start="2023-06-01", end="2023-06-20")], 4, Window(horizon=8))
    assert days == ["2023-06-01", "2023-06-05", "2023-06-09", "2023-06-13"]


def test_with_a_step_of_one_every_day_can_be_an_issue_day() -> None:
    days = issue_days([Period(start="2023-06-01", end="2023-06-20")], 1, Window(horizon=8))
    assert days == [f"2023-06-{day:02d}" for day in range(1, 14)]


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
    found = panels((height, width), offset, size=8, stride=stride, tile=25, line=5)
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
        assert panel.row % 5 == panel.col % 5 == 0
        for last, size, start, edge in (
            (panel.rows[-1], panel.height, panel.row, height),
            (panel.cols[-1], panel.width, panel.col, width),
        ):
            assert last + 8 <= size < last + 8 + 5
            assert (start + size) % 5 == 0 or start + size == edge


def test_cells_are_counted_in_every_chip_that_holds_them() -> None:
    (panel,) = panels((20, 30), (0, 0), size=10, stride=5)
    rows, cols = np.array([0, 7, 7, 19]), np.array([0, 7, 12, 29])
    counts = dict(zip(panel.origins, chips_with((rows, cols), panel, 10), strict=True))
    assert counts[0, 0] == 2  # (0, 0) and (7, 7)
    assert counts[0, 5] == 2  # (7, 7) and (7, 12)
    assert counts[5, 10] == 1  # (7, 12)
    assert counts[10, 20] == 1
    assert sum(counts.values()) == 1 + 4 + 4 + 1  # each cell, in all chips over it


# --- matching -----------------------------------------------------------------------------------


def test_seasons_and_classes_by_hand() -> None:
    # day 32 of the year is 1 February; 5 is of the class that begins at 5
    rule = Matching()
    assert [rule.season(day) for day in ("2023-01-31", "2023-02-01", "2023-02-02")] == [0, 0, 1]
    assert rule.fwi_class([0, 4.9, 5, 29, 30, np.nan]).tolist() == [0, 0, 1, 3, 4, UNKNOWN]


@pytest.mark.parametrize(
    "wrong", [{"season_days": 0}, {"fwi_edges": (5.0, 5.0)}, {"fwi_edges": ()}]
)
def test_matching_without_bins_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"sample\.match: "):
        Matching(**wrong)


def test_bins_get_their_share_and_no_more_than_they_hold() -> None:
    share = {(0, 1): 6, (0, 2): 3, (1, 1): 1}
    room = {(0, 1): 2, (0, 2): 50, (1, 1): 50}
    # 10 x 0.6, 0.3, 0.1; the first has room for two, and the others are not given its rest
    assert allocate(10, share, room) == {(0, 1): 2, (0, 2): 3, (1, 1): 1}
    # 5 x 0.6, 0.3, 0.1 = 3, 1.5, 0.5: of equal remainders the first bin's counts
    assert allocate(5, share, dict.fromkeys(share, 9)) == {(0, 1): 3, (0, 2): 2, (1, 1): 0}
    assert allocate(5, {}, room) == {}


@given(
    st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 3)), st.integers(1, 50),
                    min_size=1),
    st.integers(0, 200),
)  # fmt: skip
def test_shares_add_up_and_are_off_by_less_than_one(
    share: dict[tuple[int, int], int], number: int
) -> None:
    given_to = allocate(number, share, dict.fromkeys(share, 10**6))
    assert sum(given_to.values()) == number
    for name, got in given_to.items():
        assert abs(got - number * share[name] / sum(share.values())) < 1


def test_the_chance_of_any_of_several_draws() -> None:
    assert union([0.5, 1.0, 0.0], 0.2, [0.0, 0.3, 0.0]).tolist() == pytest.approx([0.6, 1.0, 0.2])


# --- the draw -----------------------------------------------------------------------------------


def test_a_reservoir_keeps_the_smallest_in_bounded_memory() -> None:
    rng = np.random.default_rng(0)
    reservoir, numbers = Reservoir(5), rng.random(20_000)
    rows = np.zeros(20_000, dtype=reservoir.take(0).dtype)
    rows["chip"] = np.arange(20_000)
    for part in np.array_split(np.arange(20_000), 100):
        reservoir.add(numbers[part], rows[part])
        assert len(reservoir._numbers) <= 4 * 5 + 1024
    assert reservoir.seen == 20_000
    assert reservoir.take(5)["chip"].tolist() == np.argsort(numbers)[:5].tolist()


def test_strata_are_true_of_the_chips() -> None:
    facts = world()
    chips, _ = drawn(1)
    for chip in chips.itertuples():
        of_day = facts[str(np.datetime64(chip.day, "D"))]
        assert (chip.stratum in FIRE) == of_day.burns[chip.chip]
        assert (chip.stratum == "growth") == of_day.grows[chip.chip]
        if chip.stratum not in FIRE:
            assert (chip.stratum == "near_fire") == of_day.near[chip.chip]
        assert chip.stratum == chip.drawn_by[0]
        assert chip.fuel == of_day.fuel[chip.chip]
        assert chip.fwi == of_day.fwi[chip.chip]
    assert not chips.duplicated(["day", "chip"]).any()


def test_hard_and_matched_chips_follow_the_chips_with_fire() -> None:
    # fires of the frame: 8 in July (spruce: 5 at FWI 25 and 3 at 15), 1 in May (grass, FWI 12)
    _, design = drawn(1)
    bins = design.set_index(["stratum", "season_or_fwi", "fuel"])
    assert bins.loc[("matched", 5, 2), "taken"] == 4  # 5 x 8/9 = 4.4
    assert bins.loc[("matched", 4, 5), "taken"] == 1  # 5 x 1/9 = 0.6, the larger remainder
    assert bins.loc[("hard", 2, 2), "taken"] == 3  # 6 x 5/9 = 3.3
    assert bins.loc[("hard", 1, 2), "taken"] == 2  # 6 x 3/9
    assert bins.loc[("hard", 1, 5), "taken"] == 1  # 6 x 1/9 = 0.7
    assert set(bins.loc["hard"].index) == {(2, 2), (1, 2), (1, 5)}
    facts = world()
    far = next(f for day, f in facts.items() if day == DAYS[1])
    alone = ~far.burns & ~far.near & (far.fuel == 2)
    assert bins.loc[("matched", 5, 2), "frame"] == alone.sum()


def pi_by_hand(design: pd.DataFrame) -> np.ndarray:
    """Chance of every chip of the frame, from the numbers of the design alone."""
    rate = (design["taken"] / design["frame"]).set_axis(
        pd.MultiIndex.from_frame(design[["stratum", "season_or_fwi", "fuel"]])
    )
    chances = []
    for day, facts in world().items():
        season, classes = MATCHING.season(day), MATCHING.fwi_class(facts.fwi)
        for chip in range(CHIPS):
            if facts.burns[chip] or facts.near[chip]:
                fire = "growth" if facts.grows[chip] else "new"
                chances.append(rate[fire if facts.burns[chip] else "near_fire", 0, 0])
                continue
            fuel = int(facts.fuel[chip])
            missed = 1 - rate["random", 0, 0]
            missed *= 1 - rate.get(("matched", season, fuel), 0.0)
            missed *= 1 - rate.get(("hard", int(classes[chip]), fuel), 0.0)
            chances.append(1 - missed)
    return np.array(chances)


def test_every_chip_of_the_frame_has_a_chance_and_pi_says_which() -> None:
    chips, design = drawn(1)
    expected = pi_by_hand(design)
    assert (expected > 0).all()
    np.testing.assert_allclose(chips["pi"], expected[positions(chips)], rtol=1e-12)


@pytest.fixture(
    scope="module", params=[200, pytest.param(3000, marks=pytest.mark.exhaustive)], ids=str
)
def many(request: pytest.FixtureRequest) -> list[pd.DataFrame]:
    """Chips of so many draws."""
    return [drawn(seed)[0] for seed in range(request.param)]


def test_each_chip_is_taken_as_often_as_its_pi_says(many: list[pd.DataFrame]) -> None:
    hits = np.zeros(2 * CHIPS)
    for chips in many:
        hits[positions(chips)] += 1
    expected = pi_by_hand(drawn(0)[1])
    error = 5 * np.sqrt(expected * (1 - expected) / len(many)) + 1e-12
    assert (np.abs(hits / len(many) - expected) <= error).all()


def test_weighted_sums_estimate_sums_over_the_frame_without_bias(many: list[pd.DataFrame]) -> None:
    # any quantity of the chips, here one that grows with the place and is large where it burns
    value = np.arange(2.0 * CHIPS) + 100 * np.concatenate([f.burns for f in world().values()])
    sums = [(value[positions(chips)] / chips["pi"]).sum() for chips in many]
    error = np.std(sums) / np.sqrt(len(many))
    assert np.mean(sums) == pytest.approx(value.sum(), abs=4 * error)
    assert error < 0.04 * value.sum()
    # without the weights it would be far off
    plain = np.mean([value[positions(chips)].mean() for chips in many])
    assert plain * 2 * CHIPS > 1.3 * value.sum()


def test_the_union_is_exact_for_every_outcome_of_two_small_draws() -> None:
    """All pairs of subsets: 2 of 5 at random and 1 of the first 3; no simulation."""
    hits, outcomes = np.zeros(5), 0
    for one in combinations(range(5), 2):
        for other in combinations(range(3), 1):
            hits[list({*one, *other})] += 1
            outcomes += 1
    np.testing.assert_allclose(
        hits / outcomes, union(2 / 5, np.array([1, 1, 1, 0, 0]) / 3), rtol=1e-12
    )


def test_disjoint_strata_add_up_to_the_frame() -> None:
    chips, _ = drawn(3)
    for stratum, number in (("growth", 4), ("new", 5), ("near_fire", sum(
        (f.near & ~f.burns).sum() for f in world().values()
    ))):  # fmt: skip
        some = chips[chips["stratum"] == stratum]
        assert (1 / some["pi"]).sum() == pytest.approx(number, rel=1e-12)


def test_a_hard_split_has_the_fires_of_its_own_and_negatives_like_them() -> None:
    chips, design = drawn(1, {"hard": "train"})
    fires = {
        split: set(positions(some[some["stratum"].isin(FIRE)]))
        for split, some in chips.groupby("split")
    }
    assert fires["hard"] == fires["train"]
    others = chips[(chips["split"] == "hard") & ~chips["stratum"].isin(FIRE)]
    assert set(others["stratum"]) == {"hard"}
    # as many as train asks for: 4 + 6 + 5 + 7, spread 5 : 3 : 1 as far as bins reach
    bins = design[(design["split"] == "hard") & (design["stratum"] == "hard")]
    assert bins["taken"].tolist() == np.minimum([7, 3, 12], bins["frame"]).tolist()
    rate = dict(zip(zip(bins["season_or_fwi"], bins["fuel"], strict=True),
                    bins["taken"] / bins["frame"], strict=True))  # fmt: skip
    keys = zip(MATCHING.fwi_class(others["fwi"]).tolist(), others["fuel"], strict=True)
    np.testing.assert_allclose(others["pi"], [rate[key] for key in keys])
    alone, _ = drawn(1)
    pd.testing.assert_frame_equal(chips[chips["split"] == "train"].reset_index(drop=True), alone)


def test_the_same_seed_draws_the_same_chips_in_any_order() -> None:
    one, other = drawn(3)[0], drawn(4)[0]
    pd.testing.assert_frame_equal(one, drawn(3)[0])
    assert set(positions(one)) != set(positions(other))
    draw = Draw({"train": WANTED}, MATCHING, 3, growth=0.6)
    for day, facts in reversed(world().items()):
        draw.add("train", day, 0, facts, np.ones(CHIPS, dtype=bool))
    pd.testing.assert_frame_equal(one, draw.finish()[0])


def test_fewer_chips_with_fire_bring_fewer_others() -> None:
    draw = Draw({"train": {**WANTED, "positive": 18}}, MATCHING, 0)
    for day, facts in world().items():
        draw.add("train", day, 0, facts, np.ones(CHIPS, dtype=bool))
    _, design = draw.finish()
    # 9 of 18 are there: half of everything else, 7 -> 4 (3.5 to even), 4 -> 2
    taken = design.groupby("stratum")["taken"].sum()
    assert taken.to_dict() == {
        "growth": 4, "new": 5, "near_fire": 2, "hard": 3, "matched": 2, "random": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("number", "share", "taken"),
    [
        (5, 0.4, (2, 3)),
        (8, 0.9, (4, 4)),  # 4 and 5 are there: what one kind lacks, the other gives
        (8, 0.1, (3, 5)),
        (12, 0.5, (4, 5)),
        (4, 0.01, (1, 3)),  # every chip of the frame needs a chance
        (4, 0.99, (3, 1)),
        (2, 0.99, (1, 1)),
        (7, None, (3, 4)),  # 7 x 4/9 = 3.1
        (2, None, (1, 1)),
    ],
)
def test_fires_that_grow_have_a_share_of_their_own(
    number: int, share: float | None, taken: tuple[int, int]
) -> None:
    draw = Draw({"train": {**WANTED, "positive": number}}, MATCHING, 0, growth=share)
    for day, facts in world().items():
        draw.add("train", day, 0, facts, np.ones(CHIPS, dtype=bool))
    chips, _ = draw.finish()
    found = {name: chips[chips["stratum"] == name] for name in FIRE}
    assert tuple(len(some) for some in found.values()) == taken
    assert (found["growth"]["pi"] == taken[0] / 4).all()
    assert (found["new"]["pi"] == taken[1] / 5).all()


NOWHERE = np.zeros(CHIPS, dtype=bool)
WITHOUT_FIRE = ~np.logical_or(*(facts.burns for facts in world().values()))


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (NOWHERE, "the split train has no chip: its periods"),
        (WITHOUT_FIRE, "the split train has no chip with fire: nothing burns"),
    ],
)
def test_a_split_without_chips_or_without_fire_is_refused(member: np.ndarray, words: str) -> None:
    draw = Draw({"train": WANTED}, MATCHING, 0)
    for day, facts in world().items():
        draw.add("train", day, 0, facts, member)
    with pytest.raises(SampleError, match=words) as caught:
        draw.finish()
    assert "\n" not in str(caught.value)


def test_weights_have_mean_one_and_keep_their_ratios() -> None:
    found = weights(np.array([1.0, 0.5, 0.25]))
    np.testing.assert_allclose(found, np.array([1, 2, 4]) * 3 / 7)
    assert all(b / a == pytest.approx(2) for a, b in pairwise(found))


def test_one_chip_cannot_be_of_both_kinds() -> None:
    with pytest.raises(SampleError, match="train: 1 chip with fire is too few"):
        Draw({"train": {**WANTED, "positive": 1}}, MATCHING, 0)


def test_strata_are_named_once() -> None:
    assert len(set(STRATA)) == len(STRATA) == 6
