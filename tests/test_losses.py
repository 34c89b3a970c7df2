"""The loss: proper, masked, and true to the design of the sample."""

import math

import pytest
import torch
from torch import Tensor

from firesat.errors import ConfigError
from firesat.losses import Loss, cell_weight, masked_bce, soft_dice


def _cells(values: list[float]) -> Tensor:
    return torch.tensor(values).reshape(1, 1, 1, -1)


def test_the_loss_is_the_mean_entropy_by_hand() -> None:
    logits, label = _cells([0.0, 2.0, -1.0]), _cells([1.0, 0.0, 1.0])
    by_hand = (math.log(2) + math.log1p(math.exp(2)) + math.log1p(math.exp(1))) / 3
    assert masked_bce(logits, label, torch.ones(1, 1, 1, 3)).item() == pytest.approx(by_hand)


def test_cells_that_are_not_known_have_no_influence_whatever_they_hold() -> None:
    known = cell_weight(_cells([1.0, 0.0, 1.0]), torch.tensor([4.0]))
    logits = _cells([0.3, 50.0, -0.2]).requires_grad_()
    loss = masked_bce(logits, _cells([1.0, math.nan, 0.0]), known)
    expected = masked_bce(_cells([0.3, -0.2]), _cells([1.0, 0.0]), torch.ones(1, 1, 1, 2))
    assert loss.item() == pytest.approx(expected.item())
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad[..., 1] == 0


def test_a_chip_counts_for_as_many_as_it_stands_for() -> None:
    logits = torch.randn(2, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    label, valid = torch.zeros(2, 2, 3, 3), torch.ones(2, 2, 3, 3)
    weighted = masked_bce(logits, label, cell_weight(valid, torch.tensor([3.0, 1.0])))
    copies = logits[[0, 0, 0, 1]]
    repeated = masked_bce(copies, torch.zeros_like(copies), torch.ones_like(copies))
    assert weighted.item() == pytest.approx(repeated.item())


def test_nothing_known_is_a_loss_of_zero() -> None:
    logits = torch.randn(1, 2, 2, 2).requires_grad_()
    loss = masked_bce(logits, torch.ones(1, 2, 2, 2), torch.zeros(1, 2, 2, 2))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_the_lowest_loss_is_at_the_frequency_of_fire() -> None:
    label = _cells([1.0] + 9 * [0.0])
    losses = {
        p: masked_bce(torch.full((1, 1, 1, 10), p).logit(), label, torch.ones(1, 1, 1, 10)).item()
        for p in (0.05, 0.09, 0.1, 0.11, 0.2)
    }
    assert min(losses, key=lambda p: losses[p]) == 0.1


def test_with_a_given_total_batches_add_up_to_the_whole_set() -> None:
    rng = torch.Generator().manual_seed(2)
    logits = torch.randn(4, 2, 5, 5, generator=rng)
    label = (torch.rand(4, 2, 5, 5, generator=rng) < 0.2).float()
    cells = cell_weight(torch.ones(4, 2, 5, 5), torch.tensor([9.0, 1.0, 1.0, 1.0]))
    mean = cells.sum() / 2
    parts = [
        masked_bce(logits[i : i + 2], label[i : i + 2], cells[i : i + 2], total=mean)
        for i in (0, 2)
    ]
    assert (sum(parts) / 2).item() == pytest.approx(masked_bce(logits, label, cells).item())


def test_focus_weakens_what_is_already_right_and_moves_the_optimum() -> None:
    sure, doubtful = _cells([-6.0]), _cells([-0.1])
    none, one = _cells([0.0]), torch.ones(1, 1, 1, 1)
    ratio = masked_bce(sure, none, one, gamma=2.0) / masked_bce(sure, none, one)
    assert ratio < masked_bce(doubtful, none, one, gamma=2.0) / masked_bce(doubtful, none, one)
    label, cells = _cells([1.0] + 9 * [0.0]), torch.ones(1, 1, 1, 10)
    at = {
        p: masked_bce(torch.full((1, 1, 1, 10), p).logit(), label, cells, gamma=2.0).item()
        for p in (0.1, 0.2, 0.3)
    }
    assert min(at, key=lambda p: at[p]) > 0.1  # so its outputs are no probabilities


def test_a_weak_focus_has_a_slope_where_all_is_right() -> None:
    logits = _cells([-20.0, 20.0]).requires_grad_()
    loss = masked_bce(logits, _cells([0.0, 1.0]), torch.ones(1, 1, 1, 2), gamma=0.5)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_bfloat16_logits_are_judged_in_float32() -> None:
    logits = torch.full((1, 1, 1, 4), -7.0, dtype=torch.bfloat16)
    loss = masked_bce(logits, torch.zeros(1, 1, 1, 4), torch.ones(1, 1, 1, 4))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log1p(math.exp(-7.0)), rel=1e-5)


def test_the_overlap_is_counted_over_the_known_cells_of_a_batch() -> None:
    chance, label, cells = [0.8, 0.3, 0.6, 0.9], [1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0]
    loss = soft_dice(_cells(chance).logit(), _cells(label), _cells(cells))
    assert loss.item() == pytest.approx(1 - 2 * (0.8 + 0.6) / (0.8 + 0.3 + 0.6 + 2))
    none = _cells([0.2, -1.0]).requires_grad_()
    quiet = soft_dice(none, torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1, 2))
    quiet.backward()
    assert quiet.item() == 1.0
    assert none.grad is not None
    assert not none.grad.any()


def test_a_published_recipe_is_half_overlap_and_half_weighted_entropy() -> None:
    """Weights of 6.7 to 1, divided by their own sum, as the published loss has them."""
    chance, label = [0.8, 0.3], [1.0, 0.0]
    loss = Loss(dice=0.5, positive_weight=6.7)(
        _cells(chance).logit(), _cells(label), torch.ones(1, 1, 1, 2), torch.tensor(99.0)
    )
    entropy = -(6.7 * math.log(0.8) + math.log(0.7)) / 7.7
    dice = 1 - 2 * 0.8 / (1.1 + 1)
    assert loss.item() == pytest.approx((entropy + dice) / 2)


def test_smoothed_labels_are_nine_tenths_and_one() -> None:
    loss = Loss(dice=1.0, smoothing=0.1)(
        _cells([0.8, 0.3]).logit(), _cells([1.0, 0.0]), torch.ones(1, 1, 1, 2)
    )
    assert loss.item() == pytest.approx(1 - 2 * (0.8 * 0.9 + 0.3 * 0.1) / (1.1 + 1.0))


def test_the_loss_as_it_stands_is_the_proper_one() -> None:
    rng = torch.Generator().manual_seed(0)
    logits, cells = torch.randn(2, 2, 3, 3, generator=rng), torch.rand(2, 2, 3, 3, generator=rng)
    label = (torch.rand(2, 2, 3, 3, generator=rng) > 0.7).float()
    total = torch.tensor(11.0)
    expected = masked_bce(logits, label, cells, total=total)
    assert torch.equal(Loss()(logits, label, cells, total), expected)


@pytest.mark.parametrize(
    "numbers", [{"dice": 1.1}, {"smoothing": 0.5}, {"positive_weight": 0.0}, {"gamma": -1.0}]
)
def test_an_impossible_loss_is_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=str(next(iter(numbers)))):
        Loss(**numbers)
