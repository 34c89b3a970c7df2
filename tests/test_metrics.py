"""Scores whose values follow from arithmetic."""

import json
import time
from typing import Any

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from sklearn.metrics import average_precision_score

from firesat.errors import ConfigError
from firesat.grid import cell_area, geobox
from firesat.metrics import EvaluateSettings
from firesat.metrics.bootstrap import Blocks, Estimate, Homes, draws, interval
from firesat.metrics.case import CaseScores, Difference
from firesat.metrics.estimate import day_counts, judge
from firesat.metrics.neighbourhood import Fractions, fractions_skill
from firesat.metrics.result import Scores
from firesat.metrics.scores import average_precision, capture, reliability_edges
from firesat.metrics.scoring import Maps, Scoring
from firesat.metrics.tally import COARSE_BITS, FINE, FINE_BITS, Cells, Tally, level_of, lower_edge

DAY = np.datetime64("2023-07-01")
WEEK = np.timedelta64(8, "D")  # a window
SETTINGS = EvaluateSettings(resamples=100, block_km=2.0, block_days=8)
SIDE = 60  # cells of the maps below: 6 km


def cells_at(x: float = 0.0, side: int = SIDE) -> GeoBox:
    return geobox((x, 0.0, x + side * 100.0, side * 100.0), "EPSG:3979", 100)


def maps(
    forecasts: dict[str, np.ndarray],
    burned: np.ndarray,
    *,
    day: np.datetime64 = DAY,
    near: np.ndarray | None = None,
    fire: np.ndarray | None = None,
    scored: np.ndarray | None = None,
) -> Maps:
    shape = burned.shape
    return Maps(
        day=day,
        cells=cells_at(side=shape[0]),
        forecasts=forecasts,
        burned=burned,
        scored=np.ones(shape, bool) if scored is None else scored,
        near=np.zeros(shape, bool) if near is None else near,
        fire=burned.astype(int) if fire is None else fire,
    )


def scoring(
    days: tuple[np.datetime64, ...] = (DAY,),
    settings: EvaluateSettings = SETTINGS,
    **rest: Any,
) -> Scoring:
    return Scoring(blocks=Blocks.of(settings.block_km, settings.block_days, days), **rest)


def judged(
    forecasts: dict[str, np.ndarray], burned: np.ndarray, zone: str = "all", **rest: Any
) -> tuple[dict[str, CaseScores], list[Difference]]:
    made = scoring()
    made.add(maps(forecasts, burned, **rest))
    cases, differences = judge(made, zone, SETTINGS)
    return {case.forecast: case for case in cases}, differences


def some_fire() -> np.ndarray:
    burned = np.zeros((SIDE, SIDE), bool)
    burned[10:20, 10:25] = True
    burned[40:45, 50:55] = True
    return burned


def tally_of(probability: np.ndarray, burned: np.ndarray) -> Tally:
    made = Tally()
    n = len(burned)
    cells = Cells(day=DAY, burned=burned, area=np.full(n, 1e4), block=np.zeros(n, np.int64))
    made.add(cells, probability)
    return made


# ---- bins -----------------------------------------------------------------------------------


def test_every_value_with_twelve_bits_of_mantissa_has_a_bin_of_its_own() -> None:
    values = lower_edge(np.arange(FINE), FINE_BITS).astype(np.float32)
    assert np.array_equal(level_of(values), np.arange(FINE))
    assert values[-1] == 1.0


def test_zero_and_whatever_is_below_the_floor_share_the_lowest_bin() -> None:
    assert level_of(np.array([0.0, 1e-12, 2.0**-24])).tolist() == [0, 0, 0]


def test_coarse_bins_are_whole_groups_of_fine_ones() -> None:
    fine = np.arange(FINE)
    coarse = fine >> (FINE_BITS - COARSE_BITS)
    assert np.all(lower_edge(coarse) <= lower_edge(fine, FINE_BITS))
    assert np.all(lower_edge(fine, FINE_BITS) < lower_edge(coarse + 1))


# ---- average precision ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_average_precision_is_that_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = np.exp(rng.normal(-7, 2, 200_000)).clip(1e-7, 0.9).astype(np.float32)
    burned = rng.random(len(p)) < p
    made = tally_of(p, burned)
    exact = average_precision_score(burned, p)
    assert abs(float(average_precision(made.fine[0], made.fine[1])) - exact) < 1e-4
    block = next(iter(made.blocks.values()))
    # The coarse bins behind the intervals tie cells within 0.4 % of their probability
    assert abs(float(average_precision(block.all, block.burned)) - exact) < 5e-4


def test_average_precision_of_published_values_is_exact() -> None:
    rng = np.random.default_rng(3)
    p = np.exp(rng.normal(-6, 2, 50_000)).clip(1e-7, 0.9).astype(np.float32)
    p = (p.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)
    burned = rng.random(len(p)) < p
    made = tally_of(p, burned)
    exact = average_precision_score(burned, p)
    assert float(average_precision(made.fine[0], made.fine[1])) == pytest.approx(exact, abs=1e-12)


def test_a_perfect_forecast_has_the_best_of_every_score() -> None:
    burned = some_fire()
    cases, _ = judged(
        {"model": np.where(burned, 1.0, 0.0), "climatology": np.full(burned.shape, 0.05)}, burned
    )
    case = cases["model"]
    assert case.ap.value == 1.0
    assert case.lift.value == pytest.approx(1 / case.prevalence)
    assert case.brier.value == 0.0
    assert case.brier_skill.value == 1.0
    assert case.murphy.reliability == 0.0
    assert case.murphy.resolution == pytest.approx(case.murphy.uncertainty)
    assert case.ratio == Estimate(1.0, 1.0, 1.0)
    assert case.capture["0.05"].value == pytest.approx(1.0)
    assert case.fss["1"].value == pytest.approx(1.0)


def test_a_constant_forecast_has_the_skill_of_chance() -> None:
    burned = some_fire()
    rate = float(burned.mean())
    cases, _ = judged({"model": np.full(burned.shape, rate)}, burned)
    case = cases["model"]
    assert case.ap.value == pytest.approx(rate)
    assert case.lift.value == pytest.approx(1.0)
    assert case.murphy.resolution == 0.0
    assert case.murphy.reliability == pytest.approx(0.0, abs=1e-12)
    assert case.brier.value == pytest.approx(rate * (1 - rate))
    for share, found in case.capture.items():
        assert found.value == pytest.approx(float(share))


def test_prevalence_and_negatives_stand_beside_every_score() -> None:
    burned = some_fire()
    cases, _ = judged({"model": np.full(burned.shape, 0.1)}, burned)
    case = cases["model"]
    assert case.prevalence == burned.mean()
    assert (case.cells, case.burned, case.negatives) == (burned.size, burned.sum(), "full map")


def test_intervals_of_a_forecast_that_hardly_varies_surround_its_score() -> None:
    rng = np.random.default_rng(4)
    burned = rng.random((SIDE, SIDE)) < 0.05
    p = 0.02 * (1 + 0.003 * (rng.random(burned.shape) + burned))  # all in one or two coarse bins
    cases, _ = judged({"model": p}, burned, fire=np.zeros(burned.shape, int))
    ap = cases["model"].ap
    assert ap.value == pytest.approx(average_precision_score(burned.ravel(), p.ravel()), abs=0.02)
    assert ap.low < ap.value < ap.high


# ---- Brier and reliability ------------------------------------------------------------------


def test_murphy_parts_add_up_to_the_brier_score() -> None:
    rng = np.random.default_rng(5)
    p = rng.random((SIDE, SIDE)) ** 3
    burned = rng.random(p.shape) < p * 0.7
    cases, _ = judged({"model": p}, burned)
    parts = cases["model"].murphy
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within_bins
    assert total == pytest.approx(((p - burned) ** 2).mean(), rel=1e-6)
    assert parts.reliability > 1e-3


def test_reliability_bins_expect_equally_many_fires() -> None:
    rng = np.random.default_rng(6)
    p = np.exp(rng.normal(-5, 1.5, (150, 150))).clip(0, 1)
    burned = rng.random(p.shape) < p
    cases, _ = judged({"model": p}, burned)
    bins = cases["model"].reliability
    assert len(bins) == 10
    assert all(part.expected >= 20 for part in bins)
    assert sum(part.cells for part in bins) == p.size
    assert max(part.expected for part in bins) < 1.2 * min(part.expected for part in bins)


def test_few_expected_fires_leave_one_reliability_bin() -> None:
    expected = np.zeros(100)
    expected[[10, 50, 90]] = 5.0
    assert reliability_edges(expected).tolist() == [0]


def test_no_reliability_bin_expects_too_few_where_it_can_be_helped() -> None:
    expected = np.random.default_rng(0).random(500) * 3
    starts = reliability_edges(expected)
    assert np.add.reduceat(expected, starts).min() >= 20
    assert starts[0] == 0


def test_a_calibrated_forecast_lies_on_the_diagonal() -> None:
    rng = np.random.default_rng(7)
    p = np.exp(rng.normal(-4, 1, (200, 200))).clip(0, 1).astype(np.float32)
    burned = rng.random(p.shape) < p
    cases, _ = judged({"model": p}, burned)
    case = cases["model"]
    noise = np.sqrt(float((p * (1 - p)).sum()))
    assert abs(case.expected - case.burned) < 4 * noise
    for part in case.reliability:
        assert abs(part.expected - part.burned) < 4.5 * np.sqrt(part.expected)
    assert case.murphy.reliability < 0.01 * case.murphy.uncertainty


def test_expected_and_observed_hectares_use_the_true_area_of_cells() -> None:
    burned = some_fire()
    cases, _ = judged({"model": np.full(burned.shape, 0.5)}, burned)
    area = cell_area(cells_at()) / 1e4
    assert cases["model"].observed_ha == pytest.approx(area[burned].sum())
    assert cases["model"].expected_ha == pytest.approx(0.5 * area.sum())


# ---- capture and FSS ------------------------------------------------------------------------


def test_capture_takes_the_likeliest_area_first_and_splits_ties() -> None:
    area = np.array([50.0, 40.0, 10.0])  # from the least likely bin to the likeliest
    burned = np.array([1.0, 4.0, 5.0])
    found = capture(area, burned, (0.05, 0.10, 0.30, 1.0))
    assert found == pytest.approx([0.25, 0.5, 0.7, 1.0])


def test_daily_capture_ranks_within_each_day() -> None:
    burned = np.zeros((20, 20), bool)
    burned[0, :4] = True  # 1 % of the cells
    made = scoring(days=(DAY, DAY + WEEK))
    low, high = (np.where(burned, 2.0, 1.0) * scale for scale in (0.01, 0.2))
    made.add(maps({"model": low}, burned, day=DAY))
    made.add(maps({"model": high}, burned, day=DAY + WEEK))
    (case,), _ = judge(made, "all", SETTINGS)
    # Cells differ in area by 1e-4, so the 4 burned ones are not quite 1 % of the ground
    assert case.capture_daily["0.01"] == pytest.approx(1.0, abs=1e-3)
    # Pooled, the likeliest 1 % (8 cells) are the second day's 4 burned cells and 4 of its others
    assert case.capture["0.01"].value == pytest.approx(0.5, abs=0.01)


def fss_of(forecast: np.ndarray, burned: np.ndarray) -> np.ndarray:
    fractions = Fractions()
    nowhere = np.zeros(burned.shape, np.int64)
    fractions.add({"model": forecast}, burned, np.ones_like(burned), nowhere, 100.0)
    return fractions_skill(fractions.blocks["model"][0])


def test_displacement_costs_less_at_coarser_scales() -> None:
    burned = np.zeros((SIDE, SIDE), bool)
    burned[30, 30] = True
    forecast = np.roll(burned, 8, axis=1).astype(float)
    fine, middle, coarse = fss_of(forecast, burned)
    # Squares of 11 x 11 cells, 8 apart, overlap in 3 columns of 11
    assert fine == pytest.approx(3 / 11)
    assert fine < middle < coarse


def test_a_displacement_beyond_the_neighbourhood_has_no_fractions_skill() -> None:
    burned = np.zeros((SIDE, SIDE), bool)
    burned[30, 15] = True
    forecast = np.roll(burned, 30, axis=1).astype(float)
    assert fss_of(forecast, burned)[0] == pytest.approx(0.0, abs=1e-12)


# ---- zones and masks ------------------------------------------------------------------------


def test_zones_share_out_the_cells_and_the_fires() -> None:
    burned = some_fire()
    fire = np.where(burned, 1, 0)
    fire[40:45, 50:55] = 2
    near = np.zeros(burned.shape, bool)
    near[:30] = True
    p = np.where(near, 0.3, 0.01)
    found = {}
    for zone in ("all", "near", "beyond"):
        cases, _ = judged({"model": p}, burned, zone=zone, near=near, fire=fire)
        found[zone] = cases["model"]
    assert found["near"].cells + found["beyond"].cells == found["all"].cells
    assert (found["near"].burned, found["beyond"].burned) == (150, 25)
    assert [found[zone].fires for zone in ("near", "beyond", "all")] == [1, 1, 2]
    assert found["near"].expected == pytest.approx(0.3 * near.sum())


def test_masked_cells_do_not_count_and_missing_ones_are_counted_apart() -> None:
    burned = some_fire()
    scored = np.ones(burned.shape, bool)
    scored[:15] = False
    p = np.full(burned.shape, 0.1)
    p[15:17] = np.nan
    made = scoring()
    made.add(maps({"model": p}, burned, scored=scored))
    (case,), _ = judge(made, "all", SETTINGS)
    assert case.cells == (SIDE - 17) * SIDE
    assert made.missing == 2 * SIDE
    assert made.missing_burned == int(burned[15:17].sum())


def test_a_rank_without_probabilities_has_only_scores_of_rank() -> None:
    burned = some_fire()
    rng = np.random.default_rng(2)
    made = scoring(ranks=frozenset({"FWI"}))
    made.add(maps({"model": np.full(burned.shape, 0.1), "FWI": rng.random(burned.shape)}, burned))
    cases, differences = judge(made, "all", SETTINGS)
    rank = cases[1]
    assert rank.forecast == "FWI"
    assert (rank.brier, rank.ratio, rank.murphy, rank.expected) == (None, None, None, None)
    assert 0 < rank.ap.value < 1
    assert [item.score for item in differences] == ["average precision"]


# ---- intervals ------------------------------------------------------------------------------


def test_two_equal_forecasts_differ_by_exactly_nothing() -> None:
    rng = np.random.default_rng(8)
    p = rng.random((SIDE, SIDE)) ** 4
    burned = rng.random(p.shape) < p
    _, differences = judged({"model": p, "twin": p.copy()}, burned)
    assert [item.estimate for item in differences] == [Estimate(0.0, 0.0, 0.0)] * 2
    assert {item.verdict for item in differences} == {"not told apart"}
    assert all("is NOT ahead of twin" in item.sentence for item in differences)


def test_the_same_seed_gives_the_same_interval_and_another_gives_another() -> None:
    rng = np.random.default_rng(9)
    p = rng.random((SIDE, SIDE)) ** 4
    burned = rng.random(p.shape) < p
    made = scoring()
    made.add(maps({"model": p}, burned, fire=np.zeros(p.shape, int)))
    first, again = (judge(made, "all", SETTINGS)[0][0].ap for _ in range(2))
    other = judge(made, "all", EvaluateSettings(resamples=100, seed=1))[0][0].ap
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)
    assert first.low < first.value < first.high


def test_blocks_give_wider_intervals_than_cells_where_fires_are_clustered() -> None:
    rng = np.random.default_rng(10)
    side, blocks = 12, 20
    # Each block either burns in a tenth of its cells or not at all
    rate = np.repeat(rng.random(blocks) < 0.4, side) * 0.25
    burned = rng.random(blocks * side) < rate
    p = np.full(blocks * side, 0.1) + 0.01 * rng.integers(0, 3, blocks * side)
    widths = []
    for block in (np.repeat(np.arange(blocks), side), np.arange(blocks * side)):
        made = Scoring(blocks=Blocks.of(1.0, 8, [DAY]))
        cells = Cells(day=DAY, burned=burned, area=np.full(len(burned), 1e4), block=block)
        tally = Tally()
        tally.add(cells, p)
        made.near["model"], made.beyond["model"] = tally, Tally()
        (case,), _ = judge(made, "all", SETTINGS)
        widths.append(case.ratio.high - case.ratio.low)
    assert widths[0] > 2 * widths[1]


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(11)
    covered, trials = 0, 120
    for _ in range(trials):
        sizes = rng.gamma(1.0, 20.0, 40)  # a block's burned cells, of 1 000 each
        weights = np.concatenate(list(draws(list(range(40)), 300, rng)))
        low, high = interval(weights @ sizes / weights.sum(axis=1), 0.9)
        covered += low <= 20.0 <= high
    assert 0.78 <= covered / trials <= 0.98


def test_a_fire_stays_in_one_block() -> None:
    homes = Homes()
    fire, burned = np.array([7, 7, 7, 0, 7]), np.array([True, True, True, True, False])
    first = homes.settle(np.array([1, 2, 2, 1, 1]), burned, fire, DAY)
    assert first.tolist() == [2, 2, 2, 1, 1]
    later = homes.settle(np.array([5, 5, 6, 6, 6]), burned, fire, DAY + 2 * WEEK)
    assert later.tolist() == [2, 2, 2, 6, 6]
    next_year = homes.settle(np.array([9, 9, 9, 9, 9]), burned, fire, DAY + 50 * WEEK)
    assert next_year.tolist() == [9, 9, 9, 9, 9]


def test_blocks_are_squares_of_space_and_stretches_of_time() -> None:
    days = [np.datetime64("2023-05-01") + np.timedelta64(8 * i, "D") for i in range(5)]
    blocks = Blocks.of(2.0, 16, days)
    first = blocks.index(cells_at(), days[0])
    assert len(np.unique(first)) == 9
    assert len(np.unique(first[:20, :20])) == 1
    steps = [int(blocks.index(cells_at(), day)[0, 0]) for day in days]
    assert len(set(steps)) == 3
    assert steps[0] == steps[1]
    assert {Blocks.year_of(step) for step in steps} == {2023}


def test_three_years_are_drawn_before_their_blocks() -> None:
    days = [np.datetime64(f"{year}-07-01") for year in (2021, 2022, 2023)]
    blocks = Blocks.of(2.0, 16, days)
    numbers = sorted({int(n) for day in days for n in np.unique(blocks.index(cells_at(), day))})
    weights = np.concatenate(list(draws(numbers, 400, np.random.default_rng(0))))
    by_year = weights.reshape(400, 3, 9).sum(axis=2)
    assert np.all(by_year % 9 == 0)  # a year comes as a whole number of years
    assert np.all(by_year.sum(axis=1) == 27)
    two = np.concatenate(list(draws(numbers[:18], 400, np.random.default_rng(0))))
    assert np.any(two.reshape(400, 2, 9).sum(axis=2) % 9 != 0)


def test_few_blocks_with_fire_are_called_unreliable() -> None:
    burned = some_fire()
    cases, differences = judged(
        {"model": np.where(burned, 0.5, 0.01), "climatology": np.full(burned.shape, 0.05)}, burned
    )
    assert cases["model"].blocks == 9
    assert cases["model"].blocks_with_fire == 1  # one fire, wherever it burns
    assert not cases["model"].reliable
    assert "interval unreliable: 1 block with fire, under 20" in differences[0].sentence


def test_an_interval_needs_scores_in_most_resamples() -> None:
    values = np.full(100, np.nan)
    values[:40] = 1.0
    assert np.isnan(interval(values, 0.9)).all()
    values[:60] = 1.0
    assert interval(values, 0.9) == (1.0, 1.0)


def test_the_sentence_says_who_is_ahead() -> None:
    def verdict(low: float, high: float) -> str:
        estimate = Estimate((low + high) / 2, low, high)
        difference = Difference(
            baseline="climatology", event="fire", zone="all", score="average precision",
            estimate=estimate, blocks_with_fire=30,
        )  # fmt: skip
        return difference.sentence

    assert "is ahead of climatology" in verdict(0.1, 0.2)
    assert "is BEHIND climatology" in verdict(-0.2, -0.1)
    assert "is NOT ahead of climatology" in verdict(-0.1, 0.2)
    assert "cannot be compared" in verdict(float("nan"), float("nan"))


def test_where_nothing_burned_nobody_is_ahead() -> None:
    burned = np.zeros((SIDE, SIDE), bool)
    shape = burned.shape
    cases, differences = judged(
        {"model": np.zeros(shape), "climatology": np.full(shape, 0.05)}, burned
    )
    assert cases["model"].brier_skill is None
    assert {item.score for item in differences} == {"average precision", "Brier skill"}
    for item in differences:
        assert item.verdict == "undefined"
        assert item.sentence.endswith("nothing burned in the scored cells.")
        assert "nan" not in item.sentence


# ---- days, JSON, settings, speed ------------------------------------------------------------


def test_days_compare_expected_with_observed() -> None:
    burned = some_fire()
    made = scoring(days=(DAY, DAY + WEEK))
    made.add(maps({"model": np.full(burned.shape, 0.1)}, burned, day=DAY))
    made.add(maps({"model": np.full(burned.shape, 0.2)}, ~burned, day=DAY + WEEK))
    first, second = day_counts(made)
    assert (first.day, second.day) == ("2023-07-01", "2023-07-09")
    assert (first.observed, second.observed) == (175.0, SIDE**2 - 175.0)
    assert first.expected["model"] == pytest.approx(0.1 * SIDE**2)


def test_json_carries_what_a_score_must_not_be_read_without() -> None:
    burned = np.zeros((SIDE, SIDE), bool)  # nothing burned: undefined scores become null
    made = scoring()
    made.add(maps({"model": np.full(burned.shape, 0.1)}, burned))
    cases, differences = judge(made, "all", SETTINGS)
    facts = {"regime": "protocol", "sandbox": True, "level": 0.9}
    found = Scores(cases=cases, differences=differences, days=day_counts(made), facts=facts)
    (row,) = json.loads(found.to_json())["scores"]
    assert row["ap"] == {"value": None, "low": None, "high": None}
    assert (row["regime"], row["sandbox"], row["negatives"]) == ("protocol", True, "full map")
    assert (row["prevalence"], row["blocks_with_fire"], row["fires"]) == (0.0, 0, 0)
    assert row["interval_reliable"] is False


@pytest.mark.parametrize(("name", "value"), [("block_km", 0.0), ("level", 1.0), ("resamples", -1)])
def test_impossible_settings_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"evaluate.{name}"):
        EvaluateSettings(**{name: value})


def test_counting_a_million_cells_takes_less_than_two_seconds() -> None:
    rng = np.random.default_rng(12)
    p = np.exp(rng.normal(-7, 2, 1_000_000)).clip(1e-7, 0.9).astype(np.float32)
    burned = rng.random(len(p)) < p
    start = time.perf_counter()
    tally_of(p, burned)
    assert time.perf_counter() - start < 2.0
