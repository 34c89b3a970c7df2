"""The precision is measured, and a forecast in the quicker one says the same."""

import time

import pytest
import torch
from torch import Tensor, nn

from firesat.forecast import Forecaster
from firesat.precision import APART, cast, quickest
from firesat_models import TemporalCNN
from tests.fake_chips import CHANNELS, make_batch


class Paced(nn.Module):
    """Takes its time, by precision."""

    def __init__(self, half: float, full: float, shift: float = 0.0) -> None:
        super().__init__()
        self.half, self.full, self.shift = half, full, shift
        self.drop = nn.Dropout(0.5)
        self.weight = nn.Parameter(torch.ones(2, 1, 1))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        narrow = torch.is_autocast_enabled("cpu")
        time.sleep(self.half if narrow else self.full)
        here = self.drop(batch["age"][:, :1]) * self.weight
        return here + self.shift if narrow else here


@pytest.mark.parametrize(
    ("half", "full", "shift", "learn", "expected"),
    [
        (0.01, 0.05, 0.0, False, "bfloat16"),
        (0.05, 0.01, 0.0, False, "float32"),
        (0.01, 0.05, 2 * APART, False, "float32"),  # quick, but it says something else
        (0.01, 0.05, 2 * APART, True, "bfloat16"),  # in training, dropout differs anyway
    ],
)
def test_the_quicker_precision_is_chosen_if_it_says_the_same(
    half: float, full: float, shift: float, learn: bool, expected: str
) -> None:
    network = Paced(half, full, shift)
    state = torch.random.get_rng_state()
    assert quickest(network, make_batch(1), learn=learn) == expected
    assert torch.equal(torch.random.get_rng_state(), state)
    assert network.weight.grad is None


def test_a_measured_network_is_not_changed() -> None:
    torch.manual_seed(0)
    network = TemporalCNN(CHANNELS, width=8, encoder_args={"channels": [8, 8, 8, 8]})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    quickest(network, make_batch(2), learn=True)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_forecasts_in_both_precisions_are_close_in_odds() -> None:
    torch.manual_seed(0)
    forecaster = Forecaster(TemporalCNN(CHANNELS), prior=5e-4).eval()
    forecaster.network.drivers.weight.normal_(std=0.3)  # as if fitted: log odds of some size
    with torch.inference_mode():
        exact = forecaster.forecast(make_batch(2)).logit()
        forecaster.precision = "bfloat16"
        near = forecaster.forecast(make_batch(2)).logit()
    assert not torch.equal(near, exact)
    # rounded after the base rate is added, the step would be 0.03 alone
    assert (near - exact).abs().quantile(0.99) < 0.02


def test_a_precision_given_by_the_trainer_stays() -> None:
    with torch.autocast("cpu", torch.bfloat16), cast(torch.device("cpu"), "float32"):
        assert torch.is_autocast_enabled("cpu")


def test_a_training_goes_on_in_the_precision_it_began_with() -> None:
    forecaster = Forecaster(TemporalCNN(CHANNELS), precision="auto")
    forecaster.on_load_checkpoint({"firesat": {"precision": "bfloat16"}})
    assert forecaster.precision == "bfloat16"


def test_no_clock_decides_where_results_shall_be_the_same_bit_for_bit() -> None:
    torch.use_deterministic_algorithms(True)
    try:
        assert quickest(torch.nn.Module(), {}, learn=True) == "float32"  # which cannot even run
    finally:
        torch.use_deterministic_algorithms(False)
