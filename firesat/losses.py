"""The loss: cross-entropy over the cells that are known, each for as many as it stands for."""

from torch import Tensor
from torch.nn import functional


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
        # exp(-entropy) is the probability given to what happened
        entropy = entropy * (1.0 - (-entropy).exp()) ** gamma
    summed = (entropy * cells).sum()
    return summed / (cells.sum() if total is None else total).clamp(min=1e-12)
