"""Weather wider than a chip: read by its place, the same for a cell however its chip was cut."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from firesat.jobs.train.models import build_network
from firesat.samples.wide import Wide
from firesat_models.wide import WideWeather, neighbours, weather_encoder
from tests.fake_chips import CHANNELS, make_batch

MARGIN = 1
WIDE = replace(CHANNELS, around=MARGIN)
NETWORKS = Path(__file__).parents[2] / "configs" / "model"


def widened(number: int, *, size: int = 40, seed: int = 0) -> dict[str, Tensor]:
    """Chips with weather around them that has nothing to do with their own."""
    rng = torch.Generator().manual_seed(1000 + seed)
    side = (90 + size - 1) // 100 + 1 + 2 * MARGIN
    around = torch.randn(number, WIDE.weather_steps, WIDE.weather, side, side, generator=rng)
    start = 10 * torch.randint(0, 10, (number, 2), generator=rng)
    return {
        **make_batch(number, size=size, seed=seed),
        "around": around,
        "around_mask": torch.ones_like(around),
        "off_centre": start + 100 * MARGIN + (size - 100 * side) / 2,
    }


@pytest.fixture(params=["cnn", "vit"])
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return build_network(NETWORKS / f"{request.param}.yaml", WIDE)


def test_a_cell_has_the_neighbours_that_lie_around_it() -> None:
    """A chip of 8 km that begins 30 cells down and 90 to the right in a corner of 4 x 4 cells."""
    margin, side = 1, 4
    place = torch.tensor([[30.0, 90.0]]) + 100 * margin + (80 - 100 * side) / 2
    cells, beside = neighbours(place, torch.Size((8, 8)), torch.Size((side, side)), margin)
    for row, col in ((0, 0), (0, 1), (6, 7), (7, 7)):
        y, x = 100 + 30 + 10 * row + 5, 100 + 90 + 10 * col + 5  # in cells of 100 m
        wanted = [(y // 100 + i, x // 100 + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        found = cells[0, 8 * row + col].tolist()
        assert found == [side * i + j for i, j in wanted]
        down = [(100 * i + 50 - y) / 100 for i, _ in wanted]
        right = [(100 * j + 50 - x) / 100 for _, j in wanted]
        far = np.hypot(down, right)
        np.testing.assert_allclose(beside[0, 8 * row + col].T, [down, right, far], rtol=1e-6)


def test_a_cell_reads_the_same_however_its_chip_was_cut() -> None:
    """Chips of 40, 80 and 120 cells over the same ground, from windows that begin elsewhere."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    encoder = WideWeather(replace(WIDE, around=2), 16).eval()
    coarse = rng.normal(size=(WIDE.weather_steps, WIDE.weather, 8, 8)).astype("float32")
    fine = rng.normal(size=(WIDE.weather_steps, WIDE.weather, 36, 36)).astype("float32")
    whole = Wide(values=coarse, before=(220, 240))
    known = torch.ones(1, WIDE.weather_steps, WIDE.weather)

    def read(row: int, col: int, size: int, wide: Wide, shift: int = 0) -> Tensor:
        patch = wide.patch((row - shift, col - shift), size, 2)
        part = slice(row // 10, (row + size) // 10), slice(col // 10, (col + size) // 10)
        around = torch.from_numpy(patch["around"])[None]
        with torch.inference_mode():
            return encoder(
                {
                    "weather": torch.from_numpy(fine[..., *part])[None],
                    "weather_mask": known,
                    "around": around,
                    "around_mask": torch.ones_like(around),
                    "off_centre": torch.from_numpy(patch["off_centre"])[None],
                }
            )[0]

    large = read(20, 30, 120, whole)
    for row, col, size in ((20, 30, 40), (60, 110, 40), (60, 70, 80), (50, 40, 80)):
        small = read(row, col, size, whole)
        top, left, side = (row - 20) // 10, (col - 30) // 10, size // 10
        same = large[:, top : top + side, left : left + side]
        torch.testing.assert_close(small, same, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(
        read(60, 70, 80, whole.of(50, 50), shift=50), read(60, 70, 80, whole), rtol=0, atol=0
    )


def test_weather_beyond_the_margin_is_not_seen() -> None:
    torch.manual_seed(0)
    encoder = WideWeather(WIDE, 16).eval()
    batch = widened(1)
    batch["off_centre"] = torch.tensor([[-50.0, -50.0]])  # inside the second cell of each side
    struck = batch | {"around": batch["around"].clone()}
    struck["around"][..., 3] += 5.0
    struck["around"][..., 3, :] += 5.0
    with torch.inference_mode():
        torch.testing.assert_close(encoder(struck), encoder(batch), rtol=0, atol=0)
        struck["around"][..., 2, 2] += 5.0
        assert not torch.equal(encoder(struck), encoder(batch))


def test_weather_that_is_not_known_around_does_not_matter(network: nn.Module) -> None:
    batch = widened(2)
    mask = batch["around_mask"].clone()
    mask[..., 0] = 0
    mask[:, 1:3] = 0
    blank = batch | {"around_mask": mask}
    network.eval()
    with torch.inference_mode():
        junk = blank | {"around": batch["around"].where(mask > 0, torch.nan)}
        torch.testing.assert_close(network(junk), network(blank), rtol=0, atol=0)
        none = batch | {"around_mask": torch.zeros_like(mask)}
        nothing = none | {"around": torch.full_like(batch["around"], torch.nan)}
        assert network(nothing).isfinite().all()
        torch.testing.assert_close(network(nothing), network(none), rtol=0, atol=0)
        assert not torch.equal(network(blank), network(none))


def test_every_weight_that_reads_it_is_trained(network: nn.Module) -> None:
    network(widened(2)).square().mean().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name


def learned(margin: int) -> float:
    """Cross-entropy where cells burn if it was wet yesterday 10 km to the north, and only then."""
    torch.manual_seed(0)
    channels = replace(WIDE, weather_steps=3, weather=2, around=margin)
    network = nn.Sequential(weather_encoder(channels, 16), nn.Conv2d(16, 1, 1))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.003)
    loss = torch.tensor(torch.nan)
    for step in range(150):
        rng = torch.Generator().manual_seed(step)
        around = torch.randn(64, 3, 2, 4, 4, generator=rng)
        start = 10 * torch.randint(0, 9, (64, 2), generator=rng)
        batch = {
            "weather": torch.randn(64, 3, 2, 2, 2, generator=rng),
            "weather_mask": torch.ones(64, 3, 2),
            "around": around,
            "around_mask": torch.ones_like(around),
            "off_centre": start + 100 + (20 - 400) / 2,
        }
        place = (start[:, :, None] + torch.tensor([105, 115])) // 100  # of the 1 km cells
        rows, cols = place[:, 0, :, None] - 1, place[:, 1, None]
        label = around[torch.arange(64)[:, None, None], -1, 0, rows, cols] > 0
        # each batch is new to the network when its loss is taken
        loss = functional.binary_cross_entropy_with_logits(network(batch)[:, 0], label.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def test_what_lies_only_in_the_weather_around_a_chip_is_learned() -> None:
    assert learned(margin=1) < 0.25
    assert learned(margin=0) > 0.65
