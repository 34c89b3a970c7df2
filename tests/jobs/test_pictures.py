"""Pictures of a training: which chips are shown, what stands in them, and that they are there."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from firesat.jobs.train import train
from firesat.jobs.train.keys import ALLOWED
from firesat.jobs.train.pictures import Pictures, example_of
from firesat.products.style import COLOURS
from firesat.products.training import Example, draw_curves, draw_examples
from tests.fake_chips import make_batch

TRUSTED = (*ALLOWED, "tests.")


def _settings(root: Path, **trainer: Any) -> dict[str, Any]:
    return {
        "model": {"network": {"class_path": "tests.test_trust.Small"}, "learning_rate": 0.01},
        "data": {"class_path": "tests.fake_chips.FakeChips", "init_args": {"train": 8, "val": 8}},
        "trainer": {
            "accelerator": "cpu", "max_epochs": 2, "default_root_dir": str(root), **trainer,
        },
    }  # fmt: skip


def _colours(path: Path) -> set[tuple[int, ...]]:
    """Colours of a picture, 0..255."""
    pixels = np.rint(imread(path)[..., :3] * 255).astype(int).reshape(-1, 3)
    return {tuple(map(int, colour)) for colour in np.unique(pixels, axis=0)}


def _as_bytes(colour: str) -> tuple[int, ...]:
    return tuple(round(255 * part) for part in to_rgb(colour))


def test_a_training_leaves_its_curves_and_examples_beside_its_log(tmp_path: Path) -> None:
    train("fit", _settings(tmp_path), allowed=TRUSTED)
    folder = tmp_path / "logs" / "version_0"
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.yaml", "metrics.csv", "curves.png", "examples.png"}
    for name in ("curves.png", "examples.png"):
        assert min(imread(folder / name).shape[:2]) > 300


def test_curves_of_a_training_that_goes_on_begin_with_those_before(tmp_path: Path) -> None:
    train("fit", _settings(tmp_path), allowed=TRUSTED)
    last = tmp_path / "checkpoints" / "last.ckpt"
    words = ["--trainer.max_epochs=3", f"--ckpt_path={last}"]
    train("fit", _settings(tmp_path), words, allowed=TRUSTED)
    kept = torch.load(last, weights_only=True)["callbacks"]
    (state,) = (value for name, value in kept.items() if "Pictures" in name)
    assert [epoch["epoch"] for epoch in state["curves"]] == [1.0, 2.0, 3.0]
    assert all(np.isfinite(epoch["val/loss"]) for epoch in state["curves"])


def test_the_chips_of_which_most_burned_are_shown() -> None:
    class Fitting:
        """As much of a trainer as is asked for."""

        class state:  # noqa: N801
            fn = "fit"

        is_global_zero = True

    pictures = Pictures()
    trainer: Any = Fitting()
    module: Any = None
    pictures.on_validation_epoch_start(trainer, module)
    for seed, burned in ((0, (3, 9, 0)), (1, (7, 0, 5)), (2, (0, 6, 1))):
        batch = make_batch(3, seed=seed)
        batch["label"].zero_()
        batch["valid"].fill_(1.0)
        for chip, count in enumerate(burned):
            batch["label"][chip, 0].view(-1)[:count] = 1.0
        odds = torch.zeros_like(batch["label"])
        pictures.on_validation_batch_end(trainer, module, odds, batch, seed)
    assert [int(example.burned.sum()) for _, example in pictures._found] == [9, 7, 6, 5]


def test_an_example_shows_the_chance_of_any_fire() -> None:
    batch = make_batch(2)
    odds = torch.zeros_like(batch["label"])
    odds[1, 0], odds[1, 1] = torch.logit(torch.tensor(0.5)), torch.logit(torch.tensor(0.2))
    example = example_of(batch, odds, 1)
    np.testing.assert_allclose(example.chance, 0.6, rtol=1e-5)  # 1 - 0.5 * 0.8
    assert example.look is not None
    np.testing.assert_array_equal(example.look[0], batch["sentinel2"][1, 0, 3])


@pytest.mark.parametrize("pixels", [0, 1, 10])
def test_every_chance_and_outcome_has_its_colour(tmp_path: Path, pixels: int) -> None:
    """Without any look, at 100 m and at 10 m; and of a benchmark that knows one map alone."""
    cells = np.zeros((20, 20), dtype=bool)
    grown, new = cells.copy(), cells.copy()
    grown[:5], new[5:10] = True, True
    rng = np.random.default_rng(0)
    example = Example(
        look=rng.random((3, *2 * [20 * pixels + (4 if pixels > 1 else 0)])) if pixels else None,
        clear=np.ones((20, 20)) if pixels else None,
        chance=np.geomspace(3e-6, 0.5, 400).reshape(20, 20),
        burned=np.stack([grown, new]) if pixels < 10 else grown[None],
        known=np.arange(400).reshape(20, 20) < 300,
    )
    found = _colours(draw_examples([example], 3, tmp_path / "x" / "examples.png"))
    assert {_as_bytes(colour) for colour in COLOURS} <= found
    assert {_as_bytes(colour) for colour in ("#111111", "#e69f00", "#d9c9e8")} <= found


def test_scores_that_are_not_known_leave_gaps_in_the_curves(tmp_path: Path) -> None:
    path = draw_curves(
        [
            {"epoch": 1.0, "train/loss": 0.5, "val/ap": float("nan")},
            {"epoch": 2.0, "train/loss": 0.4},
        ],
        tmp_path / "curves.png",
    )
    assert _as_bytes("#0072b2") in _colours(path)  # the loss, of which two epochs are known
