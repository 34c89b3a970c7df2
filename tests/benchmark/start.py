"""A network that was meant to start from learned weights."""

from torch import Tensor, nn

from firesat.batch import Channels


class Meant(nn.Module):
    """Reads the season, and has no file to start from."""

    random_start = ("weights",)

    def __init__(self, channels: Channels) -> None:
        super().__init__()
        self.channels = channels
        self.season = nn.Linear(2, channels.heads)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        y, x = batch["age"].shape[-2:]
        return self.season(batch["season"])[..., None, None].expand(-1, -1, y, x)
