"""Sentinel-2 at 10 m, brought to the 100 m cells of the map."""

from torch import Tensor, nn
from torch.nn import functional

from firesat.batch import Channels
from firesat_models.temporal import present


class FineLooks(nn.Module):
    """Give each cell the mean of its pixels, and what their pattern says beyond it.

    Every window of the convolutions lies inside one cell, so that nothing slides over the ground.

    Parameters
    ----------
    bands : int
        Sentinel-2 bands, in and out.
    pixels : int
        Pixels along the side of a cell.
    width : int
        Channels in between.
    """

    def __init__(self, bands: int, pixels: int, width: int = 32) -> None:
        super().__init__()
        self.pixels = pixels
        inner = pixels // 2 if pixels % 2 == 0 else pixels
        self.detail = nn.Sequential(
            nn.Conv2d(bands, width, inner, inner, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, bands, pixels // inner, pixels // inner),
        )

    def forward(self, looks: Tensor, clear: Tensor) -> Tensor:
        """Bring looks to the cells.

        Parameters
        ----------
        looks : Tensor
            ``(N, K, C, H, W)``; H and W are Y and X times `pixels`, with an even margin besides.
        clear : Tensor
            ``(N, K, Y, X)``; 0 where a cell has no look.

        Returns
        -------
        Tensor
            ``(N, K, C, Y, X)``.
        """
        n, k, _, y, x = *looks.shape[:3], *clear.shape[-2:]
        top, left = (
            (looks.shape[-2] - y * self.pixels) // 2,
            (looks.shape[-1] - x * self.pixels) // 2,
        )
        inside = looks[..., top : top + y * self.pixels, left : left + x * self.pixels]
        mask = clear.repeat_interleave(self.pixels, -2).repeat_interleave(self.pixels, -1)
        frames = present(inside, mask[:, :, None]).flatten(0, 1)
        cells: Tensor = functional.avg_pool2d(frames, self.pixels) + self.detail(frames)
        return cells.reshape(n, k, -1, y, x)


def fine_looks(channels: Channels) -> FineLooks | None:
    """Build what a network needs before its encoder.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.

    Returns
    -------
    FineLooks or None
        None where Sentinel-2 comes in cells already.
    """
    return FineLooks(channels.sentinel2, channels.pixels) if channels.pixels > 1 else None
