"""Every network with a config keeps the same promises; a new one is tested by being there."""

from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from firesat.batch import INPUTS, MASKS
from firesat.forecast import Forecaster
from firesat.jobs.train.lightning import quiet
from firesat.jobs.train.models import build_network
from firesat.model_folder import load_forecaster
from firesat.project import import_class, read_yaml
from firesat.samples import Inputs
from tests.fake_chips import CHANNELS, FakeChips, make_batch

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "model").glob("*.yaml"))


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return build_network(request.param, CHANNELS)


@pytest.fixture
def batch() -> dict[str, Tensor]:
    return make_batch(2)


def test_there_are_networks() -> None:
    assert {path.stem for path in CONFIGS} >= {"cnn", "vit"}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_sizes_of_nothing_are_refused_by_name(path: Path) -> None:
    spec = read_yaml(path)["model"]["network"]
    kind = import_class(spec["class_path"], ("firesat_models.",))
    sizes = {name for name, each in signature(kind).parameters.items() if each.annotation is int}
    for name in sizes - {"fused_depth"}:  # of none, looks are joined at the end
        with pytest.raises(ValueError, match=rf"model\.network\.{name}=0 is impossible: from 1 on"):
            kind(CHANNELS, **{**spec.get("init_args", {}), name: 0})


@pytest.mark.parametrize("size", [40, 80])
def test_logits_cover_every_head_and_cell_whatever_the_size(network: nn.Module, size: int) -> None:
    logits = network.eval()(make_batch(2, size=size))
    assert logits.shape == (2, CHANNELS.outputs, size, size)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


def test_every_weight_gets_a_finite_gradient(network: nn.Module, batch: dict[str, Tensor]) -> None:
    network(batch).square().mean().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name


@pytest.mark.parametrize("missing", [*MASKS, "everything"])
def test_what_stands_under_a_mask_does_not_matter(
    network: nn.Module, batch: dict[str, Tensor], missing: str
) -> None:
    fields = list(MASKS) if missing == "everything" else [missing]
    blank = batch | {MASKS[name]: torch.zeros_like(batch[MASKS[name]]) for name in fields}
    junk = blank | {name: torch.full_like(batch[name], torch.nan) for name in fields}
    if "sentinel2" in fields:
        junk["age"] = torch.full_like(batch["age"], torch.inf)
    network.eval()
    assert network(junk).isfinite().all()
    torch.testing.assert_close(network(junk), network(blank), rtol=0, atol=0)


@pytest.mark.parametrize("missing", MASKS)
def test_missing_inputs_leave_finite_gradients(
    network: nn.Module, batch: dict[str, Tensor], missing: str
) -> None:
    blank = batch | {MASKS[missing]: torch.zeros_like(batch[MASKS[missing]])}
    network(blank).square().mean().backward()
    grads = [weight.grad for weight in network.parameters() if weight.grad is not None]
    assert all(grad.isfinite().all() for grad in grads)


def test_a_masked_cell_of_one_look_is_read_from_the_others(
    network: nn.Module, batch: dict[str, Tensor]
) -> None:
    clear = batch["clear"].clone()
    clear[:, 0, :20] = 0
    partly = batch | {"clear": clear}
    junk = partly | {"sentinel2": batch["sentinel2"].where(clear[:, :, None] > 0, torch.nan)}
    network.eval()
    torch.testing.assert_close(network(junk), network(partly), rtol=0, atol=0)
    assert not torch.equal(network(partly), network(batch))


@pytest.mark.parametrize("name", INPUTS)
def test_every_declared_input_is_read(network: Any, batch: dict[str, Tensor], name: str) -> None:
    assert set(network.inputs) <= set(INPUTS)
    network.eval()
    changed = not torch.equal(network(batch | {name: batch[name] + 1.0}), network(batch))
    assert changed == (name in network.inputs)


def test_chips_do_not_see_each_other(network: nn.Module, batch: dict[str, Tensor]) -> None:
    network.eval()
    alone = network({name: value[:1] for name, value in batch.items()})
    torch.testing.assert_close(alone, network(batch)[:1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("looks", [CHANNELS.looks, 10])
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_cell_sees_no_farther_than_the_network_says(path: Path, looks: int) -> None:
    """The gradient of a cell by every field: beyond the reach it is 0, to the last bit."""
    torch.manual_seed(0)
    network: Any = build_network(path, replace(CHANNELS, looks=looks)).double().eval()
    nn.init.normal_(network.head.weight)  # begun quietly, it would say next to nothing
    batch = {name: value.double() for name, value in make_batch(1, size=160).items()}
    for name in ("sentinel2", "age", "clear"):
        batch[name] = batch[name][:, :1].repeat_interleave(looks, dim=1)
    batch["clear"] = torch.ones_like(batch["clear"])
    fields = {"sentinel2": 1, "age": 1, "fire": 1, "static": 1, "modis": 5, "weather": 10}
    for name in fields:
        batch[name].requires_grad_()
    out, farthest = network(batch), 0
    for cell in ((80, 80), (83, 79), (85, 86)):  # a coarse cell's middle and its edges
        said = out[0, :, cell[0], cell[1]].sum()
        grads = torch.autograd.grad(said, [batch[name] for name in fields], retain_graph=True)
        for times, grad in zip(fields.values(), grads, strict=True):
            seen = grad.abs().amax(dim=tuple(range(grad.ndim - 2))).nonzero() * times
            # to the nearest and the farthest 100 m cell of a coarse one
            ends = torch.stack([seen, seen + times - 1]) - torch.tensor(cell)
            farthest = max(farthest, int(ends.abs().amin(dim=0).amax()))
    assert farthest > 0
    if network.reach is None:
        assert farthest >= 74  # to the border of the chip
    else:
        assert farthest <= network.reach
        assert farthest > network.reach - 10  # it says no more than it must


@pytest.mark.parametrize("name", ["conv_lstm", "cnn"])
def test_a_map_of_a_network_that_reaches_no_farther_than_its_halo_has_no_windows(name: str) -> None:
    """A network on 200 cells, and on the 120 in their middle, halo dropped."""
    torch.manual_seed(0)
    network: Any = build_network(CONFIGS[0].parent / f"{name}.yaml", CHANNELS).eval()
    assert network.reach <= network.halo
    for weight in network.parameters():  # heads begin near 0, where nothing could be seen
        weight.data += 0.05 * torch.randn_like(weight)
    whole = make_batch(1, size=200)
    part = dict(whole)
    for field, times in (("modis", 5), ("modis_mask", 5), ("weather", 10)):
        cut = slice(40 // times, 160 // times)
        part[field] = whole[field][..., cut, cut]
    for field in ("sentinel2", "age", "clear", "fire", "static"):
        part[field] = whole[field][..., 40:160, 40:160]
    inner = slice(network.halo, 120 - network.halo)
    with torch.inference_mode():
        one, other = network(whole)[..., 40:160, 40:160], network(part)
    torch.testing.assert_close(
        other[..., inner, inner], one[..., inner, inner], rtol=1e-4, atol=1e-5
    )
    assert (other - one).abs().max() > 0.01


def test_halo_and_stride_fit_a_chip(network: Any) -> None:
    assert 0 <= network.halo <= 64
    assert 80 % network.stride == 0


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_default_is_small_enough_for_two_cores(path: Path) -> None:
    channels = Inputs().channels(80)
    network = build_network(path, channels)
    assert sum(weight.numel() for weight in network.parameters()) <= 1_000_000
    one = {
        "sentinel2": torch.zeros(1, channels.looks, channels.sentinel2, 80, 80),
        "age": torch.zeros(1, channels.looks, 80, 80),
        "clear": torch.ones(1, channels.looks, 80, 80),
        "modis": torch.zeros(1, channels.modis_steps, channels.modis, 16, 16),
        "modis_mask": torch.ones(1, channels.modis_steps, channels.modis, 16, 16),
        "weather": torch.zeros(1, channels.weather_steps, channels.weather, 8, 8),
        "weather_mask": torch.ones(1, channels.weather_steps, channels.weather),
        "fire": torch.zeros(1, channels.fire, 80, 80),
        "fire_mask": torch.ones(1, channels.fire),
        "static": torch.zeros(1, channels.static, 80, 80),
        "season": torch.zeros(1, 2),
    }
    with FlopCounterMode(display=False) as counter:
        network(one)
    assert counter.get_total_flops() <= 0.5e9


def _fit(network: nn.Module, folder: Path, **trainer: Any) -> Forecaster:
    forecaster = Forecaster(network, inputs={"looks": 2}, scaler={"age": [1.5]})
    with quiet():
        pl.Trainer(
            accelerator="cpu",
            max_steps=2,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
            num_sanity_val_steps=0,
            limit_val_batches=1,
            **trainer,
        ).fit(forecaster, FakeChips(train=4, val=2, batch_size=2))
    return forecaster


def test_a_step_moves_every_weight_and_a_checkpoint_gives_the_same_forecast(
    network: nn.Module, batch: dict[str, Tensor], tmp_path: Path
) -> None:
    before = {name: weight.clone() for name, weight in network.named_parameters()}
    forecaster = _fit(network, tmp_path)
    for name, weight in network.named_parameters():
        assert weight.isfinite().all(), name
        assert not torch.equal(weight, before[name]), name
    forecaster.trainer.save_checkpoint(tmp_path / "x.ckpt")
    torch.load(tmp_path / "x.ckpt", weights_only=True)
    loaded, inputs, scaler = load_forecaster(tmp_path / "x.ckpt")
    assert (inputs, scaler) == ({"looks": 2}, {"age": [1.5]})
    assert not loaded.training
    assert torch.equal(loaded.forecast(batch), forecaster.eval().forecast(batch))
