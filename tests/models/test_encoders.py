"""timm encoders by name: five families, 13 bands, chips of any size, weights from a local file."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from firesat.checkpoint import describe, rebuild
from firesat_models import TemporalCNN, TemporalViT
from firesat_models.encoders import OTHERS, RED_GREEN_BLUE, build_encoder
from firesat_models.temporal import look_frames
from tests.fake_chips import CHANNELS, make_batch

_TINY_VIT = {"embed_dim": 48, "depth": 3, "num_heads": 3}
FAMILIES: dict[str, dict[str, Any]] = {
    "resnet10t": {"channels": (16, 16, 32, 32), "stem_width": 8},
    "convnext_atto": {"depths": (1, 1, 1, 1), "dims": (16, 24, 32, 48)},
    "vit_small_patch14_dinov2": _TINY_VIT,
    "vit_small_patch16_dinov3": _TINY_VIT,
    "swin_tiny_patch4_window7_224": {
        "embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 2, 2, 4),
    },
}  # fmt: skip


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_family_forecasts_chips_of_any_size_and_learns(family: str) -> None:
    torch.manual_seed(0)
    network = TemporalCNN(CHANNELS, encoder=family, encoder_args=FAMILIES[family])
    network(make_batch(2)).square().mean().backward()
    for name, weight in network.frames.named_parameters():
        # a class token and a last norm say nothing of the map
        assert weight.grad is None or weight.grad.isfinite().all(), name
    assert next(network.frames.parameters()).grad is not None
    network.eval()
    with torch.inference_mode():
        for size in (20, 40, 70):
            batch = make_batch(1, size=size)
            out = network(batch)
            assert out.shape == (1, CHANNELS.outputs, size, size)
            batch["sentinel2"] = batch["sentinel2"] + 1.0
            assert not torch.equal(network(batch), out)


@pytest.mark.parametrize(
    ("family", "patch"), [("vit_small_patch14_dinov2", 14), ("vit_small_patch16_dinov3", 16)]
)
@pytest.mark.parametrize("trained", [False, True])
def test_the_vit_takes_published_families(
    tmp_path: Path, family: str, patch: int, *, trained: bool
) -> None:
    torch.manual_seed(0)
    weights = tmp_path / "x.safetensors" if trained else None
    if weights:
        donor = timm.create_model(family, pretrained=False, num_classes=0, **_TINY_VIT)
        save_file(donor.state_dict(), weights)
    network = TemporalViT(
        CHANNELS,
        patch=patch,
        dim=48,
        depth=3,
        heads=3,
        position="learn" if trained else "none",
        encoder=family,
        weights=weights,
    ).eval()
    again = rebuild(describe(network), tmp_path)  # where the file may be gone
    again.load_state_dict(network.state_dict())
    with torch.inference_mode():
        for size in (40, 70):
            out = network(make_batch(1, size=size))
            assert out.shape == (1, CHANNELS.outputs, size, size)
            assert out.isfinite().all()
    if weights:
        own, file = network.frames.state_dict(), donor.state_dict()
        same = [name for name in own.keys() & file.keys() if torch.equal(own[name], file[name])]
        # a table of places is brought to the chip's size
        assert own.keys() - same <= {"patch_embed.proj.weight", "pos_embed"}


def test_the_vit_spares_itself_looks_without_a_clear_cell() -> None:
    torch.manual_seed(0)
    network, batch = TemporalViT(CHANNELS).eval(), make_batch(2)
    batch["clear"][1, 0] = 0
    read: list[Tensor] = []
    network.frames.patch_embed.register_forward_hook(lambda _, given, __: read.append(*given))
    spared = network(batch)
    frames = look_frames(batch)
    every = network._tokens_of(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
    assert [len(looks) for looks in read] == [2 * CHANNELS.looks - 1, 2 * CHANNELS.looks]
    network._encode = lambda *_: every
    torch.testing.assert_close(spared, network(batch))


def test_local_weights_go_to_all_but_the_stem_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, family: str
) -> None:
    """The stem sees grey as bright as in the file, and colours where they are."""
    torch.manual_seed(0)
    donor = timm.create_model(family, pretrained=False, num_classes=7, **FAMILIES[family])
    save_file(donor.state_dict(), tmp_path / "x.safetensors")
    with caplog.at_level("INFO"):
        made = build_encoder(
            family,
            inputs=15,
            weights=tmp_path / "x.safetensors",
            colours=RED_GREEN_BLUE,
            grey=OTHERS,
            features_only=True,
            out_indices=(0, 1, 2),
            **FAMILIES[family],
        )
    assert "tensors start from" in caplog.text
    assert "3 of its 15 inputs start from the file's filters" in caplog.text
    assert "not used of the file: " in caplog.text
    # of those that the head reads nothing was wanted
    assert "weight" in caplog.text.partition("not used of the file: ")[2].partition("\n")[0]
    old = next(value for value in donor.state_dict().values() if value.ndim == 4)
    weights = [value for value in made.state_dict().values() if value.ndim == 4]
    new = next(value for value in weights if value.shape[1] == 15)
    torch.testing.assert_close(new.sum(dim=1), old.sum(dim=1), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(new[:, list(RED_GREEN_BLUE)] * 13 / 3, old)
    assert not new[:, 13:].any()
    known = {(value.shape, float(value.double().sum())) for value in donor.state_dict().values()}
    taken = [(v.shape, float(v.double().sum())) in known for v in made.state_dict().values()]
    assert taken.count(False) == 1


def test_without_a_file_the_log_says_that_all_is_random(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        build_encoder("resnet10t", inputs=15, features_only=True, **FAMILIES["resnet10t"])
    assert "resnet10t is built with random weights: no file was given" in caplog.text


@pytest.mark.parametrize("part", ["", "backbone.", "model.encoder."])
@pytest.mark.parametrize("ending", ["safetensors", "pth", "ckpt"])
def test_weights_of_sentinel2_come_to_their_bands_from_every_file_of_torchgeo(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, part: str, ending: str
) -> None:
    """B01 to B12 in their order, of L1C, 13 inputs; by itself or within what it was trained in."""
    torch.manual_seed(0)
    small = FAMILIES["resnet10t"]
    donor = timm.create_model("resnet10t", in_chans=13, num_classes=10, **small).state_dict()
    named = {f"{part}{name}": value for name, value in donor.items()}
    if part:
        named["decoder.conv1.0.weight"] = torch.zeros(8, 13, 3, 3)
    path = tmp_path / f"x.{ending}"
    if ending == "safetensors":
        save_file(named, path)
    else:
        torch.save({"state_dict": named} if ending == "ckpt" else named, path)
    with caplog.at_level("INFO"):
        network = TemporalCNN(CHANNELS, encoder="resnet10t", encoder_args=small, weights=path)
    own = network.frames.state_dict()
    assert torch.equal(own["conv1.0.weight"][:, :13], donor["conv1.0.weight"])
    assert not own["conv1.0.weight"][:, 13:].any()  # age and mask of a look
    others = own.keys() - {"conv1.0.weight"}
    assert all(torch.equal(own[name], donor[name]) for name in others)
    assert "13 of its 15 inputs start from the file's filters" in caplog.text
    assert "not used of the file: fc.bias, fc.weight" in caplog.text


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x02N."])
@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_a_file_that_holds_no_weights_is_refused_by_its_name(
    tmp_path: Path, ending: str, content: bytes
) -> None:
    path = tmp_path / f"x.{ending}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"x\.{ending} (is damaged|holds)") as caught:
        build_encoder("resnet10t", inputs=15, weights=path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["hf-hub:timm/resnet10t.c3_in1k", "local-dir:/tmp", "resnet10"])
def test_an_encoder_is_built_here_or_not_at_all(name: str) -> None:
    with pytest.raises(ValueError, match="timm has no encoder"):
        build_encoder(name, inputs=15)


@pytest.mark.parametrize("key", ["pretrained", "checkpoint_path", "pretrained_cfg_overlay"])
def test_no_argument_makes_timm_fetch_weights(key: str) -> None:
    with pytest.raises(ValueError, match=f"may not hold {key}: give a local file"):
        TemporalCNN(CHANNELS, encoder_args={key: True})
