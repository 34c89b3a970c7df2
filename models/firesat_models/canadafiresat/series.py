"""From a batch to the series that the published models read: oldest first, with the day beside."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from firesat_models.temporal import present

RED_GREEN_BLUE = (3, 2, 1)
"""Places of B04, B03 and B02 among the bands, where weights learned on colours belong."""

STEP = 8  # days that a step of the environment stands for
_YEAR = 365.25  # days


def day_of_year(season: Tensor) -> Tensor:
    """Read the day back from its sine and cosine.

    Parameters
    ----------
    season : Tensor
        ``(N, 2)``.

    Returns
    -------
    Tensor
        ``(N,)``; 0..1 of a year.
    """
    return (torch.atan2(season[:, 0], season[:, 1]) / (2 * math.pi)) % 1.0


def frames(batch: dict[str, Tensor], pixels: int) -> tuple[Tensor, Tensor]:
    """Stack each look's bands and its day of the year, oldest first.

    Parameters
    ----------
    batch : dict of Tensor
        Fields of `firesat.batch`; looks newest first.
    pixels : int
        Pixels along the side of a cell.

    Returns
    -------
    looks : Tensor
        ``(N, K, C + 1, H, W)``, H and W of the map without its margin; 0 where there is no look.
    seen : Tensor
        Bool ``(N, K)``: some cell is clear in that look.
    """
    clear = batch["clear"].flip(1)
    height, width = clear.shape[-2] * pixels, clear.shape[-1] * pixels
    top = (batch["sentinel2"].shape[-2] - height) // 2
    left = (batch["sentinel2"].shape[-1] - width) // 2
    bands = batch["sentinel2"][..., top : top + height, left : left + width].flip(1)
    age = present(batch["age"].flip(1), clear)
    day = present((day_of_year(batch["season"])[:, None, None, None] - age / _YEAR) % 1.0, clear)
    mask, day = (_to_pixels(cells[:, :, None], pixels) for cells in (clear, day))
    stack = torch.cat([present(bands, mask), day.to(bands.dtype)], dim=2)
    return stack, clear.flatten(2).amax(dim=-1) > 0


def _to_pixels(cells: Tensor, pixels: int) -> Tensor:
    """Repeat cells of 100 m to their pixels."""
    if pixels == 1:
        return cells
    return cells.repeat_interleave(pixels, -2).repeat_interleave(pixels, -1)


def step_days(season: Tensor, steps: int) -> Tensor:
    """Give the day of the year at which each step of the environment begins.

    Parameters
    ----------
    season : Tensor
        ``(N, 2)`` of T, where the last step ends.
    steps : int
        How many, `STEP` days each.

    Returns
    -------
    Tensor
        ``(N, steps)``, oldest first; 0..1 of a year.
    """
    back = torch.arange(steps, 0, -1, device=season.device, dtype=season.dtype) * STEP
    return (day_of_year(season)[:, None] - back / _YEAR) % 1.0


def weather(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Give the weather without what is missing.

    Parameters
    ----------
    batch : dict of Tensor
        Fields ``weather`` and ``weather_mask``.

    Returns
    -------
    values, mask : Tensor
        ``(N, S, V, y, x)`` both; 0 where missing, which after scaling is the mean.
    """
    mask = batch["weather_mask"][..., None, None].expand_as(batch["weather"])
    return present(batch["weather"], mask), mask


def modis(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Give MODIS without what is missing.

    Parameters
    ----------
    batch : dict of Tensor
        Fields ``modis`` and ``modis_mask``.

    Returns
    -------
    values, mask : Tensor
        ``(N, Tm, V, y, x)`` both; 0 where missing, which after scaling is the mean.
    """
    return present(batch["modis"], batch["modis_mask"]), batch["modis_mask"]


def scalars(batch: dict[str, Tensor]) -> Tensor:
    """Give each step's weather, MODIS and day as one number a variable.

    Parameters
    ----------
    batch : dict of Tensor
        Fields of `firesat.batch`, as many steps of MODIS as of the weather.

    Returns
    -------
    Tensor
        ``(N, S, V)``, oldest first, the day last; means over the cells that are known.
    """
    means = []
    for values, mask in (weather(batch), modis(batch)):
        known = mask.to(values.dtype).sum(dim=(-2, -1)).clamp(min=1.0)
        means.append(values.sum(dim=(-2, -1)) / known)
    days = step_days(batch["season"], means[0].shape[1])
    return torch.cat([*means, days[..., None].to(means[0].dtype)], dim=2)


def tiles(values: Tensor, season: Tensor, side: int) -> Tensor:
    """Resize each step to a square tile, with its day as one more channel.

    Parameters
    ----------
    values : Tensor
        ``(N, S, V, y, x)``.
    season : Tensor
        ``(N, 2)``.
    side : int
        Of the tile, pixels.

    Returns
    -------
    Tensor
        ``(N * S, V + 1, side, side)``.
    """
    n, steps = values.shape[:2]
    resized = functional.interpolate(values.flatten(0, 1), (side, side), mode="bilinear")
    days = step_days(season, steps).reshape(n * steps, 1, 1, 1).to(resized.dtype)
    return torch.cat([resized, days.expand(-1, 1, side, side)], dim=1)


def to_cells(features: Tensor, pixels_each: int, pixels: int, size: tuple[int, int]) -> Tensor:
    """Interpolate features bilinearly to the cells that lie over them.

    Parameters
    ----------
    features : Tensor
        ``(N, C, y, x)``; the first pixel of the first one is the first pixel of the map.
    pixels_each : int
        Pixels along the side of a feature.
    pixels : int
        Pixels along the side of a cell.
    size : tuple of int
        Y and X, cells.

    Returns
    -------
    Tensor
        ``(N, C, Y, X)``. Features that reach beyond the map are not squeezed into it, which would
        shift the forecast by up to 80 m over a map of 26 cells.
    """
    scale = float(pixels_each) / pixels
    grown = functional.interpolate(features, scale_factor=scale, mode="bilinear")
    return grown[..., : size[0], : size[1]]


def fire_logits(classes: Tensor) -> Tensor:
    """Turn two classes a head into the log odds of fire.

    Parameters
    ----------
    classes : Tensor
        ``(N, 2 L, Y, X)``: no fire and fire of each head.

    Returns
    -------
    Tensor
        ``(N, L, Y, X)``; softmax of two is the sigmoid of their difference.
    """
    return classes[:, 1::2] - classes[:, 0::2]
