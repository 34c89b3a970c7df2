"""A network is compiled for a long job alone, and then says the same."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from firesat import compiling
from firesat.compiling import compile_if_quicker


class Small(nn.Module):
    """Three products and what lies between them; each run is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.LayerNorm(64)) for _ in range(3))
        )

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        answer: Tensor = self.layers(batch["age"])
        return answer


@pytest.fixture
def batch() -> dict[str, Tensor]:
    return {"age": torch.randn(256, 64, generator=torch.Generator().manual_seed(0))}


@pytest.fixture
def network() -> Iterator[Small]:
    torch.manual_seed(0)
    yield Small().eval()
    torch._dynamo.reset()


def test_a_short_job_is_not_worth_it(network: Small, batch: dict[str, Tensor]) -> None:
    assert not compile_if_quicker(network, batch, "float32", runs=10)
    assert network._compiled_call_impl is None


def test_what_fills_batches_up_counts_against_it(
    network: Small,
    batch: dict[str, Tensor],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(compiling, "WORTH", 0.0)
    monkeypatch.setattr(compiling, "_quickest_of", lambda run: (next(seconds), run()))
    caplog.set_level("INFO")
    for wanted, kept in ((0.25, False), (1.0, True)):  # 2 s whole; 1 s compiled
        seconds = iter([2.0, 1.0, 1.0])
        assert compile_if_quicker(network, batch, "float32", runs=10, wanted=wanted) is kept
    assert "1.000 s a batch, 0.500 s before" in caplog.text


_WITHOUT = """
import logging, torch
from firesat import compiling
from tests.test_compiling import Small
compiling.WORTH = 0.0
logging.basicConfig(level=logging.INFO, format="%(message)s")
network = Small().eval()
assert not compiling.compile_if_quicker(network, {"age": torch.ones(9, 64)}, "float32", 10)
assert network._compiled_call_impl is None
"""


def test_without_a_compiler_nothing_is_compiled_and_it_is_said() -> None:
    # PyTorch looks for a compiler once in a process.
    lacking = {**os.environ, "CXX": "no-such-compiler"}
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT], env=lacking, capture_output=True, text=True, check=True
    )
    assert "not compiled: " in done.stderr
    assert "no-such-compiler" in done.stderr


class Second(Small):
    """Fits on its device once."""

    def __deepcopy__(self, memo: dict[int, object]) -> "Second":
        other = Second().eval()
        other.register_forward_pre_hook(Second.fill)
        return other

    @staticmethod
    @torch.compiler.disable
    def fill(*_: object) -> None:
        raise torch.OutOfMemoryError("out of memory")


def test_where_a_second_network_has_no_room_the_first_goes_on(
    batch: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "WORTH", 0.0)
    network = Second().eval()
    assert not compile_if_quicker(network, batch, "float32", runs=10)
    assert network._compiled_call_impl is None
    assert network(batch).isfinite().all()


@pytest.mark.parametrize(("gain", "kept"), [(1e9, True), (0.0, False)])
def test_it_is_kept_where_it_is_quicker_and_says_the_same(
    network: Small,
    batch: dict[str, Tensor],
    monkeypatch: pytest.MonkeyPatch,
    gain: float,
    kept: bool,
) -> None:
    monkeypatch.setattr(compiling, "WORTH", 0.0)
    monkeypatch.setattr(compiling, "_GAIN", gain)  # speed itself is not for a test
    with torch.inference_mode():
        before = network(batch)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    assert compile_if_quicker(network, batch, "float32", runs=10) is kept
    assert (network._compiled_call_impl is not None) is kept
    with torch.inference_mode():
        torch.testing.assert_close(network(batch), before, rtol=1e-4, atol=1e-4)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_another_network_of_the_same_kind_keeps_its_own_weights(
    network: Small, batch: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "WORTH", 0.0)
    monkeypatch.setattr(compiling, "_GAIN", 1e9)
    torch.manual_seed(1)
    for each in (network, Small().eval()):
        with torch.inference_mode():
            before = each(batch)
            assert compile_if_quicker(each, batch, "float32", runs=10)
            torch.testing.assert_close(each(batch), before, rtol=1e-4, atol=1e-4)


def test_what_says_something_else_is_not_kept(
    network: Small, batch: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "WORTH", 0.0)
    monkeypatch.setattr(compiling, "_GAIN", 1e9)
    monkeypatch.setattr(compiling, "APART", -1.0)
    assert not compile_if_quicker(network, batch, "float32", runs=10)
    assert network._compiled_call_impl is None
