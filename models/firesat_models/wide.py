"""Weather wider than a chip: each cell asks the weather cells around it, wherever it was cut out.

A cell sees the square of weather cells around its own and nothing else, each with its place beside
it, so that a map does not depend on the windows that it was predicted by.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from firesat.batch import WIDE, Channels
from firesat_models.temporal import WeatherEncoder

_HEADS = 4


class WideWeather(nn.Module):
    """Read each cell's own days of weather, and those of the 10 km cells around it by attention.

    The same encoder makes a token of every weather cell. A 1 km cell is the query; the tokens of
    its neighbourhood are keys and values, beside the cell itself, so that a cell without any
    attends to something.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch, with a margin.
    width : int
        Channels to give, a multiple of 4.
    """

    def __init__(self, channels: Channels, width: int) -> None:
        super().__init__()
        self.margin = channels.around
        self.own = WeatherEncoder(channels, width)
        self.norm = nn.LayerNorm(width)
        # where a token lies beside the cell, in weather cells: down, right, and how far
        self.place = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, width))
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Encode one batch.

        Parameters
        ----------
        batch : dict of Tensor
            The fields of the weather in `firesat.batch`, scaled.

        Returns
        -------
        Tensor
            ``(N, width, y, x)``.
        """
        own = self.own(batch)
        tokens = self.own.encode(batch["around"], batch["around_mask"])
        known = batch["around_mask"].flatten(1, 2).amax(dim=1) > 0
        cells, beside = neighbours(
            batch["off_centre"], own.shape[-2:], known.shape[-2:], self.margin
        )
        here = own.flatten(2).transpose(1, 2)  # (N, P, C)
        sample = torch.arange(len(own), device=own.device)[:, None, None]
        found = self._attend(
            here,
            tokens.flatten(2).transpose(1, 2)[sample, cells],
            beside,
            known.flatten(1)[sample, cells],
        )
        out: Tensor = own + found.transpose(1, 2).reshape_as(own)
        return out

    def _attend(self, here: Tensor, around: Tensor, beside: Tensor, known: Tensor) -> Tensor:
        """(N, P, C) from itself and (N, P, T, C) around it, T tokens that lie ``beside`` it."""
        n, p, width = here.shape
        itself = functional.pad(beside, (0, 0, 1, 0))  # at a distance of 0
        keys = self.norm(torch.cat([here[:, :, None], around], dim=2)) + self.place(itself)
        key, value = self._split(self.key_value(keys)).chunk(2, dim=-1)
        query = self._split(self.query(self.norm(here))[:, :, None])
        mask = functional.pad(known, (1, 0), value=True).reshape(n * p, 1, 1, -1)
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        out: Tensor = self.out(found.transpose(1, 2).reshape(n, p, width))
        return out

    def _split(self, tokens: Tensor) -> Tensor:
        """(N, P, T, C) to (N P, heads, T, C / heads)."""
        flat = tokens.flatten(0, 1)
        return flat.reshape(*flat.shape[:2], _HEADS, -1).transpose(1, 2)


def neighbours(
    off_centre: Tensor, size: torch.Size, wide: torch.Size, margin: int
) -> tuple[Tensor, Tensor]:
    """Find the weather cells around each 1 km cell of a chip.

    Parameters
    ----------
    off_centre : Tensor
        ``(N, 2)``, see `firesat.batch`.
    size : torch.Size
        y and x, 1 km cells of the chip.
    wide : torch.Size
        b and a, weather cells around it.
    margin : int
        Weather cells on each side of a cell's own.

    Returns
    -------
    cells : Tensor
        int64 ``(N, y x, T)``: flat numbers of weather cells, T = (2 `margin` + 1) ** 2.
    beside : Tensor
        float32 ``(N, y x, T, 3)``: rows and columns from the cell's centre to theirs, in weather
        cells, and the distance.
    """
    axes = [
        _along(off_centre[:, axis], size[axis], wide[axis], margin) for axis in range(len(size))
    ]
    (rows, down), (columns, right) = axes
    # (N, y, 1, t, 1) beside (N, 1, x, 1, t)
    rows, down = rows[:, :, None, :, None], down[:, :, None, :, None]
    columns, right = columns[:, None, :, None, :], right[:, None, :, None, :]
    cells = rows * wide[1] + columns
    far = torch.hypot(down, right)
    place = torch.stack([down.expand_as(far), right.expand_as(far), far], dim=-1)
    return cells.flatten(3).flatten(1, 2), place.flatten(3, 4).flatten(1, 2)


def _along(off_centre: Tensor, size: int, wide: int, margin: int) -> tuple[Tensor, Tensor]:
    """Along one axis: numbers of the weather cells (N, size, t), and how far their centres lie."""
    cell = torch.arange(size, device=off_centre.device) + 0.5 - size / 2
    middle = off_centre.float()[:, None] + cell * (WIDE // 10) + wide * WIDE / 2
    own = (middle / WIDE).floor()
    steps = torch.arange(-margin, margin + 1, device=off_centre.device)
    numbers = own[..., None] + steps
    # whole numbers of 100 m, which float32 holds exactly: the same wherever the chip was cut
    return numbers.long(), ((numbers + 0.5) * WIDE - middle[..., None]) / WIDE


def weather_encoder(channels: Channels, width: int) -> nn.Module:
    """Build what reads the weather.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    width : int
        Channels to give, a multiple of 4.

    Returns
    -------
    nn.Module
        `WideWeather` where the batch holds weather around the chip, else `WeatherEncoder`.
    """
    return (WideWeather if channels.around else WeatherEncoder)(channels, width)
