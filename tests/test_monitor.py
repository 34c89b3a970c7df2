"""Scores during training agree with a library that keeps every cell."""

import pytest
import torch
from sklearn.metrics import average_precision_score

from firesat.monitor import RunningScores, combine


def _forecasts(number: int = 4000) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(3)
    # middles of bins: no two forecasts of a bin differ, so that ties are the same everywhere
    logits = torch.randint(-90, 20, (number,), generator=rng) / 10 + 0.05
    label = (torch.rand(number, generator=rng) < logits.sigmoid()).float()
    weight = torch.randint(0, 4, (number,), generator=rng).float()
    return logits, label, weight


def test_weighted_average_precision_is_that_of_scikit_learn() -> None:
    logits, label, weight = _forecasts()
    scores = RunningScores()
    for part in range(0, len(logits), 1000):
        some = slice(part, part + 1000)
        scores.update(logits[some], label[some], weight[some])
    found = scores.compute()
    expected = average_precision_score(label, logits, sample_weight=weight)
    assert found["ap"].item() == pytest.approx(expected, abs=1e-5)
    burnt = (weight * label).sum()
    assert found["prevalence"].item() == pytest.approx((burnt / weight.sum()).item(), rel=1e-5)
    expected_cells = (weight * logits.sigmoid()).sum()
    assert found["ratio"].item() == pytest.approx((expected_cells / burnt).item(), rel=1e-5)


def test_chances_below_one_in_a_million_are_still_ranked() -> None:
    logits = torch.tensor([-16.0, -15.0, -14.0, -13.0])
    scores = RunningScores()
    scores.update(logits, torch.tensor([0.0, 0.0, 0.0, 1.0]), torch.ones(4))
    assert scores.compute()["ap"].item() == 1.0


def test_extreme_forecasts_are_counted() -> None:
    scores = RunningScores()
    scores.update(torch.tensor([-90.0, 90.0]), torch.tensor([0.0, 1.0]), torch.ones(2))
    assert scores.compute()["ap"].item() == 1.0


def test_without_fire_there_is_no_average_precision() -> None:
    scores = RunningScores()
    scores.update(torch.zeros(5), torch.zeros(5), torch.ones(5))
    found = scores.compute()
    assert found["ap"].isnan()
    assert found["prevalence"].item() == 0.0


def test_two_processes_combine_as_independent_chances_and_keep_their_digits() -> None:
    growth = torch.tensor([1e-5, 3e-8, 0.3, 1 - 1e-6])
    new = torch.tensor([2e-5, 1e-8, 0.4, 0.5])
    exact = 1 - (1 - growth.double()) * (1 - new.double())
    logits = torch.stack([growth.double().logit(), new.double().logit()]).float()[None, :, None]
    combined = combine(logits)[0, 0].double().sigmoid()
    torch.testing.assert_close(combined, exact, rtol=1e-5, atol=0)


def test_hopeless_and_certain_logits_combine_without_overflow() -> None:
    logits = torch.tensor([[-40.0, -60.0], [60.0, 200.0]]).T[None, :, None]
    assert combine(logits).isfinite().all()
