"""Maps whose side is no multiple of a stride, Sentinel-2 at 10 m, data without layers, one head."""

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from firesat.batch import Channels
from firesat.forecast import Forecaster
from firesat.jobs.train.lightning import quiet
from firesat.jobs.train.models import build_network
from firesat.model_folder import load_forecaster
from firesat_models.fine import FineLooks
from firesat_models.fusion import extend
from tests.fake_chips import CHANNELS, make_batch

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "model").glob("*.yaml"))
SIZES = {
    "looks": 2, "sentinel2": 13, "modis_steps": 8, "modis": 5, "weather_steps": 8, "weather": 9,
    "fire": 0, "static": 0, "heads": 1, "size": 26,
}  # fmt: skip


def bench(number: int, pixels: int) -> dict[str, Tensor]:
    """Random samples of a benchmark: a margin of 2 pixels of 10 m, no fire and static layers."""
    rng = torch.Generator().manual_seed(number)
    side = 26 if pixels == 1 else 264

    def normal(*shape: int) -> Tensor:
        return torch.randn(number, *shape, generator=rng)

    return {
        "sentinel2": normal(2, 13, side, side),
        "age": normal(2, 26, 26).abs() * 20,
        "clear": (normal(2, 26, 26) > -1).float(),
        "modis": normal(8, 5, 5, 5),
        "modis_mask": torch.ones(number, 8, 5, 5, 5),
        "weather": normal(8, 9, 1, 1),
        "weather_mask": torch.ones(number, 8, 9),
        "fire": torch.zeros(number, 0, 26, 26),
        "static": torch.zeros(number, 0, 26, 26),
        "season": normal(2),
        "label": (normal(1, 26, 26) > 1).float(),
        "valid": torch.ones(number, 1, 26, 26),
        "weight": torch.ones(number),
    }


@pytest.mark.parametrize("pixels", [1, 10])
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_network_forecasts_a_benchmark_and_learns_from_it(path: Path, pixels: int) -> None:
    torch.manual_seed(0)
    network = build_network(path, Channels(**SIZES, pixels=pixels))
    logits = network(bench(2, pixels))
    assert logits.shape == (2, 1, 26, 26)
    logits.square().mean().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_pixels_under_a_mask_do_not_matter(path: Path) -> None:
    torch.manual_seed(0)
    network = build_network(path, Channels(**SIZES, pixels=10)).eval()
    batch = bench(2, 10)
    mask = torch.nn.functional.pad(
        batch["clear"].repeat_interleave(10, -1).repeat_interleave(10, -2), (2, 2, 2, 2)
    )
    junk = batch | {"sentinel2": batch["sentinel2"].where(mask[:, :, None] > 0, torch.nan)}
    torch.testing.assert_close(network(junk), network(batch), rtol=0, atol=0)


def test_a_pixel_changes_its_own_cell_alone_and_the_margin_none() -> None:
    torch.manual_seed(0)
    fine = FineLooks(13, 10).eval()
    looks, clear = torch.randn(1, 1, 13, 264, 264), torch.ones(1, 1, 26, 26)
    before = fine(looks, clear)
    assert before.shape == (1, 1, 13, 26, 26)
    for row, col, cell in ((2, 2, (0, 0)), (11, 2, (0, 0)), (12, 261, (1, 25)), (1, 100, None)):
        changed = looks.clone()
        changed[..., row, col] += 1
        moved = (fine(changed, clear) != before).any(dim=2)[0, 0].nonzero().tolist()
        assert moved == ([list(cell)] if cell else [])


def test_what_is_added_to_a_map_is_empty_and_nothing_is_where_nothing_lacks() -> None:
    values = torch.rand(2, 3, 26, 25)
    out = extend(values, 8)
    assert out.shape == (2, 3, 32, 32)
    assert torch.equal(out[..., :26, :25], values)
    assert not out[..., 26:, :].any()
    assert not out[..., 25:].any()
    assert extend(out, 8) is out


@pytest.mark.parametrize(
    "path", [path for path in CONFIGS if path.stem in ("cnn", "vit")], ids=lambda path: path.stem
)
def test_an_encoder_sees_whole_strides(path: Path) -> None:
    network: Any = build_network(path, CHANNELS).eval()
    sizes = []
    first = next(part for part in network.frames.modules() if isinstance(part, nn.Conv2d))
    first.register_forward_pre_hook(lambda _, given: sizes.append(given[0].shape[-2:]))
    for size in (26, 40):
        assert network(make_batch(1, size=size)).shape[-2:] == (size, size)
    assert sizes == [(32, 32), (40, 40)]


class Bench(pl.LightningDataModule):
    """Four random samples."""

    base_rate = 0.2

    def train_dataloader(self) -> DataLoader[Any]:
        batch = bench(4, 1)
        chips = [{name: value[i] for name, value in batch.items()} for i in range(4)]
        return DataLoader(chips, batch_size=2)

    val_dataloader = train_dataloader


def test_one_head_forecasts_fire_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network: nn.Module = build_network(CONFIGS[0], Channels(**SIZES))
    forecaster = Forecaster(network)
    with quiet():
        trainer = pl.Trainer(
            accelerator="cpu", max_steps=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
            num_sanity_val_steps=0,
        )  # fmt: skip
        trainer.fit(forecaster, Bench())
        trainer.validate(forecaster, Bench(), verbose=False)
    assert forecaster.offset.sigmoid().tolist() == pytest.approx([0.2])
    metrics = trainer.callback_metrics
    assert {"val/loss", "val/ap", "val/prevalence"} <= metrics.keys()
    assert not {"val/ap_growth", "val/ap_new"} & metrics.keys()
    label = bench(4, 1)["label"].mean()
    assert float(metrics["val/prevalence"]) == pytest.approx(float(label))
    forecaster.eval()
    with torch.no_grad():
        logits, chance = forecaster(bench(4, 1)), forecaster.forecast(bench(4, 1))
    assert chance.shape == (4, 1, 26, 26)
    torch.testing.assert_close(chance, logits.sigmoid(), rtol=1e-4, atol=1e-6)
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    loaded, _, _ = load_forecaster(tmp_path / "x.ckpt")
    with torch.no_grad():
        torch.testing.assert_close(loaded.forecast(bench(4, 1)), chance)
