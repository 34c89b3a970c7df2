"""The slope of what happened on what was said."""

import math

import numpy as np
import pytest
from scipy.special import expit, logit

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
