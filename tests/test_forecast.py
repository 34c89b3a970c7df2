"""The forecaster: what it says, what it learns from, what its checkpoint holds."""

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import Tensor, nn

from firesat.batch import HEADS, Channels
from firesat.checkpoint import RECORD, describe, plain, read_checkpoint
from firesat.errors import CheckpointError, ConfigError, TrainingError
from firesat.forecast import PROBABILITIES, Forecaster
from firesat.model_folder import load_forecaster
from firesat.optimiser import Rates, adamw, encoder_layers, warm_cosine
from firesat_models import TemporalCNN
from tests.fake_chips import CHANNELS, make_batch


class Constant(nn.Module):
    """A network that says the same of every cell."""

    def __init__(self, channels: Channels, growth: float = 0.0, new: float = 0.0) -> None:
        super().__init__()
        self.channels, self.growth, self.new = channels, growth, new
        self.logits = nn.Parameter(torch.tensor([growth, new]))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        n, _, y, x = batch["label"].shape
        return self.logits[:, None, None].expand(n, -1, y, x)


def _probabilities(growth: float, new: float) -> Tensor:
    forecaster = Forecaster(Constant(CHANNELS, growth, new), prior=0.5)
    return forecaster.forecast(make_batch(1))[0, :, 0, 0].detach()


def test_any_fire_is_growth_or_a_new_one() -> None:
    offset = math.log(0.25 / 0.75)  # a prior of one half is a quarter for each head
    fire, growth, new = _probabilities(1.0, -2.0).tolist()
    assert growth == pytest.approx(1 / (1 + math.exp(-1.0 - offset)))
    assert new == pytest.approx(1 / (1 + math.exp(2.0 - offset)))
    assert fire == pytest.approx(1 - (1 - growth) * (1 - new))


def test_before_it_has_learned_a_network_says_the_base_rate() -> None:
    torch.manual_seed(0)
    network = TemporalCNN(CHANNELS)
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.zero_()
    fire = Forecaster(network, prior=4e-4).eval().forecast(make_batch(2))[:, 0]
    torch.testing.assert_close(fire, torch.full_like(fire, 4e-4), rtol=1e-3, atol=0)


def test_a_prediction_brings_its_place() -> None:
    forecaster = Forecaster(Constant(CHANNELS))
    batch = make_batch(2) | {"row": torch.tensor([0, 80]), "col": torch.tensor([40, 0])}
    out = forecaster.predict_step(batch, 0)
    assert out["probability"].shape == (2, len(PROBABILITIES), 40, 40)
    assert out["probability"].dtype == torch.float32
    assert out["row"].tolist() == [0, 80]
    assert out["col"].tolist() == [40, 0]


def test_bfloat16_networks_still_give_float32_probabilities() -> None:
    forecaster = Forecaster(TemporalCNN(CHANNELS)).eval()
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        assert forecaster.forecast(make_batch(1)).dtype == torch.float32


def test_light_and_heavy_batches_are_divided_by_the_same_weight() -> None:
    forecaster = Forecaster(Constant(CHANNELS))
    heavy, light = torch.full((2, 2, 4, 4), 9.0), torch.full((2, 2, 4, 4), 1.0)
    totals = [forecaster.usual(c) for c in (heavy, light, heavy, light)]
    assert totals[0] == heavy.sum()
    assert totals[-1] == (heavy.sum() + light.sum()) / 2


def test_the_rate_rises_then_falls_to_nothing() -> None:
    rates = [warm_cosine(step, 100, 0.1) for step in range(101)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0.0)
    assert warm_cosine(130, 100, 0.1) == pytest.approx(0.0)


def test_a_rate_may_begin_and_end_above_nothing() -> None:
    rates = [warm_cosine(step, 100, 0.1, floor=0.02) for step in range(101)]
    assert rates[0] == pytest.approx(0.02 + 0.98 / 10)
    assert max(rates) == rates[9] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.02)


def test_biases_and_norms_do_not_decay() -> None:
    network = TemporalCNN(CHANNELS)
    decayed, free = adamw(network, Rates(learning_rate=1e-3, weight_decay=0.1)).param_groups
    assert decayed["weight_decay"] == 0.1
    assert free["weight_decay"] == 0.0
    assert all(weight.ndim >= 2 for weight in decayed["params"])
    assert len(decayed["params"]) + len(free["params"]) == len(list(network.parameters()))


def test_tables_do_not_decay_whatever_their_shape() -> None:
    class Tables(nn.Module):
        """As `Tabular`, a vision transformer and the encoder of weather have them."""

        def __init__(self) -> None:
            super().__init__()
            for name in ("weight", "bias", "pos_embed", "cls_token", "day"):
                owner = nn.Module()
                owner.register_parameter(name, nn.Parameter(torch.zeros(2, 3)))
                self.add_module(f"of_{name}", owner)

    rates = Rates(learning_rate=1e-3, weight_decay=0.1)
    decayed, free = adamw(Tables(), rates).param_groups
    assert (len(decayed["params"]), len(free["params"])) == (1, 4)


def _save(path: Path, network: nn.Module, **changes: Any) -> Path:
    forecaster = Forecaster(network, inputs={"looks": 2}, scaler={"age": [1.0]})
    content: dict[str, Any] = {"state_dict": forecaster.state_dict()}
    forecaster.on_save_checkpoint(content)
    content[RECORD] |= changes
    torch.save(content, path)
    return path


def test_a_loaded_forecaster_says_the_same(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = TemporalCNN(CHANNELS, width=8, encoder_args={"channels": [8, 8, 8, 8]})
    path = _save(tmp_path / "x.ckpt", network)
    loaded, inputs, scaler = load_forecaster(path)
    batch = make_batch(1)
    assert torch.equal(loaded.forecast(batch), Forecaster(network).eval().forecast(batch))
    assert (inputs, scaler) == ({"looks": 2}, {"age": [1.0]})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("os.system", "only those of firesat_models"),
        ("firesat_models_evil.Net", "only those of firesat_models"),
        ("firesat_models.temporal_cnn.Gone", "train again"),
        ("firesat_models.gone.Net", "train again"),
        ("firesat_models.temporal_cnn.Path", "is no network"),
        ("firesat_models.encoders.timm.create_model", "train again"),
    ],
)
def test_a_checkpoint_may_name_only_our_networks(tmp_path: Path, name: str, words: str) -> None:
    path = _save(tmp_path / "x.ckpt", TemporalCNN(CHANNELS), network_class=name)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_forecaster(path)
    assert "\n" not in str(caught.value)


def test_a_missing_checkpoint_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="firesat train fit"):
        load_forecaster(tmp_path / "none.ckpt")


class _Trap:
    """A pickle that writes a file when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "caught")


def test_a_pickle_that_runs_code_is_not_opened(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, RECORD: _Trap(tmp_path / "trap")}, tmp_path / "x.ckpt")
    with pytest.raises(CheckpointError, match="does not open it"):
        read_checkpoint(tmp_path / "x.ckpt")
    (tmp_path / "y.ckpt").write_bytes(pickle.dumps(_Trap(tmp_path / "trap")))
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path / "y.ckpt")
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut short"])
def test_a_file_that_is_no_checkpoint_is_refused_in_one_line(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "x.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        load_forecaster(path)
    assert "\n" not in str(caught.value)


def test_damage_anywhere_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    network = TemporalCNN(CHANNELS, width=8, encoder_args={"channels": [8, 8, 8, 8]})
    whole = _save(tmp_path / "x.ckpt", network).read_bytes()
    expected = read_checkpoint(tmp_path / "x.ckpt")[1]
    rng = np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        (tmp_path / "y.ckpt").write_bytes(damaged)
        try:
            weights = read_checkpoint(tmp_path / "y.ckpt")[1]
        except CheckpointError:
            continue
        assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_weights_that_are_no_numbers_are_neither_written_nor_read(tmp_path: Path) -> None:
    network = TemporalCNN(CHANNELS, width=8, encoder_args={"channels": [8, 8, 8, 8]})
    path = _save(tmp_path / "x.ckpt", network)
    content = torch.load(path, weights_only=True)
    content["state_dict"]["network.head.bias"][0] = torch.nan
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"head\.bias is not finite"):
        load_forecaster(path)
    with torch.no_grad():
        network.head.bias[0] = torch.nan
    with pytest.raises(TrainingError, match=r"head\.bias is not finite"):
        _save(tmp_path / "y.ckpt", network)
    assert not (tmp_path / "y.ckpt").exists()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = _save(tmp_path / "x.ckpt", TemporalCNN(CHANNELS, width=8), network_args={"width": 16})
    with pytest.raises(CheckpointError, match="does not fit its own network"):
        load_forecaster(path)
    path = _save(tmp_path / "x.ckpt", TemporalCNN(CHANNELS), network_args={"depth": 3})
    with pytest.raises(CheckpointError, match="train again"):
        load_forecaster(path)


def test_a_network_that_forgets_its_arguments_cannot_be_saved() -> None:
    class Forgetful(nn.Module):
        def __init__(self, channels: Channels, width: int = 3) -> None:
            super().__init__()
            self.channels = channels

    with pytest.raises(CheckpointError, match=r"write self\.width = width"):
        describe(Forgetful(CHANNELS))


def test_only_plain_values_go_into_a_checkpoint() -> None:
    values = {"a": np.float64(1.5), "b": (1, np.array([2, 3])), "c": Path("x"), "d": None}
    assert plain(values, "x") == {"a": 1.5, "b": [1, [2, 3]], "c": "x", "d": None}
    with pytest.raises(CheckpointError, match=r"x\.e is a Channels"):
        plain({"e": CHANNELS}, "x")


def test_heads_and_maps_agree() -> None:
    assert ("fire", *HEADS) == PROBABILITIES


def test_the_first_layers_of_an_encoder_move_the_least() -> None:
    network = TemporalCNN(CHANNELS)
    layers = encoder_layers(name for name, _ in network.named_parameters())
    assert set(layers.values()) == {0, 1, 2}  # stem and two blocks
    groups = adamw(network, Rates(learning_rate=1e-3, layer_decay=0.5)).param_groups
    rate = {weight: group["lr"] for group in groups for weight in group["params"]}
    assert len(rate) == len(list(network.parameters()))
    for name, weight in network.named_parameters():
        steps = 3 - layers[name] if name in layers else 0
        assert rate[weight] == pytest.approx(1e-3 * 0.5**steps), name
    assert rate[next(network.frames.parameters())] == pytest.approx(1e-3 / 8)
    assert rate[network.head.weight] == pytest.approx(1e-3)


def test_layers_are_not_asked_of_a_network_without_an_encoder() -> None:
    network = nn.Linear(2, 2)
    with pytest.raises(ConfigError, match=r"layer_decay=0\.5: Linear has no encoder"):
        adamw(network, Rates(learning_rate=1e-3, layer_decay=0.5))
    assert len(adamw(network, Rates(learning_rate=1e-3)).param_groups) == 2


def test_one_kernel_moves_all_weights_and_mixed_precision_clips_their_gradients() -> None:
    """Lightning refuses to clip what an optimiser would unscale by itself."""
    network = TemporalCNN(CHANNELS)
    optimizer = adamw(network, Rates(learning_rate=1e-3))
    assert optimizer.defaults["fused"]
    for weight in network.parameters():
        weight.grad = torch.full_like(weight, 7.0)
    MixedPrecision("bf16-mixed", "cpu").clip_gradients(optimizer, 1.0)
    norm = torch.cat([w.grad.flatten() for w in network.parameters() if w.grad is not None]).norm()
    assert float(norm) == pytest.approx(1.0, abs=1e-4)
