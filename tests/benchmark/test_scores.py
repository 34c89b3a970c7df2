"""The published scores, by hand and against scikit-learn."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score, jaccard_score

from firesat.benchmark.scores import FWI_SWEEP, SWEEP, fwi_scores, pooled_scores


def test_scores_by_hand() -> None:
    chance = torch.tensor([0.9, 0.8, 0.6, 0.5, 0.3, 0.1])
    burned = torch.tensor([True, False, True, True, False, False])
    found = pooled_scores(chance, burned)
    # above one half: 3 cells, 2 of them fires, of 3; one half itself is not fire
    assert found["precision"] == found["recall"] == found["f1"] == pytest.approx(2 / 3)
    assert found["iou"] == pytest.approx(2 / 4)
    assert found["prauc"] == pytest.approx((1 / 1 + 2 / 3 + 3 / 4) / 3)
    assert (found["prevalence"], found["f1_all"], found["cells"]) == (0.5, pytest.approx(2 / 3), 6)
    assert found["f1_gain"] == pytest.approx(0)
    # above 0.4: 4 cells with all 3 fires
    assert (found["f1_best"], found["threshold_best"]) == (pytest.approx(6 / 7), 0.4)
    assert SWEEP == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def test_scores_are_those_of_scikit_learn_ties_included() -> None:
    rng = np.random.default_rng(0)
    burned = rng.random(5000) < 0.15
    chance = np.round(np.clip(0.3 * burned + 0.7 * rng.random(5000), 0, 1), 2).astype("f4")
    found = pooled_scores(torch.from_numpy(chance), torch.from_numpy(burned))
    assert found["prauc"] == pytest.approx(average_precision_score(burned, chance), rel=1e-5)
    assert found["f1"] == pytest.approx(f1_score(burned, chance > 0.5))
    assert found["iou"] == pytest.approx(jaccard_score(burned, chance > 0.5))
    best = max(f1_score(burned, chance > np.float32(at)) for at in SWEEP)
    assert found["f1_best"] == pytest.approx(best)


def test_calling_every_cell_fire_gains_nothing() -> None:
    burned = torch.arange(100) < 13
    found = pooled_scores(torch.ones(100), burned)
    assert found["f1"] == pytest.approx(found["f1_all"]) == pytest.approx(2 * 0.13 / 1.13)
    assert found["f1_gain"] == pytest.approx(0, abs=1e-9)
    assert found["prauc"] == pytest.approx(0.13)


def test_where_nothing_burned_there_is_no_score() -> None:
    found = pooled_scores(torch.rand(10), torch.zeros(10, dtype=torch.bool))
    assert math.isnan(found["prauc"])
    assert math.isnan(found["f1"])
    assert found["prevalence"] == 0
    nothing = pooled_scores(torch.rand(0), torch.zeros(0, dtype=torch.bool))
    assert nothing["cells"] == 0
    assert math.isnan(nothing["prevalence"])


def test_the_fire_weather_index_is_scored_where_it_is_known() -> None:
    fwi = torch.tensor([60.0, 55.0, 30.0, 10.0, 1.0, torch.nan])
    burned = torch.tensor([True, False, True, False, False, True])
    found = fwi_scores(fwi, burned)
    # from 50 on all are alike: two cells at once with one fire, then a third with another
    assert found["fwi_prauc"] == pytest.approx(0.5 * 1 / 2 + 0.5 * 2 / 3)
    # above 28 and below 30: 3 cells with both fires
    assert found["fwi_f1_best"] == pytest.approx(2 * 2 / 5)
    assert (FWI_SWEEP[0], FWI_SWEEP[-1], len(FWI_SWEEP)) == (2, 40, 20)
