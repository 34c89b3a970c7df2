"""Chips of a made-up rule that a network can learn in seconds: fire where it is dry and windy."""

from typing import Any

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from firesat.batch import Channels

# threads that wait for each other spin: beside other tests, two take ten times as long as one
torch.set_num_threads(1)

CHANNELS = Channels(
    looks=2,
    sentinel2=13,
    modis_steps=2,
    modis=3,
    weather_steps=6,
    weather=4,
    fire=3,
    static=5,
    leads=4,
    size=40,
)


def make_batch(number: int, *, size: int = 40, seed: int = 0) -> dict[str, Tensor]:
    """Chips whose cells burn where the newest clear look is dry and yesterday was windy."""
    rng = torch.Generator().manual_seed(seed)
    c = CHANNELS

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng)

    def smooth(cells: int) -> Tensor:
        coarse = normal(number, 1, size // 8 + 1, size // 8 + 1)
        return functional.interpolate(coarse, size=(cells, cells), mode="bicubic")[:, 0]

    dry = smooth(size) + 0.7 * normal(number, size, size)
    windy = normal(number)
    clear = (torch.rand(number, c.looks, size, size, generator=rng) > 0.2).float()
    sentinel2 = 0.3 * normal(number, c.looks, c.sentinel2, size, size)
    sentinel2[:, :, 7] -= dry[:, None]
    weather = normal(number, c.weather_steps, c.weather, size // 10, size // 10)
    weather[:, -1, 2] = windy[:, None, None]
    fire = normal(number, c.fire, size, size)
    fire[:, 0] = smooth(size)
    new = torch.sigmoid(3.0 * (dry + windy[:, None, None]) - 9.0)
    growth = torch.sigmoid(4.0 * (fire[:, 0] + windy[:, None, None]) - 11.0)
    chance = torch.stack([growth, new], dim=1)
    inputs = {
        "sentinel2": sentinel2 * clear[:, :, None],
        "age": 30.0 * torch.rand(number, c.looks, size, size, generator=rng),
        "clear": clear,
        "modis": normal(number, c.modis_steps, c.modis, size // 5, size // 5),
        "modis_mask": torch.ones(number, c.modis_steps, c.modis, size // 5, size // 5),
        "weather": weather,
        "weather_mask": torch.ones(number, c.weather_steps, c.weather),
        "fire": fire,
        "fire_mask": torch.ones(number, c.fire),
        "static": normal(number, c.static, size, size),
        "season": normal(number, 2),
    }
    label = (torch.rand(chance.shape, generator=rng) < chance).float()
    known = {"valid": (torch.rand(chance.shape, generator=rng) > 0.05).float()}
    known["weight"] = torch.where(torch.rand(number, generator=rng) > 0.5, 1.0, 5.0)
    day = torch.randint(1, c.leads + 1, (number, size, size), generator=rng).float()
    day = torch.where(label.amax(dim=1) > 0, day, c.leads + 1.0) * known["valid"].amin(dim=1)
    starts = torch.rand(number, c.leads, size // 10, size // 10, generator=rng) > 0.95
    days = {"lead": torch.stack([day, day], dim=1), "starts": starts.float()}
    return {**inputs, "label": label, **known, **days}


class FakeChips(LightningDataModule):
    """Made-up chips behind the interface of the real ones."""

    def __init__(self, train: int = 64, val: int = 16, batch_size: int = 8) -> None:
        super().__init__()
        self.train, self.val, self.batch_size = train, val, batch_size

    @property
    def channels(self) -> Channels:
        return CHANNELS

    @property
    def inputs(self) -> dict[str, Any]:
        return {"looks": 2, "weather": ("t2m", "rh", "ws", "tp")}

    @property
    def scaler(self) -> dict[str, Any]:
        return {"sentinel2": {"mean": [0.1], "std": [0.2]}}

    @property
    def base_rate(self) -> float:
        return 0.05

    def _loader(self, number: int, seed: int, *, shuffle: bool) -> DataLoader[Any]:
        batch = make_batch(number, seed=seed)
        chips = [{name: value[i] for name, value in batch.items()} for i in range(number)]
        return DataLoader(chips, batch_size=self.batch_size, shuffle=shuffle)

    def train_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.train, 1, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.val, 2, shuffle=False)

    test_dataloader = val_dataloader
