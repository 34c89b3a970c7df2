"""The slope of what happened on what was said, and the curve that mends it."""

import math

import numpy as np
import pytest
import torch
from scipy.special import expit, logit

from firesat.calibration import LOWEST, Curve, curves_from, events, fit_curve
from firesat.metrics.calibration import calibration_slope

CHANCES = np.geomspace(1e-3, 0.3, 40)
CELLS = np.full(40, 1e6)


def test_a_calibrated_forecast_has_slope_one() -> None:
    slope = calibration_slope(CELLS, CELLS * CHANCES, CELLS * CHANCES)
    assert slope == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("power", [0.5, 2.0])
def test_overconfident_log_odds_have_the_slope_that_mends_them(power: float) -> None:
    said = expit(power * logit(CHANCES))
    slope = calibration_slope(CELLS, CELLS * CHANCES, CELLS * said)
    assert slope == pytest.approx(1 / power, rel=1e-4)


def test_a_shift_of_the_odds_changes_no_slope() -> None:
    said = expit(logit(CHANCES) + 1.5)
    assert calibration_slope(CELLS, CELLS * CHANCES, CELLS * said) == pytest.approx(1.0, abs=1e-4)


def test_rare_fires_that_were_expected_a_quarter_as_often_have_a_slope_too() -> None:
    """As in a season of four times the fires: weighted least squares in log odds agrees."""
    cells, said = np.geomspace(1e6, 10, 40), np.geomspace(1e-6, 0.3, 40)
    truth = expit(0.6 * logit(said) + 0.2)
    slope = calibration_slope(cells, cells * truth, cells * said)
    assert slope == pytest.approx(0.6, rel=1e-3)


def test_there_is_no_slope_without_fire_or_without_differences() -> None:
    assert math.isnan(calibration_slope(CELLS, 0 * CELLS, CELLS * CHANCES))
    assert math.isnan(calibration_slope(CELLS, CELLS * 0.1, CELLS * 0.1))


MANY = 1e6
LAND = 1e5 / CHANCES  # most of the land burns seldom


def _fit(said: np.ndarray, truth: np.ndarray = CHANCES, worth: float = MANY) -> Curve:
    return fit_curve(LAND, LAND * truth, LAND * said, worth)


def test_what_is_calibrated_stays_as_it_is() -> None:
    curve = _fit(CHANCES)
    assert curve(logit(CHANCES)) == pytest.approx(logit(CHANCES), abs=0.01)


@pytest.mark.parametrize(("power", "shift"), [(0.5, 0.7), (1.6, -0.4)])
def test_many_fires_mend_a_slope_and_a_level(power: float, shift: float) -> None:
    said = expit(power * logit(CHANCES) + shift)
    assert expit(_fit(said)(logit(said))) == pytest.approx(CHANCES, rel=0.03)


def test_a_bend_is_mended_too() -> None:
    """Forecasts that are right where fire is rare and four times too high where it is not."""
    z = logit(CHANCES)
    said = expit(z + np.log(4.0) * expit(2 * (z + 3.5)))
    straight = said * (LAND * CHANCES).sum() / (LAND * said).sum()
    assert np.abs(straight / CHANCES - 1).max() > 0.5
    assert expit(_fit(said)(logit(said))) == pytest.approx(CHANCES, rel=0.15)


def test_few_fires_are_believed_little() -> None:
    said = expit(0.5 * logit(CHANCES))
    gaps = [
        np.abs(_fit(said, worth=worth)(logit(said)) - logit(CHANCES)).max()
        for worth in (1, 5, 50, MANY)
    ]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 20 * gaps[-1]


def test_one_season_of_many_fires_does_not_move_the_level_all_the_way() -> None:
    """Three times the fire, or a third: a shift of log 3 is believed in part, up as down."""
    up = _fit(CHANCES, truth=np.clip(3 * CHANCES, 0, 0.9), worth=5).shift
    down = _fit(CHANCES, truth=CHANCES / 3, worth=5).shift
    assert 0.1 < up < 0.4
    assert -0.4 < down < -0.1


def test_fires_of_which_few_hold_the_area_tell_less_than_as_many_equal_ones() -> None:
    assert events(270, 50) == pytest.approx(10.0)
    assert events(270, 4) == 4.0
    assert events(0, 0) == 0.0


def test_no_fire_teaches_nothing() -> None:
    assert fit_curve(CELLS, 0 * CELLS, CELLS * CHANCES, 0) == Curve()


def test_forecasts_that_are_worse_than_none_still_keep_their_order() -> None:
    curve = _fit(CHANCES[::-1].copy(), worth=50)
    assert (np.diff(curve(np.linspace(-20, 5, 200))) > 0)[60:].all()
    assert min(curve.slopes) > 0


def test_a_curve_is_the_same_for_arrays_and_tensors_and_never_below_the_floor() -> None:
    curve = Curve(pivot=-6.0, shift=0.3, knots=(-8.0, -5.0), slopes=(0.5, 1.5, 0.8))
    z = np.linspace(-60.0, 4.0, 300)
    assert curve(torch.from_numpy(z)).numpy() == pytest.approx(curve(z), abs=1e-12)
    assert expit(curve(z)).min() == pytest.approx(LOWEST)
    assert curve(np.float64(-6.0)) == pytest.approx(-5.7)
    assert np.isnan(curve.of_chances(np.array([np.nan, 0.5], dtype=np.float32))).tolist() == [
        True,
        False,
    ]


def test_a_curve_is_kept_as_plain_values() -> None:
    curve = Curve(pivot=-6.0, shift=0.3, knots=(-8.0,), slopes=(0.5, 1.5))
    assert curves_from({"growth": curve.record}, ["growth"]) == {"growth": curve}


@pytest.mark.parametrize(
    "wrong",
    [{"slopes": [-1.0, 1.0]}, {"slopes": [1.0]}, {"shift": math.nan}, {"knots": ["a"]}],
    ids=str,
)
def test_what_is_no_rising_curve_is_refused(wrong: dict[str, object]) -> None:
    record = Curve(knots=(-8.0,), slopes=(0.5, 1.5)).record | wrong
    with pytest.raises(ValueError, match=r"rise|convert"):
        curves_from({"growth": record}, ["growth"])
    with pytest.raises(ValueError, match="wanted of"):
        curves_from({"growth": record}, ["growth", "new"])
