"""The published models of CanadaFireSat: their sizes, their parts, and what a config makes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from firesat.batch import INPUTS, MASKS, Channels
from firesat.benchmark.settings import BenchmarkInputs
from firesat.checkpoint import describe, rebuild
from firesat.jobs.train import list_models
from firesat.jobs.train.models import build_network, channels_of
from firesat_models.canadafiresat import ResNetConvLSTM
from firesat_models.canadafiresat.conv_lstm import ConvLSTM, Tabular
from firesat_models.canadafiresat.lora import LowRank, Relearned, adapt
from firesat_models.canadafiresat.series import (
    RED_GREEN_BLUE,
    day_of_year,
    fire_logits,
    frames,
    to_cells,
)
from firesat_models.encoders import build_encoder

FOLDER = Path(__file__).parents[2] / "configs" / "model" / "canadafiresat"
CONFIGS = sorted(FOLDER.glob("*.yaml"))
CELLS = 6


def conv_lstm(inputs: int, width: int) -> int:
    return 9 * (inputs + width) * 4 * width


def lstm(inputs: int, width: int) -> int:
    return 4 * width * (inputs + width + 2)


def level(below: int, across: int) -> int:
    """Two convolutions and norms of the decoder, without their running moments."""
    return 9 * (below + across) * across + 9 * across * across + 4 * across


def vit(inputs: int, patch: int, tokens: int) -> int:
    """DINOv2's small transformer: 12 blocks of width 384."""
    d = 384
    block = 3 * d * (d + 1) + d * (d + 1) + 4 * d * (d + 1) + d * (4 * d + 1) + 4 * d + 2 * d
    return 12 * block + d * (inputs * patch**2 + 1) + (tokens + 1) * d + d + 2 * d


RESNET_50, RESNET_18 = 23_508_032, 11_176_512  # without their last layer, for 3 colours
MOMENTS_50, MOMENTS_18 = 53_120, 9_600  # running means and variances of their norms
LOW_RANK = 12 * 32 * ((384 + 1152) + (384 + 384) + 2 * (384 + 1536))
IMAGES = (
    RESNET_50 + 49 * 64 * (14 - 3)
    + conv_lstm(512, 64) + conv_lstm(1024, 128) + conv_lstm(2048, 256)
    + level(256, 128) + level(128, 64)
)  # fmt: skip
TOKENS = vit(14, 14, 18 * 18) + LOW_RANK + 384 * (14 * 14**2 + 1) + conv_lstm(384, 384)
SIZES = {
    "resnet50_sits": (IMAGES + 2 * 65, 52.2),
    "resnet50_multi": (IMAGES + 15 * 2 * 64 + lstm(64, 64) + 2 * 129, 52.2),
    "resnet50_env": (
        RESNET_50 + 49 * 64 * (6 - 3) + RESNET_18 + 49 * 64 * (10 - 3)
        + conv_lstm(64, 64) + conv_lstm(256, 128) + conv_lstm(512, 256) + conv_lstm(1024, 512)
        + lstm(2048, 1024) + lstm(512, 64)
        + level(1024, 512) + level(512, 256) + level(256, 128) + level(128, 64) + 2 * 129,
        97.5,
    ),
    "vit_sits": (TOKENS + 2 * 385, 36.5),
    "vit_multi": (TOKENS + 15 * 2 * 384 + lstm(384, 384) + 2 * 769, 37.7),
    "vit_env": (
        vit(6, 2, 16 * 16) + vit(10, 8, 4 * 4) + conv_lstm(384, 384) + lstm(384, 384) + 2 * 769,
        54.8,
    ),
    "conv_lstm": (
        128 * (9 * 14 + 1) + 2 * 128 + conv_lstm(128, 128) + 128 * 129 + 2 * 128 + 2 * 129,
        1.2,
    ),
}  # fmt: skip


# the published figures hold with these counted: 52.15 M weights alone would print as 52.1
MOMENTS = {
    "resnet50_sits": MOMENTS_50 + 4 * (128 + 64),
    "resnet50_multi": MOMENTS_50 + 4 * (128 + 64),
    "resnet50_env": MOMENTS_50 + MOMENTS_18 + 4 * (512 + 256 + 128 + 64),
}


def test_every_published_model_has_its_published_size() -> None:
    rows = {row["name"]: row for row in list_models()}
    assert {path.stem for path in CONFIGS} == SIZES.keys()
    for name, (weights, millions) in SIZES.items():
        row = rows[f"canadafiresat/{name}"]
        assert row["parameters"] == weights + MOMENTS.get(name, 0), name
        assert round(row["parameters"] / 1e6, 1) == millions, name


def test_of_the_vit_only_products_patches_and_what_is_new_is_trained() -> None:
    rows = {row["name"]: row for row in list_models()}
    embedding = 384 * (14 * 14**2 + 1)
    expected = LOW_RANK + embedding + conv_lstm(384, 384) + 2 * 385
    assert rows["canadafiresat/vit_sits"]["trainable_parameters"] == expected
    for name in ("resnet50_sits", "resnet50_multi", "resnet50_env", "vit_env", "conv_lstm"):
        assert rows[f"canadafiresat/{name}"]["trainable_parameters"] == SIZES[name][0]


def small(path: Path) -> Channels:
    """The config's own inputs, on a map of few cells with two looks and two steps."""
    return replace(channels_of(path), size=CELLS, looks=2, modis_steps=2, weather_steps=2)


def sample(channels: Channels, number: int = 2, seed: int = 0) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    side, looks = channels.size * channels.pixels + (4 if channels.pixels > 1 else 0), 2

    def normal(*shape: int) -> Tensor:
        return torch.randn(number, *shape, generator=rng)

    angle = torch.rand(number, generator=rng) * 6.28
    cells = (channels.size, channels.size)
    return {
        "sentinel2": normal(looks, 13, side, side),
        "age": normal(looks, 1, 1).abs().mul(20).expand(number, looks, *cells),
        "clear": (normal(looks, *cells) > -1).float(),
        "modis": normal(2, 5, 5, 5),
        "modis_mask": (normal(2, 5, 5, 5) > -1).float(),
        "weather": normal(2, 9, 1, 1),
        "weather_mask": torch.ones(number, 2, 9),
        "fire": torch.zeros(number, 0, *cells),
        "static": torch.zeros(number, 0, *cells),
        "season": torch.stack([angle.sin(), angle.cos()], dim=1),
    }


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_published_model_forecasts_and_learns_and_reads_what_it_says(path: Path) -> None:
    torch.manual_seed(0)
    channels = small(path)
    network: Any = build_network(path, channels).to(memory_format=torch.channels_last)
    batch = sample(channels)
    logits = network(batch)
    assert logits.shape == (2, 1, CELLS, CELLS)
    logits.square().mean().backward()
    for name, weight in network.named_parameters():
        assert (weight.grad is not None) == weight.requires_grad, name
        assert weight.grad is None or weight.grad.isfinite().all(), name
    network.eval()
    batch = {name: value[:1] for name, value in batch.items()}
    with torch.no_grad():
        before = network(batch)
        for name in INPUTS[:3]:
            changed = network(batch | {name: batch[name] + 1.0})
            assert (not torch.equal(changed, before)) == (name in network.inputs), name
        masks = batch.keys() & set(MASKS.values())  # the benchmark knows of no fires
        blank = batch | {mask: torch.zeros_like(batch[mask]) for mask in masks}
        junk = blank | {name: torch.full_like(batch[name], torch.nan) for name in MASKS}
        junk["age"] = torch.full_like(batch["age"], torch.inf)
        assert torch.equal(network(junk), network(blank))
        assert network(junk).isfinite().all()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_checkpoint_can_build_a_published_model_again(path: Path) -> None:
    with torch.device("meta"):
        network = build_network(path, channels_of(path))
        again = rebuild(describe(network), path)
    shapes = {name: value.shape for name, value in network.state_dict().items()}
    assert {name: value.shape for name, value in again.state_dict().items()} == shapes


def test_a_split_convolution_is_the_published_cell() -> None:
    """One convolution over input and hidden state, four gates: i, f, o, g."""
    torch.manual_seed(0)
    cell = ConvLSTM(3, 4)
    maps, seen = torch.randn(2 * 5, 3, 6, 6), torch.ones(2, 5, dtype=torch.bool)
    both = torch.cat([cell.read.weight, cell.carry.weight], dim=1)
    hidden = state = torch.zeros(2, 4, 6, 6)
    for step in maps.unflatten(0, (2, 5)).unbind(1):
        gates = functional.conv2d(torch.cat([step, hidden], dim=1), both, padding=1)
        i, f, o, g = gates.chunk(4, dim=1)
        state = f.sigmoid() * state + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * state.tanh()
    torch.testing.assert_close(cell(maps, seen), hidden)
    assert both.abs().max() <= (9 * 7) ** -0.5


def test_a_look_that_is_missing_leaves_the_state_as_it_was() -> None:
    torch.manual_seed(0)
    cell, maps = ConvLSTM(3, 4), torch.randn(1 * 3, 3, 6, 6)
    seen = torch.tensor([[True, False, True]])
    short = cell(maps[[0, 2]], torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(cell(maps, seen), short)
    assert not cell(maps, torch.zeros(1, 3, dtype=torch.bool)).any()


def test_variables_are_projected_one_by_one_and_averaged() -> None:
    torch.manual_seed(0)
    branch, series = Tabular(3, 4), torch.randn(2, 5, 3)
    one_by_one = torch.stack(
        [series[..., [v]] * branch.weight[v] + branch.bias[v] for v in range(3)]
    ).mean(dim=0)
    _, (hidden, _) = branch.lstm(one_by_one)
    torch.testing.assert_close(branch(series), hidden[-1])


def test_a_low_rank_layer_starts_as_its_base_and_forecasts_as_it_trains() -> None:
    torch.manual_seed(0)
    base, values = nn.Linear(6, 5), torch.randn(3, 6)
    layer = LowRank(base, rank=2, alpha=4.0, dropout=0.0)
    torch.testing.assert_close(layer(values), base(values))
    nn.init.normal_(layer.up.weight)
    product = base(values) + 2.0 * values @ (layer.up.weight @ layer.down.weight).T
    torch.testing.assert_close(layer.train()(values), product)
    torch.testing.assert_close(layer.eval()(values), product)
    layer.train()(values).sum().backward()
    assert base.weight.grad is None


def test_only_named_layers_are_adapted_and_a_relearned_one_leaves_its_start() -> None:
    network = nn.Sequential()
    network.add_module("fc1", nn.Linear(4, 4))
    network.add_module("fc2", nn.Linear(4, 4))
    adapt(network, ("fc1",), 2, 2.0, 0.0)
    trained = [name for name, weight in network.named_parameters() if weight.requires_grad]
    assert trained == ["fc1.down.weight", "fc1.up.weight"]
    relearned = Relearned(nn.Linear(4, 4))
    with torch.no_grad():
        relearned.trained.weight.zero_()
    assert relearned.original.weight.any()
    assert not relearned(torch.ones(1, 4)).sub(relearned.trained.bias).any()


@pytest.mark.parametrize(("each", "side"), [(8, 33), (14, 19), (2, 130)])
def test_a_forecast_lies_on_the_ground_that_it_was_made_from(each: int, side: int) -> None:
    """Features that say where their middle is give cells that say where theirs is."""
    middle = (torch.arange(side) + 0.5) * each
    cells = to_cells(middle.expand(1, 1, side, side).contiguous(), each, 10, (26, 26))
    expected = (torch.arange(26) + 0.5) * 10
    inner = (expected > each / 2) & (expected < (side - 0.5) * each)
    assert cells.shape == (1, 1, 26, 26)
    torch.testing.assert_close(cells[0, 0, 0, inner], expected[inner])


def test_looks_go_oldest_first_with_the_day_on_which_they_were_taken() -> None:
    channels = BenchmarkInputs(resolution=10, looks=2).channels
    batch = sample(replace(channels, size=CELLS), 1)
    angle = torch.tensor(2 * torch.pi * 20 / 365.25)  # 21 January
    batch |= {
        "season": torch.stack([angle.sin(), angle.cos()])[None],
        "age": torch.tensor([5.0, 30.0])[None, :, None, None].expand(1, 2, CELLS, CELLS),
        "clear": torch.ones(1, 2, CELLS, CELLS),
    }
    looks, seen = frames(batch, 10)
    assert looks.shape == (1, 2, 14, 60, 60)
    assert seen.all()
    assert torch.equal(looks[0, 0, :13], batch["sentinel2"][0, 1, :, 2:-2, 2:-2])
    # the older look is of last year's December
    assert looks[0, :, 13, 0, 0].tolist() == pytest.approx([355.25 / 365.25, 15 / 365.25], abs=1e-5)
    assert day_of_year(batch["season"]).item() == pytest.approx(20 / 365.25, abs=1e-5)


def test_two_classes_are_one_chance() -> None:
    classes = torch.randn(2, 4, 3, 3)
    fire = torch.stack([classes[:, :2].softmax(1)[:, 1], classes[:, 2:].softmax(1)[:, 1]], dim=1)
    torch.testing.assert_close(fire_logits(classes).sigmoid(), fire)


def test_learned_filters_of_colours_go_to_the_bands_of_these_colours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    donor = build_encoder("resnet18", inputs=3)
    save_file(donor.state_dict(), tmp_path / "x.safetensors")
    with caplog.at_level("INFO"):
        made = build_encoder(
            "resnet18",
            inputs=14,
            weights=tmp_path / "x.safetensors",
            colours=RED_GREEN_BLUE,
            features_only=True,
        )
    first, old = made.conv1.weight, donor.conv1.weight
    assert torch.equal(first[:, [3, 2, 1]], old)
    others = [band for band in range(14) if band not in RED_GREEN_BLUE]
    assert first[:, others].std().item() == pytest.approx(old.std().item(), rel=0.6)
    assert torch.equal(made.layer4[1].conv2.weight, donor.layer4[1].conv2.weight)
    assert "not used of the file: fc.bias, fc.weight" in caplog.text
    assert "3 of its 14 inputs" in caplog.text


def test_weights_that_are_not_there_are_asked_for_and_nothing_is_fetched(tmp_path: Path) -> None:
    channels = BenchmarkInputs(resolution=10).channels
    with pytest.raises(ValueError, match="nothing is ever downloaded"):
        ResNetConvLSTM(channels, weights=tmp_path / "none.safetensors")
    save_file({"stem.weight": torch.zeros(4, 3, 7, 7)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="not a state dict of timm's resnet50"):
        ResNetConvLSTM(channels, weights=tmp_path / "x.safetensors")


def test_the_multi_modal_model_wants_its_two_tables_in_the_same_steps() -> None:
    channels = replace(BenchmarkInputs(resolution=10).channels, modis_steps=4)
    with torch.device("meta"), pytest.raises(ValueError, match="got 4 and 8"):
        ResNetConvLSTM(channels, tabular=True)
