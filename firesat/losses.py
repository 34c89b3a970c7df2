"""The loss: cross-entropy over the cells that are known, each for as many as it stands for.

Only the default is a proper score, from which probabilities come; the rest rebuilds the recipes of
others, whose scores rank cells but are no chances.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from firesat.errors import ConfigError

_MEMORY = 100  # batches over which the mean weight is taken


def cell_weight(valid: Tensor, weight: Tensor) -> Tensor:
    """Weight of every cell and head.

    Parameters
    ----------
    valid : Tensor
        ``(N, L, Y, X)``; 1 where the label is known, else 0.
    weight : Tensor
        ``(N,)``; 1 / inclusion probability of the chip.

    Returns
    -------
    Tensor
        float32 ``(N, L, Y, X)``; 0 = takes no part.
    """
    return valid.float() * weight.float()[:, None, None, None]


def masked_bce(
    logits: Tensor,
    label: Tensor,
    cells: Tensor,
    *,
    total: Tensor | None = None,
    gamma: float = 0.0,
) -> Tensor:
    """Average the binary cross-entropy over known cells.

    A proper score: its minimum is the true probability, at the prevalence of nature, since every
    chip counts 1 / inclusion probability.

    Parameters
    ----------
    logits : Tensor
        ``(N, L, Y, X)``.
    label : Tensor
        ``(N, L, Y, X)``, 0 or 1; anything where `cells` is 0.
    cells : Tensor
        ``(N, L, Y, X)`` from `cell_weight`.
    total : Tensor, optional
        What the sum is divided by; default the sum of `cells`, which is exact over a whole set but
        in a small batch makes the common heavy chips and the rare light ones share unfairly.
    gamma : float
        Focus of the focal loss (Lin et al. 2017, arXiv:1708.02002). Above 0 the outputs are no
        longer probabilities and must be calibrated before use.

    Returns
    -------
    Tensor
        float32 scalar; 0 when no cell is known.
    """
    known = cells > 0
    truth = label.float().where(known, 0.0)
    # float32 and log1p: torch's own cross-entropy loses a chance of 1e-5 in the rounding of 1 + p
    entropy = functional.softplus(logits.float()) - logits.float() * truth
    if gamma > 0:
        # exp(-entropy) is the probability given to what happened; at 0 a root has no slope
        entropy = entropy * (-torch.expm1(-entropy)).clamp(min=1e-12) ** gamma
    summed = (entropy * cells).sum()
    return summed / (cells.sum() if total is None else total).clamp(min=1e-12)


def soft_dice(logits: Tensor, label: Tensor, cells: Tensor) -> Tensor:
    """Give one minus the Dice overlap of forecast and truth over all known cells of a batch.

    Parameters
    ----------
    logits : Tensor
        ``(N, L, Y, X)``.
    label : Tensor
        ``(N, L, Y, X)``, 0..1; anything where `cells` is 0.
    cells : Tensor
        ``(N, L, Y, X)`` from `cell_weight`.

    Returns
    -------
    Tensor
        float32 scalar, 0..1; 1 without a gradient where nothing burns.
    """
    truth = label.float().where(cells > 0, 0.0)
    chance = logits.float().sigmoid() * cells
    both = (chance * truth).sum()
    return 1.0 - 2.0 * both / (chance.sum() + (truth * cells).sum()).clamp(min=1e-12)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What a training makes small; as it stands, the cross-entropy of `masked_bce`.

    Parameters
    ----------
    dice : float
        Share of the soft Dice loss, 0..1; the rest is cross-entropy.
    positive_weight : float
        How much heavier a burning cell counts in the cross-entropy than another.
    smoothing : float
        Label smoothing, 0..0.5: what burns counts as 1 - smoothing, what does not as smoothing.
    gamma : float
        Focus of the focal loss; 0 = none.

    Raises
    ------
    ConfigError
        If a number is impossible.
    """

    dice: float = 0.0
    positive_weight: float = 1.0
    smoothing: float = 0.0
    gamma: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no loss."""
        if not (0 <= self.dice <= 1 and 0 <= self.smoothing < 0.5):
            raise ConfigError(
                f"loss: dice={self.dice} must lie in 0..1, smoothing={self.smoothing} below 0.5"
            )
        if not (self.positive_weight > 0 and self.gamma >= 0):
            raise ConfigError(
                f"loss: positive_weight={self.positive_weight} must be above 0, gamma={self.gamma} "
                "not below"
            )

    @property
    def proper(self) -> bool:
        """Whether a network that makes it small learns chances.

        Returns
        -------
        bool
            True of the default alone: it has its minimum at the true probability.
        """
        return self == Loss()

    def __call__(
        self, logits: Tensor, label: Tensor, cells: Tensor, total: Tensor | None = None
    ) -> Tensor:
        """Compute it.

        Parameters
        ----------
        logits : Tensor
            ``(N, L, Y, X)``.
        label : Tensor
            ``(N, L, Y, X)``, 0 or 1; anything where `cells` is 0.
        cells : Tensor
            ``(N, L, Y, X)`` from `cell_weight`.
        total : Tensor, optional
            As `masked_bce`; not used where burning cells count for more, since a weighted mean is
            divided by its own weights.

        Returns
        -------
        Tensor
            float32 scalar.
        """
        truth = label.float() * (1.0 - 2.0 * self.smoothing) + self.smoothing
        loss = logits.new_zeros((), dtype=torch.float32)
        if self.dice > 0:
            loss = loss + self.dice * soft_dice(logits, truth, cells)
        if self.dice < 1:
            heavy = self.positive_weight != 1
            weight = torch.where(label > 0, self.positive_weight, 1.0) * cells if heavy else cells
            entropy = masked_bce(
                logits, truth, weight, total=None if heavy else total, gamma=self.gamma
            )
            loss = loss + (1.0 - self.dice) * entropy
        return loss


class UsualWeight(nn.Module):
    """The weight that a batch of some size usually has.

    Divided by its own weight, a batch with many light fire chips would count as much as one of
    heavy quiet chips, and fire would be forecast too often.
    """

    mean: Tensor
    batches: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("batches", torch.zeros((), dtype=torch.long))

    def forward(self, cells: Tensor) -> Tensor:
        """Count a batch in.

        Parameters
        ----------
        cells : Tensor
            ``(N, L, Y, X)`` from `cell_weight`.

        Returns
        -------
        Tensor
            Scalar: mean weight of a chip over the last hundred batches or so, times N.
        """
        self.batches += 1
        self.mean += (cells.sum() / len(cells) - self.mean) / self.batches.clamp(max=_MEMORY)
        return self.mean * len(cells)
