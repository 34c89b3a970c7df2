"""DINOv2 with LoRA and a ConvLSTM over its tokens: the published ViT for Sentinel-2."""

from pathlib import Path

from torch import Tensor, nn

from firesat.batch import Channels
from firesat_models.canadafiresat.conv_lstm import ConvLSTM
from firesat_models.canadafiresat.lora import Relearned, adapt
from firesat_models.canadafiresat.resnet import image_inputs, late_fusion, tabular_branch
from firesat_models.canadafiresat.series import RED_GREEN_BLUE, fire_logits, frames, to_cells
from firesat_models.encoders import build_encoder
from firesat_models.fusion import extend

PATCH = 14
"""Pixels along the side of a token."""
WIDTH = 384
ADAPTED = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")


class ViTConvLSTM(nn.Module):
    """The published ViT for the image series, alone or with tabular weather and MODIS.

    DINOv2 ViT-S/14 (Oquab et al. 2023, arXiv:2304.07193) is frozen but for low-rank products and
    the patch embedding, reads each look by itself, and a ConvLSTM reads its tokens over time.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    tabular : bool
        The multi-modal setting: weather and MODIS as numbers, joined with the map at the end.
    rank : int
        Of the low-rank products; their weight is one.
    dropout : float
        Of their input, 0..1.
    weights : Path, optional
        Local file of timm's ``vit_small_patch14_dinov2``; default random weights.
    """

    halo: int = 8
    stride: int = 7  # cells: 70 pixels are five tokens
    encoder = "vit_small_patch14_dinov2"

    def __init__(
        self,
        channels: Channels,
        *,
        tabular: bool = False,
        rank: int = 32,
        dropout: float = 0.1,
        weights: Path | None = None,
    ) -> None:
        super().__init__()
        self.channels, self.tabular, self.weights = channels, tabular, weights
        self.random_start = () if weights else ("weights",)
        self.rank, self.dropout = rank, dropout
        self.inputs = image_inputs(tabular=tabular)
        self.frames = build_encoder(
            self.encoder,
            inputs=channels.sentinel2 + 1,
            weights=weights,
            colours=RED_GREEN_BLUE,
            # the table of positions is that of the whole tokens of a map: 18 x 18 of 252 pixels
            img_size=max(1, channels.size * channels.pixels // PATCH) * PATCH,
            num_classes=0,
            dynamic_img_size=True,
        )
        adapt(self.frames, ADAPTED, rank, float(rank), dropout)
        embedding = self.frames.patch_embed
        embedding.proj = Relearned(embedding.proj)
        embedding.proj.trained.requires_grad_(requires_grad=True)
        self.over_time = ConvLSTM(WIDTH, WIDTH)
        self.table = tabular_branch(channels, WIDTH) if tabular else None
        self.head = nn.Conv2d(WIDTH * (1 + tabular), 2 * channels.heads, 1)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Forecast one batch.

        Parameters
        ----------
        batch : dict of Tensor
            Fields of `firesat.batch`, scaled.

        Returns
        -------
        Tensor
            Logits ``(N, L, Y, X)``.
        """
        looks, seen = frames(batch, self.channels.pixels)
        images = extend(looks, PATCH).flatten(0, 1)
        maps = token_maps(self.frames, images, PATCH)
        y, x = batch["age"].shape[-2:]
        cells = to_cells(self.over_time(maps, seen), PATCH, self.channels.pixels, (y, x))
        return fire_logits(self.head(late_fusion(cells, self.table, batch)))


def token_maps(transformer: nn.Module, images: Tensor, patch: int) -> Tensor:
    """Let a timm vision transformer read images, and lay its tokens out.

    Parameters
    ----------
    transformer : nn.Module
        With a class token, which is dropped.
    images : Tensor
        ``(N, C, H, W)``.
    patch : int
        Pixels along the side of a token.

    Returns
    -------
    Tensor
        ``(N, D, H / patch, W / patch)``.
    """
    tokens: Tensor = transformer.forward_features(images)[:, 1:]  # type: ignore[operator]
    size = (images.shape[-2] // patch, images.shape[-1] // patch)
    # the channels of a token lie together: this is channels_last already, nothing is copied
    return tokens.transpose(1, 2).reshape(len(tokens), -1, *size)
