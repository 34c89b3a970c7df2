"""TemporalViT: attention over space in each look, then over the looks of each patch."""

from pathlib import Path
from typing import Any, ClassVar

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional

from firesat.batch import INPUTS, Channels
from firesat_models.drivers import Drivers, beside, quiet
from firesat_models.encoders import OTHERS, RED_GREEN_BLUE, build_encoder
from firesat_models.fine import fine_looks
from firesat_models.fusion import Context, blend, extend, refuse_empty
from firesat_models.temporal import LookComposite, look_frames

_ROTARY = ("dinov3", "eva")  # timm's Eva, whose arguments differ


class LookAttention(nn.Module):
    """Let each patch's context ask its looks.

    Parameters
    ----------
    dim : int
        Channels of a token.
    heads : int
        Attention heads.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, context: Tensor, looks: Tensor, seen: Tensor) -> Tensor:
        """Attend over the looks of each patch.

        Parameters
        ----------
        context : Tensor
            ``(N, P, D)``, P patches.
        looks : Tensor
            ``(N, K, P, D)``.
        seen : Tensor
            Bool ``(N, K, P)``: the patch has a clear cell in that look.

        Returns
        -------
        Tensor
            ``(N, P, D)``.
        """
        n, p, d = context.shape
        # the context stands among the keys, so that a patch without looks attends to something
        keys = self.norm(torch.cat([context[:, None], looks], dim=1)).transpose(1, 2)
        mask = functional.pad(seen, (0, 0, 1, 0), value=True).transpose(1, 2)
        key, value = self._split(self.key_value(keys)).chunk(2, dim=-1)
        query = self._split(self.query(self.norm(context))[:, :, None])
        found = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask.reshape(n * p, 1, 1, -1)
        )
        out: Tensor = context + self.out(found.transpose(1, 2).reshape(n, p, d))
        return out

    def _split(self, tokens: Tensor) -> Tensor:
        """(N, P, T, C) to (N P, heads, T, C / heads)."""
        flat = tokens.flatten(0, 1)
        return flat.reshape(*flat.shape[:2], self.heads, -1).transpose(1, 2)


class TemporalViT(nn.Module):
    """Forecast from looks, weather and fire with attention.

    Factorised: a timm vision transformer reads each look by itself; the context of each patch
    (fire, terrain, MODIS, weather, season) then attends to its looks; blocks over space follow.
    The tokens are unfolded to 100 m and joined with the context and the looks at full resolution.

    Parameters
    ----------
    channels : Channels
        Sizes of the batch.
    patch : int
        Side of a patch, cells.
    dim : int
        Channels of a token.
    depth : int
        Transformer blocks in each look.
    fused_depth : int
        Transformer blocks after the looks are joined.
    heads : int
        Attention heads.
    width : int
        Channels at 100 m.
    weather_width : int
        Hidden channels of the weather encoder, a multiple of 4.
    position : str
        "none": order is known from convolutions only (of DINOv3 by rotation), and every token is a
        patch; "learn": timm's position table, and the tokens beside patches, as published weights
        need them.
    encoder : str
        timm vision transformer, such as those of DINOv2 and DINOv3.
    weights : Path, optional
        Local file of the encoder's weights; default random ones.
    """

    inputs: ClassVar[tuple[str, ...]] = INPUTS
    halo: ClassVar[int] = 16
    reach: ClassVar[int | None] = None  # patches attend to all others of the chip
    stride = 8

    def __init__(  # noqa: PLR0913  each is a key of the config
        self,
        channels: Channels,
        *,
        patch: int = 8,
        dim: int = 96,
        depth: int = 2,
        fused_depth: int = 2,
        heads: int = 4,
        width: int = 16,
        weather_width: int = 32,
        position: str = "none",
        encoder: str = "vit_tiny_patch16_224",
        weights: Path | None = None,
    ) -> None:
        super().__init__()
        refuse_empty(patch=patch, dim=dim, heads=heads, depth=depth)
        refuse_empty(width=width, weather_width=weather_width)
        self.channels, self.width, self.weather_width = channels, width, weather_width
        self.patch, self.dim, self.heads = patch, dim, heads
        self.depth, self.fused_depth, self.position = depth, fused_depth, position
        self.encoder, self.weights = encoder, weights
        self.stride = patch
        self.fine = fine_looks(channels)
        bands = channels.sentinel2 + 2
        self.frames = build_encoder(
            encoder,
            inputs=bands,
            weights=weights,
            colours=RED_GREEN_BLUE,
            grey=OTHERS,
            img_size=channels.size + -channels.size % patch,
            patch_size=patch,
            embed_dim=dim,
            depth=depth,
            num_heads=heads,
            num_classes=0,
            global_pool="",
            dynamic_img_size=True,
            **_tokens(encoder, position),
        )
        self.context = Context(channels, width, weather_width)
        self.context_tokens = nn.Conv2d(width, dim, patch, patch)
        self.over_looks = LookAttention(dim, heads)
        # position without a table: neighbours are told apart by a convolution over the tokens
        self.near = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        self.over_space = nn.ModuleList(
            Block(dim, heads, qkv_bias=True) for _ in range(fused_depth)
        )
        self.unfold = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, width * patch * patch), nn.GELU()
        )
        self.composite = LookComposite()
        self.pixel = nn.Conv2d(bands, width, 1, bias=False)
        self.decode = blend(width)
        self.drivers = Drivers(channels)
        self.head = quiet(nn.Conv2d(width, channels.outputs, 1))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Forecast one batch.

        Parameters
        ----------
        batch : dict of Tensor
            Fields of `firesat.batch`, scaled.

        Returns
        -------
        Tensor
            ``(N, channels.outputs, Y, X)``, see `firesat.hazard`.
        """
        frames = extend(look_frames(batch, self.fine), self.patch)
        y, x = batch["age"].shape[-2:]
        context = extend(self.context(batch), self.patch)
        grid = self.context_tokens(context)
        seen = functional.max_pool2d(frames[:, :, -1], self.patch).flatten(2) > 0
        tokens = self.over_looks(_flatten(grid), self._encode(frames, seen), seen)
        grid = _fold(tokens, grid.shape[-2:])
        tokens = _flatten(grid + self.near(grid))
        for block in self.over_space:
            tokens = block(tokens)
        wide = _fold(self.unfold(tokens), grid.shape[-2:])
        fine = functional.pixel_shuffle(wide, self.patch) + self.pixel(self.composite(frames))
        out: Tensor = self.head(self.decode(fine + context))
        return beside(out[..., :y, :x], self.drivers(batch))

    def _encode(self, frames: Tensor, seen: Tensor) -> Tensor:
        """Attend over space in each look by itself: (N, K, P, D); 0 of looks without a cell."""
        there = seen.any(dim=2)
        if torch.compiler.is_compiling() or there.all():  # compiled code is of one shape
            found = self._tokens_of(frames.flatten(0, 1))
            return found.reshape(*there.shape, *found.shape[1:])
        there[0, 0] |= ~there.any()  # one, so that every weight has a gradient
        found = self._tokens_of(frames[there])
        tokens = found.new_zeros(*there.shape, *found.shape[1:])
        return tokens.index_put((there,), found)

    def _tokens_of(self, looks: Tensor) -> Tensor:
        """Tokens of the patches of (M, C, Y, X)."""
        tokens: Tensor = self.frames.forward_features(looks)
        return tokens[:, self.frames.num_prefix_tokens :]


def _tokens(encoder: str, position: str) -> dict[str, Any]:
    """How a family is told where patches lie; tokens that are no patch are published weights'."""
    rotary = any(name in encoder for name in _ROTARY)  # knows places without a table
    if position != "none":
        return {} if rotary else {"pos_embed": position}
    table = {"num_reg_tokens": 0} if rotary else {"pos_embed": position, "reg_tokens": 0}
    return {"class_token": False, **table}


def _flatten(grid: Tensor) -> Tensor:
    """(N, D, y, x) to (N, P, D)."""
    return grid.flatten(2).transpose(1, 2)


def _fold(tokens: Tensor, size: torch.Size) -> Tensor:
    """(N, P, D) to (N, D, y, x)."""
    return tokens.transpose(1, 2).reshape(len(tokens), -1, *size)
