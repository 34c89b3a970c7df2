"""Daily hazards: what a network says of each day, and learns from dates that are not sure."""

import math

import pytest
import torch
from torch import Tensor

from firesat.hazard import (
    START_RATE,
    STARTS_WEIGHT,
    Outputs,
    burning_by,
    cumulative,
    day_loss,
    starts,
    take_apart,
    usual_odds,
)
from firesat.losses import cell_weight, masked_bce
from firesat.monitor import combine

LEADS = 8


def outputs(seed: int = 0, size: int = 10) -> Outputs:
    rng = torch.Generator().manual_seed(seed)
    return take_apart(torch.randn(1, 3 * (1 + LEADS), size, size, generator=rng) - 1.0, LEADS, 2)


def batch(label: Tensor, first: int, last: int, valid: float = 1.0) -> dict[str, Tensor]:
    """One burning cell, the rest unburnt; no fire starts."""
    size = label.shape[-1]
    lead = torch.full((1, 2, size, size), LEADS + 1.0)
    lead[0, :, 0, 0] = torch.tensor([first, last])
    known = torch.ones(1, 2, size, size)
    known[..., 0, 0] = valid
    return {
        "label": label,
        "valid": known,
        "lead": lead,
        "starts": torch.zeros(1, LEADS, size // 10, size // 10),
        "weight": torch.tensor([3.0]),
    }


def growth() -> Tensor:
    label = torch.zeros(1, 2, 10, 10)
    label[0, 0, 0, 0] = 1.0
    return label


def without_starts(found: Outputs) -> Outputs:
    """No rate, hence no surprise where none starts."""
    window = found.window.clone()
    window[:, -1] = -1e4
    return Outputs(window, found.scores)


def test_the_days_add_up_to_the_window_and_the_chance_only_grows() -> None:
    found = outputs()
    share = found.scores[:, :2].softmax(dim=2)
    hazard = 1 - torch.exp(-torch.nn.functional.softplus(found.odds)[:, :, None] * share)
    window = 1 - torch.prod(1 - hazard, dim=2)
    torch.testing.assert_close(window, found.odds.sigmoid())
    chances = burning_by(found)
    assert chances.shape == (1, LEADS, 10, 10)
    assert (chances.diff(dim=1) >= 0).all()
    torch.testing.assert_close(chances[:, -1], combine(found.odds).sigmoid())


def test_chances_of_one_in_a_million_keep_their_digits() -> None:
    values = torch.zeros(1, 3 * (1 + LEADS), 10, 10)
    values[:, :2] = -14.0
    chance = burning_by(take_apart(values, LEADS, 2))[0, :, 0, 0]
    whole = 2 * math.log1p(math.exp(-14.0))
    expected = [-math.expm1(-whole * (day + 1) / LEADS) for day in range(LEADS)]
    assert chance.tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("first", "last"), [(1, 1), (3, 5), (8, 8), (2, 8)])
def test_an_interval_is_as_likely_as_surviving_until_it_and_not_through_it(
    first: int, last: int
) -> None:
    found = without_starts(outputs())
    given = batch(growth(), first, last)
    cells = cell_weight(given["valid"], given["weight"])
    one = torch.ones(())
    whole = masked_bce(found.odds, given["label"], cells, total=one)
    with_days = whole + day_loss(found, given, cells, one)
    hazard = torch.cat([torch.zeros(1), cumulative(found)[0, 0, :, 0, 0]])
    survival = torch.exp(-hazard)
    mine = -torch.log(survival[first - 1] - survival[last])
    others = torch.nn.functional.softplus(found.odds).sum() - torch.nn.functional.softplus(
        found.odds[0, 0, 0, 0]
    )
    torch.testing.assert_close(with_days, 3.0 * (mine + others), rtol=1e-4, atol=1e-4)


def test_any_day_of_the_window_says_no_more_than_the_window() -> None:
    found = without_starts(outputs())
    given = batch(growth(), 1, LEADS)
    cells = cell_weight(given["valid"], given["weight"])
    assert day_loss(found, given, cells).item() == pytest.approx(0.0, abs=1e-6)


def test_an_interval_that_leaves_the_window_counts_until_it_begins() -> None:
    found = without_starts(outputs())
    given = batch(torch.zeros(1, 2, 10, 10), 4, LEADS + 1, valid=0.0)
    cells = cell_weight(given["valid"], given["weight"])
    expected = 3.0 * cumulative(found)[0, :, 2, 0, 0].sum()  # both processes, three days long
    torch.testing.assert_close(day_loss(found, given, cells, torch.ones(())), expected)


def test_what_is_not_known_says_nothing() -> None:
    found = without_starts(outputs())
    given = batch(growth(), 0, 0, valid=0.0)
    cells = cell_weight(given["valid"], given["weight"])
    assert day_loss(found, given, cells).item() == 0.0


def test_without_fire_every_gradient_is_finite() -> None:
    values = torch.zeros(1, 3 * (1 + LEADS), 10, 10, requires_grad=True)
    given = batch(torch.zeros(1, 2, 10, 10), LEADS + 1, LEADS + 1)
    cells = cell_weight(given["valid"], given["weight"])
    day_loss(take_apart(values, LEADS, 2), given, cells).backward()
    assert values.grad is not None
    assert values.grad.isfinite().all()


def test_starts_are_counted_by_square_kilometre_and_day() -> None:
    found = outputs(size=20)
    rate = starts(found)
    assert rate.shape == (1, LEADS, 2, 2)
    cells = found.window[:, 2].clamp(max=0.0).exp()
    torch.testing.assert_close(rate.sum(dim=1)[0, 0, 0], cells[0, :10, :10].sum())


@pytest.mark.parametrize("known", [100, 55])
def test_the_least_surprising_rate_of_starts_is_the_mean_count(known: int) -> None:
    """One fire in 100 squares and 8 days: a rate of 0.01 / 100 for each cell and window.

    Of 55 rows 5 squares are known whole, and one in half: what started there is counted whole.
    """
    given = batch(torch.zeros(1, 2, 100, 100), LEADS + 1, LEADS + 1)
    given["starts"][0, 3, 5, 5] = 1.0 if known == 100 else 0.6
    given["valid"][:, :, known:] = 0.0
    cells = cell_weight(given["valid"], given["weight"])
    rates = torch.linspace(-12.0, -6.0, 121)
    losses = []
    for rate in rates:
        values = torch.zeros(1, 3 * (1 + LEADS), 100, 100)
        values[:, 2] = rate
        losses.append(day_loss(take_apart(values, LEADS, 2), given, cells, torch.ones(())).item())
    best = rates[int(torch.tensor(losses).argmin())].item()
    assert best == pytest.approx(math.log(1e-4), abs=0.05)
    assert STARTS_WEIGHT == 100.0


def test_a_network_that_does_not_tell_days_apart_gives_its_heads() -> None:
    for leads in (LEADS, 1):
        found = take_apart(torch.zeros(1, 2, 4, 4), leads, 2)
        assert (found.leads, found.odds.shape) == (0, (1, 2, 4, 4))


def test_a_network_of_any_fire_may_tell_days_and_starts_apart() -> None:
    found = take_apart(torch.zeros(1, 2 * (1 + LEADS), 10, 10), LEADS, 1)
    assert found.odds.shape == (1, 1, 10, 10)
    assert starts(found).shape == (1, LEADS, 1, 1)


def test_before_anything_is_known_starts_are_as_rare_as_in_canada() -> None:
    odds = usual_odds(0.02, 2, starts=True)
    torch.testing.assert_close(odds[:2].sigmoid(), torch.full((2,), 0.01))
    assert odds[2].exp().item() == pytest.approx(START_RATE)
